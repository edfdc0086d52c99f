"""Every code zoe answers with: what it means, whether trying again is safe, and what to run next.

The venue's own error strings have a table of their own, `kraken/errors.py`. A test holds this one
to the source: a code that is not here does not pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

Retry = Literal["yes", "no", "after looking"]
"""Whether the same may be done again: yes; no, something has to change first; only after the
venue's records were looked at, because it may have happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One code in an operator's words; `next` is a command line, or what to do by hand."""

    code: str
    family: str
    what: str
    retry: Retry
    next: str


_TABLE = {
    "exit code": """
0 yes
  Done, or nothing to do, or healthy.
1 after looking
  A bug in zoe. The traceback is in logs/zoe.log.
  -> zoe status
2 yes
  Usage or configuration: nothing was done.
  -> zoe config show
3 yes
  Findings: a report found something, or a dry run has changes to make.
  -> Read the output; --execute carries a dry run out.
4 no
  Refused: consent, policy, a stale plan, a kill level, or another loop. Nothing was sent.
  -> zoe kill status
5 after looking
  The venue: unreachable, throttled, rejected, or a plan carried out in part.
  -> zoe status
6 after looking
  An order may or may not have happened. Do not place it again by hand.
  -> zoe reconcile --execute
7 yes
  The store: unreachable, full, locked, not migrated, or somebody else's.
  -> zoe db status
130 after looking
  Interrupted: what had been sent is in the journal.
  -> zoe status
""",
    "error": """
ZoeError after looking
  A bug in zoe, said in one sentence.
  -> zoe status
ConfigError yes
  A setting or an argument is missing, unknown or contradictory.
  -> zoe config show
LedgerFileError no
  A file of the account's history cannot be imported; nothing of it was.
  -> Look at the line that the message names
UnknownInstrument yes
  A spelling that names nothing the venue trades.
  -> Write it as Kraken does: BTC/USD.
MarketDataError yes
  A market-data file that cannot be replayed.
  -> Correct the line it names.
Interrupted after looking
  Ended in its midst by the operator.
  -> zoe status
PlanError no
  A plan that may not be carried out. Nothing was sent.
  -> zoe status
PlanStale yes
  The world moved between the plan and the act. Nothing was sent.
  -> Run the command again and read the new plan.
PlanRefused no
  Policy, the venue's mode or the trading state forbids the plan.
  -> zoe kill status
ConsentMissing yes
  A live account is changed only with I_UNDERSTAND_LIVE=1 in the environment.
  -> Export it for this one command.
AccountBusy no
  Another trading loop holds this account.
  -> zoe status
VenueError after looking
  Something between zoe and the venue went wrong.
  -> zoe status
VenueUnavailable yes
  Nothing reached the venue, or a read failed.
  -> Run the command again; see status.kraken.com.
CircuitOpen yes
  The API failed too often of late: nothing ordinary is sent. Stops, exits and cancels go on.
  -> zoe breaker
VenueThrottled yes
  The venue asked to wait; nothing happened.
  -> Wait as long as it says, then run the command again.
VenueRejected no
  A definite no of the venue's.
  -> zoe explain with the venue's own words
VenueMisbehaved after looking
  The venue's answer cannot be read, or contradicts itself.
  -> zoe reconcile
OutcomeUnknown after looking
  A write that may or may not have happened.
  -> zoe reconcile --execute
StoreError yes
  The store failed; what was not committed is not there.
  -> zoe db status
SchemaOutdated yes
  Migrations are missing, or a newer zoe made the store.
  -> zoe db upgrade
ForeignDatabase no
  The database holds tables that zoe did not make.
  -> Point DATABASE_URL elsewhere.
StoreUnavailable yes
  The store cannot be opened, read or written.
  -> zoe db status
""",
    "refusal": """
WRONG_ACCOUNT no
  The plan was made for another account.
  -> Plan again with the right --account.
DE_ESCALATION no
  Only `zoe resume` lowers a kill level.
  -> zoe resume
MALFORMED no
  A quantity or a price is not a positive number.
  -> Correct the order.
NOT_A_REDUCTION no
  It would sell more than zoe manages, or not reduce at all.
  -> zoe sync-positions
SHORT no
  A spot account cannot enter by selling.
HALTED no
  Trading is stopped by a kill level; exits and stops go on.
  -> zoe kill status
DEGRADED no
  Cash or holdings differ between books and venue, and nobody has explained it; exits go on.
  -> zoe reconcile, then --explain or --adjust
