"""Rows of Kraken's ledger tables, of the column sets of 2021 and 2026. Pure.

Columns are found by their names, and further ones are tolerated: the venue has added to them more
than once. Source: kraken-spot sections 6 and 7.4.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import itemgetter

from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import ExportedTrade, LedgerEntry
from zoe_tools.domain.money import amount_of, decimal_of
from zoe_tools.domain.wallet import holding_of
from zoe_tools.kraken.codec import side_of

NEEDED = ("txid", "refid", "time", "type", "asset", "amount", "fee", "balance")
"""Columns without which a table is none of the ledger."""

TRADES_NEEDED = ("txid", "pair", "type", "cost", "fee", "vol", "margin", "ledgers")
"""Columns without which a table is none of the trades."""

ONLY_TRADES = "ordertxid"
"""A column that tells a trades export from one of the ledger."""

_YEARS = range(2009, 2200)
"""Before them there was no coin; what is after them is a mistake, and days are counted up to it."""

_ASSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_@-]*")

_LONGEST = 100
"""Characters of an id or a word; those of the venue have some twenty."""

_TO_THE_SECOND = len("2026-01-05 12:00:00")
_OPTIONAL = ("subtype", "aclass", "wallet", "feecurrency")


class LedgerTable:
    """The columns of one table, found by the names in its first line."""

    def __init__(self, names: Sequence[str], catalogue: InstrumentCatalogue) -> None:
        """`names` as they stand in the first line.

        Raises:
            ValueError: a column is missing, or stands there twice.
        """
        clean = [name.strip().lower() for name in names]
        self._pick = itemgetter(*_places(clean))
        self._width = len(clean)
        self._catalogue = catalogue
        self._newest = ("", datetime.min.replace(tzinfo=UTC))
        self._holdings: dict[tuple[str, str], tuple[str, str]] = {}

    def entry(self, cells: Sequence[str]) -> LedgerEntry | None:
        """The row of these cells; None for one that only announces: without an id and a balance.

        The web export tells a deposit twice, first as it is asked for; that row is never booked.

        Raises:
            ValueError: it makes no sense.
        """
        if len(cells) != self._width:
            raise ValueError(f"{len(cells)} cells, where the first line names {self._width}")
        told = self._pick([*cells, ""])
        _demand_printable(told)
        if max(map(len, told)) > _LONGEST:
            raise ValueError(f"a cell of more than {_LONGEST} characters")
        txid, refid, at, kind, asset, amount, fee, balance, subtype, aclass, wallet, paid_in = told
        if not balance or not txid:
            if txid or balance:
                raise ValueError("a row with an id has a balance, and one without has none")
            return None
        name, where = self._holding(asset, wallet)
        return LedgerEntry(
            ledger_id=LedgerId(txid),
            refid=refid,
            booked_at=self._moment(at),
            kind=kind,
            subtype=subtype,
            asset=name,
            amount=amount_of(amount),
            fee=amount_of(fee),
            balance=amount_of(balance),
            wallet=where,
            asset_class=aclass,
            fee_asset=self._holding(paid_in, "")[0] if paid_in else "",
        )

    def _moment(self, text: str) -> datetime:
        """Rows of one time stand beside each other."""
        known, at = self._newest
        if text != known:
            at = moment_of(text)
            self._newest = (text, at)
        return at

    def _holding(self, asset: str, wallet: str) -> tuple[str, str]:
        found = self._holdings.get((asset, wallet))
        if found is None:
            if not asset:
                raise ValueError("a row without an asset")
            if not _ASSET_NAME.fullmatch(asset):
                raise ValueError(f"{asset!r} is no name of an asset")
            found = holding_of(asset, self._catalogue, wallet=wallet)
            self._holdings[asset, wallet] = found
        return found


class TradeTable:
    """The columns of a trades export, found by the names in its first line."""

    def __init__(self, names: Sequence[str], catalogue: InstrumentCatalogue) -> None:
        """`names` as they stand in the first line.

        Raises:
            ValueError: a column is missing.
        """
        self._names = [name.strip().lower() for name in names]
        missing = [name for name in TRADES_NEEDED if name not in self._names]
        if missing:
            raise ValueError(f"the first line lacks {', '.join(missing)}")
        self._catalogue = catalogue

    def trade(self, cells: Sequence[str]) -> ExportedTrade:
        """The trade of these cells.

        Raises:
            ValueError: it makes no sense.
        """
        if len(cells) != len(self._names):
            raise ValueError(f"{len(cells)} cells, where the first line names {len(self._names)}")
        _demand_printable(cells)
        row = dict(zip(self._names, cells, strict=True))
        instrument = self._catalogue.find(row["pair"])
        return ExportedTrade(
            trade_id=row["txid"],
            base="" if instrument is None else instrument.base,
            quote="" if instrument is None else instrument.quote,
            side=side_of(row["type"]),
            quantity=amount_of(row["vol"]),
            cost=amount_of(row["cost"]),
            fee=amount_of(row["fee"]),
            is_on_margin=bool(decimal_of(row["margin"] or "0")),
            ledger_ids=tuple(name for name in row["ledgers"].split(",") if name),
        )


def _demand_printable(cells: Sequence[str]) -> None:
    """Pass, if nothing in them could steer a terminal, or end a text in a database."""
    if not "".join(cells).isprintable():
        odd = next(cell for cell in cells if not cell.isprintable())
        raise ValueError(f"a control character in {odd[:40]!r}")


def _places(names: Sequence[str]) -> tuple[int, ...]:
    """Where each column stands; an absent one stands behind the last, where there is nothing."""
    missing = [name for name in NEEDED if name not in names]
    if missing:
        near = difflib.get_close_matches(missing[0], names, n=1)
        hint = f" ({near[0]!r} is not it)" if near else ""
        raise ValueError(f"the first line lacks {', '.join(missing)}{hint}")
    twice = next((name for name in names if name and names.count(name) > 1), "")
    if twice:
        raise ValueError(f"the first line names {twice!r} twice")
    return tuple(names.index(name) for name in NEEDED) + tuple(
        names.index(name) if name in names else len(names) for name in _OPTIONAL
    )


def moment_of(text: str) -> datetime:
    """A time of an export, in UTC: `2026-01-05 12:00:00`, with or without a fraction.

    Raises:
        ValueError: it is none, or of a year in which no account can have been.
    """
    if len(text) < _TO_THE_SECOND or text[4] != "-" or text[10] not in " T":
        raise ValueError(f"{text!r} is no time")
    at = datetime.fromisoformat(text)
    if at.tzinfo is not None:
        raise ValueError(f"{text!r} has a time zone")
    if at.year not in _YEARS:
        raise ValueError(f"{text!r} is no time of an account")
    return at.replace(tzinfo=UTC)
