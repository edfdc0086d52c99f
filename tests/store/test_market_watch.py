"""What the watch over all pairs keeps, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update

from builders import BTC, ETH, NOON, d, make_instrument, make_mover, make_row
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentStatus, MarginTerms
from zoe_tools.domain.market_watch import (
    FocusClaim,
    FocusReason,
    ListingChange,
    MarketState,
    MoverKind,
    SparkPoint,
)
from zoe_tools.store.market_watch_tables import MARKET_CATALOG
from zoe_tools.store.store import Store

LATER = NOON + timedelta(hours=1)
MOVER = make_mover(kind=MoverKind.VOLUME)


def _point(hours: float, mid: str = "100", symbol: str = "BTC/USD") -> SparkPoint:
    return SparkPoint(
        symbol=Symbol(symbol),
        bucket_at=NOON + timedelta(hours=hours),
        mid=d(mid),
        quote_volume=d("2400"),
    )


def test_the_catalogue_keeps_since_when_a_status_stands(store: Store) -> None:
    """A reading that finds nothing new changes no `status_since`."""
    halted = make_instrument("ETH/USD", status=InstrumentStatus.CANCEL_ONLY)
    change = ListingChange(
        symbol=ETH,
        status=InstrumentStatus.CANCEL_ONLY,
        before=InstrumentStatus.ONLINE,
        source="stream",
        at=LATER,
    )
    with store.transaction() as books:
        books.market.watch.keep_catalogue([make_instrument(), make_instrument("ETH/USD")], (), NOON)
        books.market.watch.keep_catalogue([make_instrument(), halted], [change], LATER)
        btc, eth = books.market.watch.listings()

        assert (btc.symbol, btc.status, btc.status_since) == (BTC, InstrumentStatus.ONLINE, NOON)
        assert (eth.status, eth.status_since) == (InstrumentStatus.CANCEL_ONLY, LATER)
        assert (btc.updated_at, btc.taker_pct) == (LATER, d("0.40"))
        assert books.market.watch.listing_changes() == (change,)
        assert books.market.watch.listing_changes(LATER + timedelta(seconds=1)) == ()


def test_the_catalogue_keeps_what_may_be_borrowed(store: Store) -> None:
    """None that can be is told apart from what was not kept yet."""
    terms = MarginTerms(leverage_buy=(2, 3, 10), leverage_sell=(2,), call_pct=80, stop_pct=40)
    listed = [replace(make_instrument(), margin=terms), make_instrument("ETH/USD")]
    with store.transaction() as books:
        books.market.watch.keep_catalogue(listed, (), NOON)
        btc, eth = books.market.watch.listings()
        assert (btc.margin, eth.margin) == (terms, MarginTerms())
        books._connection.execute(update(MARKET_CATALOG).values(leverage_buy=None))
        assert [each.margin for each in books.market.watch.listings()] == [None, None]


def test_defect_a_pair_that_left_focus_kept_its_row(store: Store) -> None:
    """Its focus row goes with its last reason; the scout's is what is left."""
    with store.transaction() as books:
        watch = books.market.watch
        watch.keep_focus([make_row(), make_row("ETH/USD")], {BTC, ETH}, NOON)
        watch.keep_scout([make_row("ETH/USD", last=d("3000"))], None, LATER)
        assert {each.symbol: each.tier for each in watch.snapshots()} == {
            BTC: "focus",
            ETH: "focus",
        }
        watch.keep_focus([], {BTC}, LATER)
        found = {each.symbol: each for each in watch.snapshots()}

    assert {symbol: each.tier for symbol, each in found.items()} == {BTC: "focus", ETH: "scout"}
    assert (found[ETH].last, found[ETH].bid, found[ETH].written_at) == (d("3000"), None, LATER)


def test_defect_the_scout_table_had_no_spread(store: Store) -> None:
    """And volume is in quote, the change in percent, in both tiers."""
    with store.transaction() as books:
        books.market.watch.keep_focus([make_row()], None, NOON)
        books.market.watch.keep_scout([make_row("ETH/USD")], None, NOON)
        btc, eth = books.market.watch.snapshots()

    for each in (btc, eth):
        assert each.quote_volume == d("595000")
        assert each.change_pct == d("2")
        assert each.spread_pct == d("0.2") / d("60000") * 100
    assert (btc.volume, eth.volume) == (d("10"), None)


def test_a_pair_without_a_price_has_a_row(store: Store) -> None:
    """With its state and its reason, and no number that could be taken for one."""
    row = make_row(state=MarketState.HALTED, reason="maintenance", gaps=2)
    with store.transaction() as books:
        books.market.watch.keep_focus([replace(row, ticker=None)], None, NOON)
        (found,) = books.market.watch.snapshots()

    assert (found.state, found.reason, found.gaps) == (MarketState.HALTED, "maintenance", 2)
    assert {found.mid, found.last, found.heard_at} == {None}


def test_reasons_come_and_go_one_by_one(store: Store) -> None:
    """The same one again keeps its beginning."""
    manual = FocusClaim(symbol=BTC, reason=FocusReason.MANUAL, since=NOON)
    mover = FocusClaim(symbol=BTC, reason=FocusReason.MOVER, since=NOON, expires_at=LATER)
    again = FocusClaim(symbol=BTC, reason=FocusReason.MANUAL, since=LATER, expires_at=LATER)
    with store.transaction() as books:
        watch = books.market.watch
        watch.claim(manual)
        watch.claim(mover)
        assert watch.claims() == (manual, mover)
        watch.claim(again)
        assert watch.claims()[0].since == NOON
        assert watch.claims()[0].expires_at == LATER
        assert watch.release(BTC, FocusReason.MANUAL)
        assert not watch.release(BTC, FocusReason.MANUAL)
        assert watch.claims() == (mover,)


def test_movers_are_told_as_they_were(store: Store) -> None:
    """Each field, and none before the time that is asked for."""
    with store.transaction() as books:
        books.market.watch.note_movers([MOVER])
        assert books.market.watch.movers(NOON) == (MOVER,)
        assert books.market.watch.movers(LATER) == ()


def test_a_bucket_keeps_its_first_price(store: Store) -> None:
    """However often it is sampled."""
    with store.transaction() as books:
        books.market.watch.add_points([_point(0), _point(0, symbol="ETH/USD")])
        books.market.watch.add_points([_point(0, "200"), _point(0.25)])

        assert books.market.watch.points(NOON) == (
            _point(0),
            _point(0, symbol="ETH/USD"),
            _point(0.25),
        )


def test_old_points_go(store: Store) -> None:
    """And only they."""
    with store.transaction() as books:
        books.market.watch.add_points([_point(-2), _point(0), _point(1)])
        assert books.market.watch.trim_points(NOON) == 1
        assert books.market.watch.count_points() == 2


def test_a_prune_takes_old_movers_and_points(store: Store) -> None:
    """They are observations; claims and snapshots are the present, and stay."""
    with store.transaction() as books:
        watch = books.market.watch
        watch.note_movers([MOVER])
        watch.add_points([_point(0), _point(2)])
        watch.claim(FocusClaim(symbol=BTC, reason=FocusReason.MANUAL, since=NOON))
        watch.keep_focus([make_row()], None, NOON)
        found = books.retention.look(LATER)
        books.retention.delete_some(LATER)

        assert found.observations == 2
        assert watch.points(NOON) == (_point(2),)
        assert watch.movers(NOON) == ()
        assert (len(watch.claims()), len(watch.snapshots())) == (1, 1)
