"""A market that is told to the exchange as it happens elsewhere; it has no events of its own."""

from __future__ import annotations

from collections.abc import Iterator

from zoe_tools.paper.values.market import MarketEvent, PairSpec


class MirroredMarket:
    """A source whose events somebody else hands to the exchange, one by one."""

    def __init__(self, pairs: tuple[PairSpec, ...], *, starts_at: int) -> None:
        self.pairs = pairs
        self.starts_at = starts_at
        self.granularity_s = 1.0

    def events(self) -> Iterator[MarketEvent]:
        """None: see `PaperExchange.hear`."""
        return iter(())
