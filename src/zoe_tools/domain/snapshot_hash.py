"""One short name for everything a decision looked at: the same snapshot, the same name.

It stands in plans and in the journal, so that two decisions made on the same evidence can be told
from two that were not. It cannot be turned back into the snapshot.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

import msgspec

from zoe_tools.domain.plan import Plan
from zoe_tools.domain.snapshot import Reading, Snapshot


def snapshot_hash(snapshot: Snapshot) -> str:
    """SHA-256, in hex, of all parts with their times, in one spelling under any hash seed."""
    parts: dict[str, object] = {
        each.name: getattr(snapshot, each.name) for each in fields(Snapshot)
    }
    listed = snapshot.catalogue
    if isinstance(listed, Reading):  # the longest part, and the same in thousands of snapshots
        parts["catalogue"] = (listed.as_of, listed.source, listed.value.digest)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def sealed(plan: Plan, snapshot: Snapshot) -> Plan:
    """The plan with the name of what it was made of; an empty one needs none."""
    if plan.snapshot_hash or plan.is_empty:
        return plan
    return replace(plan, snapshot_hash=snapshot_hash(snapshot))
