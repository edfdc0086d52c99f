"""Data to stdout, words to stderr; one JSON object; nothing lost that mattered."""

from __future__ import annotations

import errno
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from builders import LIVE, PAPER
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import OutcomeUnknown, VenueRejected
from zoe_tools.observe.redaction import REDACTOR
from zoe_tools.render.printer import Printer, age, jsonable


class Streams:
    """A printer and what it wrote."""

    def __init__(self, *, as_json: bool = False, color: bool = False, width: int = 80) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.printer = Printer(
            out=self.out, err=self.err, command="x", json=as_json, color=color, width=width
        )


def test_the_account_is_named_once_and_first() -> None:
    """`LIVE kraken 3f9a12c4`."""
    streams = Streams()
    streams.printer.account(LIVE)
    streams.printer.account(LIVE)

    assert streams.out.getvalue() == "LIVE kraken 3f9a12c4\n"


def test_a_report_is_aligned_and_folded_under_its_value() -> None:
    """Nothing is cut, nothing runs over the width."""
    streams = Streams(width=60)
    streams.printer.report("limits", (("a", Decimal("1E-8")), ("longer", "word " * 20)))

    lines = streams.out.getvalue().splitlines()
    assert lines[:3] == ["", "limits", "  a       0.00000001"]
    assert lines[4].startswith(" " * 10 + "word")
    assert max(len(line) for line in lines) <= 60


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_fits_the_width_and_loses_no_word(width: int) -> None:
    """Long cells are folded."""
    streams = Streams(width=width)
    words = [f"word{number}" for number in range(60)]
    streams.printer.table(("#", "what", ">at stake"), [("1", " ".join(words), "12.50")])

    text = streams.out.getvalue()
    assert max(len(line) for line in text.splitlines()) <= width
    assert all(word in text for word in words)


@pytest.mark.parametrize("width", range(60, 141, 10))
@pytest.mark.parametrize("fixed", ["!", ">!", ""])
def test_no_number_of_a_table_is_cut_or_broken(width: int, fixed: str) -> None:
    """3515.99 shown as 3515 would be copied as 3515; what does not fit is told row by row."""
    streams = Streams(width=width)
    numbers = [f"3515.99{place}" for place in range(9)]
    columns = [f"{fixed}column {place}" for place in range(9)]
    streams.printer.table(columns, [numbers, ["1"] * 9])

    text = streams.out.getvalue()
    assert all(number in text.split() for number in numbers)
    assert all(f"column {place}" in " ".join(text.split()) for place in range(9))
    assert max(len(line) for line in text.splitlines()) <= width


def test_there_is_no_escape_code_without_colour() -> None:
    """A pipe and NO_COLOR get plain text, tables included."""
    plain, coloured = Streams(), Streams(color=True)
    for streams in (plain, coloured):
        streams.printer.account(PAPER)
        streams.printer.table(("", "what"), [("+", "place")], styles={"+": "green"})

    assert "\x1b[" not in plain.out.getvalue()
    assert coloured.out.getvalue().count("\x1b[") > 2


def test_json_is_one_object_with_the_account_and_the_warnings() -> None:
    """Sorted keys, money as text, and not a word of the human's output."""
    streams = Streams(as_json=True)
    streams.printer.account(PAPER)
    streams.printer.line("for a person")
    streams.printer.warn("odd")
    streams.printer.result({"money": Decimal("0.10"), "level": KillLevel.FLATTEN}, exit_code=3)

    assert json.loads(streams.out.getvalue()) == {
        "account": "kraken-paper-0badcafe",
        "command": "x",
        "exit_code": 3,
        "mode": "paper",
        "result": {"level": 4, "money": "0.10"},
        "warnings": ["odd"],
    }
    assert streams.out.getvalue().count("\n") == 1


def test_an_error_is_a_sentence_a_hint_and_in_json_an_object() -> None:
    """The words go to stderr either way."""
    streams = Streams(as_json=True)
    streams.printer.error(VenueRejected("No.", hint="Do.", code="EOrder:Insufficient funds"))

    assert streams.err.getvalue() == "error: No.\nhint: Do.\n"
    assert json.loads(streams.out.getvalue())["error"] == {
        "kind": "VenueRejected",
        "message": "No.",
        "hint": "Do.",
        "code": "EOrder:Insufficient funds",
    }


def test_an_error_after_the_result_adds_no_second_object() -> None:
    """One invocation, one object."""
    streams = Streams(as_json=True)
    streams.printer.result({})
    streams.printer.error(OutcomeUnknown("Hm."))

    assert streams.out.getvalue().count("\n") == 1
    assert "zoe reconcile --execute" in streams.err.getvalue()


def test_no_secret_is_printed() -> None:
    """Not even inside somebody else's error text."""
    REDACTOR.remember(["a-very-secret-value"])
    streams = Streams()
    streams.printer.line("x a-very-secret-value y")

    assert streams.out.getvalue() == "x ******** y\n"


def test_what_somebody_else_wrote_clears_no_screen() -> None:
    """A reason, a venue's words: lines break, colours pass, nothing else is for the terminal."""
    streams = Streams()
    streams.printer.line("a\x1b[2Jb\x07c\rd\x1b[31me\nf")

    assert streams.out.getvalue() == "a [2Jb c d\x1b[31me\nf\n"


def test_a_curve_is_a_curve_in_every_encoding() -> None:
    """A line of question marks would say nothing: the blocks become what comes nearest."""
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="ascii", errors="strict")
    Printer(out=out, err=out, command="run").line("curve ▁▂▃▄▅▆▇█ ░│┤└┬─ é")
    out.flush()

    assert written.getvalue() == b"curve _.,-~=+# :||++- ?\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_sign_that_the_terminal_lacks_never_stops_the_work(encoding: str) -> None:
    """A kill prints before it latches: it must come to that."""
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding=encoding, errors="strict")
    printer = Printer(out=out, err=io.StringIO(), command="x")
    printer.line("f\u00fcr \u20ac \udcfc")

    assert written.getvalue().startswith(b"f")
    assert written.getvalue().endswith(b" ?\n")


class Failing(io.StringIO):
    """A stream that breaks like a pipe or a full disk."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    @override
    def write(self, text: str) -> int:
        """Fail."""
        del text
        raise self._error


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), ""),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
)
def test_a_reader_that_is_gone_never_stops_the_work(error: OSError, lost: str) -> None:
    """A plan may be half carried out; a full disk is told afterwards."""
    printer = Printer(out=Failing(error), err=io.StringIO(), command="x")
    printer.line("one")
    printer.line("two")

    assert printer.lost == lost


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_ages_are_told_in_the_largest_unit_that_says_enough(seconds: int, told: str) -> None:
    """Two of a unit before it is used."""
    now = datetime(2026, 1, 5, tzinfo=UTC)

    assert age(now - timedelta(seconds=seconds), now) == told
    assert age(now + timedelta(seconds=5), now) == "0 s"


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_money_survives_json_exactly(amount: Decimal) -> None:
    """As text in plain notation."""
    text = json.loads(json.dumps(jsonable({"x": amount})))["x"]

    assert Decimal(text) == amount
    assert "E" not in text
