"""Audits the registry as it is stored, before anything is repaired, and says what could be.

It works on raw rows: a status that is no word of ours and a quantity that is no number are findings
here, where every other reader would stumble over them. The strings are those of the runbook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation

from zoe_tools.core.reconcile_positions import ADOPTED
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.position import Position, PositionStatus, RawPosition
from zoe_tools.domain.position_event import BEGUN, PositionEvent

MERGED = "merge_collision"
CORRUPTED = "corrupted"
"""`exit_reason` of positions that a repair ended."""

_STATUSES = {each.value: each for each in PositionStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAudit:
    """REGISTRY_AUDIT_REPORT: its fields are the event's. `violations` has one string for each."""

    phase: str
    active_positions: int
    closed_positions: int
    duplicate_active_symbol_keys: int
    non_terminal_in_closed_history: int
    remaining_qty_violations: int
    violations: tuple[str, ...]

    @property
    def violations_total(self) -> int:
        """How many there are."""
        return len(self.violations)

    def told(self) -> dict[str, object]:
        """The event's fields by name."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **named,
            "violations": list(self.violations),
            "violations_total": self.violations_total,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRepair:
    """One row brought to rest: `status` is what it becomes, `event` the log event that tells it.

    `is_unclosed`: only its time of closing is taken back, for it is not over. `details` are the
    event's fields, the row's own words among them, so that nothing is lost.
    """

    position_id: PositionId
    status: PositionStatus
    reason: str
    event: str
    details: tuple[tuple[str, str], ...]
    is_unclosed: bool = False


KeyOf = Callable[[str], str]
"""The canonical name of an instrument, for a spelling that may be another."""


def as_spelled(symbol: str) -> str:
    """The key where no list of instruments is at hand."""
    return symbol


def audit_registry(
    rows: Sequence[RawPosition], *, phase: str, key_of: KeyOf = as_spelled
) -> RegistryAudit:
    """What contradicts itself in these rows; total, whatever they hold."""
    active = [each for each in rows if _is_active(each)]
    duplicates = [
        f"duplicate_active_symbol_key:{key}:{len(group)}"
        for key, group in sorted(_by_key(active, key_of).items())
        if len(group) > 1
    ]
    undead = [
        f"non_terminal_in_closed_history:{each.position_id}:{each.symbol}:{each.status}"
        for each in rows
        if each.is_closed and not _is_over(each)
    ]
    remainders = [
        f"remaining_qty_violation:{each.position_id}:{each.symbol}:{kind}:{message}"
        for each in rows
        for kind, message in _remainder(each)
    ]
    return RegistryAudit(
        phase=phase,
        active_positions=len(active),
        closed_positions=len(rows) - len(active),
        duplicate_active_symbol_keys=len(duplicates),
        non_terminal_in_closed_history=len(undead),
        remaining_qty_violations=len(remainders),
        violations=(*duplicates, *undead, *remainders),
    )


def repairs_for(
    rows: Sequence[RawPosition], *, key_of: KeyOf = as_spelled
) -> tuple[RegistryRepair, ...]:
    """What brings the registry to rest.

    One of several in an instrument stays; what cannot be reckoned with is ended as an error; a time
    of closing that is none is taken back. Nothing is sold, and nothing at the venue is touched:
    what a row managed until now is unmanaged afterwards, shown, and can be adopted again by name.
    """
    corrupted = tuple(_corrupted(rows))
    ended = {each.position_id for each in corrupted}
    left = [each for each in rows if each.position_id not in ended]
    collisions = tuple(_collisions(left, key_of))
    ended |= {each.position_id for each in collisions}
    undead = tuple(_undead(each for each in left if each.position_id not in ended))
    return (*corrupted, *collisions, *undead)


def _is_over(row: RawPosition) -> bool:
    status = _STATUSES.get(row.status)
    return status is not None and status.is_terminal


def _is_active(row: RawPosition) -> bool:
    return not row.is_closed and not _is_over(row)


def _by_key(rows: Sequence[RawPosition], key_of: KeyOf) -> dict[str, list[RawPosition]]:
    groups: dict[str, list[RawPosition]] = {}
    for each in rows:
        groups.setdefault(key_of(each.symbol), []).append(each)
    return groups


def _number(text: str | None, otherwise: Decimal | None) -> Decimal | None:
    """The number; `otherwise` where there is nothing; None where there is something else."""
    if text is None:
        return otherwise
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _remainder(row: RawPosition) -> Iterator[tuple[str, str]]:
    """What is wrong with a row's quantities; one in error was told when it became so."""
    if row.status == PositionStatus.ERROR.value:
        return
    quantity = _number(row.quantity, None)
    entry = _number(row.entry_quantity, quantity)
    left = _number(row.exit_quantity, ZERO)
    if quantity is None or entry is None or left is None:
        yield (
            "UNREADABLE",
            f"quantity {row.quantity}, entry {row.entry_quantity}, exit {row.exit_quantity}",
        )
        return
    remaining = entry - left
    told = f"entry {short(entry)}, exit {short(left)}, remaining {short(remaining)}"
    if remaining < ZERO or quantity < ZERO:
        yield "NEGATIVE", told
    elif remaining != quantity:
        yield "UNEQUAL", f"{told}, quantity {short(quantity)}"
    elif row.status == PositionStatus.CLOSED.value and remaining > ZERO:
        yield "CLOSED_WITH_REMAINDER", told


