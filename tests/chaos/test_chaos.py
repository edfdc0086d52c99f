"""Some minutes of chaos; `make chaos` has hours of it."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from typing import get_args

import pytest

from chaos_market import BUSY, QUIET, ChaosMarket
from chaos_mutants import MUTANTS
from chaos_run import MINUTES
from chaos_trial import broken, tried
from chaos_world import Trial
from zoe_tools.paper.exchange.faults import FaultName
from zoe_tools.paper.values.market import BookChange, Print
from zoe_tools.paper.values.times import NS

FEW_MINUTES = Trial(seed=2, hours=0.08, bustle=BUSY, deaths=1, blows_of_each=1)
SECONDS = Trial(seed=1, hours=0.03, bustle=BUSY, deaths=1, blows_of_each=0)


def test_after_nine_minutes_the_books_are_the_exchange_s() -> None:
    """No order twice, no fill lost, no limit exceeded, all protected, all reconciled.

    More is wanted at each moment than its limits allow: two positions of three, and not two orders.
    """
    verdict = tried(MINUTES)

    assert verdict.violations == ()
    assert verdict.hours[0].fills > 100
    assert set(verdict.struck) == set(get_args(FaultName))
    assert "killed" in verdict.lives


def test_a_seed_tells_the_same_again() -> None:
    """Every event at its time, every row of the books: a bad seed can be looked at again."""
    assert tried(SECONDS).digest == tried(SECONDS).digest


def test_five_minutes_of_every_fault_are_good() -> None:
    """Else what is noticed in them tells of no broken rule."""
    assert tried(FEW_MINUTES).violations == ()


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_broken_rule_is_noticed(name: str) -> None:
    """Those of `python tests/chaos_run.py --mutants`; one that does not find its rule raises."""
    trial = replace(FEW_MINUTES, stops=3) if "stopped" in name else FEW_MINUTES
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply(broken, (name, trial))
    assert found.violations


def test_bursts_are_ten_times_as_busy() -> None:
    """Ten frames of the book and three trades a second, and ten times that each tenth minute."""
    market = ChaosMarket(1, BUSY, starts_at=0, duration_s=600)
    told = list(market.events())
    pairs = len(market.pairs)
    for kind, a_second in ((BookChange, 10), (Print, 3)):
        calm = sum(1 for each in told if isinstance(each, kind) and each.at < 540 * NS)
        burst = sum(1 for each in told if isinstance(each, kind) and each.at >= 540 * NS)
        assert calm / 540 / pairs == pytest.approx(a_second, rel=0.1)
        assert burst / 60 / pairs == pytest.approx(a_second * 10, rel=0.1)


def test_a_quiet_market_trades_every_five_seconds() -> None:
    """And has no bursts."""
    market = ChaosMarket(1, QUIET, starts_at=0, duration_s=3_600)
    prints = sum(1 for each in market.events() if isinstance(each, Print))
    assert prints / 3_600 / len(market.pairs) == pytest.approx(0.2, rel=0.1)
