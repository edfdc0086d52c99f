"""What trading an instrument costs, and what may be borrowed for it, out of its row in AssetPairs.

Sources: kraken-spot sections 5 and 13.7.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from zoe_tools.domain.instrument import FeeTier, MarginTerms
from zoe_tools.domain.money import ZERO
from zoe_tools.kraken import wire


def margin_terms(row: wire.PairRow) -> MarginTerms:
    """Leverages, and the margin levels in percent."""
    return MarginTerms(
        leverage_buy=tuple(row.leverage_buy),
        leverage_sell=tuple(row.leverage_sell),
        call_pct=row.margin_call,
        stop_pct=row.margin_stop,
    )


def fee_tiers(taker: Iterable[wire.FeeRow], maker: Iterable[wire.FeeRow]) -> tuple[FeeTier, ...]:
    """Both schedules merged, one row for each volume that either names, from volume 0 on.

    No maker schedule means that makers pay what takers pay.
    """
    takers = sorted((row.volume, row.percent) for row in taker)
    makers = sorted((row.volume, row.percent) for row in maker) or takers
    volumes = {ZERO, *(volume for volume, _ in takers), *(volume for volume, _ in makers)}
    return tuple(
        FeeTier(
            volume_from=volume,
            taker_pct=_percent_at(takers, volume),
            maker_pct=_percent_at(makers, volume),
        )
        for volume in sorted(volumes)
    )


def _percent_at(rows: list[tuple[Decimal, Decimal]], volume: Decimal) -> Decimal:
    reached = [percent for start, percent in rows if start <= volume]
    return reached[-1] if reached else (rows[0][1] if rows else ZERO)
