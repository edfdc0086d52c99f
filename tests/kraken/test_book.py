"""The book's checksum: the published vectors, and every frame of a real capture."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.kraken.book import Level, OrderBook
from zoe_tools.kraken.wire_stream import BOOK, FRAME, LevelRow

CAPTURE = Path(__file__).parents[3] / "shared/data/crossbook/kraken_btcusd_sample.frames.tsv"

ASKS = """45285.2 0.00100000|45286.4 1.54571953|45286.6 1.54571109|45289.6 1.54560911
45290.2 0.15890660|45291.8 1.54553491|45294.7 0.04454749|45296.1 0.35380000
45297.5 0.09945542|45299.5 0.18772827"""
BIDS = """45283.5 0.10000000|45283.4 1.54582015|45282.1 0.10000000|45281.0 0.10000000
45280.3 1.54592586|45279.0 0.07990000|45277.6 0.03310103|45277.5 0.30000000
45277.3 1.54602737|45276.6 0.15445238"""


def levels(text: str) -> list[Level]:
    """Rows of `price quantity`."""
    rows = text.replace("\n", "|").split("|")
    return [(Decimal(price), Decimal(size)) for price, size in (row.split() for row in rows)]


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
    known.update([], [(Decimal("45285.2"), Decimal(0))])

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
        exponent.replace([(Decimal("1E+1"), Decimal("1E-8"))], [])

        assert plain.checksum() == exponent.checksum()


def test_a_number_that_no_book_can_hold_is_an_error_and_not_a_memory_full_of_zeros() -> None:
    """A damaged exponent costs the wire, not the machine."""
    with pytest.raises(ArithmeticError):
        book().replace([(Decimal("1E+999999"), Decimal(1))], [])


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60), st.integers(0, 5)), max_size=120))
def test_the_book_is_a_sorted_window_of_the_last_word_on_each_price(
    changes: list[tuple[bool, int, int]],
) -> None:
    """Against a plain dictionary, cut the same way."""
    known = book(depth=5)
    bids: dict[Decimal, Decimal] = {}
    for is_bid, price, size in changes:
        level = (Decimal(price), Decimal(size))
        known.update([level] if is_bid else [], [] if is_bid else [level])
        if is_bid:
            bids[level[0]] = level[1]
            bids = {each: bids[each] for each in sorted(bids, reverse=True) if bids[each]}
            bids = dict(list(bids.items())[:5])

    assert [(each.price, each.quantity) for each in known.bids(5)] == list(bids.items())


def replayed(lines: list[bytes]) -> tuple[int, int]:
    """(verified, failed) over frames of the capture."""
    known = book(depth=25)
    verified = failed = 0
    for line in lines:
        frame = FRAME.decode(line)
        if frame.channel != "book":
            continue
        for row in BOOK.decode(frame.data):
            change = known.replace if frame.type == "snapshot" else known.update
            change(_rows(row.bids), _rows(row.asks))
            agrees = known.checksum() == row.checksum
            verified, failed = verified + agrees, failed + (not agrees)
    return verified, failed


def _rows(rows: list[LevelRow]) -> list[Level]:
    return [(row.price, row.qty) for row in rows]


def test_every_frame_of_a_real_capture_verifies_and_a_corrupted_one_does_not() -> None:
    """2,052 of 2,052; one changed digit is noticed."""
    if not CAPTURE.exists():
        pytest.skip("the real capture is not on this machine (../shared/data/crossbook)")
    lines = [line.split(b"\t", 1)[1] for line in CAPTURE.read_bytes().splitlines()]
    spoiled = [line.replace(b'"qty":0.25761908', b'"qty":0.25761909', 1) for line in lines]

    assert replayed(lines) == (2052, 0)
    assert spoiled != lines
    assert replayed(spoiled)[1] > 0
