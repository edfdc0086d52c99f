"""A million fills through the lots, from an iterator: time, memory, and nothing lost."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

from builders import NOON
from lot_reference import history, slow_matches
from zoe_tools.core.lots import UNIT, LotBook, match_lots
from zoe_tools.domain.lot import Acquire, Dispose, LotEvent, LotMethod, Match, Shortfall
from zoe_tools.domain.money import ZERO

FILLS = 1_000_000
SECONDS, MEGABYTES = 8, 300
OPEN_LOTS = 100_000
CHECKED = 10_000


def fills(count: int, *, hoarded: int = 0) -> Iterator[LotEvent]:
    """Purchases and sales by turns, with fees; `hoarded` purchases come first and stay open."""
    draw = Random(1)
    quantities = [Decimal(draw.randint(1, 10**9)).scaleb(-8) for _ in range(1_009)]
    prices = [Decimal(draw.randint(10_000, 7_000_000)).scaleb(-2) for _ in range(997)]
    fees = [Decimal(draw.randint(0, 10**7)).scaleb(-5) for _ in range(499)]
    held, at, step = ZERO, NOON, timedelta(seconds=1)
    for number in range(count):
        at += step
        quantity, fee = quantities[number % 1_009], fees[number % 499]
        money = quantity * prices[number % 997]
        if number < hoarded or number % 2 == 0 or held < quantity:
            held += quantity
            yield Acquire(str(number), at, "BTC", quantity, money, fee)
        else:
            held -= quantity
            yield Dispose(str(number), at, "BTC", quantity, money, fee)


def bench_fifo() -> None:
    """The fees that went in are those that came out and those that are left, to the last unit."""
    charged = sum((fee_of(each) for each in fills(FILLS)), ZERO)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    book, allocated, matched = LotBook(), ZERO, 0
    started, worked = time.perf_counter(), time.process_time()
    for outcome in match_lots(fills(FILLS), book):
        assert isinstance(outcome, Match)
        allocated += outcome.selling_fee + outcome.buying_fee
        matched += 1
    took_s, worked_s = time.perf_counter() - started, time.process_time() - worked
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    left = sum((each.fee for each in book.open_lots()), ZERO)
    sys.stdout.write(
        f"\nFIFO: {FILLS:,} fills to {matched:,} matches in {took_s:.1f} s ({worked_s:.1f} s of"
        f" CPU), making the fills included (bound {SECONDS}); {grown_mb:.0f} MB more"
        f" (bound {MEGABYTES})"
    )
    assert allocated + left == charged
    assert took_s <= SECONDS
    assert grown_mb <= MEGABYTES


def fee_of(event: LotEvent) -> Decimal:
    """The fee of a fill."""
    return event.fee if isinstance(event, Acquire | Dispose) else ZERO


def bench_many_open_lots() -> None:
    """With a hundred thousand lots open an event costs about as much as with a few."""
    for method in LotMethod:
        times = []
        for hoarded in (0, OPEN_LOTS):
            book = LotBook(method)
            events = fills(hoarded + OPEN_LOTS, hoarded=hoarded)
            for _ in range(hoarded):
                book.take(next(events))
            started = time.process_time()
            for event in events:
                book.take(event)
            times.append(time.process_time() - started)
        few, many = (took_s / OPEN_LOTS * 1e6 for took_s in times)
        sys.stdout.write(f"\n{method.value}: {few:.1f} us a fill, {many:.1f} us beside many lots")


def bench_against_the_slow_reference() -> None:
    """Ten thousand fills: the same pieces, and gains that differ by units at the most."""
    events = list(history(Random(7), CHECKED))
    found = list(match_lots(events, LotBook()))
    expected = slow_matches(events)

    assert len(found) == len(expected)
    worst = Fraction(0)
    for ours, theirs in zip(found, expected, strict=True):
        assert not isinstance(ours, Shortfall)
        assert (ours.event_id, ours.lot_id) == (theirs.event_id, theirs.lot_id)
        assert Fraction(ours.quantity) == theirs.quantity
        if isinstance(ours, Match) and ours.gain is not None and theirs.gain is not None:
            worst = max(worst, abs(Fraction(ours.gain) - theirs.gain))
    sys.stdout.write(f"\n{CHECKED:,} fills: {len(found):,} pieces as the slow reference cuts them")
    assert worst <= 20 * Fraction(UNIT)
