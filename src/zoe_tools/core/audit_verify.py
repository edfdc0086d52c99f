"""Is the audit log whole? Every row is hashed again, and held to its neighbours and the signatures.

The first bad row is named, and what is wrong with it. What no signature covers is counted and said:
a chain alone cannot show that its newest rows were cut off, or that all of it was written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from zoe_tools.core.audit_books import LastTold, differences
from zoe_tools.domain.audit import (
    NOTHING_BEFORE,
    AuditHead,
    AuditKind,
    AuditRow,
    BooksState,
    Checkpoint,
    SignedHead,
    moment,
    row_hash,
)
from zoe_tools.domain.identifiers import AccountId

IsSigned = Callable[[str, bytes, str], bool | None]
"""(key id, statement, signature) -> whether it is that key's; None when the key is not trusted."""

MOST_SHOWN = 20


class Flaw(StrEnum):
    """What can be wrong with an audit log."""

    NO_LOG = "NO_LOG"
    NO_BEGINNING = "NO_BEGINNING"
    CHANGED_ROW = "CHANGED_ROW"
    FOREIGN_ROW = "FOREIGN_ROW"
    MISSING_ROW = "MISSING_ROW"
    BROKEN_LINK = "BROKEN_LINK"
    HEAD_DIFFERS = "HEAD_DIFFERS"
    TRUNCATED = "TRUNCATED"
    REWRITTEN = "REWRITTEN"
    FORGED_HEAD = "FORGED_HEAD"
    UNTRUSTED_KEY = "UNTRUSTED_KEY"
    FORGED_CHECKPOINT = "FORGED_CHECKPOINT"
    BOOKS_DIFFER = "BOOKS_DIFFER"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One thing that is wrong; `seq` is the row it begins at."""

    flaw: Flaw
    seq: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvidence:
    """What there is to check: the rows in their order, and all that vouches for them.

    `kept` are signed heads from outside the database, `others` the ids of the other accounts;
    `books` what the tables say now.
    """

    account_id: AccountId
    rows: Iterable[AuditRow]
    head: AuditHead | None
    checkpoint: Checkpoint | None
    signatures: Sequence[SignedHead]
    kept: Sequence[SignedHead]
    is_signed: IsSigned
    others: Sequence[AccountId] = ()
    books: BooksState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What was found. `signed_seq` is the newest row that a trusted signature covers."""

    account_id: AccountId
    rows: int
    first_seq: int | None
    last_seq: int | None
    last_at: str
    signed_seq: int | None
    signed_at: str
    key_id: str
    pruned_rows: int
    findings: tuple[AuditFinding, ...]
    notes: tuple[str, ...]

    @property
    def unsigned_rows(self) -> int:
        """How many rows at the end no signature covers."""
        if self.last_seq is None:
            return 0
        return self.last_seq - (self.signed_seq if self.signed_seq is not None else -1)


@dataclass(slots=True)
class _Walk:
    """Where the walk along the rows stands."""

    account_id: AccountId
    others: Sequence[AccountId]
    expected: int
    before: str
    claims: dict[int, list[SignedHead]]
    findings: list[AuditFinding] = field(default_factory=list)
    kept: Checkpoint | None = None
    told: LastTold = field(default_factory=LastTold)
    unmet: list[SignedHead] = field(default_factory=list)
    restores: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    first_seq: int | None = None
    last: AuditRow | None = None

    def find(self, flaw: Flaw, seq: int | None, message: str) -> None:
        self.findings.append(AuditFinding(flaw=flaw, seq=seq, message=message))


def verify(evidence: AuditEvidence) -> AuditReport:
    """Walk the log once, in constant memory but for the signatures."""
    checked = [*_checked(evidence)]
    trusted = [head for head, finding in checked if finding is None]
    claims: dict[int, list[SignedHead]] = {}
    for each in trusted:
        claims.setdefault(each.seq, []).append(each)
    kept = evidence.checkpoint
    walk = _Walk(
        account_id=evidence.account_id,
        others=evidence.others,
        expected=0 if kept is None else kept.seq + 1,
        before=NOTHING_BEFORE if kept is None else kept.hash,
        claims=claims,
        kept=kept,
    )
    if kept is not None:
        _checkpoint(walk, kept, evidence.is_signed)
    for row in evidence.rows:
        _step(walk, row)
    _end(walk, evidence, trusted)
    walk.findings += [finding for _, finding in checked if finding is not None]
    if evidence.books is not None and not walk.findings:  # else the log proves nothing of them
        for seq, message in differences(walk.told, evidence.books):
            walk.find(Flaw.BOOKS_DIFFER, seq, message)
    return _report(walk, evidence, trusted)


