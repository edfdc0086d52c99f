"""Lots: who is matched with whom, at which cost, and that nothing is lost in the cutting."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOON, d
from lot_reference import history, slow_matches
from program import SHARED_DATA
from rp2_oracle import matches_of
from zoe_tools.core.lots import UNIT, LotBook, in_units, match_lots, piece_of
from zoe_tools.domain.lot import (
    Acquire,
    Dispose,
    LotEvent,
    LotMethod,
    LotOutcome,
    Match,
    Moved,
    MoveOut,
    Shortfall,
)
from zoe_tools.domain.money import ZERO

RANKED = (LotMethod.FIFO, LotMethod.LIFO, LotMethod.HIFO)


def bought(name: str, quantity: str, cost: str | None, fee: str = "0", day: int = 0) -> Acquire:
    """A purchase on a day of its own."""
    at = NOON + timedelta(days=day)
    return Acquire(name, at, "BTC", d(quantity), None if cost is None else d(cost), d(fee))


def sold(name: str, quantity: str, proceeds: str | None, fee: str = "0", day: int = 9) -> Dispose:
    """A sale, later than the purchases."""
    at = NOON + timedelta(days=day)
    return Dispose(name, at, "BTC", d(quantity), None if proceeds is None else d(proceeds), d(fee))


def outcomes_of(
    *events: LotEvent, method: LotMethod = LotMethod.FIFO
) -> tuple[list[LotOutcome], LotBook]:
    """What comes of the events, and the book afterwards."""
    book = LotBook(method)
    return list(match_lots(events, book)), book


def matches(outcomes: Sequence[LotOutcome]) -> list[Match]:
    """The matches alone."""
    return [each for each in outcomes if isinstance(each, Match)]


def test_vector_4_the_oldest_lots_go_first_with_their_fees() -> None:
    """1 @ 100 fee 0.26, 1 @ 110 fee 0.286, 1.5 sold @ 120 fee 0.468: 24.129, and 0.5 @ 110 left."""
    outcomes, book = outcomes_of(
        bought("a", "1", "100", "0.26", 0),
        bought("b", "1", "110", "0.286", 1),
        sold("c", "1.5", "180", "0.468"),
    )

    assert sum(each.gain or ZERO for each in matches(outcomes)) == d("24.129")
    (left,) = book.open_lots()
    assert (left.quantity, left.cost, left.fee) == (d("0.5"), d("55"), d("0.143"))
    assert left.basis == d("55.143")


def test_each_method_takes_its_own_lot_first() -> None:
    """Oldest, newest, dearest by unit cost with its fee, or a share of all."""
    events = (
        bought("old", "1", "100", day=0),
        bought("dear", "1", "150", day=1),
        bought("new", "1", "110", day=2),
        sold("s", "1", "200"),
    )
    taken = {}
    for method in LotMethod:
        outcomes, _ = outcomes_of(*events, method=method)
        (match,) = matches(outcomes)
        taken[method.value] = (match.lot_id, match.gain)

    assert taken == {
        "fifo": ("old", d("100")),
        "lifo": ("new", d("90")),
        "hifo": ("dear", d("50")),
        "average": ("old", d("80")),
    }


def test_what_is_sold_beyond_the_lots_is_a_shortfall_and_no_gain() -> None:
    """One lot, two sold: half is matched, half is named, and no lot is negative."""
    outcomes, book = outcomes_of(bought("a", "1", "100"), sold("s", "2", "300", "0.6"))

    match, short = outcomes
    assert isinstance(match, Match)
    assert match.gain == d("49.7")
    assert short == Shortfall(
        "BTC", "s", NOON + timedelta(days=9), "sale", d("1"), d("150"), d("0.3")
    )
    assert book.open_lots() == ()


def test_the_sale_of_a_lot_without_a_cost_has_no_gain_yet() -> None:
    """A deposit of which nobody said what it cost."""
    outcomes, _ = outcomes_of(bought("deposit", "1", None), sold("s", "1", "300"))

    assert [each.gain for each in matches(outcomes)] == [None]


def test_dearest_first_takes_lots_without_a_cost_last() -> None:
    """Nobody knows whether they are dear."""
    outcomes, _ = outcomes_of(
        bought("deposit", "1", None, day=0),
        bought("b", "1", "1", day=1),
        sold("s", "2", "300"),
        method=LotMethod.HIFO,
    )

    assert [each.lot_id for each in matches(outcomes)] == ["b", "deposit"]


def test_an_average_with_a_part_unknown_is_unknown() -> None:
    """Until all of it is gone."""
    outcomes, _ = outcomes_of(
        bought("a", "1", "100", day=0),
        bought("deposit", "1", None, day=1),
        sold("s", "2", "300", day=2),
        bought("b", "1", "100", day=3),
        sold("t", "1", "120", day=4),
        method=LotMethod.AVERAGE,
    )

    assert [each.gain for each in matches(outcomes)] == [None, d("20")]


def test_a_sale_that_cannot_be_valued_has_no_gain_and_still_takes_its_lots() -> None:
    """Its proceeds were in something without a price."""
    outcomes, book = outcomes_of(bought("a", "1", "100"), sold("s", "1", None))

    assert [each.gain for each in matches(outcomes)] == [None]
    assert book.open_lots() == ()


def test_what_moves_out_takes_its_cost_along_and_realises_nothing() -> None:
    """A withdrawal of half a lot, and of more than there is."""
    at = NOON + timedelta(days=5)
    outcomes, book = outcomes_of(bought("a", "2", "200", "1"), MoveOut("w", at, "BTC", d("0.5")))

    assert outcomes == [
        Moved("BTC", "w", at, "a", NOON, d("0.5"), d("50"), d("0.25")),
    ]
    assert [(each.quantity, each.basis) for each in book.open_lots()] == [(d("1.5"), d("150.75"))]
    (_, short) = book.take(MoveOut("w2", at, "BTC", d("2")))
    assert isinstance(short, Shortfall)
    assert (short.quantity, short.reason, short.proceeds) == (d("0.5"), "withdrawal", None)


def test_an_event_out_of_order_or_without_a_quantity_is_refused() -> None:
    """The stream is oldest first: a later look at the past starts over."""
    book = LotBook()
    book.take(bought("a", "1", "100", day=2))

    with pytest.raises(ValueError, match="older than the event before it"):
        book.take(bought("b", "1", "100", day=1))
    with pytest.raises(ValueError, match="about a quantity of 0"):
        book.take(sold("s", "0", "0"))


def test_assets_do_not_mix() -> None:
    """A sale of one takes no lot of another."""
    other = bought("e", "5", "5")._replace(asset="ETH")
    outcomes, book = outcomes_of(other, bought("a", "1", "100"), sold("s", "1", "90"))

    assert [each.lot_id for each in matches(outcomes)] == ["a"]
    assert [each.asset for each in book.open_lots()] == ["ETH"]


@given(
    whole=st.decimals("0", "1000000", places=5),
    parts=st.lists(st.decimals("0.00000001", "1000", places=8), min_size=1, max_size=20),
)
@settings(deadline=None)
def test_pieces_add_up_to_the_whole_to_the_last_unit(whole: Decimal, parts: list[Decimal]) -> None:
    """However it is cut; no piece is negative, and none finer than a unit."""
    left, rest = sum(parts, ZERO), whole
    pieces = []
    for part in parts:
        pieces.append(piece_of(rest, part, left))
        rest -= pieces[-1]
        left -= part

    assert sum(pieces, ZERO) == whole
    assert all(each >= 0 and each == in_units(each) for each in pieces)


@given(seed=st.integers(0, 2**32), length=st.integers(1, 60), method=st.sampled_from(RANKED))
@settings(deadline=None)
def test_every_method_equals_a_slow_reference(seed: int, length: int, method: LotMethod) -> None:
    """The same pieces, and gains that differ by less than a few units; sums without any loss."""
    events = list(history(random.Random(seed), length, may_move=True))
    outcomes, book = outcomes_of(*events, method=method)
    expected = slow_matches(events, method)

    found = [each for each in outcomes if not isinstance(each, Shortfall)]
    assert [(each.event_id, each.lot_id, Fraction(each.quantity)) for each in found] == [
        (each.event_id, each.lot_id, each.quantity) for each in expected
    ]
    for ours, theirs in zip(found, expected, strict=True):
        gain = ours.gain if isinstance(ours, Match) else None
        assert (gain is None) == (theirs.gain is None)
        if gain is not None and theirs.gain is not None:
            assert abs(Fraction(gain) - theirs.gain) <= 4 * length * Fraction(UNIT)
    check_nothing_is_lost(events, found, book)


@given(seed=st.integers(0, 2**32), length=st.integers(1, 60))
@settings(deadline=None)
def test_the_average_loses_nothing_either(seed: int, length: int) -> None:
    """Cost and fees in, cost and fees out, to the last unit."""
    events = list(history(random.Random(seed), length, may_move=True))
    outcomes, book = outcomes_of(*events, method=LotMethod.AVERAGE)
    found = [each for each in outcomes if not isinstance(each, Shortfall)]

    check_nothing_is_lost(events, found, book)


def check_nothing_is_lost(
    events: Sequence[LotEvent], found: Sequence[Match | Moved], book: LotBook
) -> None:
    """What came in is what went out and what is left: quantities, costs, and both kinds of fees."""
    with localcontext(prec=60):
        acquired = [each for each in events if isinstance(each, Acquire)]
        disposed = [each for each in events if isinstance(each, Dispose)]
        gone = [each for each in found if isinstance(each, Match)]
        left = book.open_lots()
        assert total(each.quantity for each in acquired) == total(
            each.quantity for each in (*found, *left)
        )
        assert total(each.cost for each in acquired) == total(each.cost for each in (*found, *left))
        assert total(each.fee for each in acquired) == total(
            [each.buying_fee for each in found] + [each.fee for each in left]
        )
        assert total(each.fee for each in disposed) == total(each.selling_fee for each in gone)
        assert total(each.proceeds for each in disposed) == total(each.proceeds for each in gone)


def total(amounts: Any) -> Decimal:
    """The sum of known amounts."""
    return sum((each for each in amounts if each is not None), ZERO)


# --- rp2: an oracle that others wrote -------------------------------------------------------------


def check_against_rp2(seed: int, method: LotMethod) -> None:
    """One random history through both."""
    draw = random.Random(seed)
    events = list(history(draw, draw.randint(2, 14)))
    outcomes, _ = outcomes_of(*events, method=method)
    found = {(int(each.event_id), int(each.lot_id)): each for each in matches(outcomes)}
    expected = {(each.event, each.lot): each for each in matches_of(events, method)}

    assert found.keys() == expected.keys()
    for key, theirs in expected.items():
        ours = found[key]
        assert ours.quantity == theirs.quantity
        assert ours.cost is not None
        assert abs(ours.cost + ours.buying_fee - theirs.basis) < d("1e-9")
        assert ours.gain is not None
        assert abs(ours.gain - theirs.gain) < d("1e-9")


@pytest.mark.parametrize(("method", "count"), [(LotMethod.FIFO, 1_000), (LotMethod.LIFO, 150)])
def test_random_histories_match_as_rp2_matches_them(method: LotMethod, count: int) -> None:
    """The same lots to the same disposals, at the same basis and gain."""
    for seed in range(count):
        check_against_rp2(seed, method)


def rp2_events(asset: dict[str, Any]) -> list[LotEvent]:
    """The asset's life as our events: a transfer moves nothing out, but its fee is given away."""
    events: list[LotEvent] = []
    for row in asset["acquisitions"]:
        cost = d(row["fiat_in_with_fee"]) - d(row["fiat_fee"])
        origin = "reward" if row["taxable"] == "YES" else "buy"
        events.append(
            Acquire(*named("in", row), "B", d(row["amount"]), cost, d(row["fiat_fee"]), origin)
        )
    for row in asset["disposals"]:
        amount, spot = d(row["amount"]), d(row["spot_price"])
        fee = d(row["crypto_fee"])
        if row["type"] == "FEE":
            events.append(Dispose(*named("out", row), "B", fee, fee * spot, reason="fee"))
        else:
            events.append(Dispose(*named("out", row), "B", amount + fee, amount * spot))
    events.extend(
        Dispose(
            *named("move", row),
            "B",
            d(row["crypto_fee"]),
            d(row["crypto_fee"]) * d(row["spot_price"]),
            reason="fee",
        )
        for row in asset["transfers"]
        if d(row["crypto_fee"])
    )
    return sorted(events, key=lambda each: (each.at, isinstance(each, Dispose)))


