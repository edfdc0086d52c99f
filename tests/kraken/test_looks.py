"""Of many frames of a kind some are looked over, and books are checked though nobody hears them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from feed_rig import START

from builders import BTC, d, make_instrument
from zoe_tools.domain.stream import BookUpdate, QuoteUpdate, StreamEvent
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken import strange
from zoe_tools.kraken.book import OrderBook
from zoe_tools.kraken.public_channels import PublicChannels
from zoe_tools.kraken.shapes import Looks
from zoe_tools.kraken.wire_stream import FRAME, LevelRow
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

AT = '"timestamp":"2026-01-05T12:12:21.004500Z"'
TICKER = (
    '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":70000.0,"bid_qty":1.2,'
    '"ask":70000.1,"ask_qty":0.45,"last":70000.1,%s}]}'
)


@pytest.fixture(autouse=True)
def _as_a_new_process() -> Iterator[None]:
    """The words of one test are not known in the next."""
    strange.forget()
    yield
    strange.forget()


def heard(*texts: str, tells_books: bool = True) -> tuple[list[StreamEvent], PublicChannels]:
    """What is told of these frames."""
    told: list[StreamEvent] = []

    async def emit(event: StreamEvent) -> None:
        told.append(event)

    async def story() -> PublicChannels:
        public = PublicChannels(
            {BTC: make_instrument()},
            depth=10,
            tells_books=tells_books,
            patience_s=10.0,
            clock=VirtualClock(START),
            emit=emit,
        )
        for text in texts:
            await public.on_frame(FRAME.decode(text.encode()))
        return public

    return told, run_virtual(story())


def test_the_first_frames_of_a_kind_are_looked_over_and_then_some_of_them() -> None:
    """A kind that is rare is not counted with one that is not."""
    looks = Looks()

    found = [looks.is_due("ticker") for _ in range(300)]

    assert (found[:100], sum(found[100:])) == ([True] * 100, 4)
    assert looks.is_due("trade")


def test_a_field_that_begins_to_come_is_told_within_fifty_frames() -> None:
    """Whatever changes at the venue, it comes in all of them from then on; and each is read."""
    known, changed = TICKER % AT, TICKER % f'"halo":1,{AT}'

    told, _ = heard(*[known] * 220, *[changed] * 50)

    assert len([each for each in told if isinstance(each, QuoteUpdate)]) == 270
    assert {word for _, word in strange.words()} == {"halo"}


@pytest.mark.parametrize("tells_books", [True, False])
def test_a_book_is_checked_whether_or_not_it_is_told(*, tells_books: bool) -> None:
    """One whose checksum fails, and that nobody can ask for anew, costs the wire."""
    level = LevelRow(price=d("69999.9"), qty=d("0.50000000"))
    book = OrderBook(price_decimals=1, quantity_decimals=8, depth=10)
    book.replace([level], [])
    frame = (
        '{"channel":"book","type":"%s","data":[{"symbol":"BTC/USD","bids":[{"price":69999.9,'
        f'"qty":0.50000000}}],"asks":[],"checksum":%d,{AT}}}]}}'
    )
    right = frame % ("snapshot", book.checksum())

    told, public = heard(right, tells_books=tells_books)
    assert [type(each) for each in told] == ([BookUpdate] if tells_books else [])
    assert (public.mending.tally.verified, public.is_stale(BTC)) == (1, False)

    with pytest.raises(VenueMisbehaved, match="fails its checksum"):
        heard(right, frame % ("update", 1), tells_books=tells_books)
