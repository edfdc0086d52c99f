"""Which assets are money and not coins: the fee schedule and reports ask. Data alone."""

from __future__ import annotations

FIAT = frozenset({"USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY"})
DOLLAR_STABLE = frozenset({"USDT", "USDC", "DAI", "PYUSD", "RLUSD", "TUSD", "USDG"})
STABLE = DOLLAR_STABLE | {"EURC", "EURT", "EURQ", "EURR"}
