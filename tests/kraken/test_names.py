"""Names of pairs and assets: every one that Kraken gave finds its own, and no other finds any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kraken_answers as kraken
from zoe_tools.domain.instrument import AssetForm, Instrument, InstrumentCatalogue
from zoe_tools.kraken import codec, wire

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="no captures of real answers beside the checkout (../shared/data)"
)

CLASSIC = {"BTC": "XBT", "DOGE": "XDG"}
"""What the older API calls them."""
CAPTURES = (
    "xchange/marketdata_example-assetpairs-data.json",
    "xchange2025/AssetPairs.json",
    "kraken-async-rs/public__get_tradable_asset_pairs.json",
    "kraken-net/SpotExchangeData_GetSymbols.json",
    "nautilus/http_asset_pairs.json",
    "torquey66/instrument_snapshot.json",
    "made up",
)


def result_of(name: str) -> Any:
    """A capture's result."""
    return json.loads((DATA / name).read_text())["result"]


def listed(assets: Any, pairs: Any) -> InstrumentCatalogue:
    """The catalogue of such rows."""
    return codec.catalogue_of(
        msgspec.json.decode(kraken.body_of(assets), type=dict[str, wire.AssetRow]),
        msgspec.json.decode(kraken.body_of(pairs), type=dict[str, wire.PairRow]),
    )


@cache
def catalogue(name: str) -> InstrumentCatalogue:
    """The catalogue of a capture; assets of the widest one."""
    if name == "made up":
        return kraken.catalogue()
    assets = result_of("xchange/marketdata_example-assets-data.json")
    if not name.startswith("torquey66"):
        return listed(assets, result_of(name))
    snapshot = json.loads((DATA / name).read_text())
    return listed(*as_rest(snapshot.get("data", snapshot)))


def as_rest(snapshot: Any) -> tuple[Any, Any]:
    """The streamed list of 683 pairs as REST would tell it, under the older names."""
    assets = {
        CLASSIC.get(each["id"], each["id"]): {
            "altname": CLASSIC.get(each["id"], each["id"]),
            "decimals": each["precision"],
            "display_decimals": each["precision_display"],
        }
        for each in snapshot["assets"]
    }
    pairs = {}
    for each in snapshot["pairs"]:
        base, quote = (CLASSIC.get(name, name) for name in each["symbol"].split("/"))
        pairs[f"{base}{quote}"] = kraken.pair_row(f"{base}{quote}", f"{base}/{quote}", base, quote)
    return assets, pairs


def given_names(instrument: Instrument) -> Iterator[str]:
    """What the venue calls it."""
    yield from (instrument.venue_id, instrument.altname, instrument.symbol, *instrument.aliases)


def all_spellings(name: str) -> frozenset[str]:
    """All names of all instruments, and the slashed ones with a hyphen and with nothing."""
    names = {spelling for each in catalogue(name) for spelling in given_names(each)}
    loose = {spelling.replace("/", mark) for spelling in names for mark in ("-", "")}
    return frozenset(spelling.upper() for spelling in names | loose)


@needs_data
@pytest.mark.parametrize("name", CAPTURES)
def test_every_name_that_kraken_gave_finds_its_own_pair(name: str) -> None:
    """Over every list of pairs there is; no two pairs share a symbol."""
    found = catalogue(name)

    assert len({each.symbol for each in found}) == len(found) > 0
    for instrument in found:
        assert [found.resolve(each).symbol for each in given_names(instrument)] == [
            instrument.symbol
        ] * len(list(given_names(instrument)))


@needs_data
def test_the_streamed_list_is_as_wide_as_told() -> None:
    """683 pairs, and the symbols are those of the stream, letter by letter."""
    snapshot = json.loads((DATA / CAPTURES[5]).read_text())
    streamed = {each["symbol"] for each in snapshot.get("data", snapshot)["pairs"]}

    assert {each.symbol for each in catalogue(CAPTURES[5])} == streamed
    assert len(streamed) == 683


@needs_data
@given(st.data())
def test_spellings_are_resolved_in_any_case_and_with_a_hyphen(data: st.DataObject) -> None:
    """A slash, a hyphen or nothing between the two; blanks around them."""
    found = catalogue(data.draw(st.sampled_from(CAPTURES)))
    instrument = data.draw(st.sampled_from(found.instruments))
    mark = data.draw(st.sampled_from(("/", "-")))
    spelling = instrument.symbol.replace("/", mark)
    letters = [data.draw(st.sampled_from((each.lower(), each.upper()))) for each in spelling]

    assert found.resolve(f" {''.join(letters)} ").symbol == instrument.symbol


@needs_data
@given(st.data())
def test_nothing_is_guessed_from_the_shape_of_a_name(data: st.DataObject) -> None:
    """A letter put before, or taken away, is another name: found only if Kraken gave that one."""
    name = data.draw(st.sampled_from(CAPTURES))
    found = catalogue(name)
    spelling = data.draw(st.sampled_from(sorted(all_spellings(name))))
    changed = data.draw(
        st.sampled_from((f"X{spelling}", f"Z{spelling}", spelling[1:], spelling[:-1], spelling * 2))
    )

    assert (found.find(changed) is not None) == (changed.upper() in all_spellings(name))


@needs_data
def test_every_asset_is_found_under_each_of_its_names() -> None:
    """Id, altname, and the name of the stream; names that begin with X or Z keep it."""
    rows = result_of("xchange/marketdata_example-assets-data.json")
    found = listed(rows, result_of(CAPTURES[0]))

    for key, row in rows.items():
        name = CLASSIC_BACK.get(row["altname"], row["altname"])
        for given_name in (key, row["altname"]):
            assert codec.canonical_asset(given_name, found) == name
            assert codec.canonical_asset(f"{given_name}.F", found) == f"{name}.F"
        for form in AssetForm:
            of = found.form_of(f"{key}.{form.value}")
            assert of is not None
            assert of[0].venue_id == key


CLASSIC_BACK = {classic: name for name, classic in CLASSIC.items()}


@pytest.mark.parametrize("asset", ["XION", "ZETA", "ZEUS", "XTZ", "XRP", "ZEC", "ZRX", "XCN"])
def test_names_that_look_like_the_old_style_stay_themselves(asset: str) -> None:
    """No letter is taken off a new asset, nor off its pairs."""
    row = {"altname": asset, "decimals": 8, "display_decimals": 5}
    pair = kraken.pair_row(f"{asset}USD", f"{asset}/USD", asset, "ZUSD")
    found = listed({**kraken.ASSETS, asset: row}, {f"{asset}USD": pair})

    assert codec.canonical_asset(asset, found) == asset
    assert found.resolve(f"{asset}USD").symbol == f"{asset}/USD"
    assert found.find(f"{asset[1:]}USD") is None
    assert codec.canonical_asset(asset[1:], found) == asset[1:]