def contradicting(rows: Sequence[RawPosition]) -> tuple[RawPosition, ...]:
    """Rows whose quantities deny each other, or are none: their executions may tell better."""
    wrong = {"UNREADABLE", "NEGATIVE", "UNEQUAL"}
    return tuple(each for each in rows if any(kind in wrong for kind, _ in _remainder(each)))


def as_executed(
    row: RawPosition, made: Position | None, story: Sequence[PositionEvent]
) -> Position | None:
    """What the row's own executions and adjustments (`made`) prove of it, with its status.

    None where they do not: a part of it was adopted, it is of another instrument, or is over.
    """
    begun = [each for each in story if each.what == BEGUN]
    if made is None or not begun or begun[-1].details.get("origin") == ADOPTED:
        return None
    status = _STATUSES.get(row.status, story[-1].to_status)
    if made.symbol != row.symbol or (made.quantity > ZERO and not status.holds):
        return None
    if made.quantity == ZERO:
        return replace(made, status=PositionStatus.CLOSED)
    is_whole = status in (PositionStatus.OPEN, PositionStatus.PROTECTED)
    is_partial = is_whole and made.exit_quantity > ZERO
    return replace(made, status=PositionStatus.PARTIAL if is_partial else status)


def _corrupted(rows: Sequence[RawPosition]) -> Iterator[RegistryRepair]:
    for row in rows:
        kinds = [kind for kind, _ in _remainder(row)]
        if row.status in _STATUSES and not {"UNREADABLE", "NEGATIVE"} & set(kinds):
            continue
        if row.status == PositionStatus.ERROR.value:
            continue
        quantity = _number(row.quantity, ZERO)
        entry = _number(row.entry_quantity, quantity)
        left = _number(row.exit_quantity, ZERO)
        remaining = short(entry - left) if entry is not None and left is not None else "-"
        yield RegistryRepair(
            position_id=row.position_id,
            status=PositionStatus.ERROR,
            reason=CORRUPTED,
            event="CORRUPTED_POSITION",
            details=(
                ("position_id", row.position_id),
                ("symbol", row.symbol),
                ("entry", str(row.entry_quantity)),
                ("exit", str(row.exit_quantity)),
                ("remaining", remaining),
                ("quantity", str(row.quantity)),
                ("state", row.status),
            ),
        )


def _collisions(rows: Sequence[RawPosition], key_of: KeyOf) -> Iterator[RegistryRepair]:
    active = [each for each in rows if _is_active(each)]
    for key, group in sorted(_by_key(active, key_of).items()):
        kept, *dropped = sorted(group, key=_precedence, reverse=True)
        for each in dropped:
            yield RegistryRepair(
                position_id=each.position_id,
                status=PositionStatus.ORPHANED,
                reason=MERGED,
                event="RECOVERY_MERGE_COLLISION",
                details=(
                    ("symbol_key", key),
                    ("kept_id", kept.position_id),
                    ("dropped_id", each.position_id),
                    ("kept_state", kept.status),
                    ("dropped_state", each.status),
                    ("symbol", each.symbol),
                    ("reason", _why(kept, each)),
                ),
            )


def _precedence(row: RawPosition) -> tuple[Decimal, str, str]:
    """The larger filled entry, then the newest change; of equals the last name, to be sure."""
    return (*_weight(row), row.position_id)


def _weight(row: RawPosition) -> tuple[Decimal, str]:
    filled = _number(row.entry_quantity, _number(row.quantity, ZERO))
    return filled if filled is not None else ZERO, row.updated_at


def _why(kept: RawPosition, dropped: RawPosition) -> str:
    if _weight(kept)[0] > _weight(dropped)[0]:
        return "larger_entry"
    return "newer_update" if kept.updated_at > dropped.updated_at else "same_in_all"


def _undead(rows: Iterator[RawPosition]) -> Iterator[RegistryRepair]:
    for row in rows:
        if not row.is_closed or _is_over(row):
            continue
        is_held = _number(row.quantity, ZERO) != ZERO
        yield RegistryRepair(
            position_id=row.position_id,
            status=_STATUSES[row.status] if is_held else PositionStatus.CLOSED,
            reason="reconciliation",
            event="INVARIANT_VIOLATION",
            details=(
                ("position_id", row.position_id),
                ("symbol", row.symbol),
                ("state", row.status),
                ("message", "it had a time of closing and was not over"),
            ),
            is_unclosed=is_held,
        )
