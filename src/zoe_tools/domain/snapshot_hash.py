"""One short name for everything a decision looked at: the same snapshot, the same name.

It stands in plans and in the journal, so that two decisions made on the same evidence can be told
from two that were not. It cannot be turned back into the snapshot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import fields, replace

import msgspec

from zoe_tools.domain.plan import Plan
from zoe_tools.domain.snapshot import Reading, Snapshot

MOST_NAMED = 2_000
"""So many rows are known by their names; with more of them all are forgotten."""

_LONG = ("recent_orders", "refusals")
"""An hour of rows of the store: a loop shows them to decision after decision."""

_NAMED: dict[int, tuple[object, bytes]] = {}
"""Each row with its name, by the address it has while it is kept here."""


def snapshot_hash(snapshot: Snapshot) -> str:
    """SHA-256, in hex, of all parts with their times, in one spelling under any hash seed."""
    parts: dict[str, object] = {
        each.name: getattr(snapshot, each.name) for each in fields(Snapshot)
    }
    listed = snapshot.catalogue
    if isinstance(listed, Reading):  # the longest part, and the same in thousands of snapshots
        parts["catalogue"] = (listed.as_of, listed.source, listed.value.digest)
    parts |= {name: _named(getattr(snapshot, name)) for name in _LONG}
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def _named(rows: Iterable[object]) -> str:
    """One name for all the rows; each is spelled once, however many snapshots it stands in."""
    return hashlib.sha256(b"".join(map(_name_of, rows))).hexdigest()


def _name_of(row: object) -> bytes:
    known = _NAMED.get(id(row))
    if known is None:
        if len(_NAMED) >= MOST_NAMED:
            _NAMED.clear()
        spelled = msgspec.json.encode(row, order="deterministic")
        known = _NAMED[id(row)] = row, hashlib.sha256(spelled).digest()
    return known[1]


def sealed(plan: Plan, snapshot: Snapshot) -> Plan:
    """The plan with the name of what it was made of; an empty one needs none."""
    if plan.snapshot_hash or plan.is_empty:
        return plan
    return replace(plan, snapshot_hash=snapshot_hash(snapshot))
