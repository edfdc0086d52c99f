"""Names of assets as people type them."""

from __future__ import annotations

import pytest

from zoe_tools.kraken.asset_names import meanings_of, name_among


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("BTC", "BTC"),
        ("xbt", "BTC"),
        ("XXBT", "BTC"),
        ("XXDG", "DOGE"),
        ("ZUSD", "USD"),
        ("zeur", "EUR"),
        ("ZEUS", "ZEUS"),
        ("XETH", "ETH"),
        ("nope", "NOPE"),
        (" btc ", "BTC"),
    ],
)
def test_a_name_means_the_asset_that_is_known(typed: str, expected: str) -> None:
    """The venue's old names and ours are one; an asset of such a name goes before."""
    known = {"BTC", "DOGE", "USD", "EUR", "ZEUS", "EUS", "ETH"}

    assert name_among(typed, known) == expected
    assert expected in meanings_of(typed)
