"""Prints: data to stdout, everything else to stderr, as text for a person or one JSON object.

It decides nothing. A reader that went away (`| head`) never stops the work: what cannot be printed
is dropped, because a plan may be half carried out when the pipe breaks.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from zoe_tools.domain.account import Account
from zoe_tools.domain.ages import lasted
from zoe_tools.domain.money import plain
from zoe_tools.errors import Moved, PlanStale, ZoeError
from zoe_tools.observe.redaction import REDACTOR

if TYPE_CHECKING:  # rich is slow to import
    from rich.console import Console
    from rich.table import Table

Rows = Iterable[Sequence[object]]
_PLAIN = str.maketrans("▁▂▃▄▅▆▇█░│┤└┬─", "_.,-~=+#:||++-")
_STYLES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}
NARROWEST, USUAL, WIDEST = 60, 80, 140
_BETWEEN = 3
"""Characters between two columns."""

_CONTROLS = re.compile(
    r"\x1b(?!\[[0-9;]*m)|\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
)
"""What others wrote clears no screen; our own colours pass."""

_FOLDED_TO = 8
"""A longer word, an id or a path, may be broken down to this."""


class Printer:
    """One invocation's output. With `json` only the envelope and errors reach stdout."""

    def __init__(
        self,
        *,
        out: TextIO,
        err: TextIO,
        command: str = "",
        json: bool = False,
        color: bool = False,
        width: int = USUAL,
        again: Sequence[str] = (),
        is_terminal: bool = False,
    ) -> None:
        self.command = command
        self._again = tuple(again)
        self.json = json
        self.color = color and not json
        self.is_terminal = is_terminal and not json
        """Whether a person watches: what only eyes can read is for them."""
        self.width = max(NARROWEST, min(width, WIDEST))
        self.lost = ""
        """Why output was lost (a full disk), for the door to report; a closed pipe is no loss."""
        self._out = out
        self.err = err
        self._account: Account | None = None
        self._mode: str | None = None
        self._warnings: list[str] = []
        self._is_enveloped = False

    # --- the account and what goes wrong ---------------------------------------------------------

    def account(self, account: Account, line: str = "") -> None:
        """Name the account, before anything else; a second time does nothing.

        `line`: the whole answer, which begins with the account, where it is but one line.
        """
        if self._account == account:
            return
        self._account = account
        self._mode = account.mode
        color = "red" if account.mode == "live" else "green"
        self.line(line or self.styled(account.title, "bold", color))

    def warn(self, sentence: str, *, always_seen: bool = False) -> None:
        """Something to know, on stderr; with --json in the envelope, or in both."""
        self._warnings.append(REDACTOR.text(sentence))
        if always_seen or not self.json:
            self._write(self.err, f"{self.styled('warning:', 'yellow')} {sentence}\n")

    def say(self, sentence: str) -> None:
        """A remark on the way, on stderr; not in JSON."""
        if not self.json:
            self._write(self.err, f"{sentence}\n")

    def error(self, error: ZoeError) -> None:
        """One sentence and its hint; with --json the error object on stdout as well.

        What moved since a plan is a table, and data.
        """
        moved = error.moved if isinstance(error, PlanStale) else ()
        if moved:
            self._moved(moved)
        self._write(self.err, f"{self.styled('error:', 'red', 'bold')} {error.message}\n")
        if error.hint:
            self._write(self.err, f"hint: {error.hint}\n")
        if self.json and not self._is_enveloped:
            told = {
                "kind": type(error).__name__,
                "message": error.message,
                "hint": error.hint,
                "code": str(getattr(error, "code", "")),
                **({"moved": moved} if moved else {}),
            }
            self._envelope({"error": told, "exit_code": error.exit_code})

    def _moved(self, moved: Sequence[Moved]) -> None:
        self.heading("What moved since the plan was made")
        self.table(
            (">step", "what", "was", "is", "!allowed"),
            [(each.step or "-", each.what, each.was, each.now, each.allowed) for each in moved],
        )

    def account_missing(self, mode: str, why: str) -> None:
        """Name the mode where no account can be named yet, and say why."""
        self._mode = mode
        self.line(self.styled(f"{mode.upper()} ({why})", "bold"))

    # --- data ------------------------------------------------------------------------------------

    def line(self, text: str = "") -> None:
        """One line of data."""
        if not self.json:
            self._write(self._out, f"{text}\n")

    def heading(self, text: str) -> None:
        """A heading, set off by an empty line."""
        self.line()
        self.line(self.styled(text, "bold"))

    def report(self, title: str, rows: Iterable[tuple[str, object]]) -> None:
        """A titled list of names and values, aligned."""
        told = [(name, spelled(value)) for name, value in rows]
        if title:
            self.heading(title)
        width = max((len(name) for name, _ in told), default=0)
        for name, value in told:
            self.wrapped(f"  {name.ljust(width)}  ", value)

    def wrapped(self, lead: str, text: str, *, lead_width: int | None = None) -> None:
        """`lead`, then the text, broken at the width and indented under its beginning."""
        import textwrap  # noqa: PLC0415 - not on the way to a short answer

        indent = len(lead) if lead_width is None else lead_width
        room = max(20, self.width - indent)
        # Paths, addresses and keys stay whole, so that they can be copied.
        lines = textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False) or [""]
        self.line(f"{lead}{lines[0]}".rstrip())
        for each in lines[1:]:
            self.line(" " * indent + each)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        styles: Mapping[str, str] | None = None,
    ) -> None:
        """A table; cells that do not fit are folded, none is cut.

        A column's leading `>` aligns it right, a leading `!` keeps its cells on one line. What does
        not fit even so is told row by row: a number in two parts could be read as another.
        `styles` colours cells that hold exactly that text.
        """
        if self.json:
            return
        told = [[spelled(cell) for cell in row] for row in rows]
        if sum(_least_widths(columns, told)) + _BETWEEN * (len(columns) - 1) > self.width:
            for row in told:
                self.report("", zip((each.lstrip(">!") for each in columns), row, strict=True))
                self.line()
            return
        table = _table_of(columns, told, styles or {})
        console = self._console()
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            self.line(line.rstrip())

    @contextlib.contextmanager
    def live(self) -> Iterator[Callable[[str, Sequence[str], Rows, Mapping[str, str]], None]]:
        """A screen of its own for a person who watches: heading, columns and rows, shown anew.

        When it ends the terminal is as it was before.
        """
        from rich.console import Group  # noqa: PLC0415 - rich is slow to import
        from rich.live import Live  # noqa: PLC0415 - same
        from rich.text import Text  # noqa: PLC0415 - same

        with Live(console=self._console(self._out), screen=True, auto_refresh=False) as screen:

            def show(
                heading: str, columns: Sequence[str], rows: Rows, styles: Mapping[str, str]
            ) -> None:
                told = [[spelled(cell) for cell in row] for row in rows]
                screen.update(Group(Text(heading), _table_of(columns, told, styles)), refresh=True)

            yield show

    def _console(self, out: TextIO | None = None) -> Console:
        from rich.console import Console  # noqa: PLC0415 - rich is slow to import

        return Console(
            file=out,
            width=self.width,
            no_color=not self.color,
            force_terminal=self.color or out is not None,
            color_system="standard" if self.color else None,
            legacy_windows=False,
        )

    def result(self, result: object, *, exit_code: int = 0) -> None:
        """The JSON envelope around a result; nothing without --json. Once per invocation."""
        if self.json:
            self._envelope({"result": result, "exit_code": exit_code})

    # --- how -------------------------------------------------------------------------------------

    def to_run(self, line: str) -> str:
        """A line `zoe ...` to copy, with the options that name this account and its settings.

        Without them a line that was shown for one account would act on another.
        """
        program, _, rest = line.partition(" ")
        return " ".join([program, *(shlex.quote(each) for each in self._again), rest])

    def styled(self, text: str, *styles: str) -> str:
        """The text in colour, where there is colour."""
        if not self.color:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def _envelope(self, content: Mapping[str, object]) -> None:
        if self._is_enveloped:
            raise RuntimeError("a command answers with one JSON object")
        self._is_enveloped = True
        account = self._account
        envelope = {
            "command": self.command,
            "account": account.account_id if account is not None else None,
            "mode": self._mode,
            "warnings": self._warnings,
            **content,
        }
        text = json.dumps(jsonable(envelope), sort_keys=True, ensure_ascii=False)
        self._write(self._out, f"{text}\n")

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            _put(stream, _CONTROLS.sub(" ", REDACTOR.text(text)))
            stream.flush()
        except BrokenPipeError:
            _forget(stream)
        except OSError as error:
            self.lost = error.strerror or type(error).__name__
            _forget(stream)


