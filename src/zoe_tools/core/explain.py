"""The story of an order, an intent, a plan, a position or an execution.

What happened, how we know, whether doing it again is safe, and what to run next. The audit log
tells it; where something is older than the log, the books do, and the story says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.codes import Retry
from zoe_tools.domain.audit import AuditKind, AuditRow, moment
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.journal import (
    Intent,
    IntentKind,
    IntentState,
    OrderEvent,
    OrderRecord,
    ProofKind,
)
from zoe_tools.domain.money import short
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.story import Case, SubjectKind

Facts = Mapping[str, object]

BOOKS = "books, older than the audit log"
_HASH_SHOWN = 12
_SHOWN_DECIMALS = 8
_SETTLE = "zoe reconcile --execute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sentence; `seq` is the row of the audit log that says so, None where the books do."""

    at: datetime
    what: str
    how: str
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The whole of it."""

    title: str
    lines: tuple[Line, ...]
    retry: Retry
    why: str
    next: tuple[str, ...]


def tell(case: Case) -> Story:
    """The story, in the order of time; what happened at one moment in the order of writing."""
    labels = _labels(case)
    lines = [_line(row, labels) for row in case.rows]
    lines += _from_the_books(case)
    lines.sort(key=lambda each: (each.at, -1 if each.seq is None else each.seq))
    retry, why, steps = _advice(case)
    return Story(title=_title(case), lines=tuple(lines), retry=retry, why=why, next=tuple(steps))


# --- the title -----------------------------------------------------------------------------------


def _title(case: Case) -> str:
    match case.subject.kind:
        case SubjectKind.ORDER:
            return _order_title(case.orders[0])
        case SubjectKind.INTENT:
            return f"intent {case.subject.id}: {_wish(case.intents[0])}"
        case SubjectKind.PLAN if not case.intents:
            return f"plan {case.subject.id[:_HASH_SHOWN]}: no step at the venue is in the books"
        case SubjectKind.PLAN:
            told = case.intents[0]
            count = f"{len(case.intents)} step{'' if len(case.intents) == 1 else 's'} at the venue"
            return f"plan {case.subject.id[:_HASH_SHOWN]} of `zoe {told.command}`: {count}"
        case SubjectKind.POSITION if case.position is not None:
            held = case.position
            return (
                f"position {held.position_id}: {held.symbol}, {held.status.value},"
                f" {short(held.quantity)} held"
            )
        case SubjectKind.NAME:
            return f"{case.subject.id}, as the audit log names it"
        case SubjectKind.ROW:
            about = ", ".join(case.rows[0].ids)
            return f"row {case.subject.id} of the audit log" + (f", about {about}" if about else "")
        case _:
            return f"{case.subject.kind.value} {case.subject.id}"


def _order_title(order: OrderRecord) -> str:
    venue = f" (at the venue {order.venue_order_id})" if order.venue_order_id else ""
    return (
        f"order {order.client_order_id}{venue}: {order.purpose}, {order.side.value}"
        f" {short(order.quantity)} {order.symbol}, {order.status.value.replace('_', ' ')}"
    )


def _wish(intent: Intent) -> str:
    side = f" {intent.side.value}" if intent.side is not None else ""
    return f"{intent.kind.value} {intent.purpose}{side} on {intent.symbol}, {intent.state.value}"


# --- the sentences -------------------------------------------------------------------------------


def _labels(case: Case) -> dict[str, str]:
    """What to call each order and each intent, where there is more than one of them."""
    labels: dict[str, str] = {}
    if len(case.orders) > 1:
        labels |= {each.client_order_id: _called(each.purpose) for each in case.orders}
    if len(case.intents) > 1:
        for intent in case.intents:
            labels[intent.intent_id] = f"To {intent.kind.value} the {_called(intent.purpose)}: "
    return labels


def _called(purpose: str) -> str:
    return purpose.replace("_", " ")


def _line(row: AuditRow, labels: Mapping[str, str]) -> Line:
    try:
        facts: Facts = row.facts
    except json.JSONDecodeError:
        facts = {}
    label = next((labels[each] for each in row.ids if each in labels), "")
    facts = {**facts, "label": label} if facts and row.kind in _LABELLED else facts
    what, how = f"{row.kind}: {row.payload}", "audit log"
    teller = _TELLERS.get(row.kind)
    if teller and facts:
        with suppress(ValueError, TypeError, AttributeError, ArithmeticError):
            what, how = teller(facts)
    if not row.is_sound:
        how = f"{how}; THE ROW WAS CHANGED, see `zoe audit verify`"
    return Line(at=moment(row.at), what=what, how=how, seq=row.seq)


def _intent(facts: Facts) -> tuple[str, str]:
    step = _step_of(facts)
    who = _by(facts)
    by = f" {who}" if who.startswith("by ") else ""
    why = f", because {step['reason']}" if step.get("reason") else ""
    return (
        (
            f"`zoe {_text(facts, 'command')}`{by} decided to {_action(facts, step)}{why}"
            f" (step {int(str(facts.get('step_index', 0))) + 1} of plan"
            f" {_text(facts, 'plan_hash')[:_HASH_SHOWN]}{_looked_at(facts)})."
            f" The venue was to refuse it after {_clock(facts, 'deadline')}."
        ),
        "journal, on the disk before anything was sent",
    )


def _looked_at(facts: Facts) -> str:
    """What the plan was made of, by the first letters of its hash."""
    seen = _text(facts, "snapshot_hash")
    return f", made of snapshot {seen[:_HASH_SHOWN]}" if seen else ""


def _step_of(facts: Facts) -> dict[str, object]:
    try:
        step = json.loads(_text(facts, "payload") or "{}")
    except json.JSONDecodeError:
        return {}
    return step if isinstance(step, dict) else {}


def _action(facts: Facts, step: Mapping[str, object]) -> str:
    kind, symbol = _text(facts, "kind"), _text(facts, "symbol")
    purpose = _text(facts, "purpose").replace("_", " ")
    details = step.get("request") or step.get("amendment") or {}
    told = details if isinstance(details, dict) else {}
    if kind == IntentKind.PLACE.value:
        side, quantity = _text(facts, "side"), _amount(told.get("quantity"))
        return f"{side} {quantity} {symbol}{_prices(told)} as {purpose}"
    if kind == IntentKind.AMEND.value:
        new = f" to {_amount(told['quantity'])}" if told.get("quantity") else ""
        return f"amend the {purpose} on {symbol}{new}{_prices(told)}"
    return f"cancel the {purpose} order {_text(facts, 'venue_order_id')} on {symbol}"


def _prices(told: Mapping[str, object]) -> str:
    limit, trigger = told.get("limit_price"), told.get("trigger_price")
    words = [f" at {_amount(limit)}"] if limit else []
    words += [f" triggered at {_amount(trigger)}"] if trigger else []
    return ",".join(words)


_STATES = {
    IntentState.SENT: "It was handed over to be sent.",
    IntentState.CONFIRMED: "It was done.",
    IntentState.REJECTED: "It did not happen.",
    IntentState.DENIED: "It was never sent.",
    IntentState.UNKNOWN: "Nobody could say whether it happened.",
}


_PROVED = {
    (IntentState.REJECTED.value, ProofKind.ANSWER.value): "The venue refused it.",
    (IntentState.REJECTED.value, ProofKind.RECORDS.value): "The venue's records show none of it.",
    (IntentState.REJECTED.value, ProofKind.NOT_SENT.value): "No byte of it left.",
}
"""Where the proof says more than the state."""


def _state(facts: Facts) -> tuple[str, str]:
    state = _text(facts, "state")
    said = next((words for each, words in _STATES.items() if each.value == state), state)
    said = _PROVED.get((state, _text(facts, "proof")), said)
    label = _text(facts, "label")
    return (label + said[0].lower() + said[1:] if label else said), _text(
        facts, "evidence"
    ) or "journal"


def _deadline(facts: Facts) -> tuple[str, str]:
    return (
        (
            f"It was to be sent once more; the venue was to refuse it after"
            f" {_clock(facts, 'deadline')}."
        ),
        "journal",
    )


def _event(facts: Facts) -> tuple[str, str]:
    filled = f", {_amount(facts['filled_quantity'])} filled" if "filled_quantity" in facts else ""
    reason = f": {facts['reason']}" if facts.get("reason") else ""
    status = _text(facts, "status").replace("_", " ")
    order = _text(facts, "label") or "order"
    return f"The {order} is {status}{filled}{reason}.", _text(facts, "source")


def _fill(facts: Facts) -> tuple[str, str]:
    verb = "bought" if facts.get("side") == "buy" else "sold"
    return (
        (
            f"{_amount(facts.get('quantity'))} {_text(facts, 'symbol')} {verb} at"
            f" {_amount(facts.get('price'))} for {_amount(facts.get('cost'))}, fee"
            f" {_amount(facts.get('fee'))} {_text(facts, 'fee_asset')}."
        ),
        f"the venue's execution {_text(facts, 'fill_id')}",
    )


_OVER = {each.value for each in PositionStatus if each.is_terminal}


def _position(facts: Facts) -> tuple[str, str]:
    stop = f", stop at {_amount(facts['stop_price'])}" if facts.get("stop_price") else ", no stop"
    if facts.get("status") in _OVER:
        return (
            (
                f"Position {_text(facts, 'symbol')} is {_text(facts, 'status')}, result"
                f" {_amount(facts.get('realised_pnl', '0'))}."
            ),
            "our books",
        )
    return (
        (
            f"Position {_text(facts, 'symbol')} holds {_amount(facts.get('quantity'))} at"
            f" {_amount(facts.get('average_cost'))}{stop}."
        ),
        "our books",
    )


def _statement(facts: Facts) -> tuple[str, str]:
    at = f" at {_amount(facts['price'])} {_text(facts, 'currency')}" if facts.get("price") else ""
    about = _text(facts, "about")
    said = f"{about[:1].upper()}{about[1:]}: {_amount(facts.get('quantity'))}"
    reason = f", as {facts['reason']}" if facts.get("reason") else ""
    return f"{said} {_text(facts, 'asset')}{at}{reason}.", f"by {_text(facts, 'author')}"


def _targets(facts: Facts) -> tuple[str, str]:
    return f"Its targets are {_text(facts, 'levels') or 'none'}.", "our books"


def _trading_state(facts: Facts) -> tuple[str, str]:
    reason = f": {facts['reason']}" if facts.get("reason") else ""
    level = _text(facts, "level")
    where = f" in {facts['symbol']}" if facts.get("symbol") else ""
    return (
        f"Trading{where} was set to {level}{reason}.",
        f"by {_text(facts, 'by') or 'nobody named'}",
    )


def _by(facts: Facts) -> str:
    """Who did it, and where."""
    who = " on ".join(each for each in (_text(facts, "operator"), _text(facts, "host")) if each)
    return f"by {who}" if who else "audit log"


def _config(facts: Facts) -> tuple[str, str]:
    name = _text(facts, "key").partition("@")[0]
    before, after = _text(facts, "before"), _text(facts, "value")
    was = f"; it was {before}" if before else ""
    said = f"set to {after}" if after else "given back to files and environment"
    return f"{name} was {said}{was}.", _by(facts)


def _told(facts: Facts) -> tuple[str, str]:
    what = _text(facts, "what")
    rest = "; ".join(
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in facts.items()
        if name not in {"what", "operator", "host"}
    )
    return f"{what or 'Noted'}{': ' if rest else ''}{rest}.", _by(facts)


_TELLERS: dict[str, Callable[[Facts], tuple[str, str]]] = {
    AuditKind.INTENT.value: _intent,
    AuditKind.INTENT_STATE.value: _state,
    AuditKind.INTENT_DEADLINE.value: _deadline,
    AuditKind.ORDER_EVENT.value: _event,
    AuditKind.FILL.value: _fill,
    AuditKind.POSITION.value: _position,
    AuditKind.TRADING_STATE.value: _trading_state,
    AuditKind.INSTRUMENT_STATE.value: _trading_state,
    AuditKind.CONFIG.value: _config,
    AuditKind.STATEMENT.value: _statement,
    AuditKind.TARGETS.value: _targets,
    **dict.fromkeys(
        (
            AuditKind.GENESIS.value,
            AuditKind.REBUILT.value,
            AuditKind.KEY.value,
            AuditKind.ACTION.value,
            AuditKind.LEDGER.value,
            AuditKind.PRUNED.value,
            AuditKind.RESTORED.value,
        ),
        _told,
    ),
}


_LABELLED = frozenset({AuditKind.INTENT_STATE.value, AuditKind.ORDER_EVENT.value})


def _text(facts: Facts, name: str) -> str:
    return str(facts.get(name) or "")


def _plain(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _amount(value: object) -> str:
    try:
        exact = Decimal(str(value))
        return short(round(exact, _SHOWN_DECIMALS))
    except ArithmeticError:
        return "?" if value is None else str(value)


def _clock(facts: Facts, name: str) -> str:
    return f"{moment(_text(facts, name)):%H:%M:%SZ}"


# --- what is older than the log ------------------------------------------------------------------


def _from_the_books(case: Case) -> Iterator[Line]:
    """Intents, events and fills that no row of the log names."""
    known = {(row.kind, _key(row)) for row in case.rows}
    for intent in case.intents:
        if (AuditKind.INTENT.value, intent.intent_id) not in known:
            yield Line(
                at=intent.created_at,
                what=f"`zoe {intent.command}` decided to {_wish(intent)}.",
                how=intent.evidence or BOOKS,
            )
    if case.subject.kind in {SubjectKind.FILL, SubjectKind.INTENT, SubjectKind.PLAN}:
        events: tuple[OrderEvent, ...] = ()
    else:
        events = case.events
    for event in events:
        if (AuditKind.ORDER_EVENT.value, event.event_key) not in known:
            yield Line(
                at=event.occurred_at,
                what=f"The order is {event.status.value.replace('_', ' ')}.",
                how=f"{event.source} ({BOOKS})",
            )
    for fill in case.fills:
        if (AuditKind.FILL.value, fill.fill_id) not in known and case.subject.kind in {
            SubjectKind.FILL,
            SubjectKind.ORDER,
            SubjectKind.POSITION,
        }:
            yield _booked(fill)


def _key(row: AuditRow) -> str:
    names = {
        AuditKind.INTENT.value: "intent_id",
        AuditKind.ORDER_EVENT.value: "event_key",
        AuditKind.FILL.value: "fill_id",
    }
    name = names.get(row.kind)
    try:
        return _text(row.facts, name) if name else ""
    except json.JSONDecodeError:
        return ""


def _booked(fill: Fill) -> Line:
    verb = "bought" if fill.side.value == "buy" else "sold"
    return Line(
        at=fill.filled_at,
        what=(
            f"{short(fill.quantity)} {fill.symbol} {verb} at {short(fill.price)} for"
            f" {short(fill.cost)}, fee {short(fill.fee)} {fill.fee_asset}."
        ),
        how=f"the venue's execution {fill.fill_id} ({BOOKS})",
    )


# --- advice --------------------------------------------------------------------------------------


def _advice(case: Case) -> tuple[Retry, str, list[str]]:
    """Whether the same may be done again, why, and the commands that help."""
    if case.subject.kind in {SubjectKind.ROW, SubjectKind.NAME}:
        return "no", "A row tells what was; there is nothing to do again.", ["zoe audit verify"]
    open_ones = [each for each in case.intents if not each.state.is_terminal]
    if any(each.state is IntentState.UNKNOWN for each in open_ones):
        return (
            "after looking",
            "It may have happened: only the venue's own records can say.",
            [_SETTLE],
        )
    if open_ones:
        return (
            "after looking",
            "It is on its way, or whoever sent it was interrupted: look before you send anything.",
            [_SETTLE],
        )
    match case.subject.kind:
        case SubjectKind.FILL:
            return "no", "An execution is final.", ["zoe status"]
        case SubjectKind.POSITION:
            return _of_a_position(case)
        case _:
            return _of_intents(case)


def _of_a_position(case: Case) -> tuple[Retry, str, list[str]]:
    held = case.position
    if held is None or held.status.is_terminal:
        word = PositionStatus.CLOSED if held is None else held.status
        return "no", f"It is {word.value}.", ["zoe status"]
    if not held.status.holds:
        return "no", "Its entry is working, and nothing has filled.", ["zoe orders"]
    if held.stop_venue_order_id is None:
        return "no", "It is open, and no stop protects it.", ["zoe recover-sl"]
    return "no", "It is open, and a stop protects it.", ["zoe check-tp-coverage"]


def _of_intents(case: Case) -> tuple[Retry, str, list[str]]:
    over = [each for each in case.intents if each.state is not IntentState.CONFIRMED]
    done = len(case.intents) - len(over)
    working = [each for each in case.orders if not each.status.is_terminal]
    if over and not done:
        return (
            "yes",
            "It did not happen, and cannot any more. Plan anew: the command looks first.",
            [f"zoe {case.intents[0].command}"],
        )
    if over:
        return (
            "no",
            (
                f"{done} of {len(case.intents)} steps were done; the others were not, and cannot be"
                " any more by themselves."
            ),
            [f"zoe {case.intents[0].command}"],
        )
    if any(each.status is OrderStatus.UNKNOWN for each in working):
        return "after looking", "What became of the order is not known.", [_SETTLE]
    if working:
        return "no", "It was done, and the order is still working.", ["zoe status"]
    return "no", "It was done: doing it again would be a second one.", ["zoe status"]
