"""Conservation under anything: thousands of random steps, and mutants that must be caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from exchange_machine import ExchangeMachine
from faulty_machine import FaultyMachine
from margin_machine import MarginMachine
from zoe_tools.paper.engine import (
    account,
    book,
    checks,
    fees,
    funding,
    margin_checks,
    margin_turn,
    matching,
)
from zoe_tools.paper.values import margin, positions
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import OrderView

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def run(
    examples: int,
    steps: int,
    *,
    is_shrunk: bool = True,
    machine: type[ExchangeMachine] = ExchangeMachine,
) -> int:
    """Let it run; returns how many steps it took."""
    before = machine.steps
    phases = (Phase.generate, Phase.shrink) if is_shrunk else (Phase.generate,)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=phases,
            suppress_health_check=QUIET,
        ),
    )
    return machine.steps - before


def test_money_is_kept_whatever_happens() -> None:
    """Every order type, amendments, edits, batches, dead men, modes, deaths."""
    assert run(40, 50) > 1_000


def test_what_was_told_is_true_while_faults_strike() -> None:
    """Over REST: lost answers, refusals that hide an execution, lag, thinned reads, maintenance."""
    assert run(40, 50, machine=FaultyMachine) > 1_000


def test_money_is_kept_on_margin() -> None:
    """Positions, rollovers, settlements and liquidations among everything else."""
    assert run(60, 60, machine=MarginMachine) > 1_000


@pytest.mark.slow
def test_money_is_kept_on_margin_over_fifty_thousand_steps() -> None:
    """The same, for long."""
    steps = run(1_500, 60, machine=MarginMachine)
    print(f"{steps} steps")  # noqa: T201 - the figure is the point
    assert steps >= 50_000


@pytest.mark.slow
def test_what_was_told_is_true_over_fifty_thousand_faulty_steps() -> None:
    """The same, for long."""
    steps = run(1_500, 60, machine=FaultyMachine)
    print(f"{steps} steps")  # noqa: T201 - the figure is the point
    assert steps >= 50_000


@pytest.mark.slow
def test_money_is_kept_over_fifty_thousand_steps() -> None:
    """The same, for long."""
    steps = run(1_500, 60)
    print(f"{steps} steps")  # noqa: T201 - the figure is the point
    assert steps >= 50_000


def _cut_off(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN)


def _round_down(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fees, "half_up", _cut_off)


def _hold_half(patch: pytest.MonkeyPatch) -> None:
    right = account.reserve_for

    def half(order: OrderView, spec: PairSpec) -> tuple[str, Decimal]:
        asset, amount = right(order, spec)
        return asset, amount / 2

    patch.setattr(matching, "reserve_for", half)
    patch.setattr(checks, "reserve_for", half)


def _last_come_first(patch: pytest.MonkeyPatch) -> None:
    right = book.PairBook.rest

    def rest(self: book.PairBook, order: OrderView, price: Decimal, *ahead: Decimal) -> None:
        right(self, order, price, *ahead)
        sign = -1 if order.side == "buy" else 1
        self.resting[order.side].sort(key=lambda one: (sign * one.price, -one.queue_number))

    patch.setattr(book.PairBook, "rest", rest)


def _makers_pay_as_takers(patch: pytest.MonkeyPatch) -> None:
    right = matching.Turn._fill

    def fill(self: matching.Turn, *args: object, is_maker: bool) -> OrderView:
        del is_maker
        return right(self, *args, is_maker=False)  # type: ignore[arg-type]

    patch.setattr(matching.Turn, "_fill", fill)


def _forget_partial_fills(patch: pytest.MonkeyPatch) -> None:
    right = book.PairBook.update

    def update(self: book.PairBook, order: OrderView) -> None:
        right(self, replace(order, filled=Decimal(0)) if order.remaining > 0 else order)

    patch.setattr(book.PairBook, "update", update)


@pytest.mark.parametrize(
    "mutant",
    [_round_down, _hold_half, _last_come_first, _makers_pay_as_takers, _forget_partial_fills],
)
def test_a_mutant_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounding, hold, queue, fee side, partial fill: each turns the machine red."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        run(60, 50, is_shrunk=False)


def _keep_the_fee_of_what_came_back(patch: pytest.MonkeyPatch) -> None:
    right = funding._post

    def post(turn: Any, whose: Any, movement: Any, amount: Decimal, fee: Decimal) -> None:
        right(turn, whose, movement, amount, max(fee, Decimal(0)))

    patch.setattr(funding, "_post", post)


def _credit_before_it_is_there(patch: pytest.MonkeyPatch) -> None:
    def stages(now: int, _: float) -> tuple[tuple[int, str], ...]:
        return ((now, "Success"), (now + 1, "Success"))

    patch.setattr(funding, "_arrival", stages)


def _earn_twice(patch: pytest.MonkeyPatch) -> None:
    right = funding._legs

    def legs(*args: Any) -> list[Any]:
        return [(suffix, why, max(moved, moved * 2)) for suffix, why, moved in right(*args)]

    patch.setattr(funding, "_legs", legs)


@pytest.mark.parametrize(
    "mutant", [_keep_the_fee_of_what_came_back, _credit_before_it_is_there, _earn_twice]
)
def test_a_mutant_of_funding_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Withdrawal, deposit, transfer: each turns the machine red."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        run(60, 50, is_shrunk=False)


def _lose_what_was_won(patch: pytest.MonkeyPatch) -> None:
    def profit(**kwargs: Any) -> Decimal:
        return -margin.profit_of(**kwargs)

    patch.setattr(positions, "profit_of", profit)


def _roll_over_twice(patch: pytest.MonkeyPatch) -> None:
    right = margin_turn.MarginTurn._post_row

    def post(self: margin_turn.MarginTurn, *args: Any) -> None:
        right(self, *args)
        if args[1] == "rollover":
            right(self, *args)

    patch.setattr(margin_turn.MarginTurn, "_post_row", post)


def _last_in_first_out(patch: pytest.MonkeyPatch) -> None:
    right = positions.Shelf.against

    def against(self: positions.Shelf, *args: Any) -> Iterator[positions.Position]:
        return reversed([*right(self, *args)])

    patch.setattr(positions.Shelf, "against", against)


def _hold_half_the_margin(patch: pytest.MonkeyPatch) -> None:
    right = margin_checks.hold_of

    def half(*args: Any) -> tuple[str, Decimal]:
        name, amount = right(*args)
        return name, amount / 2

    patch.setattr(margin_turn, "hold_of", half)


def _never_liquidate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(margin_turn, "is_stopped", lambda *_: False)


def _turn_around_while_reducing(patch: pytest.MonkeyPatch) -> None:
    def most(_: matching.Turn, order: OrderView, *__: Any) -> Decimal:
        return order.remaining

    patch.setattr(matching.Turn, "_most", most)


@pytest.mark.parametrize(
    "mutant",
    [
        _lose_what_was_won,
        _roll_over_twice,
        _last_in_first_out,
        _hold_half_the_margin,
        _never_liquidate,
        _turn_around_while_reducing,
    ],
)
def test_a_mutant_of_margin_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profit, rollover, order of closing, hold, liquidation, reduce-only: each turns it red."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        run(60, 60, is_shrunk=False, machine=MarginMachine)
