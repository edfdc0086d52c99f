"""Looking at what the account is worth, on the paper exchange."""

from __future__ import annotations

from pathlib import Path

from fakes import fresh_store
from paper_venue import PaperVenue, context_of, visited
from zoe_tools.engine.worth import pnl_input
from zoe_tools.runtime.valuation import look_at_worth
from zoe_tools.store.runner import InlineRunner


def test_what_is_borrowed_is_seen_and_makes_the_worth_an_estimate(tmp_path: Path) -> None:
    """While a position on margin is open; before it, nothing is said of margin."""

    async def use(venue: PaperVenue) -> None:
        store = InlineRunner(fresh_store(tmp_path))
        context = context_of(venue.spot, store, venue.clock)

        async def doubts() -> tuple[str, ...]:
            seen = await look_at_worth(context)
            given = await store.run(
                lambda tx: pnl_input(
                    tx, now=seen.at, balances=seen.balances, seen=seen.marks, margin=seen.margin
                )
            )
            assert given.equity is not None
            return given.equity.why

        before = await doubts()
        order = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.01"}
        await venue.rest.private("AddOrder", {**order, "leverage": "2"}, dict, is_write=True)
        await venue.clock.sleep(5)
        (why,) = await doubts()

        assert before == ()
        assert why.startswith("positions on margin are open: their ")
        await store.close()

    visited(use)