RECONCILIATION_CRITICAL no
  The comparisons of books and venue have found too much; exits go on.
  -> zoe reconcile
INSTRUMENT_PAUSED no
  A discrepancy of this instrument waits for an explanation; exits go on.
  -> zoe reconcile, then --explain
UNRESOLVED_INTENT after looking
  An order on that instrument has an unknown outcome: no new risk until it is settled.
  -> zoe reconcile --execute
VENUE_MODE no
  The venue is not in a mode that takes this order.
  -> zoe pre-flight
NO_INSTRUMENT no
  The venue knows no such instrument, or its list could not be read.
  -> zoe pre-flight
INSTRUMENT_MODE no
  The venue does not take this kind of order on the instrument now.
  -> Wait until it is online again.
NO_QUOTE yes
  There is no usable price: without one nothing is entered.
  -> zoe pre-flight
SAFE_MODE yes
  The instrument's market has not been heard of for too long: a loop enters nothing there.
  -> zoe status
STALE_QUOTE yes
  The newest price is too old to enter by.
  -> zoe pre-flight
SPREAD_TOO_WIDE yes
  The market is too thin to enter (LIQUIDITY_GUARD_SPREAD_PCT).
  -> Wait for a better market.
OFF_TICK no
  The price is not a multiple of the instrument's tick.
  -> Correct the price.
OFF_LOT no
  The quantity is not a multiple of the instrument's lot.
  -> Correct the quantity.
BELOW_MINIMUM no
  The order is smaller than the venue takes.
  -> Raise the quantity, or leave the dust.
PRICE_COLLAR no
  The price is too far from the market.
  -> Correct the price; plan again.
MAX_NOTIONAL_PER_TRADE no
  One entry may not be worth more than the setting says.
  -> zoe config show
MAX_DAILY_NOTIONAL no
  The day's entries would be worth more than the setting allows.
  -> zoe config show
MAX_OPEN_POSITIONS no
  So many positions are open as the setting allows.
  -> zoe config show
MAX_QUANTITY_PER_TRADE no
  One entry may not be for more of the instrument than the setting says.
  -> zoe config show
MAX_UNEXECUTED_NOTIONAL yes
  Entries that still wait to be filled would be worth more than the setting allows.
  -> zoe orders
MAX_POSITION_NOTIONAL no
  One instrument, held and being bought, would be worth more than the setting allows.
  -> zoe status
MAX_EXPOSURE_NOTIONAL no
  All that is held and being bought would be worth more than the setting allows.
  -> zoe status
MAX_OPEN_ORDERS yes
  So many orders are open as the setting allows, of any kind.
  -> zoe orders
ORDER_RATE yes
  So many orders were placed within a minute as the setting allows.
  -> Find out what places them: zoe orders --all --since 30m
CANCEL_RATIO yes
  Too many of the last hour's entries ended without a fill (MAX_CANCEL_RATIO_PCT).
  -> zoe orders --all --since 1h
DUPLICATE_ORDER after looking
  The same order was placed a moment ago, and works or has filled (DUPLICATE_WINDOW_SECONDS).
  -> zoe orders
SELF_TRADE no
  The order would trade with an own order that rests on the other side.
  -> zoe orders
NOT_ALLOWED no
  The instrument is not among those that may be entered (ALLOWED_SYMBOLS).
  -> zoe config show
GROUP_OVERFILL yes
  With what filled and what still may, the intent group would buy more than was decided.
  -> None is needed: the next turn sends only what is left.
REPEATED_REJECTIONS yes
  The venue refused three orders of the instrument (six in all) within ten minutes.
  -> zoe monitor-trade-execution
WORST_PRICE no
  The price is worse than the worst that was reckoned with when the entry was decided.
  -> None is needed: the order stays where it is, and goes when its attempts are over.
UNPRICED no
  What the entry would cost cannot be told: leverage, a trailing or relative price.
  -> Place it with a price of its own.
KEY_SCOPE no
  The key can withdraw, or nobody could say whether it can (ALLOW_WITHDRAWAL_KEY).
  -> zoe pre-flight
NO_BALANCE yes
  The balances could not be read: without them nothing is entered.
  -> zoe pre-flight
INSUFFICIENT_BALANCE no
  There is not enough free money for the order and its fee.
  -> zoe status
""",
    "outcome of a step": """
PRECONDITION yes
  What the step counted on is no longer so; it was not sent.
  -> Run the command again and read the new plan.
