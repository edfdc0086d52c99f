"""rp2, the tax calculator by others, as an oracle: its own engine matches the same events.

rp2 changes the arithmetic of whoever imports it and opens a log where it stands: it is loaded, and
asked, in an arithmetic context of its own, and its log goes to a folder that is thrown away.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, getcontext, localcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoe_tools.domain.lot import Acquire, Dispose, LotEvent, LotMethod

_PRECISION = 31
_INI = """[general]
assets = BTC
exchanges = Kraken
holders = Alice
[in_header]
timestamp = 0
asset = 1
[out_header]
timestamp = 0
asset = 1
[intra_header]
timestamp = 0
asset = 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One of rp2's matches; `basis` with the buying fee."""

    event: int
    lot: int
    quantity: Decimal
    basis: Decimal
    gain: Decimal


@contextlib.contextmanager
def _its_arithmetic() -> Iterator[None]:
    """What rp2 sets on import, for as long as it is asked."""
    with localcontext():
        getcontext().prec = _PRECISION
        yield


@lru_cache(maxsize=1)
def _rp2() -> dict[str, Any]:
    names = {
        "tax_engine": ("compute_tax",),
        "accounting_engine": ("AccountingEngine",),
        "configuration": ("Configuration",),
        "in_transaction": ("InTransaction",),
        "out_transaction": ("OutTransaction",),
        "intra_transaction": ("IntraTransaction",),
        "transaction_set": ("TransactionSet",),
        "input_data": ("InputData",),
        "rp2_decimal": ("RP2Decimal",),
        "plugin.country.us": ("US",),
    }
    folder = tempfile.mkdtemp(prefix="rp2-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with contextlib.chdir(folder):
        found = {
            name: getattr(importlib.import_module(f"rp2.{module}"), name)
            for module, wanted in names.items()
            for name in wanted
        }
    logging.getLogger("rp2").disabled = True
    ini = Path(folder, "rp2.ini")
    ini.write_text(_INI, encoding="utf-8")
    found["configuration"] = found["Configuration"](
        str(ini), found["US"](), allow_negative_balances=True
    )
    found["tree"] = importlib.import_module("prezzemolo.avl_tree").AVLTree
    return found


def matches_of(
    events: Sequence[LotEvent], method: LotMethod = LotMethod.FIFO
) -> tuple[Expected, ...]:
    """What rp2 makes of events of BTC, each in a second of its own, whose ids are their numbers.

    A disposal whose reason is `fee` is the crypto fee of a transfer between two own wallets.
    """
    with _its_arithmetic():
        return tuple(_matches(events, method))


def _matches(events: Sequence[LotEvent], method: LotMethod) -> Iterator[Expected]:
    rp2 = _rp2()
    configuration = rp2["configuration"]
    sets = {
        kind: rp2["TransactionSet"](configuration, kind, "BTC") for kind in ("IN", "OUT", "INTRA")
    }
    for event in events:
        kind, entry = _transaction(rp2, event)
        sets[kind].add_entry(entry)
    tree = rp2["tree"]()
    plugin = importlib.import_module(f"rp2.plugin.accounting_method.{method.value}")
    tree.insert_node(1970, plugin.AccountingMethod())
    data = rp2["InputData"]("BTC", sets["IN"], sets["OUT"], sets["INTRA"])
    computed = rp2["compute_tax"](
        configuration, rp2["AccountingEngine"](years_2_methods=tree), data
    )
    for each in computed.gain_loss_set:
        if each.acquired_lot is None:
            continue  # income as such: the lot that it makes is in the other matches
        yield Expected(
            event=each.taxable_event.row,
            lot=each.acquired_lot.row,
            quantity=Decimal(each.crypto_amount),
            basis=Decimal(each.fiat_cost_basis),
            gain=Decimal(each.fiat_gain),
        )


def _transaction(rp2: dict[str, Any], event: LotEvent) -> tuple[str, Any]:
    exact = rp2["RP2Decimal"]
    common = (rp2["configuration"], event.at.isoformat(), "BTC")
    row = int(event.event_id)
    if isinstance(event, Acquire):
        assert event.cost is not None
        is_buy = event.origin == "buy"
        return "IN", rp2["InTransaction"](
            *common,
            "Kraken",
            "Alice",
            "BUY" if is_buy else "STAKING",
            exact(event.cost / event.quantity),
            exact(event.quantity),
            fiat_in_no_fee=exact(event.cost) if is_buy else None,
            fiat_in_with_fee=exact(event.cost + event.fee) if is_buy else None,
            fiat_fee=exact(event.fee),
            row=row,
        )
    assert isinstance(event, Dispose)
    assert event.proceeds is not None
    spot = exact(event.proceeds / event.quantity)
    if event.reason == "fee":
        received = exact("0.5")
        return "INTRA", rp2["IntraTransaction"](
            *common,
            "Kraken",
            "Alice",
            "Kraken",
            "Alice",
            spot,
            received + exact(event.quantity),
            received,
            row=row,
        )
    return "OUT", rp2["OutTransaction"](
        *common,
        "Kraken",
        "Alice",
        "SELL",
        spot,
        exact(event.quantity),
        exact("0"),
        fiat_out_no_fee=exact(event.proceeds - event.fee),
        row=row,
    )
