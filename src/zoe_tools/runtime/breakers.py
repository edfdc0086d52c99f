"""The circuit breaker of an account's key, without opening its venue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from zoe_tools.config import Settings
from zoe_tools.errors import ConfigError
from zoe_tools.kraken.breaker import CircuitBreaker
from zoe_tools.paper.home import PaperHome
from zoe_tools.ports import Clock
from zoe_tools.runtime.coordination import shared_coordination


@asynccontextmanager
async def open_breaker(settings: Settings, clock: Clock) -> AsyncIterator[CircuitBreaker]:
    """The breaker that all who use the account's key from here share. Asks no venue.

    Raises:
        ConfigError: the account is live, and there is no key.
    """
    is_paper = settings.mode == "paper"
    key = settings.kraken_api_key
    if is_paper:
        key = PaperHome(settings.home / "paper").keys().api_key
    if not key:
        raise ConfigError("The account is live, and KRAKEN_API_KEY is missing.")
    async with shared_coordination(
        settings.home, settings.database_url, key, clock, is_scaled=is_paper
    ) as coordination:
        yield CircuitBreaker(coordination, clock)