def _table_of(
    columns: Sequence[str], told: Sequence[Sequence[str]], styles: Mapping[str, str]
) -> Table:
    from rich import box  # noqa: PLC0415 - rich is slow to import; short answers do without
    from rich.table import Table  # noqa: PLC0415 - same
    from rich.text import Text  # noqa: PLC0415 - same

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=False)
    for column in columns:
        justify = "right" if column.startswith(">") else "left"
        table.add_column(
            column.lstrip(">!"),
            justify=justify,  # type: ignore[arg-type]
            overflow="fold",
            no_wrap=column.lstrip(">").startswith("!"),
        )
    for texts in told:
        table.add_row(*(Text(text, style=styles.get(text, "")) for text in texts))
    return table


def _least_widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[int]:
    """What each column needs: one that may be folded its longest number, and some of its words."""
    for place, column in enumerate(columns):
        name = column.lstrip(">!")
        cells = [name, *(row[place] for row in rows)]
        if column.lstrip(">").startswith("!"):
            yield max(map(len, cells))
        else:
            words = [word for cell in cells for word in cell.split()]
            yield max(
                (len(word) if _is_number(word) else min(len(word), _FOLDED_TO) for word in words),
                default=0,
            )


def _is_number(word: str) -> bool:
    return word.strip("~+-%").replace(",", "").replace(".", "").isdigit()


def _put(stream: TextIO, text: str) -> None:
    """What the terminal's encoding has no sign for is told as a question mark.

    What draws a curve or a chart becomes what comes nearest: all question marks would draw nothing.
    """
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.translate(_PLAIN).encode(encoding, "replace").decode(encoding))


def _forget(stream: TextIO) -> None:
    """Let the stream's buffer drain into nothing: the interpreter flushes once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def spelled(value: object) -> str:
    """A value as a person reads it."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return plain(value)
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%SZ")
        case Enum():
            return str(value.value)
        case _:
            return str(value)


def jsonable(value: object) -> object:
    """The value as JSON types: money as plain text, times in ISO, dataclasses by field."""
    match value:
        case Enum():
            return value.value
        case None | bool() | str() | int() | float():
            return value
        case Decimal():
            return plain(value)
        case date():  # and a datetime, which is one
            return value.isoformat()
        case Path():
            return str(value)
        case Mapping():
            return {str(key): jsonable(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [jsonable(each) for each in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            named = {each.name: jsonable(getattr(value, each.name)) for each in fields(value)}
            return {"kind": type(value).__name__, **named}
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON spelling")


def age(since: datetime, now: datetime) -> str:
    """How long ago; see `lasted`."""
    return lasted((now - since).total_seconds())
