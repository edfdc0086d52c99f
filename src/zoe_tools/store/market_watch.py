"""What a watch over all pairs keeps: catalogue, snapshots of both tiers, focus, movers, curves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    bindparam,
    delete,
    func,
    select,
)

from zoe_tools.domain.identifiers import AccountId, Symbol
from zoe_tools.domain.instrument import Instrument, InstrumentStatus, MarginTerms
from zoe_tools.domain.market_watch import (
    FocusClaim,
    FocusReason,
    Listing,
    ListingChange,
    MarketRow,
    MarketState,
    Mover,
    MoverKind,
    Snapshot,
    SparkPoint,
)
from zoe_tools.domain.money import ZERO
from zoe_tools.store.market_watch_tables import (
    MARKET_CATALOG,
    MARKET_CATALOG_CHANGES,
    MARKET_FOCUS,
    MARKET_MOVERS,
    MARKET_SNAPSHOT_FOCUS,
    MARKET_SNAPSHOT_SCOUT,
    MARKET_SPARKLINES,
)
from zoe_tools.store.observations import ENTER
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.rows import insert_new, parts_of, upsert
from zoe_tools.store.spelled import Write
from zoe_tools.store.tables import CANDIDATE_SCANS

FOCUS, SCOUT = "focus", "scout"
"""The tiers."""

_TIERS = {FOCUS: MARKET_SNAPSHOT_FOCUS, SCOUT: MARKET_SNAPSHOT_SCOUT}
_OTHERWISE = frozenset(
    {
        "account_id",
        "status",
        "leverage_buy",
        "leverage_sell",
        "margin_call_pct",
        "margin_stop_pct",
    }
)
"""Columns of the catalogue that are no field of a `Listing` by themselves."""


class MarketWatchBook:
    """The watch of one account, within a transaction."""

    def __init__(self, connection: Connection, account_id: AccountId) -> None:
        self._connection = connection
        self._account_id = account_id

    # --- the catalogue ---------------------------------------------------------------------------

    def keep_catalogue(
        self,
        instruments: Iterable[Instrument],
        changes: Sequence[ListingChange],
        now: datetime,
    ) -> None:
        """Bring these instruments to what they are now, and note what has changed.

        An instrument that is not in the table and not among the changes has its status from now on.
        """
        since = {each.symbol: each.status_since for each in self.listings()}
        since |= {each.symbol: each.at for each in changes}
        rows = [self._listed(each, since.get(each.symbol, now), now) for each in instruments]
        upsert(self._connection, MARKET_CATALOG, rows)
        if changes:
            self._connection.execute(
                MARKET_CATALOG_CHANGES.insert(),
                [
                    {
                        "account_id": self._account_id,
                        "symbol": each.symbol,
                        "status": each.status.value,
                        "status_before": None if each.before is None else each.before.value,
                        "source": each.source,
                        "changed_at": each.at,
                    }
                    for each in changes
                ],
            )

    def listings(self) -> tuple[Listing, ...]:
        """Every instrument that was ever listed, in the order of their names."""
        table = MARKET_CATALOG
        rows = self._connection.execute(
            select(table).where(self._mine(table)).order_by(table.c.symbol)
        ).mappings()
        return tuple(
            Listing(
                **{name: value for name, value in row.items() if name not in _OTHERWISE},
                status=InstrumentStatus(row["status"]),
                margin=_margin(row),
            )
            for row in rows
        )

    def listing_changes(self, since: datetime | None = None) -> tuple[ListingChange, ...]:
        """What has changed since then, oldest first."""
        table = MARKET_CATALOG_CHANGES
        wanted = [self._mine(table)]
        if since is not None:
            wanted.append(table.c.changed_at >= since)
        rows = self._connection.execute(select(table).where(*wanted).order_by(table.c.row_id))
        return tuple(
            ListingChange(
                symbol=row.symbol,
                status=InstrumentStatus(row.status),
                before=None if row.status_before is None else InstrumentStatus(row.status_before),
                source=row.source,
                at=row.changed_at,
            )
            for row in rows
        )

    def _listed(self, instrument: Instrument, since: datetime, now: datetime) -> dict[str, Any]:
        tier = instrument.tier(ZERO) if instrument.fee_tiers else None
        return {
            "account_id": self._account_id,
            "symbol": instrument.symbol,
            "venue_id": instrument.venue_id,
            "altname": instrument.altname,
            "base": instrument.base,
            "quote": instrument.quote,
            "status": instrument.status.value,
            "status_since": since,
            "tick_size": instrument.tick_size,
            "lot_step": instrument.lot_step,
            "min_quantity": instrument.min_quantity,
            "min_cost": instrument.min_cost,
            "taker_pct": ZERO if tier is None else tier.taker_pct,
            "maker_pct": ZERO if tier is None else tier.maker_pct,
            "updated_at": now,
            "leverage_buy": _spelled(instrument.margin.leverage_buy),
            "leverage_sell": _spelled(instrument.margin.leverage_sell),
            "margin_call_pct": instrument.margin.call_pct,
            "margin_stop_pct": instrument.margin.stop_pct,
        }

    # --- snapshots -------------------------------------------------------------------------------

    def keep_focus(
        self, rows: Sequence[MarketRow], focus: Collection[Symbol] | None, now: datetime
    ) -> None:
        """Bring these pairs' focus rows to what they are; with `focus` all others go.

        A row that stayed when its pair had left focus would be old, and taken for new.
        """
        upsert(
            self._connection,
            MARKET_SNAPSHOT_FOCUS,
            [self._values(FOCUS, each, now) for each in rows],
        )
        if focus is not None:
            self._leave(MARKET_SNAPSHOT_FOCUS, focus)

    def keep_scout(
        self, rows: Sequence[MarketRow], watched: Collection[Symbol] | None, now: datetime
    ) -> None:
        """The same for the pairs that are not in focus; with `watched` all others go."""
        upsert(
            self._connection,
            MARKET_SNAPSHOT_SCOUT,
            [self._values(SCOUT, each, now) for each in rows],
        )
        if watched is not None:
            self._leave(MARKET_SNAPSHOT_SCOUT, watched)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Each pair's row of its tier, those in focus first; a pair in focus has no other."""
        found: dict[Symbol, Snapshot] = {}
        for tier, table in _TIERS.items():
            rows = self._connection.execute(
                select(table).where(self._mine(table)).order_by(table.c.symbol)
            ).mappings()
            for row in rows:
                found.setdefault(row["symbol"], _snapshot(tier, row))
        return tuple(found.values())

    def _values(self, tier: str, row: MarketRow, now: datetime) -> dict[str, Any]:
        ticker = row.ticker
        return {
            "account_id": self._account_id,
            "symbol": row.symbol,
            "state": row.state.value,
            "reason": row.reason,
            "gaps": row.gaps,
            "written_at": now,
            **{
                each.name: None if ticker is None else getattr(ticker, each.name)
                for each in _TIERS[tier].columns
                if each.nullable
            },
        }

    def _leave(self, table: Table, staying: Collection[Symbol]) -> None:
        known = self._connection.execute(select(table.c.symbol).where(self._mine(table))).scalars()
        gone = [each for each in known if each not in staying]
        for some in parts_of(gone):
            self._connection.execute(
                delete(table).where(self._mine(table), table.c.symbol.in_(some))
            )

    # --- focus -----------------------------------------------------------------------------------

    def claims(self) -> tuple[FocusClaim, ...]:
        """Every reason for focus, expired or not, by pair and reason."""
        return _CLAIMS.all(self._connection, _ALL_CLAIMS, owner=self._account_id)

    def claim(self, claim: FocusClaim) -> None:
        """One more reason, or a new end of one that is there."""
        upsert(
            self._connection,
            MARKET_FOCUS,
            {
                "account_id": self._account_id,
                "symbol": claim.symbol,
                "reason": claim.reason.value,
                "since": claim.since,
                "expires_at": claim.expires_at,
            },
            keep=("since",),
        )

    def release(self, symbol: Symbol, reason: FocusReason) -> bool:
        """Take a reason back; False: it was not there."""
        table = MARKET_FOCUS
        done = self._connection.execute(
            delete(table).where(
                self._mine(table), table.c.symbol == symbol, table.c.reason == reason.value
            )
        )
        return bool(done.rowcount)

    def candidates(self, since: datetime) -> frozenset[Symbol]:
        """The instruments that the strategy wanted to enter since then, whatever came of it."""
        return frozenset(
            _CANDIDATES.all(self._connection, _WANTED, owner=self._account_id, since=since)
        )

    def forget_claims(self, now: datetime) -> None:
        """Take out every reason whose time is over; whatever has a new end by now stays."""
        _FORGET.run(self._connection, {"owner": self._account_id, "now": now})

    # --- movers and curves -----------------------------------------------------------------------

    def note_movers(self, movers: Iterable[Mover]) -> None:
        """Movers as they were told, one row each."""
        rows = [
            {
                "account_id": self._account_id,
                "symbol": each.symbol,
                "kind": each.kind.value,
                "detected_at": each.detected_at,
                "mid": each.mid,
                "reference": each.reference,
                "reference_at": each.reference_at,
                "change_pct": each.change_pct,
                "acceleration": each.acceleration,
                "spread_pct": each.spread_pct,
            }
            for each in movers
        ]
        if rows:
            self._connection.execute(MARKET_MOVERS.insert(), rows)

    def movers(self, since: datetime) -> tuple[Mover, ...]:
        """Movers that were told since then, oldest first."""
        table = MARKET_MOVERS
        rows = self._connection.execute(
            select(table)
            .where(self._mine(table), table.c.detected_at >= since)
            .order_by(table.c.row_id)
        ).mappings()
        names = {each.name for each in table.columns} - {"row_id", "account_id", "kind"}
        return tuple(
            Mover(kind=MoverKind(row["kind"]), **{name: row[name] for name in names})
            for row in rows
        )

    def add_points(self, points: Iterable[SparkPoint]) -> None:
        """Points of curves; a bucket that has its price keeps it."""
        for each in points:
            row = {
                "account_id": self._account_id,
                "bucket_at": each.bucket_at,
                "symbol": each.symbol,
                "mid": each.mid,
                "quote_volume": each.quote_volume,
            }
            insert_new(self._connection, MARKET_SPARKLINES, row)

    def points(self, since: datetime) -> tuple[SparkPoint, ...]:
        """Points of all pairs since then, oldest first."""
        table = MARKET_SPARKLINES
        rows = self._connection.execute(
            select(table)
            .where(self._mine(table), table.c.bucket_at >= since)
            .order_by(table.c.bucket_at, table.c.symbol)
        )
        return tuple(
            SparkPoint(
                symbol=row.symbol,
                bucket_at=row.bucket_at,
                mid=row.mid,
                quote_volume=row.quote_volume,
            )
            for row in rows
        )

    def trim_points(self, before: datetime) -> int:
        """Forget points that are older; returns how many."""
        table = MARKET_SPARKLINES
        done = self._connection.execute(
            delete(table).where(self._mine(table), table.c.bucket_at < before)
        )
        return int(done.rowcount)

    def count_points(self) -> int:
        """How many points there are."""
        table = MARKET_SPARKLINES
        counted = select(func.count()).select_from(table).where(self._mine(table))
        return int(self._connection.execute(counted).scalar_one())

    def _mine(self, table: Table) -> ColumnElement[bool]:
        return table.c.account_id == self._account_id


