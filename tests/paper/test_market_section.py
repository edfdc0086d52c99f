"""A part of a recorded market."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from zoe_tools.errors import MarketDataError
from zoe_tools.paper.markets.section import MarketSection
from zoe_tools.paper.values.market import (
    BookChange,
    BookSnapshot,
    Levels,
    MarketEvent,
    PairSpec,
    Print,
)

BTC = "BTC/USD"


def levels(*rows: tuple[int, int]) -> Levels:
    """Prices and quantities."""
    return tuple((Decimal(price), Decimal(quantity)) for price, quantity in rows)


def printed(at: int) -> Print:
    """A trade."""
    return Print(at=at, symbol=BTC, side="buy", price=Decimal(101), quantity=Decimal(1))


EVENTS: tuple[MarketEvent, ...] = (
    BookSnapshot(at=10, symbol=BTC, bids=levels((99, 5), (98, 1)), asks=levels((101, 5))),
    printed(11),
    BookChange(at=20, symbol=BTC, bids=levels((99, 0), (100, 2)), asks=levels((102, 4))),
    printed(30),
    BookChange(at=40, symbol=BTC, bids=levels((97, 1)), asks=()),
    printed(50),
)


class Recorded:
    """The market above."""

    pairs: tuple[PairSpec, ...] = ()
    starts_at = 10
    granularity_s = 10.0

    def events(self) -> Iterator[MarketEvent]:
        """All of it."""
        return iter(EVENTS)


def test_it_opens_with_the_book_as_it_was() -> None:
    """Changes before it are folded into one snapshot, best price first."""
    first, *rest = MarketSection(Recorded(), 25, None).events()

    assert first == BookSnapshot(
        at=25,
        symbol=BTC,
        bids=levels((100, 2), (98, 1)),
        asks=levels((101, 5), (102, 4)),
    )
    assert rest == list(EVENTS[3:])


@pytest.mark.parametrize(
    ("start", "end", "starts_at", "told"),
    [
        (None, None, 10, EVENTS),
        (5, None, 10, EVENTS),
        (10, 40, 10, EVENTS[:4]),
        (None, 41, 10, EVENTS[:5]),
    ],
)
def test_it_ends_before_its_end(
    start: int | None, end: int | None, starts_at: int, told: tuple[MarketEvent, ...]
) -> None:
    """What happens at the end itself is the next part's; twice gives the same."""
    section = MarketSection(Recorded(), start, end)

    assert section.starts_at == starts_at
    assert tuple(section.events()) == tuple(section.events()) == told


@pytest.mark.parametrize(("start", "end"), [(51, None), (None, 10), (31, 40)])
def test_a_part_in_which_nothing_happens_is_refused(start: int | None, end: int | None) -> None:
    """Rather than replayed to no end."""
    with pytest.raises(MarketDataError, match="tells nothing"):
        MarketSection(Recorded(), start, end)


def test_what_was_traded_before_it_is_known() -> None:
    """For candles of the past, which a strategy looks back on."""
    assert list(MarketSection(Recorded(), 35, None).past()) == [EVENTS[1], EVENTS[3]]
    assert list(MarketSection(Recorded(), None, 40).past()) == []
