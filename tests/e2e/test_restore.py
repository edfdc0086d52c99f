"""A backup is put back by the steps of the runbook, and the books agree with the venue again."""

from __future__ import annotations

import os
import re
import shlex
import string
import subprocess
from pathlib import Path

import program
from program import Home, result_of
from zoe_tools.domain.order import Side, VenueOrder
from zoe_tools.kraken.spot import KrakenSpot

RUNBOOK = Path(program.__file__).parents[1] / "docs" / "runbooks" / "restore.md"
FAR_BELOW = "100"
"""The market: a stop at 98 stays."""


def steps() -> list[str]:
    """Every line of the runbook that is to be typed, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", RUNBOOK.read_text("utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def follow(home: Home, line: str, variables: dict[str, str]) -> int:
    """Type it; what is not zoe's goes to a shell."""
    if line.startswith("zoe "):
        words = shlex.split(string.Template(line).substitute(variables))
        return home.here(*words[1:]).code
    environ = {**variables, "PATH": os.defpath, "ZOE_HOME": str(home.folder)}
    return subprocess.run(["/bin/sh", "-c", line], env=environ, check=True, timeout=60).returncode


def stops(home: Home) -> dict[str, VenueOrder]:
    """What protects at the venue, by instrument."""

    async def read(venue: KrakenSpot) -> tuple[VenueOrder, ...]:
        return await venue.open_orders()

    return {each.symbol: each for each in home.at_the_venue(read) if each.side is Side.SELL}


def adopt(home: Home, what: str) -> None:
    """Take a balance over, and protect it."""
    ran = home.here("sync-positions", "--price", FAR_BELOW, "--adopt", what, "--execute")
    assert ran.code == 0, ran.err + ran.out


def test_a_backup_is_put_back_by_the_runbook(home: Home) -> None:
    """Rows were lost since; the venue went on meanwhile."""
    home.fund({"USD": "10000", "BTC": "2", "ETH": "10"})
    home.serve("--speed", "10")
    home.init()
    assert home.here("audit", "init").code == 0
    adopt(home, "BTC/USD=0.5")
    backup = home.folder.parent / "zoe.backup"
    assert home.here("db", "backup", str(backup)).code == 0
    adopt(home, "ETH/USD=2")
    epoch = home.in_the_books(lambda tx: tx.store_epoch())
    lost = stops(home)["BTC/USD"]

    async def cancel(venue: KrakenSpot) -> int:
        return await venue.cancel(lost.venue_order_id)

    assert home.at_the_venue(cancel) == 1
    variables = {"BACKUP": str(backup), "UNKNOWN": stops(home)["ETH/USD"].venue_order_id}
    codes = {line: follow(home, line, variables) for line in steps()}

    # The first reconciliation finds what the copy does not know; after that all is well.
    assert {line for line, code in codes.items() if code} == {"zoe reconcile --execute"}
    assert codes["zoe reconcile --execute"] == 3
    assert home.in_the_books(lambda tx: tx.store_epoch()) != epoch
    assert home.in_the_books(lambda tx: tx.trading_state()).may_enter
    (position,) = home.in_the_books(lambda tx: tx.positions(open_only=True))
    assert {name: each.venue_order_id for name, each in stops(home).items()} == {
        "BTC/USD": position.stop_venue_order_id
    }
    again = home.here("reconcile", "--json")
    assert (again.code, result_of(again)["discrepancies"]) == (0, 0)
    assert home.here("audit", "verify").code == 0
    assert (home.folder / "damaged" / "zoe.db").exists()