# --- what is asked at each look, spelled once ----------------------------------------------------


def _claim(row: Any) -> FocusClaim:
    return FocusClaim(
        symbol=row.symbol,
        reason=FocusReason(row.reason),
        since=row.since,
        expires_at=row.expires_at,
    )


def _owned(table: Table) -> ColumnElement[bool]:
    return table.c.account_id == bindparam("owner")


_CLAIMS = Reader(MARKET_FOCUS, _claim)
_ALL_CLAIMS = Query(
    select(MARKET_FOCUS)
    .where(_owned(MARKET_FOCUS))
    .order_by(MARKET_FOCUS.c.symbol, MARKET_FOCUS.c.reason)
)
_FORGET = Write(
    delete(MARKET_FOCUS).where(_owned(MARKET_FOCUS), MARKET_FOCUS.c.expires_at <= bindparam("now"))
)
_ENTERED = (
    select(CANDIDATE_SCANS.c.symbol)
    .where(
        _owned(CANDIDATE_SCANS),
        CANDIDATE_SCANS.c.decided_at >= bindparam("since"),
        CANDIDATE_SCANS.c.kind == ENTER,
    )
    .distinct()
)
_CANDIDATES = Reader(_ENTERED.subquery(), lambda row: Symbol(row.symbol))
_WANTED = Query(_ENTERED)


def _margin(row: RowMapping) -> MarginTerms | None:
    if row["leverage_buy"] is None or row["leverage_sell"] is None:
        return None
    return MarginTerms(
        leverage_buy=_read(row["leverage_buy"]),
        leverage_sell=_read(row["leverage_sell"]),
        call_pct=row["margin_call_pct"],
        stop_pct=row["margin_stop_pct"],
    )


def _spelled(leverages: Iterable[int]) -> str:
    return ",".join(map(str, leverages))


def _read(leverages: str) -> tuple[int, ...]:
    return tuple(int(each) for each in leverages.split(",") if each)


def _snapshot(tier: str, row: RowMapping) -> Snapshot:
    prices = {
        each.name: row.get(each.name) for each in MARKET_SNAPSHOT_FOCUS.columns if each.nullable
    }
    return Snapshot(
        symbol=row["symbol"],
        tier=tier,
        state=MarketState(row["state"]),
        reason=row["reason"],
        gaps=row["gaps"],
        written_at=row["written_at"],
        **prices,
    )
