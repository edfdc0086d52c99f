"""Judges what was seen of the database: facts in, a grouped report out.

Fails are what no run of zoe leaves behind, or what wants an operator now; warns are what he should
know. Limits that follow from settings come in; the others stand here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.core.pre_flight import Check, PreFlightReport, Verdict
from zoe_tools.core.reprice import longest_life_s
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.store_health import (
    Offenders,
    RowRule,
    StoreHealth,
    TableSize,
    Waiting,
    WaitingKind,
)

SLACK_S = 60.0
"""How much longer than it should a thing may take before anybody is told."""

LEAST_FREE, SCARCE = 100 * 2**20, 2**30
"""Bytes: with less than the first the next write may fail; below the second it is told."""

LONG_LOG = 256 * 2**20
"""Bytes: a write-ahead log that long is not folded in, as somebody reads all the time."""

_FAILED = 3
_HOUR_S = 3600.0
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What is told of rows that break a rule, and what to do."""

    passes: str
    breaks: str
    next_step: str
    verdict: Verdict = Verdict.FAIL


_LOOK = "Run `zoe audit verify`, and `zoe explain ID` on each."
_COMPARE = "Run `zoe reconcile`; `zoe explain ID` tells each one's story."
_RULES: Mapping[RowRule, _Rule] = {
    RowRule.FOREIGN_KEYS: _Rule(
        passes="every row belongs to an account",
        breaks="rows belong to no account",
        next_step="Somebody wrote to the database: run `zoe audit verify`.",
    ),
    RowRule.UNREADABLE: _Rule(
        passes="every amount is a number, every time a time, every word a known one",
        breaks="values are no amount, no time, or no word that zoe knows",
        next_step="Somebody wrote to the database: put it right, or restore the last backup.",
    ),
    RowRule.FILLS_WITHOUT_ORDER: _Rule(
        passes="every fill of ours has its order",
        breaks="fills were booked as ours, and their order is gone",
        next_step=_LOOK,
    ),
    RowRule.FOREIGN_FILLS: _Rule(
        passes="no fill of somebody else's order",
        breaks="fills belong to no order of zoe's",
        next_step="Nothing, if you traded by hand; else run `zoe reconcile`.",
        verdict=Verdict.WARN,
    ),
    RowRule.EVENTS_WITHOUT_ORDER: _Rule(
        passes="every event has its order",
        breaks="events are about orders that are gone",
        next_step=_LOOK,
    ),
    RowRule.FILLS_WITHOUT_POSITION: _Rule(
        passes="every position that a fill names is there",
        breaks="fills name a position that is gone",
        next_step=_LOOK,
    ),
    RowRule.NEGATIVE_REMAINDERS: _Rule(
        passes="no order is filled beyond its quantity",
        breaks="orders are filled beyond their quantity, or below nothing",
        next_step=_COMPARE,
    ),
    RowRule.NEGATIVE_POSITIONS: _Rule(
        passes="no position holds less than nothing",
        breaks="positions hold less than nothing",
        next_step=_COMPARE,
    ),
    RowRule.FILLS_BEYOND_ORDER: _Rule(
        passes="no order has more fills than it asked for",
        breaks="orders have fills of more than they asked for",
        next_step=_COMPARE,
    ),
    RowRule.DUPLICATE_FILLS: _Rule(
        passes="every fill stands there once",
        breaks="fills stand there twice",
        next_step="The table was made anew without its key: restore the last backup.",
    ),
    RowRule.TWIN_FILLS: _Rule(
        passes="no two fills of an order are alike",
        breaks="fills of one order are alike but for their id",
        next_step="Run `zoe reconcile`: the venue's records tell whether it was one or two.",
        verdict=Verdict.WARN,
    ),
    RowRule.DUPLICATE_ORDERS: _Rule(
        passes="every order of the venue's is one order of ours",
        breaks="orders of the venue's are several of ours",
        next_step=_COMPARE,
    ),
    RowRule.DUPLICATE_POSITIONS: _Rule(
        passes="at most one active position an instrument",
        breaks="instruments have several active positions",
        next_step="Run `zoe sync-positions`.",
    ),
}

_GROUP_OF = {
    RowRule.DUPLICATE_FILLS: "duplicates",
    RowRule.TWIN_FILLS: "duplicates",
    RowRule.DUPLICATE_ORDERS: "duplicates",
    RowRule.DUPLICATE_POSITIONS: "duplicates",
}
"""The others are in the group `rows`."""

