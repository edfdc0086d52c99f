"""Exact decimals: reading, writing and rounding lose nothing and pass through no float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.domain.money import (
    MOST,
    amount_of,
    bookable,
    ceil_to_step,
    decimal_of,
    floor_to_step,
    plain,
    quantum,
    round_half_up,
    round_to_step,
    short,
)

amounts = st.decimals(
    min_value=Decimal("-1e9"), max_value=Decimal("1e9"), allow_nan=False, allow_infinity=False
)
venue_amounts = st.decimals(min_value=Decimal(-1_000_000), max_value=Decimal(1_000_000), places=8)
steps = st.sampled_from([Decimal(text) for text in ("0.00000001", "0.01", "0.1", "0.25", "1", "5")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1", Decimal("0.1")),
        ("1E-8", Decimal("0.00000001")),
        ("30000.10", Decimal("30000.10")),
        ("-5", Decimal(-5)),
    ],
)
def test_text_is_read_exactly(text: str, expected: Decimal) -> None:
    """The number that stands there, digit for digit."""
    read = decimal_of(text)

    assert expected == read
    assert expected.as_tuple() == read.as_tuple()


@pytest.mark.parametrize("text", ["", " ", "abc", "1,5", "0x10", "NaN", "Infinity", "-inf", "1 2"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    """The sentence names what was read; nothing becomes zero in silence."""
    with pytest.raises(ValueError, match="number"):
        decimal_of(text)


@pytest.mark.parametrize("text", ["-100.0000", "0.123456789012", "999999999999999.123456789012"])
def test_an_amount_keeps_its_digits(text: str) -> None:
    """The venue's have ten decimals at most."""
    assert plain(amount_of(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "1E400",
        "-1E400",
        "1E999999",
        "1E-13",
        "0E-999",
        "9" * 38,
        "1000000000000000",
        "0.1234567890123",
        "NaN",
    ],
)
def test_what_no_book_could_add_up_exactly_is_no_amount(text: str) -> None:
    """As text or as a number; the sentence stays short."""
    with pytest.raises(ValueError, match=r"number|amount") as refused:
        amount_of(text)
    assert len(str(refused.value)) < 150
    with pytest.raises(ValueError, match="amount"):
        bookable(Decimal(text))


@given(
    st.decimals(min_value=1 - MOST, max_value=MOST - 1, places=12),
    st.decimals(min_value=1 - MOST, max_value=MOST - 1, places=12),
)
def test_amounts_add_up_without_rounding(one: Decimal, other: Decimal) -> None:
    """A chain of balances is exact."""
    exact = int(one.scaleb(12)) + int(other.scaleb(12))

    assert bookable(one) + bookable(other) == Decimal(exact).scaleb(-12)


@pytest.mark.parametrize(
    ("value", "expected_plain", "expected_short"),
    [
        ("1E-8", "0.00000001", "0.00000001"),
        ("1E+3", "1000", "1000"),
        ("0.10", "0.10", "0.1"),
        ("100", "100", "100"),
        ("0E-8", "0.00000000", "0"),
        ("-0.00", "-0.00", "0"),
        ("-2.50", "-2.50", "-2.5"),
    ],
)
def test_money_is_written_without_an_exponent(
    value: str, expected_plain: str, expected_short: str
) -> None:
    """`plain` keeps every digit, `short` drops the zeros that say nothing."""
    assert plain(Decimal(value)) == expected_plain
    assert short(Decimal(value)) == expected_short


@given(amounts)
def test_writing_and_reading_again_changes_nothing(value: Decimal) -> None:
    """Both notations name the same number, and neither shows an exponent."""
    assert decimal_of(plain(value)) == value
    assert decimal_of(short(value)) == value
    assert "E" not in plain(value).upper()


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        ("0.125", 2, "0.13"),
        ("0.124999", 2, "0.12"),
        ("-0.125", 2, "-0.13"),
        ("2.5", 0, "3"),
        ("0.000005", 5, "0.00001"),
    ],
)
def test_costs_round_half_up_as_the_venue_books_them(
    value: str, decimals: int, expected: str
) -> None:
    """Half goes away from zero (kraken-spot section 12), never to the even neighbour."""
    assert plain(round_half_up(Decimal(value), decimals)) == expected


@given(venue_amounts, st.integers(min_value=0, max_value=8))
def test_rounding_is_off_by_at_most_half_a_unit(value: Decimal, decimals: int) -> None:
    """And agrees with Decimal's own ROUND_HALF_UP."""
    rounded = round_half_up(value, decimals)

    assert abs(rounded - value) <= quantum(decimals) / 2
    assert rounded == value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


@given(venue_amounts, steps)
def test_floor_and_ceiling_enclose_the_value_by_less_than_a_step(
    value: Decimal, step: Decimal
) -> None:
    """Both are multiples of the step; they meet exactly when the value is one."""
    below, above = floor_to_step(value, step), ceil_to_step(value, step)

    assert below <= value <= above
    assert below % step == 0
    assert above % step == 0
    assert above - below == (0 if value % step == 0 else step)


@given(venue_amounts, steps)
def test_rounding_to_a_step_is_stable(value: Decimal, step: Decimal) -> None:
    """Once rounded, every rounding leaves the value where it is."""
    nearest = round_to_step(value, step)

    assert abs(nearest - value) <= step / 2
    assert nearest == round_to_step(nearest, step) == floor_to_step(nearest, step)


@given(st.integers(min_value=0, max_value=12))
def test_the_quantum_is_one_unit_of_the_last_decimal(decimals: int) -> None:
    """`quantum(2)` is 0.01."""
    assert quantum(decimals) * 10**decimals == 1
