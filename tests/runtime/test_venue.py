"""The runtime's client keeps the limits that the paper exchange has, and none where it has none."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from conformance_venue import served
from zoe_tools.config import load_settings
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.venue import open_venue
from zoe_tools.store.coordination import FileNotes


@pytest.mark.parametrize(
    ("limits", "is_counted"), [("--tier starter", True), ("--no-limits", False)]
)
def test_a_paper_account_is_asked_no_faster_than_its_exchange_allows(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    limits: str,
    is_counted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Thirty looks in a row by two clients: no refusal, and no wait where nothing is counted."""
    settings = load_settings({"ZOE_HOME": str(tmp_path)})
    caplog.set_level(logging.INFO)

    async def look(times: int) -> bool:
        async with open_venue(settings, SystemClock()) as (venue, wires, _):
            for _ in range(times):
                await venue.key_info()
            return wires.rest.budgets.is_counted

    async def look_twice() -> list[bool]:
        return list(await asyncio.gather(look(15), look(15)))

    with served(tmp_path, "--speed", "60", funds={}, limits=limits):
        assert asyncio.run(look_twice()) == [is_counted, is_counted]

    assert [each.message for each in caplog.records if "asked again" in each.message] == []
    (path,) = tmp_path.glob("coord-*.db")
    notes = FileNotes(path)
    assert (notes.read("budget").text != b"") == is_counted
    notes.close()