def named(kind: str, row: dict[str, Any]) -> tuple[str, datetime]:
    """An id and a time."""
    return f"{kind} {row['time']}", datetime.fromisoformat(row["time"])


@pytest.mark.parametrize("case", ["crypto_example", "test_data3"])
def test_fifo_equals_the_matches_that_rp2_publishes(case: str) -> None:
    """Every match of both published cases: times, amount, basis, gain."""
    path = SHARED_DATA / "rp2" / f"{case}.json"
    if not path.exists():
        pytest.skip("rp2's published cases are not on this machine (../shared/data/rp2)")
    checked = 0
    for asset in json.loads(path.read_text())["assets"].values():
        outcomes, _ = outcomes_of(*rp2_events(asset))
        expected = [each for each in asset["expected"]["fifo_matches"] if each["lot_time"]]
        found = matches(outcomes)

        assert len(found) == len(expected) == len(outcomes)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.disposed_at.isoformat(" ") == theirs["event_time"]
            assert ours.acquired_at.isoformat(" ") == theirs["lot_time"]
            assert ours.quantity == d(theirs["amount"])
            assert ours.cost is not None
            assert ours.gain is not None
            assert abs(ours.cost + ours.buying_fee - d(theirs["lot_cost_basis"])) < d("1e-9")
            assert abs(ours.gain - d(theirs["gain"])) < d("1e-9")
            checked += 1
    assert checked > 5