_WAITING: Mapping[WaitingKind, tuple[str, str, str]] = {
    # name of the check, what is told of those that wait too long, what to do
    WaitingKind.INTENT: (
        "intents",
        "have no known outcome, long after their deadline",
        "Run `zoe reconcile --execute`.",
    ),
    WaitingKind.UNCONFIRMED: (
        "orders",
        "wait for a word of the venue, longer than its records are late",
        "Run `zoe reconcile --execute`.",
    ),
    WaitingKind.ENTRY: (
        "entries",
        "are open, long after they should have been cancelled",
        "Run `zoe reconcile`; `zoe orders cancel` cancels what still rests.",
    ),
    WaitingKind.HEARTBEAT: (
        "heartbeats",
        "hold their lease and show no sign of life",
        "Look at the process and at its log; then stop it with SIGTERM.",
    ),
    WaitingKind.LEASE: (
        "leases",
        "ended without giving their lease back: killed, or the host went down",
        "Start the loop again if it should run; its recovery settles what it left.",
    ),
}
_ONLY_WARNED = (WaitingKind.LEASE,)


def assess_db_health(
    seen: StoreHealth, *, policy: Policy, backup_max_age_hours: Decimal
) -> PreFlightReport:
    """The report, grouped; the same facts give the same report. Fails exit 3."""
    checks = [
        *_schema(seen),
        *_rows(seen),
        *_stale(seen, policy),
        *_guards(seen),
        *_room(seen),
        _backup(seen, float(backup_max_age_hours)),
        *_audit(seen),
    ]
    return PreFlightReport(checks=tuple(checks))


def _check(group: str, name: str, verdict: Verdict, detail: str, next_step: str = "") -> Check:
    return Check(
        group=group,
        name=name,
        verdict=verdict,
        detail=detail,
        next_step="" if verdict is Verdict.PASS else next_step,
        exit_code=_FAILED if verdict is Verdict.FAIL else 0,
    )


