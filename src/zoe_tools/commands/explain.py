"""`zoe explain`: the story of an id, or the meaning of a code. Reads the store, or nothing."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.codes import MEANINGS, Meaning, meaning_of
from zoe_tools.core.explain import Line, Story, tell
from zoe_tools.domain.story import Case
from zoe_tools.errors import ConfigError
from zoe_tools.kraken.errors import ErrorRow, normalised, row_for
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.auditing import books_of
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.context import account_of
from zoe_tools.store.store import Store

_SHORTEST = 3
_MOST_SHOWN = 12


def explain(
    ctx: typer.Context,
    what: Annotated[
        list[str],
        typer.Argument(metavar="ID|CODE", help="An id, the beginning of one, #ROW, or a code."),
    ],
) -> None:
    """Tell the story of an order, intent, plan, position or execution; or what a code means.

    An id may be zoe's own or the venue's, or its beginning, if no other begins like it; #12 is row
    12 of the audit log. A code is one of zoe's, an exit code, or an error of Kraken's.

    Examples:
      zoe explain OQCLML-BW3P3
      zoe explain 3f9a12c4
      zoe explain STALE_QUOTE
      zoe explain "EOrder:Insufficient funds"
    """
    invocation: Invocation = ctx.obj
    text = " ".join(what).strip()
    meaning = meaning_of(text) or _of_the_venue(text)
    if meaning is not None:
        _show_meaning(invocation.printer(), meaning)
        return
    case = _case(invocation, text)
    story = tell(case)
    printer = invocation.printer()
    printer.account(case.account)
    _show_story(printer, story)
    printer.result(
        {
            "kind": case.subject.kind,
            "id": case.subject.id,
            "title": story.title,
            "lines": story.lines,
            "retry": story.retry,
            "why": story.why,
            "next": story.next,
        }
    )


# --- codes ---------------------------------------------------------------------------------------


def _of_the_venue(text: str) -> Meaning | None:
    row = row_for(text)
    if row is None:
        return None
    return Meaning(
        code=normalised(text),
        family="error of Kraken's",
        what=_words(row),
        retry="after looking" if row.ambiguous else "no" if row.retry == "never" else "yes",
        next=row.hint,
    )


def _words(row: ErrorRow) -> str:
    if row.ambiguous:
        return "In answer to a read: it failed. In answer to a write: it may have happened."
    match row.retry:
        case "later":
            return f"Nothing happened: the venue asks to wait, {row.wait_s:.0f} s at least."
        case "new_nonce" | "new_token":
            return "Nothing happened; zoe tries again by itself."
        case _:
            return "A definite no: nothing happened."


def _show_meaning(printer: Printer, meaning: Meaning) -> None:
    printer.line(printer.styled(f"{meaning.code} ({meaning.family})", "bold"))
    rows = [("what happened", meaning.what), ("safe to retry", meaning.retry)]
    if meaning.next:
        rows.append(("next", meaning.next))
    printer.report("", rows)
    printer.result(meaning)


# --- stories -------------------------------------------------------------------------------------


def _case(invocation: Invocation, text: str) -> Case:
    """What the text names in the books of the accounts here.

    Raises:
        ConfigError: it names nothing, or more than one thing.
    """
    settings = invocation.settings(lenient=True)
    if len(text) < _SHORTEST and not text.startswith("#"):
        raise _nothing(text)
    is_named = bool(invocation.options.account or invocation.options.profile)
    cases: list[Case] = []
    for account in books_of(settings, account_of(settings) if is_named else None):
        now = SystemClock().now()
        store = Store.open(settings.database_url, account, clock_now=now, read_only=True)
        with closing(store), store.reading() as books:
            found = books.find(text)
            if len(found) > 1:
                told = ", ".join(f"{each.kind.value} {each.id}" for each in found[:_MOST_SHOWN])
                raise ConfigError(
                    f"{text!r} begins more than one id of {account.title}: {told}.",
                    hint="Give more of it.",
                )
            cases += [books.case_of(each) for each in found]
    if len(cases) > 1:
        told = ", ".join(each.account.title for each in cases)
        raise ConfigError(
            f"{text!r} is in the books of more than one account: {told}.",
            hint="Name one with --account.",
        )
    if not cases:
        raise _nothing(text)
    return cases[0]


def _nothing(text: str) -> ConfigError:
    import difflib  # noqa: PLC0415 - only for who mistyped

    close = difflib.get_close_matches(text.upper(), [each.code for each in MEANINGS], n=3)
    hint = (
        f"Did you mean {', '.join(close)}?"
        if close
        else "If the venue shows it, `zoe reconcile` says whose it is; `zoe status` lists ours."
    )
    return ConfigError(f"{text!r} is no code, and no id in the books here.", hint=hint)


def _show_story(printer: Printer, story: Story) -> None:
    printer.wrapped("", story.title)
    printer.line()
    day = ""
    for line in story.lines:
        if f"{line.at:%Y-%m-%d}" != day:
            day = f"{line.at:%Y-%m-%d}"
            printer.line(f"  {day}")
        _show_line(printer, line)
    if not story.lines:
        printer.line("  Neither the books nor the audit log tell anything more.")
    printer.line()
    printer.report("", (("safe to retry", story.retry), ("why", story.why)))
    for each in story.next:
        printer.line(f"Next: {printer.to_run(each)}")


def _show_line(printer: Printer, line: Line) -> None:
    source = line.how if line.seq is None else f"{line.how}; row {line.seq}"
    printer.wrapped(f"  {line.at:%H:%M:%S}  ", f"{line.what} [{source}]")
