"""Looks a database over in the time of each account's venue."""

from __future__ import annotations

import asyncio
from datetime import datetime

from zoe_tools.config import Settings
from zoe_tools.domain.store_health import StoreHealth
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.paper_clock import clock_of_paper
from zoe_tools.store.health import demand_sound, read_health


async def demand_sound_store(settings: Settings) -> None:
    """Pass, unless the database's file is damaged: before very many rows are added to it.

    Raises:
        StoreUnavailable: a page is damaged, or the file cannot be read.
    """
    await asyncio.to_thread(demand_sound, settings.database_url)


def health_of(settings: Settings) -> StoreHealth:
    """What `core/check_db_health.py` judges; paper accounts live by their exchange's clock.

    Raises:
        StoreError: the database cannot be reached or read, or is not at this zoe's migration.
    """
    now = SystemClock().now()
    paper = clock_of_paper(settings.home)

    def now_of(mode: str) -> datetime:
        return paper.now() if mode == "paper" and paper is not None else now

    return read_health(settings.database_url, now=now, now_of=now_of)