DEPENDS yes
  An earlier step was not done, and this one builds on it; it was not sent.
  -> zoe reconcile --execute
NOT_KEPT yes
  The venue took the order and threw it out without a fill.
  -> zoe status
ORDER_GONE yes
  The order that was to be changed is over, and what it did is booked.
  -> Run the command again and read the new plan.
FOREIGN_MATCH no
  An order with our id is not the order we sent: nothing is resolved by guessing.
  -> zoe reconcile, and look at the order at the venue
UNREACHABLE yes
  No byte reached the venue.
  -> Run the command again.
UNREADABLE after looking
  The venue's answer to a write could not be read.
  -> zoe reconcile --execute
THROTTLED yes
  The venue asked to wait; nothing happened.
  -> Wait, then run the command again.
LEASE_LOST no
  The loop's lease on the account ran out or went to another loop; it was not sent.
  -> zoe status
STORE_GONE yes
  The store could not be written, so nothing that adds risk was journaled or sent.
  -> zoe db status
INSTRUMENT_LOCKED yes
  Another process is adding risk on the instrument right now; it was not sent.
  -> Wait a moment, run the command again and read the new plan.
""",
    "finding of zoe reconcile": """
ORPHANED after looking
  The registry manages a position of which the venue holds nothing, and no execution explains it.
  -> Find out where it went, then zoe reconcile --adjust
PHANTOM yes
  Executions of ours have left a holding that the registry does not know.
  -> zoe reconcile --execute
QTY_MISMATCH after looking
  The venue holds less of an asset than is managed, and no execution explains it.
  -> Find out where it went, then zoe reconcile --adjust
QTY_SYNCED yes
  A position holds another quantity than its executions say.
  -> zoe reconcile --execute
PENDING_ADOPTED yes
  An entry that was pending here has executions at the venue.
  -> zoe reconcile --execute
STALE yes
  A position is open in the registry and holds nothing.
  -> zoe reconcile --execute
SIDE_FLIP no
  The registry has a position on the other side than what opened it.
  -> zoe audit verify, and ask who has access to the database
UNKNOWN_ORDER no
  An open order at the venue is not ours.
  -> Look who placed it; zoe leaves it alone.
LOST_ORDER after looking
  An order of ours is open in the books, and the venue does not know it.
  -> zoe reconcile again; if it stays, look at the venue
ORDER_MISMATCH yes
  An order differs between our books and the venue's.
  -> zoe reconcile --execute
MISSING_FILL yes
  The venue shows an execution that our books lack.
  -> zoe reconcile --execute
DUPLICATE_FILL no
  Our books hold one execution of the venue's twice.
  -> zoe explain with its id; nothing is booked back by itself.
PHANTOM_FILL no
  Our books hold an execution that the venue does not show.
  -> Look at the venue; nothing is booked back by itself.
FILL_MISMATCH no
  An execution differs between our books and the venue's.
  -> zoe explain with its id
FEE_MISMATCH no
  The fees of an execution differ from the venue's.
  -> zoe explain with its id
STOP_MISSING yes
  A position has no stop at the venue.
  -> zoe recover-sl --execute; if the bid is below it: zoe run sells, or zoe kill --level flatten
STOP_QTY yes
  A stop does not cover its position.
  -> zoe recover-sl --execute
STOP_SIDE yes
  A stop is on the wrong side.
  -> zoe recover-sl --execute
LEDGER_MISMATCH no
  The venue's ledger does not add up to our fills.
  -> Look at the ledger entry it names.
BALANCE_DRIFT no
  What the venue holds of an asset is not what its ledger, or the stream, says.
  -> Look at the ledger of that asset; then zoe reconcile --explain or --adjust
STORE_TAMPERED yes
  A row was changed by hand: it says what no event ever said. It is not believed.
  -> zoe reconcile --execute, and ask who has access to the database
VENUE_CONTRADICTION yes
  Two answers of the venue, or two rows of one, deny each other: neither counts until they agree.
  -> zoe reconcile again in a minute; post nothing meanwhile
""",
    "violation in REGISTRY_AUDIT_REPORT": """
NEGATIVE no
  More was sold of a position than was ever bought.
  -> zoe positions, and ask who has access to the database
UNEQUAL no
  A position holds something else than what was bought less what was sold.
  -> zoe reconcile --execute
CLOSED_WITH_REMAINDER no
  A position is closed, and part of it was never sold.
  -> zoe reconcile --execute
