"""The second look: is the plan that was shown still the plan one would make now?

Quantities, ids, sides and levels must be equal exactly. Prices that follow the market may have
moved a little. Words and times of making are not compared, nor what a step costs in rate limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.money import HUNDRED, short
from zoe_tools.domain.order import OrderAmendment, Side
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    EndGroup,
    LinkStop,
    PlaceOrder,
    Plan,
    PostAdjustment,
    RebuildOrder,
    RecordFill,
    RecordOrder,
    ResolveIntent,
    SetTargets,
    SettleDiscrepancy,
    SetTradingState,
    Step,
    WriteCandles,
    jsonable,
)
from zoe_tools.domain.plan_file import LONGEST_LIFE
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.errors import Moved, PlanStale

PRICE_TOLERANCE_PCT = Decimal(1)
"""How far a price may have moved between showing and doing."""

EXACTLY = "exactly"
_NOTHING = "-"
_WHOLE_STEP = "step"
_HOW_MANY = ", how many"
_PRICES = frozenset(
    {"limit_price", "trigger_price", "stop_price", "take_profit_price", "average_cost", "notional"}
    | {"arrival_bid", "arrival_ask", "worst_price"}
)
_NOT_COMPARED = frozenset({"reason", "evidence", "as_of", "rate_cost", "updated_at"}) | {
    # What a position holds is compared, and what it sold: these follow from the two.
    "entry_quantity",
    "initial_quantity",
    # The candles are compared, and not how far the answer that brought them reaches.
    "looked",
}
_MADE_NOW = {
    "AdoptPosition": "position.opened_at",
    "AdjustPosition": "after.closed_at",
    "PostAdjustment": "adjustment.adjusted_at",
}
"""By kind of step: a time that is only that of the planning."""


def demand_unchanged(
    shown: Plan,
    fresh: Plan,
    *,
    now: datetime,
    tolerance_pct: Decimal = PRICE_TOLERANCE_PCT,
    settled: frozenset[int] = frozenset(),
) -> None:
    """Pass, or list what moved; see `moved_since`.

    Raises:
        PlanStale: the plan has expired, or planning again gives other steps.
    """
    demand_alive(shown, now=now)
    moved = moved_since(shown, fresh, tolerance_pct=tolerance_pct, settled=settled)
    if moved:
        told = "; ".join(_sentence(each) for each in moved[:_MOST_TOLD])
        more = len(moved) - _MOST_TOLD
        raise PlanStale(
            f"The world moved since the plan: {told}{f'; and {more} more' if more > 0 else ''}.",
            moved=moved,
        )


_MOST_TOLD = 4


def demand_alive(plan: Plan, *, now: datetime) -> None:
    """Pass while the plan has not expired.

    Raises:
        PlanStale: it has.
    """
    if now > plan.expires_at:
        raise PlanStale(f"The plan expired at {plan.expires_at:%Y-%m-%d %H:%M:%S} UTC.")


def demand_timely(plan: Plan, *, now: datetime, is_begun: bool = False) -> None:
    """Pass while a plan that was saved may be applied; `is_begun`: to be gone on with.

    Raises:
        PlanStale: it expired, it lives longer than any plan may, or it is made in the future:
            then one of two clocks is wrong, and nobody can say when it expires.
    """
    made, life = plan.created_at, plan.expires_at - plan.created_at
    if life > LONGEST_LIFE:
        raise PlanStale(
            f"The plan says that it may be applied for {life.days} days; {LONGEST_LIFE.days} are"
            " the most."
        )
    if made - now > CLOCKS_MAY_DIFFER:
        raise PlanStale(
            f"The plan was made at {made:%Y-%m-%d %H:%M:%S} UTC, and here it is"
            f" {now:%Y-%m-%d %H:%M:%S}: one of the two clocks is wrong.",
            hint="Set the clocks, then make the plan anew.",
        )
    try:
        demand_alive(plan, now=now)
    except PlanStale as error:
        if not is_begun:
            raise
        raise PlanStale(
            error.message,
            hint="What was begun of it is settled by `zoe reconcile --execute`; then run"
            f" `zoe {plan.command}` again for what is left.",
        ) from error


CLOCKS_MAY_DIFFER = timedelta(minutes=1)
"""Between the host that made a plan and the one that applies it."""


def demand_stops_hold(
    plan: Plan, snapshot: Snapshot, *, settled: frozenset[int] = frozenset()
) -> None:
    """Pass, unless a saved stop would fire as soon as it is placed: the market went through it.

    However wide the tolerance for prices: such a stop protects nothing, it sells.

    Raises:
        PlanStale: with each such stop, and the price that one could sell or buy at now.
    """
    quotes = snapshot.quotes
    known = {} if isinstance(quotes, Missing) else {each.symbol: each for each in quotes.value}
    found: list[Moved] = []
    for index, step in enumerate(plan.steps):
        told = None if index in settled else _stop_in(step, snapshot)
        quote = known.get(told.symbol) if told is not None else None
        if told is None or quote is None:
            continue
        is_sale = told.side is Side.SELL
        price, name = (quote.bid, "bid") if is_sale else (quote.ask, "ask")
        if told.trigger >= price if is_sale else told.trigger <= price:
            side = "below" if is_sale else "above"
            found.append(
                Moved(
                    step=index + 1,
                    what=told.path,
                    was=short(told.trigger),
                    now=f"{name} {short(price)}",
                    allowed=f"{side} the {name}",
                )
            )
    if found:
        raise PlanStale(
            f"The market went through a stop of the plan: {_sentence(found[0])}. Placed now it"
            " would fire at once.",
            moved=tuple(found),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    symbol: Symbol
    side: Side
    trigger: Decimal
    path: str


def _stop_in(step: Step, snapshot: Snapshot) -> _Stop | None:
    """The stop that the step places or moves."""
    match step:
        case PlaceOrder(request=asked) if asked.order_type.is_stop and asked.trigger_price:
            path = "request.trigger_price"
            return _Stop(
                symbol=asked.symbol, side=asked.side, trigger=asked.trigger_price, path=path
            )
        case AmendOrder(amendment=change, purpose="stop") if change.trigger_price:
            held = [each for each in snapshot.positions if each.position_id == step.position_id]
            side = held[0].side.opposite if held else Side.SELL
            path = "amendment.trigger_price"
            return _Stop(symbol=change.symbol, side=side, trigger=change.trigger_price, path=path)
        case _:
            return None


def moved_since(
    shown: Plan,
    fresh: Plan,
    *,
    tolerance_pct: Decimal = PRICE_TOLERANCE_PCT,
    settled: frozenset[int] = frozenset(),
) -> tuple[Moved, ...]:
    """Everything that is no longer as it was shown.

    Steps are paired by what they are about. Those of the indices `settled` are over: whether they
    would be planned again is of no interest.
    """
    if shown.account != fresh.account:
        was, now = shown.account.title, fresh.account.title
        return (Moved(step=0, what="account", was=was, now=now, allowed=EXACTLY),)
    if shown.steps == fresh.steps:
        return ()
    pairs, fresh_alone = _paired(shown.steps, fresh.steps)
    # What an earlier run adopted has its own name by now, in either plan.
    left = tuple(step for index, step in enumerate(shown.steps) if index not in settled)
    plans = (replace(shown, steps=left), fresh)
    found: list[Moved] = []
    for index, before in enumerate(shown.steps):
        after = pairs.get(index)
        if index in settled:
            continue
        if after is None:
            found.append(_gone(index + 1, before))
        else:
            found += _step_differences(index + 1, before, fresh.steps[after], plans, tolerance_pct)
    found += [_new(fresh.steps[index]) for index in fresh_alone]
    return tuple(found) or _other_order(pairs, settled)


def _paired(shown: Sequence[Step], fresh: Sequence[Step]) -> tuple[dict[int, int], tuple[int, ...]]:
    """Index shown -> index now; and which of now stand alone."""
    waiting: dict[tuple[str, ...], list[int]] = {}
    for index, step in enumerate(fresh):
        waiting.setdefault(subject_of(step), []).append(index)
    pairs: dict[int, int] = {}
    for index, step in enumerate(shown):
        found = waiting.get(subject_of(step))
        if found:
            pairs[index] = found.pop(0)
    alone = sorted(index for rest in waiting.values() for index in rest)
    return pairs, tuple(alone)


def subject_of(step: Step) -> tuple[str, ...]:
    """What a step is about: steps of two plans with the same subject are compared."""
    return type(step).__name__, *_subject(step)


def _subject(step: Step) -> tuple[str, ...]:
    found: tuple[str, ...]
    match step:
        case PlaceOrder(request=request):
            found = (request.symbol, request.side.value, request.purpose)
        case (
            AmendOrder(amendment=OrderAmendment(venue_order_id=name))
            | CancelOrder(venue_order_id=name)
        ):
            found = (name,)
        case AdoptPosition(position=position) | AdjustPosition(after=position):
            found = (position.symbol,)
        case SetTargets(symbol=symbol):
            found = (symbol,)
        case LinkStop(order=order) | RecordOrder(order=order):
            found = (order.venue_order_id,)
        case (
            RecordFill(fill=Fill(fill_id=key))
            | ResolveIntent(intent_id=key)
            | EndGroup(group_id=key)
        ):
            found = (key,)
        case RebuildOrder() | SettleDiscrepancy() | PostAdjustment():
            found = _in_reconciliation(step)
        case WriteCandles(symbol=symbol, timeframe=timeframe):
            found = (symbol, timeframe.value)
        case SetTradingState(symbol=scope):
            found = () if scope is None else (scope,)
    return found


def _in_reconciliation(
    step: RebuildOrder | SettleDiscrepancy | PostAdjustment,
) -> tuple[str, ...]:
    match step:
        case RebuildOrder(order=order):
            return (order.client_order_id,)
        case SettleDiscrepancy(discrepancy_id=name):
            return (name,)
        case PostAdjustment(adjustment=posted):
            return posted.asset, posted.position_id or ""


def _gone(number: int, step: Step) -> Moved:
    return Moved(step=number, what=_WHOLE_STEP, was=_title(step), now=_NOTHING, allowed=EXACTLY)


def _new(step: Step) -> Moved:
    return Moved(step=0, what=_WHOLE_STEP, was=_NOTHING, now=_title(step), allowed=EXACTLY)


def _title(step: Step) -> str:
    return " ".join(subject_of(step))


def _other_order(pairs: Mapping[int, int], settled: frozenset[int]) -> tuple[Moved, ...]:
    """A cancel before a place is not a place before a cancel."""
    order = [now for was, now in sorted(pairs.items()) if was not in settled]
    if order == sorted(order):
        return ()
    was, now = (" ".join(str(each + 1) for each in numbers) for numbers in (sorted(order), order))
    return (Moved(step=0, what="order of steps", was=was, now=now, allowed=EXACTLY),)


def _step_differences(
    number: int, before: Step, after: Step, plans: tuple[Plan, Plan], tolerance_pct: Decimal
) -> Iterator[Moved]:
    made_now = _MADE_NOW.get(type(before).__name__, "")
    old = dict(_leaves(jsonable(before), made_now=made_now))
    new = dict(_leaves(_renamed(jsonable(after), *plans), made_now=made_now))
    paths = sorted(old.keys() | new.keys())
    # Of a list that grew or shrank only that is told, not each of its entries.
    others = tuple(
        f"{path.removesuffix(_HOW_MANY)} "
        for path in paths
        if path.endswith(_HOW_MANY) and old.get(path) != new.get(path)
    )
    for path in paths:
        was, now = old.get(path), new.get(path)
        if was == now or path.startswith(others):
            continue
        is_price = path.rpartition(".")[2] in _PRICES
        if is_price and _is_near(was, now, tolerance_pct):
            continue
        allowed = f"+-{short(tolerance_pct)} %" if is_price else EXACTLY
        yield Moved(step=number, what=path, was=_told(was), now=_told(now), allowed=allowed)


def _renamed(value: object, shown: Plan, fresh: Plan) -> object:
    """A fresh step's JSON, where positions that both plans adopt go by the name of the first.

    Such names are made of the moment of planning.
    """
    first, second = (
        {
            step.position.symbol: step.position.position_id
            for step in plan.steps
            if isinstance(step, AdoptPosition)
        }
        for plan in (shown, fresh)
    )
    names = {second[symbol]: first[symbol] for symbol in first.keys() & second.keys()}
    return _replaced(value, names) if names else value


def _replaced(value: object, names: Mapping[PositionId, PositionId]) -> object:
    if isinstance(value, dict):
        return {key: _replaced(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, names) for each in value]
    return names.get(PositionId(value), value) if isinstance(value, str) else value


def _leaves(value: object, path: str = "", *, made_now: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, each in value.items():
            below = f"{path}.{key}" if path else key
            if key not in _NOT_COMPARED and below != made_now:
                yield from _leaves(each, below, made_now=made_now)
    elif isinstance(value, list):
        yield f"{path}{_HOW_MANY}", len(value)
        for index, each in enumerate(value, start=1):
            yield from _leaves(each, f"{path} {index}", made_now=made_now)
    else:
        yield path, value


def _is_near(was: object, now: object, tolerance_pct: Decimal) -> bool:
    if not isinstance(was, str) or not isinstance(now, str):
        return False
    old, new = Decimal(was), Decimal(now)
    return abs(new - old) * HUNDRED <= tolerance_pct * abs(old)


def _told(value: object) -> str:
    return _NOTHING if value is None else str(value)


def _sentence(moved: Moved) -> str:
    if moved.what == _WHOLE_STEP:
        if moved.step:
            return f"step {moved.step} ({moved.was}) is not planned any more"
        return f"{moved.now} would be planned as well"
    where = f"step {moved.step}: " if moved.step else ""
    return f"{where}{moved.what} was {moved.was} and is {moved.now}"
