"""Holds the books to the audit log: what the log told last must be what the books say.

Only what the log names is compared. What is older than the log, or pruned from it, is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from zoe_tools.domain.audit import STATED, AuditKind, AuditRow, BooksState, PositionTold
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.money import short

_SETTLED = frozenset(state.value for state in IntentState if state.is_terminal)
_NUMBERS = ("quantity", "price", "cost", "fee")
_STATED_NUMBERS = frozenset({"quantity", "price"})


@dataclass(slots=True)
class LastTold:
    """What the log told last of each; each with the row that told it."""

    intents: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    events: dict[str, tuple[int, str]] = field(default_factory=dict)
    fills: dict[str, tuple[int, tuple[Decimal, ...]]] = field(default_factory=dict)
    positions: dict[str, tuple[int, PositionTold]] = field(default_factory=dict)
    ledger: dict[str, tuple[int, str]] = field(default_factory=dict)
    statements: dict[str, tuple[int, tuple[object, ...]]] = field(default_factory=dict)
    targets: dict[str, tuple[int, str]] = field(default_factory=dict)
    level: tuple[int, str] | None = None
    stopped: dict[str, tuple[int, str]] = field(default_factory=dict)

    def hear(self, row: AuditRow) -> None:
        """Remember what this row tells, if it is of a kind that the books hold too."""
        if row.kind not in _HEARD:
            return
        try:
            facts = row.facts
            match row.kind:
                case AuditKind.INTENT.value | AuditKind.INTENT_STATE.value:
                    told = (str(facts["state"]), str(facts.get("proof", "")))
                    self.intents[str(facts["intent_id"])] = (row.seq, *told)
                case AuditKind.ORDER_EVENT.value:
                    self.events[str(facts["event_key"])] = (row.seq, str(facts["status"]))
                case AuditKind.FILL.value:
                    numbers = tuple(Decimal(str(facts[name])) for name in _NUMBERS)
                    self.fills[str(facts["fill_id"])] = (row.seq, numbers)
                case AuditKind.POSITION.value:
                    self.positions[str(facts["position_id"])] = (row.seq, _position(facts))
                case AuditKind.LEDGER.value:
                    self.ledger[str(facts["slice"])] = (row.seq, str(facts["digest"]))
                case AuditKind.STATEMENT.value:
                    said = tuple(_stated(name, facts.get(name)) for name in STATED)
                    self.statements[str(facts["about"])] = (row.seq, said)
                case AuditKind.TARGETS.value:
                    levels = str(facts.get("levels", ""))
                    self.targets[str(facts["position_id"])] = (row.seq, levels)
                case _:
                    self._hear_level(row.seq, facts)
        except (json.JSONDecodeError, KeyError, InvalidOperation):
            return  # a row that was changed: its hash has said so

    def _hear_level(self, seq: int, facts: Mapping[str, object]) -> None:
        symbol, level = facts.get("symbol"), str(facts["level"])
        if symbol is None:
            self.level = (seq, level)
        else:
            self.stopped[str(symbol)] = (seq, level)


def _position(facts: Mapping[str, object]) -> PositionTold:
    stop, target = (facts.get(name) for name in ("stop_price", "take_profit_price"))
    return (
        str(facts["status"]),
        Decimal(str(facts["quantity"])),
        None if stop is None else Decimal(str(stop)),
        None if target is None else Decimal(str(target)),
    )


def _stated(name: str, value: object) -> object:
    """What is empty is told by neither: the log leaves it out."""
    if value is None or value == "":
        return None
    return Decimal(str(value)) if name in _STATED_NUMBERS else value


_HEARD = frozenset(
    {
        AuditKind.INTENT.value,
        AuditKind.INTENT_STATE.value,
        AuditKind.ORDER_EVENT.value,
        AuditKind.FILL.value,
        AuditKind.POSITION.value,
        AuditKind.LEDGER.value,
        AuditKind.STATEMENT.value,
        AuditKind.TARGETS.value,
        AuditKind.TRADING_STATE.value,
        AuditKind.INSTRUMENT_STATE.value,
    }
)


def differences(told: LastTold, books: BooksState) -> Iterator[tuple[int, str]]:
    """Where the books say something else: the row that told it, and a sentence.

    Settled intents may have been pruned; open ones, events, executions and positions never are.
    Rows of an older zoe tell no proof of an intent, and then none is compared.
    """
    for intent_id, (seq, state, proof) in told.intents.items():
        now, proved_by = books.intents.get(intent_id, ("", ""))
        if not now and state not in _SETTLED:
            yield seq, f"intent {intent_id} is gone from the books; row {seq} says {state}"
        elif now and now != state:
            yield seq, f"intent {intent_id} is {now} in the books; row {seq} says {state}"
        elif now and proof and proved_by != proof:
            known = f"{state} by {proved_by or 'nothing'}"
            yield seq, f"intent {intent_id} is {known} in the books; row {seq} says by {proof}"
    yield from _appended(told, books)
    yield from _positions(told, books)
    if told.level is not None and books.level != told.level[1]:
        seq, level = told.level
        yield seq, f"trading is at {books.level or 'nothing'} in the books; row {seq} says {level}"
    for symbol, (seq, level) in told.stopped.items():
        now = books.stopped.get(symbol, "nothing")
        if now != level:
            yield seq, f"{symbol} is at {now} in the books; row {seq} says {level}"


def _appended(told: LastTold, books: BooksState) -> Iterator[tuple[int, str]]:
    """Of what is only ever added to: events, executions, ledger rows by slices, statements."""
    for key, (seq, status) in told.events.items():
        if books.events.get(key) != status:
            yield (
                seq,
                f"an order event that row {seq} tells ({status}) is not so in the books: {key}",
            )
    for fill_id, (seq, numbers) in told.fills.items():
        if books.fills.get(fill_id) != numbers:
            yield seq, f"execution {fill_id} of row {seq} is not so in the books"
    for name, (seq, digest) in told.ledger.items():
        if books.ledger.get(name) != digest:
            yield seq, f"the ledger rows that row {seq} tells ({name}) are not so in the books"
    for about, (seq, said) in told.statements.items():
        now = books.statements.get(about)
        if now is None or tuple(map(_stated, STATED, now)) != said:
            yield seq, f"{about} is not so in the books as row {seq} tells it"


def _held(position: PositionTold, other: PositionTold) -> str:
    status, quantity, *prices = position
    words = f"{status} with {short(quantity)}"
    if prices == list(other[2:]):
        return words
    stop, target = ("none" if each is None else short(each) for each in prices)
    return f"{words}, stop {stop}, target {target}"


def _positions(told: LastTold, books: BooksState) -> Iterator[tuple[int, str]]:
    for position_id, (seq, then) in told.positions.items():
        now = books.positions.get(position_id)
        if now == then:
            continue
        shown = "gone" if now is None else _held(now, then)
        said = _held(then, then if now is None else now)
        yield seq, f"position {position_id} is {shown} in the books; row {seq} says {said}"
    for position_id, (seq, levels) in told.targets.items():
        found = books.targets.get(position_id, "")
        if found != levels:
            there = f"the targets of {position_id} are {found or 'none'} in the books"
            yield seq, f"{there}; row {seq} says {levels or 'none'}"
