"""`zoe ledger` over books in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import NOON, book_ledger, d, make_ledger_entry
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk, command_io
from reconcile_rig import World, told_by
from zoe_tools.commands.ledger import _ledger, _proof
from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.errors import VenueUnavailable
from zoe_tools.runtime.venue import Wires

CASH = make_ledger_entry(
    ledger_id=LedgerId("LCASH"), kind="deposit", amount=d("1000"), fee=d("0"), balance=d("1000")
)
COIN = make_ledger_entry(
    ledger_id=LedgerId("LCOIN"),
    booked_at=NOON - timedelta(days=3),
    kind="earn",
    subtype="reward",
    asset="BTC",
    wallet="earn / flexible",
    amount=d("0.5"),
    fee=d("0"),
    balance=d("0.5"),
)


async def with_rows(desk: Desk, *entries: LedgerEntry) -> None:
    """Books that hold these rows."""
    await desk.read(lambda books: book_ledger(books, *entries))


async def shown(desk: Desk, **options: object) -> str:
    """Run the listing; what it printed."""
    context, invocation, out = command_io(desk, "ledger")
    assert await _ledger(context, invocation.printer(), **options) == 0  # type: ignore[arg-type]
    return out.getvalue()


def test_rows_are_listed_newest_first_without_asking_the_venue(tmp_path: Path) -> None:
    """By time, asset and type."""

    async def story(desk: Desk) -> None:
        await with_rows(desk, COIN, CASH)
        text = await shown(desk)
        assert text.index("deposit") < text.index("earn/reward")
        assert "BTC (earn / flexible)" in text
        assert "deposit" not in await shown(desk, asset="btc")
        assert "earn/reward" in await shown(desk, asset="XXBT")
        assert "deposit" in await shown(desk, asset="zusd")
        assert "reward" not in await shown(desk, kind="deposit")
        assert "reward" not in await shown(desk, since="1d")
        assert "No ledger rows since" in await shown(desk, asset="ETH")
        assert desk.venue.calls == []

    at_the_desk(tmp_path, story)


def test_the_table_for_other_programs_can_be_imported_again(tmp_path: Path) -> None:
    """Oldest first, every digit, the columns of the export."""

    async def story(desk: Desk) -> None:
        await with_rows(desk, COIN, CASH)
        text = await shown(desk, as_csv=True)
        header, first, *_ = text.splitlines()
        assert header.startswith("txid,refid,time,type,subtype,asset,wallet,amount,fee")
        assert first.startswith("LCOIN,")
        assert ",BTC,earn / flexible,0.5,0," in first

    at_the_desk(tmp_path, story)


async def proved(desk: Desk, *, json_too: bool = False) -> tuple[int, str]:
    """Run the proof; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "ledger", json=json_too)
    return await _proof(context, invocation.printer()), out.getvalue()


def test_the_proof_holds_the_books_to_the_venue(tmp_path: Path) -> None:
    """Exit 0 where they agree, 3 where they differ, with what the venue has beside."""

    async def story(desk: Desk) -> None:
        await with_rows(desk, CASH)
        code, text = await proved(desk)
        assert (code, "proved" in text) == (0, True)
        more = make_ledger_entry(
            ledger_id=LedgerId("LM"),
            booked_at=NOON + timedelta(seconds=1),
            amount=d("-1"),
            fee=d("0"),
            balance=d("999"),
        )
        await desk.read(lambda books: book_ledger(books, more, source="test/1"))
        code, text = await proved(desk)
        assert (code, "differs" in text, "has 1 USD more than" in text) == (3, True, True)

    at_the_desk(tmp_path, story, balances={"USD": d("1000")})


def test_a_row_that_is_missing_is_named_by_the_one_after_it(tmp_path: Path) -> None:
    """Exit 3, although the end agrees with the venue."""

    async def story(desk: Desk) -> None:
        later = make_ledger_entry(
            ledger_id=LedgerId("LM"),
            booked_at=NOON + timedelta(seconds=1),
            amount=d("-1"),
            fee=d("0"),
            balance=d("900"),
        )
        await with_rows(desk, CASH, later)
        code, text = await proved(desk)
        assert (code, "broken" in text, "row LM of" in text) == (3, True, True)
        code, told = await proved(desk, json_too=True)
        (proof,) = json.loads(told)["result"]["proof"]
        assert (proof["state"], proof["broken"]["ledger_id"]) == ("broken", "LM")

    at_the_desk(tmp_path, story, balances={"USD": d("900")})


def test_without_the_venue_the_rows_are_only_chained(tmp_path: Path) -> None:
    """Exit 5: nothing was compared, and no difference is told."""

    async def story(desk: Desk) -> None:
        await with_rows(desk, CASH)
        desk.venue.cue("balances", VenueUnavailable("gone"))
        code, text = await proved(desk)
        assert (code, "chained" in text) == (5, True)

    at_the_desk(tmp_path, story)


def test_that_nothing_is_held_is_not_believed_at_one_word(tmp_path: Path) -> None:
    """Exit 5 where the balances are empty and the account is worth something; 0 if it is not."""

    async def proof(world: World) -> tuple[int, str]:
        context, invocation, out = command_io(world.desk, "ledger")
        wires = Wires(public_url="", private_url="", rest=world.rest)
        code = await _proof(replace(context, wires=wires), invocation.printer())
        return code, " ".join(out.getvalue().split())

    async def lied_to(world: World) -> tuple[int, str]:
        world.lie("empty-answer", "BalanceEx")
        return await proof(world)

    async def poor(world: World) -> tuple[int, str]:
        for asset, held in world.money().items():
            world.vanish(asset, str(held))
        return await proof(world)

    told = told_by(tmp_path, {"lied to": lied_to, "poor": poor})
    code, text = told["lied to"]
    assert (code, "holds nothing, and that it is worth" in text) == (5, True)
    assert "The books hold no ledger." in text
    assert told["poor"][0] == 0
    assert "no ledger, and the venue no balance" in told["poor"][1]


@pytest.mark.parametrize("line", ["ledger --proof --asset BTC", "--json ledger --csv"])
def test_options_that_exclude_each_other_are_refused(tmp_path: Path, line: str) -> None:
    """Exit 2."""
    assert zoe(line, LIVE_KEYS, home=migrated(tmp_path / "home")).code == 2


def test_an_empty_store_has_no_ledger(tmp_path: Path) -> None:
    """Exit 0, and it says since when."""
    ran = zoe("ledger", LIVE_KEYS, home=migrated(tmp_path / "home"))

    assert (ran.code, "No ledger rows since" in ran.out) == (0, True)
