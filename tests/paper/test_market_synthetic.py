"""The made-up market: the same from the same seed, consistent with itself, lively enough."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import islice, pairwise

import pytest

from zoe_tools.errors import ConfigError
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.markets.synthetic import SyntheticMarket, SyntheticParams, params_in
from zoe_tools.paper.values.market import BookChange, BookSnapshot, Levels, MarketEvent, Print
from zoe_tools.paper.values.times import NS

START = 1_767_600_000 * NS
HOUR = 3600


def told(seed: int = 7, duration_s: int = 600) -> list[MarketEvent]:
    """A piece of the default market."""
    return list(SyntheticMarket(seed, starts_at=START, duration_s=duration_s).events())


def _apply(side: dict[Decimal, Decimal], levels: Levels) -> None:
    for price, quantity in levels:
        if quantity:
            side[price] = quantity
        else:
            del side[price]


def test_the_same_seed_tells_the_same_market() -> None:
    """Twice from one object, and from another object; another seed tells another one."""
    market = SyntheticMarket(7, starts_at=START, duration_s=60)

    assert list(market.events()) == list(market.events()) == told(7, 60)
    assert told(7, 60) != told(8, 60)


def test_what_a_seed_tells_never_changes() -> None:
    """A pinned piece: a change here changes every demonstration and report."""
    first = next(event for event in told(1, 30) if isinstance(event, Print))

    assert (first.symbol, first.side, str(first.price)) == PINNED


PINNED = ("ETH/USD", "buy", "3399.14")


def test_time_never_falls_and_ends_with_the_duration() -> None:
    """All pairs merged; the first events are the books at the start."""
    events = told(duration_s=120)
    times = [event.at for event in events]

    assert times == sorted(times)
    assert [type(event) for event in events[:3]] == [BookSnapshot] * 3
    assert [event.at for event in events[:3]] == [START] * 3
    assert times[-1] < START + 120 * NS


def test_without_duration_it_never_ends() -> None:
    """An endless market is read as far as one likes."""
    market = SyntheticMarket(7, starts_at=START)

    assert len(list(islice(market.events(), 20_000))) == 20_000


@pytest.mark.parametrize("symbol", ["BTC/USD", "ETH/USD", "SOL/USD"])
def test_prints_agree_with_the_displayed_book(symbol: str) -> None:
    """A taker trades at the best price for no more than it shows, and the book gives that much."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    owed: tuple[Decimal, Decimal] | None = None
    prints = 0
    for event in (event for event in told() if event.symbol == symbol):
        if isinstance(event, Print):
            book = asks if event.side == "buy" else bids
            best = min(asks) if event.side == "buy" else max(bids)
            assert event.price == best
            assert Decimal(0) < event.quantity <= book[best]
            owed, prints = (best, book[best] - event.quantity), prints + 1
            continue
        _apply(bids, event.bids)
        _apply(asks, event.asks)
        if owed is not None:
            assert (bids | asks).get(owed[0], 0) == owed[1]
            owed = None
        assert max(bids) < min(asks)

    assert prints > 600


def test_every_pair_has_one_to_three_prints_a_second_and_small_changes() -> None:
    """Enough to trade on, little enough to follow."""
    events = told(duration_s=HOUR)
    prints = Counter(event.symbol for event in events if isinstance(event, Print))
    changes = [event for event in events if isinstance(event, BookChange)]
    size = sum(len(event.bids) + len(event.asks) for event in changes) / len(changes)

    assert len(prints) == 3
    assert all(HOUR <= count <= 3 * HOUR for count in prints.values())
    assert size < 10


def test_prices_are_on_the_tick_and_levels_within_bounds() -> None:
    """Prices and quantities in the pair's own decimals; ten to twenty-five levels a side."""
    book = next(event for event in told() if isinstance(event, BookSnapshot))

    assert {price.as_tuple().exponent for price, _ in book.bids + book.asks} == {-1}
    assert {quantity.as_tuple().exponent for _, quantity in book.bids + book.asks} == {-8}
    assert (len(book.bids), len(book.asks)) == (15, 15)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_hour_has_room_for_many_round_trips(seed: int) -> None:
    """Counting moves of half a percent from the last turn: well over ten in an hour."""
    moves = 0
    turns: dict[str, Decimal] = {}
    for event in told(seed, HOUR):
        if isinstance(event, Print):
            turn = turns.setdefault(event.symbol, event.price)
            if abs(event.price / turn - 1) >= Decimal("0.005"):
                turns[event.symbol] = event.price
                moves += 1

    assert moves >= 30


def test_other_pairs_can_be_asked_for_and_none_twice() -> None:
    """Any pair with a row; a pair told twice would be two markets."""
    storj = spec_named("STORJ/USD")
    market = SyntheticMarket(1, [storj], starts_at=START, duration_s=30)

    assert {event.symbol for event in market.events()} == {"STORJ/USD"}
    with pytest.raises(ConfigError, match="twice"):
        SyntheticMarket(1, [storj, storj], starts_at=START)


# --- parameters ----------------------------------------------------------------------------------


def test_what_a_file_does_not_name_is_as_usual() -> None:
    """Names as in the class; prices as an object."""
    usual = SyntheticParams()
    told = params_in('{"start_prices": {"XRP/USD": 3}, "gap_ms": [10, 20], "regimes": ["storm"]}')

    assert told.start_prices == (("XRP/USD", 3),)
    assert (told.gap_ms, told.regimes) == ((10, 20), ("storm",))
    assert (told.depth, told.noise_ppm) == (usual.depth, usual.noise_ppm)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"gap": [1, 2]}',
        '{"gap_ms": [20, 10]}',
        '{"gap_ms": [0, 10]}',
        '{"depth": 0}',
        '{"noise_ppm": -1}',
        '{"noise_ppm": 1000000}',
        '{"noise_ppm": "many"}',
        '{"regimes": []}',
        '{"regimes": ["calm"]}',
        '{"start_prices": {}}',
        '{"start_prices": {"XRP/USD": 0}}',
        '{"trend_flow_percent": 101}',
    ],
)
def test_parameters_that_make_no_sense_are_refused(text: str) -> None:
    """Before a market is made of them."""
    with pytest.raises(ConfigError):
        params_in(text)


def steps(params: SyntheticParams) -> list[float]:
    """How far the price moved from print to print, in parts of itself."""
    market = SyntheticMarket(
        5, [spec_named("BTC/USD")], starts_at=START, duration_s=1200, params=params
    )
    prices = [float(event.price) for event in market.events() if isinstance(event, Print)]
    return [abs(b / a - 1) for a, b in pairwise(prices)]


def test_a_jump_is_larger_than_any_usual_step() -> None:
    """Rare, and by up to a fifth."""
    usual = max(steps(SyntheticParams()))
    jumping = steps(SyntheticParams(jump_chance_ppm=5_000, jump_ppm=200_000))

    assert max(jumping) > 10 * usual
    assert sum(each > 10 * usual for each in jumping) < len(jumping) / 50
