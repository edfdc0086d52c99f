"""Instruments: steps, minimums, fees, and the catalogue that resolves every spelling."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import (
    Asset,
    AssetForm,
    FeeTier,
    Instrument,
    InstrumentCatalogue,
    InstrumentStatus,
)
from zoe_tools.errors import UnknownInstrument

TIERS = (
    FeeTier(volume_from=Decimal(0), taker_pct=Decimal("0.40"), maker_pct=Decimal("0.25")),
    FeeTier(volume_from=Decimal(10_000), taker_pct=Decimal("0.35"), maker_pct=Decimal("0.20")),
    FeeTier(volume_from=Decimal(50_000), taker_pct=Decimal("0.24"), maker_pct=Decimal("0.14")),
)

BTC_USD = Instrument(
    symbol=Symbol("BTC/USD"),
    venue_id="XXBTZUSD",
    altname="XBTUSD",
    base="BTC",
    quote="USD",
    price_decimals=1,
    quantity_decimals=8,
    cost_decimals=5,
    tick_size=Decimal("0.1"),
    min_quantity=Decimal("0.00005"),
    min_cost=Decimal("0.5"),
    fee_tiers=TIERS,
    aliases=("XBT/USD",),
)
ETH_USD = Instrument(
    symbol=Symbol("ETH/USD"),
    venue_id="XETHZUSD",
    altname="ETHUSD",
    base="ETH",
    quote="USD",
    price_decimals=2,
    quantity_decimals=8,
    cost_decimals=5,
    tick_size=Decimal("0.25"),
    min_quantity=Decimal("0.002"),
    min_cost=Decimal("0.5"),
    fee_tiers=TIERS,
)
BTC = Asset(name="BTC", venue_id="XXBT", altname="XBT", decimals=10, display_decimals=5)
USD = Asset(name="USD", venue_id="ZUSD", altname="USD", decimals=4, display_decimals=2)
CATALOGUE = InstrumentCatalogue((BTC_USD, ETH_USD), (BTC, USD))

prices = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(200_000), places=6)
quantities = st.decimals(min_value=Decimal(0), max_value=Decimal(1_000), places=12)


@given(prices, st.sampled_from([BTC_USD, ETH_USD]))
def test_rounded_prices_are_on_the_tick(price: Decimal, instrument: Instrument) -> None:
    """Whichever way a price is rounded, the venue accepts its granularity."""
    rounded = [
        instrument.floor_price(price),
        instrument.round_price(price),
        instrument.ceil_price(price),
    ]

    assert all(instrument.is_on_tick(each) for each in rounded)
    assert rounded == sorted(rounded)
    assert rounded[0] <= price <= rounded[2]


@given(quantities)
def test_a_floored_quantity_is_never_more_than_there_was(quantity: Decimal) -> None:
    """Selling must not ask for more than is held, by however little."""
    floored = BTC_USD.floor_quantity(quantity)

    assert floored <= quantity < floored + BTC_USD.lot_step
    assert floored % BTC_USD.lot_step == 0


@pytest.mark.parametrize(
    ("price", "is_on_tick"), [("100.25", True), ("100.5", True), ("100.30", False)]
)
def test_the_tick_may_be_coarser_than_the_decimals(price: str, *, is_on_tick: bool) -> None:
    """The tick size decides, not the number of decimals."""
    assert ETH_USD.is_on_tick(Decimal(price)) is is_on_tick


def test_the_lot_step_is_the_last_decimal_of_the_quantity() -> None:
    """Eight decimals: one hundred-millionth."""
    assert BTC_USD.lot_step == Decimal("0.00000001")


@pytest.mark.parametrize(
    ("volume", "taker", "maker"),
    [
        ("0", "0.40", "0.25"),
        ("9999.99", "0.40", "0.25"),
        ("10000", "0.35", "0.20"),
        ("1000000", "0.24", "0.14"),
    ],
)
def test_the_fee_tier_is_the_highest_that_the_volume_reaches(
    volume: str, taker: str, maker: str
) -> None:
    """A tier begins exactly at its volume."""
    tier = BTC_USD.tier(Decimal(volume))

    assert (Decimal(taker), Decimal(maker)) == (tier.taker_pct, tier.maker_pct)


def test_cost_and_fee_are_rounded_half_up_to_the_cost_decimals() -> None:
    """As the venue books them: 0.000005 at five decimals is 0.00001."""
    assert BTC_USD.cost(price=Decimal("0.5"), quantity=Decimal("0.00001")) == Decimal("0.00001")
    assert BTC_USD.taker_fee(Decimal("100.00")) == Decimal("0.40000")
    assert BTC_USD.taker_fee(Decimal("0.00125")) == Decimal("0.00001")


@pytest.mark.parametrize(
    ("quantity", "price", "is_tradable"),
    [
        ("0.00005", "30000", True),
        ("0.00004999", "30000", False),
        ("0.00005", "10000", True),
        ("0.00005", "9999.9", False),
        ("0", "30000", False),
    ],
)
def test_an_order_must_pass_both_minimums(quantity: str, price: str, *, is_tradable: bool) -> None:
    """Quantity and cost each have one; exactly the minimum passes."""
    assert BTC_USD.is_tradable_quantity(Decimal(quantity), price=Decimal(price)) is is_tradable


@pytest.mark.parametrize(
    "spelling",
    [
        "BTC/USD",
        "btc/usd",
        " BTC/USD ",
        "BTC-USD",
        "BTCUSD",
        "XBT/USD",
        "XBT-USD",
        "XBTUSD",
        "xbtusd",
        "XXBTZUSD",
    ],
)
def test_every_spelling_the_venue_knows_is_one_instrument(spelling: str) -> None:
    """An operator may type any of them."""
    assert CATALOGUE.resolve(spelling) is BTC_USD


def test_an_unknown_spelling_is_refused_with_near_names() -> None:
    """The hint speaks canonical names, whatever was typed."""
    with pytest.raises(UnknownInstrument, match="'BTC-USDD'") as caught:
        CATALOGUE.resolve("BTC-USDD")

    assert "Did you mean BTC/USD" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("spelling", ["", "/", "USD", "BTC", "ETHBTC", "XXBT/ZUSD"])
def test_nothing_is_guessed_from_the_shape_of_a_spelling(spelling: str) -> None:
    """What the venue did not name is not an instrument, however plausible it looks."""
    assert CATALOGUE.find(spelling) is None


def test_an_asset_is_found_by_each_of_its_names() -> None:
    """`XXBT`, `XBT` and `BTC` are one asset."""
    found = [CATALOGUE.asset(name) for name in ("XXBT", "XBT", "btc", "ZUSD", "DOGE")]

    assert found == [BTC, BTC, BTC, USD, None]


def test_a_canonical_name_wins_over_another_instruments_alias() -> None:
    """The first instrument that owns a spelling keeps it."""
    pretender = Instrument(
        symbol=Symbol("XX/USD"),
        venue_id="BTCUSD",
        altname="BTC-USD",
        base="XX",
        quote="USD",
        price_decimals=1,
        quantity_decimals=8,
        cost_decimals=5,
        tick_size=Decimal("0.1"),
        min_quantity=Decimal(1),
        min_cost=Decimal(1),
        fee_tiers=TIERS,
    )
    catalogue = InstrumentCatalogue((BTC_USD, pretender))

    assert catalogue.resolve("BTCUSD") is BTC_USD
    assert catalogue.resolve("XX/USD") is pretender


def test_narrowing_keeps_the_assets_and_only_the_wanted_pairs() -> None:
    """A narrowed catalogue no longer knows the others."""
    narrowed = CATALOGUE.narrowed_to([Symbol("ETH/USD")])

    assert list(narrowed) == [ETH_USD]
    assert narrowed.find("BTC/USD") is None
    assert narrowed.asset("XBT") is BTC
    assert len(CATALOGUE) == 2


def asset(name: str, venue_id: str, altname: str) -> Asset:
    """An asset of eight decimals."""
    return Asset(name=name, venue_id=venue_id, altname=altname, decimals=8, display_decimals=5)


FORMS = InstrumentCatalogue(
    (),
    (
        BTC,
        USD,
        asset("DOGE", "XXDG", "XDG"),
        asset("DOT", "DOT", "DOT"),
        asset("DOT28.S", "DOT28.S", "DOT28.S"),
        asset("BTC.M", "XBT.M", "XBT.M"),
        *(asset(name, name, name) for name in ("XION", "ZETA", "ZEUS", "XTZ", "ION", "ETA")),
    ),
)


@pytest.mark.parametrize(
    ("spelling", "name", "form"),
    [
        ("XBT", "BTC", None),
        ("XXBT", "BTC", None),
        ("btc", "BTC", None),
        ("XDG", "DOGE", None),
        ("XION", "XION", None),
        ("ZETA", "ZETA", None),
        ("ZEUS", "ZEUS", None),
        ("XTZ", "XTZ", None),
        ("ZUSD", "USD", None),
        ("DOT.S", "DOT", AssetForm.STAKED),
        ("XBT.M", "BTC", AssetForm.REWARDED),
        ("XXBT.F", "BTC", AssetForm.AUTO_EARNING),
        ("BTC.F", "BTC", AssetForm.AUTO_EARNING),
        ("USD.B", "USD", AssetForm.YIELDING),
        ("XBT.T", "BTC", AssetForm.TOKENIZED),
        ("DOT.P", "DOT", AssetForm.BONDED),
        ("USD.HOLD", "USD", AssetForm.ON_HOLD),
        ("zeus.s", "ZEUS", AssetForm.STAKED),
        ("DOT28.S", "DOT28.S", None),
    ],
)
def test_a_name_is_looked_up_and_never_taken_apart(
    spelling: str, name: str, form: AssetForm | None
) -> None:
    """An X or a Z in front belongs to the name; a suffix is a form only of what is listed."""
    found = FORMS.form_of(spelling)

    assert found is not None
    assert (name, form) == (found[0].name, found[1])


@pytest.mark.parametrize("spelling", ["", ".", ".S", "XEUS", "EUS", "XXION", "DOT.Q", "NEW.S", "S"])
def test_what_is_not_listed_is_nothing(spelling: str) -> None:
    """No guess is made."""
    assert FORMS.form_of(spelling) is None


def test_a_change_of_state_is_told_once() -> None:
    """Another state, a pair that is gone, a pair that is new; nothing of what stayed."""
    halted = replace(BTC_USD, status=InstrumentStatus.CANCEL_ONLY)
    new = replace(BTC_USD, symbol=Symbol("SOL/USD"), venue_id="SOLUSD", altname="SOLUSD")
    after = InstrumentCatalogue((halted, new), (BTC, USD))

    assert after.changes_since(CATALOGUE) == (
        (Symbol("BTC/USD"), InstrumentStatus.CANCEL_ONLY),
        (Symbol("ETH/USD"), InstrumentStatus.DELISTED),
        (Symbol("SOL/USD"), InstrumentStatus.ONLINE),
    )
    kept = after.succeeding(CATALOGUE)
    assert kept.changes_since(after.succeeding(CATALOGUE)) == ()
    assert kept.resolve("XETHZUSD").status is InstrumentStatus.DELISTED
    assert after.succeeding(after) is after