def _checked(evidence: AuditEvidence) -> Iterator[tuple[SignedHead, AuditFinding | None]]:
    """Each signature, and what is wrong with it; of keys nobody trusts one finding each."""
    strangers: set[str] = set()
    for head in dict.fromkeys((*evidence.signatures, *evidence.kept)):
        answer = evidence.is_signed(head.key_id, head.statement, head.signature)
        if answer:
            yield head, None
        elif answer is not None:
            message = f"the signature over row {head.seq} is not that of key {head.key_id}"
            yield head, AuditFinding(flaw=Flaw.FORGED_HEAD, seq=head.seq, message=message)
        elif head.key_id not in strangers:
            strangers.add(head.key_id)
            message = f"row {head.seq} is signed by key {head.key_id}, which is not trusted here"
            yield head, AuditFinding(flaw=Flaw.UNTRUSTED_KEY, seq=head.seq, message=message)


def _checkpoint(walk: _Walk, kept: Checkpoint, is_signed: IsSigned) -> None:
    answer = is_signed(kept.key_id, kept.statement, kept.signature)
    if not answer:
        why = "is not trusted here" if answer is None else "did not make it"
        walk.find(
            Flaw.FORGED_CHECKPOINT,
            kept.seq,
            f"rows up to {kept.seq} were removed under a checkpoint of key {kept.key_id},"
            f" and that key {why}",
        )
    _claims(walk, kept.seq, kept.hash)


def _step(walk: _Walk, row: AuditRow) -> None:
    """Hold one row to its content, its place, its neighbour, and what was signed of it."""
    if walk.last is None and 0 <= row.seq < walk.expected:
        return  # covered by the checkpoint, and left over by a prune that was interrupted
    walk.rows += 1
    walk.first_seq = row.seq if walk.first_seq is None else walk.first_seq
    if row.seq != walk.expected:
        _gap(walk, row)
    elif row.seq == 0 and row.kind != AuditKind.GENESIS:
        walk.find(Flaw.NO_BEGINNING, 0, f"the log begins with {row.kind!r}")
    own = _hash_of(row, row.account_id)
    if own != row.hash:
        _changed(walk, row)
    elif row.previous_hash != walk.before and row.seq == walk.expected:
        walk.find(
            Flaw.BROKEN_LINK,
            row.seq,
            f"row {row.seq} ({row.kind}, {_when(row.at)}) does not follow from the row before it:"
            " one of the two was replaced",
        )
    _claims(walk, row.seq, row.hash)
    walk.told.hear(row)
    if row.kind == AuditKind.RESTORED:
        walk.restores.setdefault(str(row.facts.get("epoch_before", "")), row.seq)
    walk.expected, walk.before, walk.last = row.seq + 1, row.hash, row


def _gap(walk: _Walk, row: AuditRow) -> None:
    if row.seq < walk.expected:
        walk.find(
            Flaw.CHANGED_ROW, walk.expected, f"a row stands where no row can: {_when(row.at)}"
        )
        return
    last = row.seq - 1
    gone = f"row {last} is" if last == walk.expected else f"rows {walk.expected} to {last} are"
    walk.find(
        Flaw.MISSING_ROW, walk.expected, f"{gone} missing; row {row.seq} is of {_when(row.at)}"
    )


def _changed(walk: _Walk, row: AuditRow) -> None:
    owner = next((each for each in walk.others if _hash_of(row, each) == row.hash), None)
    if owner is not None:
        walk.find(Flaw.FOREIGN_ROW, row.seq, f"row {row.seq} ({row.kind}) was written for {owner}")
        return
    walk.find(
        Flaw.CHANGED_ROW,
        row.seq,
        f"row {row.seq} ({row.kind}, {_when(row.at)}) was changed: its content gives another hash",
    )


def _hash_of(row: AuditRow, account_id: str) -> str:
    try:
        return row_hash(
            account_id,
            row.seq,
            row.at,
            row.kind,
            row.subjects,
            row.payload,
            row.previous_hash,
        )
    except (AttributeError, TypeError, UnicodeError):  # no text, where text was written
        return ""


def _when(at: str) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M:%SZ}"


def _claims(walk: _Walk, seq: int, this: str) -> None:
    """What was signed of this row must be what stands there; a mismatch is judged at the end."""
    walk.unmet += [each for each in walk.claims.get(seq, ()) if each.hash != this]