""",
    "finding of zoe check-tp-coverage": """
OK yes
  The position is covered.
NO_EXCHANGE_POSITION no
  The venue holds none of what the registry manages.
  -> zoe sync-positions
UNPROTECTED yes
  No stop covers the position.
  -> zoe recover-sl --execute
STOP_WRONG_SIDE yes
  The stop would trigger on the wrong side of the market.
  -> zoe recover-sl --execute
MISSING_TP yes
  The position has no target.
  -> zoe status
MISMATCH_TP yes
  The target does not fit the position.
  -> zoe status
""",
    "finding of zoe audit verify": """
NO_LOG yes
  The account has books and no audit log.
  -> Keep the database as it is, compare with a backup, ask who has access.
NO_BEGINNING yes
  The log does not begin as a log begins.
  -> Keep the database as it is, compare with a backup, ask who has access.
CHANGED_ROW yes
  A row's content gives another hash than the one it bears: it was changed.
  -> Keep the database as it is, compare with a backup, ask who has access.
FOREIGN_ROW yes
  A row was written for another account.
  -> Keep the database as it is, compare with a backup, ask who has access.
MISSING_ROW yes
  Rows are gone from the middle or the beginning.
  -> Keep the database as it is, compare with a backup, ask who has access.
BROKEN_LINK yes
  A row does not follow from the one before it: one of the two was replaced.
  -> Keep the database as it is, compare with a backup, ask who has access.
HEAD_DIFFERS yes
  The head row does not name the newest row: rows were cut or added.
  -> Keep the database as it is, compare with a backup, ask who has access.
TRUNCATED yes
  Rows that were signed are gone from the end: cut, or a backup was put in place and nothing ran
  since.
  -> Keep the database as it is, compare with a backup, ask who has access.
REWRITTEN yes
  Every hash is right, but it is not the log that was signed.
  -> Keep the database as it is, compare with a backup, ask who has access.
FORGED_HEAD yes
  A signature is not that of the key it names.
  -> Keep the database as it is, compare with a backup, ask who has access.
UNTRUSTED_KEY yes
  A signature by a key that is not in audit/trusted-keys.
  -> If it is another of your machines: add its public key there.
FORGED_CHECKPOINT yes
  Rows were removed under a checkpoint that no trusted key signed.
  -> Keep the database as it is, compare with a backup, ask who has access.
BOOKS_DIFFER yes
  The books say something else than the audit log told last: somebody changed the tables by hand.
  -> zoe reconcile, and ask who has access to the database
""",
    "event of the log": """
THRESHOLD_MISMATCH no
  A hard limit is tighter than the soft one that steers toward it.
  -> zoe config show
INVARIANT_VIOLATION no
  Something that must always hold does not; no new risk is taken.
  -> zoe reconcile
DISCREPANCY_CONFIRMED no
  A difference of books and venue was seen twice, or is shown by the venue itself.
  -> zoe reconcile
RECONCILIATION_ESCALATED no
  What comparisons of books and venue found has reached a threshold, or degrades the account.
  -> zoe reconcile
RECONCILIATION_CLEARED yes
  The comparisons of books and venue agree again.
  -> zoe status
INSTRUMENT_STATUS yes
  What the venue lets one do with an instrument has changed.
  -> zoe status
""",
}
"""By family: a line with the code and whether a retry is safe, what it means, and what is next."""


def _meanings(family: str, text: str) -> Iterator[Meaning]:
    for entry in _entries(text):
        code, retry = entry[0].split(" ", maxsplit=1)
        told = [line.strip() for line in entry[1:]]
        steps = [line.removeprefix("-> ") for line in told if line.startswith("-> ")]
        yield Meaning(
            code=code,
            family=family,
            what=" ".join(line for line in told if not line.startswith("-> ")),
            retry=cast("Retry", retry),
            next=" ".join(steps),
        )


def _entries(text: str) -> Iterator[list[str]]:
    entry: list[str] = []
    for line in text.strip().splitlines():
        if entry and not line.startswith(" "):
            yield entry
            entry = []
        entry.append(line)
    yield entry


MEANINGS: tuple[Meaning, ...] = tuple(
    meaning for family, text in _TABLE.items() for meaning in _meanings(family, text)
)

_BY_CODE = {each.code.casefold(): each for each in MEANINGS}


def meaning_of(code: str) -> Meaning | None:
    """The meaning of one of our codes, in any case."""
    return _BY_CODE.get(code.strip().casefold())
