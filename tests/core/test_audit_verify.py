"""Any one change to a log is found, at the row where it was made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, PAPER
from zoe_tools.core.audit_verify import AuditEvidence, AuditReport, Flaw, verify
from zoe_tools.domain.audit import (
    NOTHING_BEFORE,
    AuditHead,
    AuditKind,
    AuditRow,
    SignedHead,
    instant,
    payload_of,
    row_hash,
)

WORDS = st.text(max_size=12)
EPOCH, LATER_EPOCH = "e" * 32, "f" * 32


def linked(payloads: list[str], *, kinds: dict[int, str] | None = None) -> list[AuditRow]:
    """A sound log with one row for each payload after the first."""
    rows: list[AuditRow] = []
    before = NOTHING_BEFORE
    for seq, payload in enumerate(["{}", *payloads]):
        kind = (kinds or {}).get(seq, AuditKind.ACTION if seq else AuditKind.GENESIS)
        parts = (PAPER.account_id, seq, instant(NOON + timedelta(seconds=seq)), str(kind), "x")
        this = row_hash(*parts, payload, before)
        rows.append(
            AuditRow(
                account_id=PAPER.account_id,
                seq=seq,
                at=parts[2],
                kind=parts[3],
                subjects="x",
                payload=payload,
                previous_hash=before,
                hash=this,
            )
        )
        before = this
    return rows


def signed(row: AuditRow, epoch: str = EPOCH, key_id: str = "ours") -> SignedHead:
    """A head over that row; here the statement itself is the signature."""
    head = SignedHead(
        account_id=row.account_id,
        store_epoch=epoch,
        seq=row.seq,
        hash=row.hash,
        at=row.at,
        key_id=key_id,
        signature="",
    )
    return replace(head, signature=head.statement.hex())


def judged(rows: list[AuditRow], heads: list[SignedHead], *, end: AuditRow) -> AuditReport:
    """The report on these rows, whose head row names `end`."""
    return verify(
        AuditEvidence(
            account_id=PAPER.account_id,
            rows=iter(rows),
            head=AuditHead(account_id=PAPER.account_id, seq=end.seq, hash=end.hash, at=end.at),
            checkpoint=None,
            signatures=heads,
            kept=[],
            is_signed=lambda key, statement, signature: (
                signature == statement.hex() if key == "ours" else None
            ),
        )
    )


LOGS = st.lists(st.builds(lambda word: payload_of({"told": word}), WORDS), min_size=1, max_size=8)


@given(LOGS)
def test_a_sound_log_has_no_flaw(payloads: list[str]) -> None:
    """Whatever it tells."""
    rows = linked(payloads)

    assert judged(rows, [signed(rows[-1])], end=rows[-1]).findings == ()


@given(LOGS, st.data())
def test_a_changed_row_is_the_first_bad_one(payloads: list[str], data: st.DataObject) -> None:
    """Any field of any row."""
    rows = linked(payloads)
    index = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(["at", "kind", "subjects", "payload", "hash"]))
    other = data.draw(WORDS.filter(lambda word: word != getattr(rows[index], name)))
    end = rows[-1]
    changes: dict[str, Any] = {name: other}
    rows[index] = replace(rows[index], **changes)
    report = judged(rows, [], end=end)

    assert report.findings[0].seq == index


@given(LOGS, st.data())
def test_a_missing_row_is_the_first_bad_one(payloads: list[str], data: st.DataObject) -> None:
    """Wherever it was; the last one because it was signed."""
    rows = linked(payloads)
    end = rows[-1]
    gone = rows.pop(data.draw(st.integers(0, len(rows) - 1)))
    flaws = {each.flaw for each in judged(rows, [signed(end)], end=end).findings}
    first = judged(rows, [signed(end)], end=end).findings[0]

    assert first.seq == gone.seq
    assert flaws & {Flaw.MISSING_ROW, Flaw.TRUNCATED}


@given(LOGS, st.data())
def test_a_log_written_anew_does_not_fit_its_signature(
    payloads: list[str], data: st.DataObject
) -> None:
    """Every hash is right, and still it is not the log that was signed."""
    rows = linked(payloads)
    index = data.draw(st.integers(0, len(payloads) - 1))
    other = payload_of({"told": data.draw(WORDS) + "!", "index": index})
    anew = linked([*payloads[:index], other, *payloads[index + 1 :]])
    report = judged(anew, [signed(rows[-1])], end=anew[-1])

    assert [each.flaw for each in report.findings] == [Flaw.REWRITTEN]


# --- restores ------------------------------------------------------------------------------------


def restored() -> tuple[list[AuditRow], list[AuditRow]]:
    """A log of nine rows, and the one that goes on from a backup of its first five."""
    payloads = [payload_of({"n": number}) for number in range(9)]
    note = payload_of({"epoch_before": EPOCH, "epoch": LATER_EPOCH})
    kinds = {5: str(AuditKind.RESTORED)}
    return linked(payloads), linked([*payloads[:4], note, payloads[0]], kinds=kinds)


def test_what_a_restore_lost_is_noted_and_no_finding() -> None:
    """The old store's signatures reach further than the backup; the new store says why."""
    old, new = restored()
    report = judged(new, [signed(old[8]), signed(new[6], LATER_EPOCH)], end=new[-1])

    assert report.findings == ()
    assert report.notes == (
        (
            "a backup was restored at row 5: rows 5 to 8, signed before (2026-01-05 12:00:08Z),"
            " are not in it"
        ),
    )


def test_a_restore_that_nobody_signed_explains_nothing() -> None:
    """Else a cut would need only one more row."""
    old, new = restored()
    report = judged(new, [signed(old[8])], end=new[-1])

    assert [each.flaw for each in report.findings] == [Flaw.TRUNCATED]


@pytest.mark.parametrize(("unsigned", "heads"), [(7, []), (3, [3]), (0, [6])])
def test_what_no_signature_covers_is_counted(unsigned: int, heads: list[int]) -> None:
    """The rows after the newest signed one."""
    _, new = restored()

    assert judged(new, [signed(new[each]) for each in heads], end=new[-1]).unsigned_rows == unsigned
