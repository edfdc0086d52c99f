"""Notices a store that was put back to an earlier time: ZOE_HOME remembers how far it had come.

What a restored store forgot may still rest at the venue. So it gets a new epoch, under which no old
order is taken for one of its own, and no new risk is allowed until its books have been compared.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from zoe_tools.domain.account import Account
from zoe_tools.domain.audit import AuditKind
from zoe_tools.domain.trading_state import RESTORED, KillLevel, TradingState
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

KEEP_EVERY_ROWS = 16
"""How often the file is written while a loop runs; a restore behind the last mark goes unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A row of an account's audit log that was there, in the store of this epoch."""

    store_epoch: str
    seq: int
    row_hash: str


class StoreWitness:
    """The mark of one account in one ZOE_HOME."""

    def __init__(self, home: Path, account: Account) -> None:
        self._path = home / f"seen-{account.account_id}.json"
        self._newest: Mark | None = None
        self._kept_seq = -KEEP_EVERY_ROWS
        self.store_epoch = ""

    def remembered(self) -> Mark | None:
        """The mark as it was left; None when there is none, or none that can be read."""
        try:
            told = json.loads(self._path.read_text("utf-8"))
            return Mark(
                store_epoch=str(told["store_epoch"]),
                seq=int(told["seq"]),
                row_hash=str(told["row_hash"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            _LOG.warning("%s cannot be read and is made anew: %s", self._path, error)
            return None

    def saw(self, seq: int, row_hash: str) -> None:
        """See `ports.HeadWitness`."""
        if not self.store_epoch:
            return
        self._newest = Mark(store_epoch=self.store_epoch, seq=seq, row_hash=row_hash)
        if seq - self._kept_seq >= KEEP_EVERY_ROWS:
            self.close()

    def close(self) -> None:
        """See `ports.HeadWitness`."""
        mark = self._newest
        if mark is None or mark.seq == self._kept_seq:
            return
        text = json.dumps(
            {"store_epoch": mark.store_epoch, "seq": mark.seq, "row_hash": mark.row_hash}
        )
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(f"{text}\n", "utf-8")
            fresh.replace(self._path)
        except OSError as error:
            _LOG.warning("%s cannot be written: %s", self._path, error.strerror)
            return
        self._kept_seq = mark.seq


def look_for_restore(transaction: Transaction, witness: StoreWitness, now: datetime) -> str:
    """Compare the store with the mark; when it went back in time, rename it and stop new risk.

    Returns what is wrong with it, as a sentence; empty when nothing is. From here on `witness`
    keeps marks.
    """
    mark = witness.remembered()
    reason = _gone_back(transaction, mark)
    if reason and mark is not None:
        is_first = mark.store_epoch == transaction.store_epoch()
        facts = {
            "why": reason,
            "epoch_before": mark.store_epoch,
            "store_epoch": transaction.renew_epoch(now) if is_first else transaction.store_epoch(),
        }
        transaction.audit.note(AuditKind.RESTORED, now, (), facts)
        _stop_new_risk(transaction, reason, now)
        _LOG.warning("STORE_RESTORED %s", reason)
    witness.store_epoch = transaction.store_epoch()
    head = transaction.audit.head()
    if head is not None and not reason:
        witness.saw(head.seq, head.hash)
    return reason


def is_where_it_was(transaction: Transaction, witness: StoreWitness) -> bool:
    """The same comparison as a look: False if the store went back, and has to be told so."""
    if _gone_back(transaction, witness.remembered()):
        return False
    _keep_marks(transaction, witness)
    return True


def _keep_marks(transaction: Transaction, witness: StoreWitness) -> None:
    witness.store_epoch = transaction.store_epoch()
    head = transaction.audit.head()
    if head is not None:
        witness.saw(head.seq, head.hash)


def _gone_back(transaction: Transaction, mark: Mark | None) -> str:
    if mark is None:
        return ""
    is_ours = mark.store_epoch == transaction.store_epoch()
    # Another account of the same database may have been the first to notice, and renamed it.
    if not is_ours and not transaction.audit.was_restored(mark.store_epoch):
        return ""  # another store
    head = transaction.audit.head()
    newest = -1 if head is None else head.seq
    if newest < mark.seq:
        return f"the store ends {mark.seq - newest} rows of its audit log before what was here"
    row = transaction.audit.row(mark.seq)
    if row is not None and row.hash != mark.row_hash:
        return f"the store went another way since row {mark.seq} of its audit log"
    return ""


def _stop_new_risk(transaction: Transaction, reason: str, now: datetime) -> None:
    """At least new risk; what stood there before is told with it, and its level stays."""
    what = f"{reason}: run `zoe reconcile --execute`, then `zoe resume`"
    transaction.latch(
        TradingState(
            level=KillLevel.PAUSE_ENTRIES, reason=what, changed_at=now, changed_by=RESTORED
        )
    )