def _end(walk: _Walk, evidence: AuditEvidence, trusted: Sequence[SignedHead]) -> None:
    last = walk.expected - 1
    beyond = [each for each in trusted if each.seq > last]
    lost = [each for each in (*walk.unmet, *beyond) if not _is_lost_branch(walk, each, trusted)]
    rewritten = sorted((each for each in lost if each.seq <= last), key=lambda each: each.seq)
    if rewritten:
        first = rewritten[0]
        vouched = max((each.seq for each in trusted if each.seq < first.seq), default=-1)
        walk.find(
            Flaw.REWRITTEN,
            first.seq,
            f"row {first.seq} is not the row that was signed ({_when(first.at)}):"
            f" something in rows {vouched + 1} to {first.seq} was written anew",
        )
    cut = max((each for each in lost if each.seq > last), key=lambda each: each.seq, default=None)
    if cut is not None:
        walk.find(
            Flaw.TRUNCATED,
            last + 1,
            f"rows {last + 1} to {cut.seq} are gone: row {cut.seq} was signed ({_when(cut.at)}),"
            f" and the log ends at {'nothing' if last < 0 else f'row {last}'}",
        )
    _head(walk, evidence.head, last)


def _head(walk: _Walk, head: AuditHead | None, last: int) -> None:
    """The head row is what the next row will be linked to."""
    if head is None and walk.last is None:
        walk.find(Flaw.NO_LOG, None, "the account has no audit log")
    elif head is None:
        walk.find(Flaw.HEAD_DIFFERS, last, f"the head row is gone; the log ends at row {last}")
    elif head.seq > last:
        walk.find(
            Flaw.HEAD_DIFFERS,
            last + 1,
            f"rows {last + 1} to {head.seq} are gone: the head row counts {head.seq}",
        )
    elif (head.seq, head.hash) != (last, walk.before):
        walk.find(
            Flaw.HEAD_DIFFERS, last, f"the head row names row {head.seq} with another hash or place"
        )


def _is_lost_branch(walk: _Walk, claim: SignedHead, trusted: Sequence[SignedHead]) -> bool:
    """Whether a restore of a backup, itself signed since, explains that the row is not here.

    Of a restore that was pruned the checkpoint speaks.
    """
    kept = walk.kept
    if kept is not None and claim.store_epoch != kept.store_epoch and claim.at <= kept.at:
        return True
    restored = walk.restores.get(claim.store_epoch)
    if restored is None or claim.seq < restored:
        return False
    unmet = {id(each) for each in walk.unmet}
    return any(
        each.store_epoch != claim.store_epoch and each.seq >= restored and id(each) not in unmet
        for each in trusted
    )


def _report(walk: _Walk, evidence: AuditEvidence, trusted: Sequence[SignedHead]) -> AuditReport:
    unmet = {id(each) for each in walk.unmet}
    last = walk.expected - 1
    good = [each for each in trusted if each.seq <= last and id(each) not in unmet]
    newest = max(good, key=lambda each: each.seq, default=None)
    kept = evidence.checkpoint
    findings = sorted(walk.findings, key=lambda each: -1 if each.seq is None else each.seq)
    return AuditReport(
        account_id=evidence.account_id,
        rows=walk.rows,
        first_seq=walk.first_seq,
        last_seq=last if last >= 0 else None,
        last_at=walk.last.at if walk.last is not None else "",
        signed_seq=newest.seq if newest is not None else None,
        signed_at=newest.at if newest is not None else "",
        key_id=newest.key_id if newest is not None else "",
        pruned_rows=0 if kept is None else kept.seq + 1,
        findings=tuple(findings),
        notes=_notes(walk, evidence, trusted),
    )


def _notes(walk: _Walk, evidence: AuditEvidence, trusted: Sequence[SignedHead]) -> tuple[str, ...]:
    last = walk.expected - 1
    notes = []
    claims = [*walk.unmet, *(each for each in trusted if each.seq > last)]
    lost = [each for each in claims if _is_lost_branch(walk, each, trusted)]
    if lost:
        newest = max(lost, key=lambda each: each.seq)
        restored = walk.restores.get(newest.store_epoch, walk.first_seq or 0)
        notes.append(
            f"a backup was restored at row {restored}: rows {restored} to {newest.seq}, signed"
            f" before ({_when(newest.at)}), are not in it"
        )
    if evidence.checkpoint is not None:
        kept = evidence.checkpoint
        notes.append(
            f"rows up to {kept.seq} were pruned ({_when(kept.at)}); the log is whole from there on"
        )
    return tuple(notes)
