"""docs/paper.md says of clients by others what their suite shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import conformance_table as table

_WHOLE = re.MULTILINE | re.DOTALL
PAGE = Path(__file__).parents[2] / "docs" / "paper.md"


def test_ten_minutes_in_one_process_take_no_ten_minutes() -> None:
    """The page's example, twice: it runs, and comes out the same."""
    (text,) = re.findall(r"^## Time$.*?^```python\n(.*?)^```$", PAGE.read_text("utf-8"), _WHOLE)
    told = [io.StringIO(), io.StringIO()]
    for out in told:
        with contextlib.redirect_stdout(out):
            exec(compile(text, str(PAGE), "exec"), {})  # noqa: S102 - the page's own words

    assert told[0].getvalue() == told[1].getvalue()
    assert re.fullmatch(r"\{'BTC': '0\.1\d*', 'USD': '\d+\.\d+'\}\n", told[0].getvalue())


def test_the_page_s_tables_are_as_the_suite_makes_them() -> None:
    """After a change of the suite, `make conformance` writes them anew."""
    page = PAGE.read_text("utf-8")

    assert page == table.with_tables(page)
    assert f"**{table.JOBS.title}**" in page


def test_a_cell_that_nobody_showed_is_told() -> None:
    """A claim without a passing test, and a passing test without a claim, are both found."""
    shown = {where for where, told in table.cells().items() if not told.startswith("no ")}
    first = min(shown)

    assert table.missing(shown) == []
    assert table.missing(shown - {first}) == [first]
    assert table.missing({*shown, ("nobody", "nothing")}) == [("nobody", "nothing")]
    assert "**not shown**" in table.with_tables(PAGE.read_text("utf-8"), shown - {first})


def test_every_gap_has_a_note_that_names_whose_fault_it_is() -> None:
    """Nothing is left out without a reason."""
    gaps = {told for told in table.cells().values() if told.startswith("no ")}
    notes = {gap.removeprefix("no (").removesuffix(")") for gap in gaps}

    assert notes <= set(table.NOTES)
    assert all(any(name in table.NOTES[note] for name in table.CLIENTS) for note in notes)