def _told(names: tuple[str, ...]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _schema(seen: StoreHealth) -> Iterator[Check]:
    group = "database"
    yield _check(group, "migration", Verdict.PASS, f"{seen.revision}, the newest")
    if seen.missing:
        told = f"not there: {_told(seen.missing)}"
        yield _check(group, "columns", Verdict.FAIL, told, "Restore the last backup.")
    else:
        told = "every table, column and foreign key is there"
        yield _check(group, "columns", Verdict.PASS, told)
    if seen.integrity:
        repair = "Stop everything, keep the damaged file, and restore the last backup."
        yield _check(group, "integrity", Verdict.FAIL, "; ".join(seen.integrity), repair)
    elif seen.has_checksums is False:
        told = "the server keeps no checksums of its pages: a failing disk would not be noticed"
        repair = "Stop the server and run pg_checksums --enable, if it is yours."
        yield _check(group, "integrity", Verdict.WARN, told, repair)
    else:
        told = "the server keeps checksums of its pages" if seen.is_server else "no page is damaged"
        yield _check(group, "integrity", Verdict.PASS, told)


def _rows(seen: StoreHealth) -> Iterator[Check]:
    for group in ("rows", "duplicates"):
        for rule, said in _RULES.items():
            if _GROUP_OF.get(rule, "rows") == group:
                yield _ruled(group, rule, said, seen.offenders[rule])


def _ruled(group: str, rule: RowRule, said: _Rule, found: Offenders) -> Check:
    if not found.count:
        return _check(group, rule.value, Verdict.PASS, said.passes)
    named = ", ".join(found.named) + (", ..." if found.count > len(found.named) else "")
    told = f"{found.count:,} {said.breaks}: {named}"
    return _check(group, rule.value, said.verdict, told, said.next_step)


def _stale(seen: StoreHealth, policy: Policy) -> Iterator[Check]:
    allowed = {
        WaitingKind.INTENT: policy.visibility_lag_s + SLACK_S,
        WaitingKind.UNCONFIRMED: (policy.order_deadline_s + policy.visibility_lag_s + SLACK_S),
        WaitingKind.ENTRY: longest_life_s(policy) + policy.visibility_lag_s + SLACK_S,
        WaitingKind.HEARTBEAT: SLACK_S,
        WaitingKind.LEASE: 0.0,
    }
    for kind, (name, breaks, repair) in _WAITING.items():
        of_kind = [each for each in seen.waiting if each.kind is kind]
        late = [each for each in of_kind if each.age_s > allowed[kind]]
        if not late:
            told = f"{len(of_kind)} open, none for too long" if of_kind else "none open"
            yield _check("stale", name, Verdict.PASS, told)
            continue
        verdict = Verdict.WARN if kind in _ONLY_WARNED else Verdict.FAIL
        told = f"{len(late)} {breaks}: {_aged(late)}"
        yield _check("stale", name, verdict, told, repair)


def _aged(late: list[Waiting]) -> str:
    oldest = sorted(late, key=lambda each: (-each.age_s, each.name))
    return _told(tuple(f"{each.name} ({_age(each.age_s)})" for each in oldest))


def _guards(seen: StoreHealth) -> Iterator[Check]:
    group = "guards"
    found = seen.triggers
    wrong = [
        f"{what}: {_told(names)}"
        for what, names in (
            ("gone", found.missing),
            ("changed", found.changed),
            ("nobody's", found.unknown),
        )
        if names
    ]
    if wrong:
        repair = "Whoever did it could rewrite the books: run `zoe audit verify`, then restore."
        yield _check(group, "triggers", Verdict.FAIL, "; ".join(wrong), repair)
    else:
        told = f"all {found.count} are there, and say what the migrations made them say"
        yield _check(group, "triggers", Verdict.PASS, told)
    if not seen.is_server:
        return
    if seen.open_to_strangers:
        told = f"others than the owner may look: {_told(seen.open_to_strangers)}"
        repair = "ALTER TABLE ... ENABLE ROW LEVEL SECURITY; REVOKE ALL ON ... FROM PUBLIC, anon;"
        yield _check(group, "strangers", Verdict.FAIL, told, repair)
    else:
        told = "row level security on every table, and nothing is given to anonymous roles"
        yield _check(group, "strangers", Verdict.PASS, told)


def _room(seen: StoreHealth) -> Iterator[Check]:
    group = "room"
    largest = ", ".join(_sized(each) for each in seen.largest if each.rows != 0)
    told = f"{_bytes(seen.size)}" + (f"; largest: {largest}" if largest else "")
    yield _check(group, "size", Verdict.PASS, told)
    if seen.log_size is not None:
        is_long = seen.log_size > LONG_LOG
        yield _check(
            group,
            "log",
            Verdict.WARN if is_long else Verdict.PASS,
            f"{_bytes(seen.log_size)} are not folded into the file yet",
            "A reader never lets go of it: end the other programs that have the file open.",
        )
    if seen.free is not None:
        verdict = Verdict.FAIL if seen.free < LEAST_FREE else Verdict.WARN
        verdict = Verdict.PASS if seen.free >= max(SCARCE, 2 * seen.size) else verdict
        repair = "Make room: `zoe db prune`, or a larger disk. A backup needs the same size again."
        yield _check(group, "disk", verdict, f"{_bytes(seen.free)} free", repair)


def _sized(table: TableSize) -> str:
    told = [] if table.size is None else [_bytes(table.size)]
    told += [] if table.rows is None else [f"{table.rows:,} rows"]
    return f"{table.name} ({', '.join(told)})"


def _backup(seen: StoreHealth, max_age_hours: float) -> Check:
    group, name = "backup", "age"
    if max_age_hours == 0:
        return _check(group, name, Verdict.PASS, "not looked at: BACKUP_MAX_AGE_HOURS is 0")
    if seen.is_server and seen.backup is None:
        told = "copied by the server's own tools; zoe knows nothing of them"
        return _check(group, name, Verdict.PASS, told)
    repair = "Run `zoe db backup FILE`, daily from cron."
    if seen.backup is None:
        return _check(group, name, Verdict.WARN, "there is none", repair)
    told = f"{_age(seen.backup.age_s)} old, {seen.backup.path}"
    if seen.backup.age_s > max_age_hours * _HOUR_S:
        return _check(group, name, Verdict.WARN, told, repair)
    if not seen.backup.is_there:
        told = f"{told}, which is not there (any more, or for this host)"
        return _check(group, name, Verdict.WARN, told, repair)
    return _check(group, name, Verdict.PASS, told)


def _audit(seen: StoreHealth) -> Iterator[Check]:
    group = "audit"
    for each in seen.chains:
        if each.last_seq != each.head_seq or not each.is_same_hash:
            last = "nowhere" if each.last_seq is None else f"at row {each.last_seq}"
            told = f"the log ends {last}, its head says row {each.head_seq}"
            repair = "Rows were cut off or added: run `zoe audit verify`."
            yield _check(group, each.account_id, Verdict.FAIL, told, repair)
        elif each.signed_seq < 0:
            told = f"ends at row {each.head_seq}, as its head says; never signed"
            yield _check(group, each.account_id, Verdict.WARN, told, "Run `zoe audit init`.")
        else:
            told = f"ends at row {each.head_seq}, as its head says; signed to {each.signed_seq}"
            yield _check(group, each.account_id, Verdict.PASS, told)


def _age(seconds: float) -> str:
    """About: two hours and a day are told in hours, a minute in seconds."""
    for unit, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:  # noqa: PLR2004 - a unit is 1024 of the one before
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
