"""docs/paper.md says of clients by others what their suite shows."""

from __future__ import annotations

from pathlib import Path

import conformance_table as table

PAGE = Path(__file__).parents[2] / "docs" / "paper.md"


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
