"""The book's checksum: the published vectors, and every frame of a real capture."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.kraken.book import OrderBook
from zoe_tools.kraken.wire_stream import LevelRow

CAPTURE = Path(__file__).parents[3] / "shared/data/crossbook/kraken_btcusd_sample.frames.tsv"

ASKS = """45285.2 0.00100000|45286.4 1.54571953|45286.6 1.54571109|45289.6 1.54560911
45290.2 0.15890660|45291.8 1.54553491|45294.7 0.04454749|45296.1 0.35380000
45297.5 0.09945542|45299.5 0.18772827"""
BIDS = """45283.5 0.10000000|45283.4 1.54582015|45282.1 0.10000000|45281.0 0.10000000
45280.3 1.54592586|45279.0 0.07990000|45277.6 0.03310103|45277.5 0.30000000
45277.3 1.54602737|45276.6 0.15445238"""


def row_of(price: str, quantity: str) -> LevelRow:
    """One level as the wire says it."""
    return LevelRow(price=Decimal(price), qty=Decimal(quantity))


def levels(text: str) -> list[LevelRow]:
    """Rows of `price quantity`."""
    rows = text.replace("\n", "|").split("|")
    return [row_of(*row.split()) for row in rows]


def book(depth: int = 10, *, price: int = 1, quantity: int = 8) -> OrderBook:
    """An empty book."""
    return OrderBook(price_decimals=price, quantity_decimals=quantity, depth=depth)


def test_the_published_vector() -> None:
    """kraken-spot section 10.6."""
    known = book()
    known.replace(levels(BIDS), levels(ASKS))

    assert known.checksum() == 3310070434


def test_a_quantity_of_zero_removes_the_level() -> None:
    """The same book without its best ask."""
    known = book()
    known.replace(levels(BIDS), levels(ASKS))
    known.update([], [row_of("45285.2", "0.00000000")])

    assert known.checksum() == 1182027464


def test_a_thin_book_is_checked_as_it_is() -> None:
    """Fewer than ten levels are no error, and leading zeros are dropped."""
    known = book(price=5)
    known.replace(levels("0.05000 0.00000500"), levels("0.05005 0.00000500|0.05010 0.00000500"))

    assert known.checksum() == 1725113685


def test_the_number_of_decimals_is_the_instruments_however_it_was_written() -> None:
    """An exponent on the wire means the same number."""
    for decimals, text in ((1, "10.0"), (0, "10")):
        plain, exponent = book(price=decimals), book(price=decimals)
        plain.replace(levels(f"{text} 0.00000001"), [])
        exponent.replace([row_of("1E+1", "1E-8")], [])

        assert plain.checksum() == exponent.checksum()


def test_a_number_that_no_book_can_hold_is_an_error_and_not_a_memory_full_of_zeros() -> None:
    """A damaged exponent costs the wire, not the machine."""
    with pytest.raises(ArithmeticError):
        book().replace([row_of("1E+999999", "1")], [])


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60), st.integers(0, 5)), max_size=120))
def test_the_book_is_a_sorted_window_of_the_last_word_on_each_price(
    changes: list[tuple[bool, int, int]],
) -> None:
    """Against a plain dictionary, cut the same way."""
    known = book(depth=5)
    bids: dict[Decimal, Decimal] = {}
    for is_bid, price, size in changes:
        level = LevelRow(price=Decimal(price), qty=Decimal(size))
        known.update([level] if is_bid else [], [] if is_bid else [level])
        if is_bid:
            bids[level.price] = level.qty
            bids = {each: bids[each] for each in sorted(bids, reverse=True) if bids[each]}
            bids = dict(list(bids.items())[:5])

    assert [(each.price, each.quantity) for each in known.bids(5)] == list(bids.items())


def replayed(lines: list[str]) -> tuple[int, int]:
    """(verified, failed) over frames of the capture."""
    known = book(depth=25)
    heard = [known.hear(line) for line in lines if '"channel":"book"' in line[:20]]
    return sum(heard), len(heard) - sum(heard)


def test_every_frame_of_a_real_capture_verifies_and_a_corrupted_one_does_not() -> None:
    """2,052 of 2,052; one changed digit is noticed."""
    if not CAPTURE.exists():
        pytest.skip("the real capture is not on this machine (../shared/data/crossbook)")
    lines = [line.split("\t", 1)[1] for line in CAPTURE.read_text().splitlines()]
    spoiled = [line.replace('"qty":0.25761908', '"qty":0.25761909', 1) for line in lines]

    assert replayed(lines) == (2052, 0)
    assert spoiled != lines
    assert replayed(spoiled)[1] > 0


def test_levels_keep_the_digits_of_the_wire_and_a_changed_one_is_told_anew() -> None:
    """Decimals from the text; what was looked at before is not what is told after a change."""
    known = book()
    frame = (
        '{"channel":"book","type":"%s","data":[{"symbol":"BTC/USD","bids":[],'
        '"asks":[{"price":45285.20,"qty":%s}],"checksum":%d}]}'
    )
    assert known.hear(frame % ("snapshot", "0.00100000", crc32(b"452852100000")))
    before = known.asks(10)
    assert known.hear(frame % ("update", "0.00200000", crc32(b"452852200000")))

    assert [str(before[0].price), str(before[0].quantity)] == ["45285.20", "0.00100000"]
    assert [str(each.quantity) for each in known.asks(10)] == ["0.00200000"]


def test_the_sum_of_a_side_that_did_not_change_is_still_right_when_the_other_does() -> None:
    """What is remembered of a side never outlives a change to it, near the top or below."""
    draw = random.Random(4)
    known, depth = book(depth=25), 25
    known.replace(levels(BIDS), levels(ASKS))
    for _ in range(400):
        price = Decimal(draw.randint(452700, 453000)) / 10
        change = [row_of(str(price), draw.choice(["0.00000000", "0.00100000", "1.20000000"]))]
        is_bid = price < Decimal("45284.5")
        known.update(change if is_bid else [], [] if is_bid else change)
        fresh = book(depth=depth)
        fresh.replace(
            [LevelRow(price=each.price, qty=each.quantity) for each in known.bids(depth)],
            [LevelRow(price=each.price, qty=each.quantity) for each in known.asks(depth)],
        )
        assert known.checksum() == fresh.checksum()
