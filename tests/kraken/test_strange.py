"""What zoe does not know is tolerated, and told to the log once: fields, values, error strings."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import kraken_answers as kraken
from builders import d
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.errors import VenueRejected
from zoe_tools.kraken import codec, codec_stream, errors, shapes, strange, wire, wire_account
from zoe_tools.kraken import wire_stream as stream
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def _as_a_new_process() -> Iterator[None]:
    """The words of one test are not known in the next."""
    strange.forget()
    yield
    strange.forget()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of strange words."""
    return [each.getMessage() for each in caplog.records if each.name.endswith(".strange")]


def fields_told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of strange fields."""
    return [line for line in told(caplog) if "as a field of" in line]


def ask(script: kraken.Script, *uses: Callable[[KrakenSpot, AccountReads], Awaitable[Any]]) -> None:
    """Put some questions, one after the other."""

    async def run() -> None:
        clock = VirtualClock(kraken.EPOCH)
        rest = kraken.client(script, clock=clock)
        spot = KrakenSpot(rest, clock)
        for use in uses:
            await use(spot, AccountReads(rest, spot.catalogue))

    run_virtual(run())


# --- fields


def test_an_unknown_field_is_told_once_by_name_and_never_by_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In every row and every answer, wherever it stands; two methods are two lines."""
    first = kraken.order_row(mood="s3cret") | {"descr": {**kraken.order_row()["descr"], "hue": 1}}
    rows = {"OAAAAA-BBBBB-CCCCC4": first, "OAAAAA-BBBBB-CCCCC5": kraken.order_row(mood="other")}
    script = kraken.Script(
        OpenOrders=kraken.success({"open": rows, "weather": {}}),
        QueryOrders=kraken.success({"OAAAAA-BBBBB-CCCCC4": kraken.order_row(mood=1)}),
    )

    ask(
        script,
        lambda spot, _: spot.open_orders(),
        lambda spot, _: spot.open_orders(),
        lambda spot, _: spot.orders([VenueOrderId("OAAAAA-BBBBB-CCCCC4")]),
    )

    assert sorted(fields_told(caplog)) == [
        "Kraken said 'hue', which zoe does not know as a field of OpenOrders",
        "Kraken said 'mood', which zoe does not know as a field of OpenOrders",
        "Kraken said 'mood', which zoe does not know as a field of QueryOrders",
        "Kraken said 'weather', which zoe does not know as a field of OpenOrders",
    ]


def test_a_documented_field_is_not_strange_though_nobody_reads_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The whole row of the fact sheet: flags, margin, times in force."""
    row = kraken.order_row(trigger="index", margin=True, time_in_force="gtc", trades=["T"])

    ask(
        kraken.Script(OpenOrders=kraken.success({"open": {"O": row}})),
        lambda spot, _: spot.open_orders(),
    )

    assert fields_told(caplog) == []


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        (dict[str, wire.DepthRow], {"a": {"asks": [], "bids": [], "x": 1}}, {"x"}),
        (wire_account.MovementsAnswer, [{"x": 1}, {"y": 1}], {"x", "y"}),
        (wire_account.MovementsAnswer, {"deposit": [{"x": 1}], "z": 1}, {"x", "z"}),
        (wire_account.PositionsAnswer, {"T": {"class": "forex", "x": 1}}, {"x"}),
        (wire_account.CreditAnswer, None, set()),
        (wire_account.EarnStrategies, {"items": [{"lock_type": {"x": 1}}]}, {"x"}),
        (list[stream.ExecutionRow], [{"triggers": {"x": 1}, "fees": [{"y": 1}]}], {"x", "y"}),
        (stream.InstrumentsRow, {"assets": [{"x": 1}], "pairs": [{"y": 1}]}, {"y"}),
        (wire.Prints, {"XXBTZUSD": [["1", "2", 3, "b", "m", "", 4, {"x": 1}]]}, set()),
        (wire.ServerTime, [1], set()),
    ],
)
def test_fields_are_found_at_every_depth(kind: Any, payload: Any, expected: set[str]) -> None:
    """In lists, maps, either of two shapes; rows that are arrays have no names."""
    shapes.note_unknown("it", kind, kraken.body_of(payload))

    assert {word for _, word in strange.words()} == expected


def test_what_cannot_be_looked_over_was_read_all_the_same() -> None:
    """A number too large for anybody, in a field that nobody reads, is no reason to fail."""
    shapes.note_unknown(
        "it", wire.ServerTime, b'{"unixtime":1,"x":' + b"[" * 5000 + b"]" * 5000 + b"}"
    )

    assert strange.words() == frozenset()


def test_frames_are_looked_over_too(caplog: pytest.LogCaptureFixture) -> None:
    """Each channel's rows; the decoded rows are as ever."""
    text = (
        b'[{"symbol":"BTC/USD","side":"buy","price":1,"qty":2,"trade_id":3,"timestamp":"","x":1}]'
    )

    read = [stream.TRADE.decode(text)[0].symbol for _ in range(3)]

    assert read == ["BTC/USD"] * 3
    assert told(caplog) == ["Kraken said 'x', which zoe does not know as a field of trade"]


# --- values


VALUES: dict[str, Callable[[], Any]] = {
    "the venue's mode": lambda: codec.mode_of(wire.SystemStatus(status="Odd")),
    "the venue's mode (stream)": lambda: codec_stream.mode_of("Odd"),
    "an order's status": lambda: codec.status_of("Odd", d("0")),
    "an order's status in a stream": lambda: reported(order_status="Odd"),
    "a kind of execution report": lambda: reported(exec_type="Odd"),
    "a type of order in a stream": lambda: reported(order_type="Odd"),
    "an instrument's status": lambda: codec_stream.statuses_of(
        stream.InstrumentsRow(pairs=[stream.PairRow(symbol="BTC/USD", status="Odd")])
    ),
}


def reported(**changes: str) -> Any:
    """An execution report."""
    row: dict[str, Any] = {"order_id": "O", "exec_type": "new", "order_status": "new", **changes}
    decoder = codec_stream.ExecutionDecoder()
    return decoder.report(stream.ExecutionRow(**row), is_snapshot=False, now=kraken.EPOCH)


@pytest.mark.parametrize("what", VALUES)
def test_an_unknown_value_is_told_once(what: str, caplog: pytest.LogCaptureFixture) -> None:
    """However often it comes."""
    for _ in range(3):
        VALUES[what]()

    name = what.removesuffix(" (stream)")
    assert told(caplog) == [f"Kraken said 'Odd', which zoe does not know as {name}"]


def test_unknown_values_of_answers_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """Types of orders, states of pairs, of deposits, locks of earn strategies."""
    deposit = {"method": "B", "asset": "XXBT", "refid": "A", "amount": "1", "time": 1}
    strategy = {"id": "E", "asset": "XXDG", "can_allocate": True, "can_deallocate": True}
    script = kraken.Script(
        OpenOrders=kraken.success({"open": {"O": kraken.order_row(descr={"ordertype": "Odd"})}}),
        DepositStatus=kraken.success([deposit | {"status": "Odd"}]),
        Strategies=kraken.success({"items": [strategy | {"lock_type": {"type": "Odd"}}]}),
    )

    async def movements(_: KrakenSpot, reads: AccountReads) -> None:
        async for _page in reads.movements("deposit"):
            pass

    for _ in range(2):
        ask(
            script,
            lambda spot, _: spot.open_orders(),
            movements,
            lambda _, reads: reads.earn_strategies(),
        )

    assert sorted(told(caplog)) == [
        "Kraken said 'Odd', which zoe does not know as a type of order",
        "Kraken said 'Odd', which zoe does not know as the lock of an earn strategy",
        "Kraken said 'Odd', which zoe does not know as the status of a deposit or withdrawal",
        "Kraken said 'resting', which zoe does not know as an instrument's status",
    ]


# --- error strings


def test_an_unknown_error_string_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Over REST; the blank that some come with makes no other string of it."""
    script = kraken.Script(
        BalanceEx=[kraken.failure("EOrder:Moon phase"), kraken.failure("EOrder: Moon phase")]
    )

    async def refused(spot: KrakenSpot, _: AccountReads) -> None:
        with pytest.raises(VenueRejected, match="Moon phase"):
            await spot.balances()

    ask(script, refused, refused, refused)

    assert sum("Moon phase" in line for line in told(caplog)) == 1


def test_a_known_error_string_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """Nor is one that carries a time or a detail."""
    for text in ("EOrder:Insufficient funds", "EService: Throttled: 1767700000"):
        errors.error_for([text], is_write=False, now_s=0.0)

    assert told(caplog) == []


# --- the log is safe


@pytest.mark.parametrize("secret", [kraken.SECRET, kraken.SECRET[:56], "a1B2" * 11])
def test_what_looks_like_a_key_or_a_token_is_masked(
    secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Secrets, public keys, stream tokens; ids of orders and clients stay readable."""
    strange.noted("an error", f"EAPI:Odd {secret} of OAAAAA-BBBBB-CCCCC4")
    strange.noted("an error", "EAPI:Odd 11112222-3333-4444-8555-666677778888")

    assert secret not in caplog.text
    assert f"EAPI:Odd {strange.MASK} of OAAAAA-BBBBB-CCCCC4" in caplog.text
    assert "11112222-3333-4444-8555-666677778888" in caplog.text


def test_no_venue_fills_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred words of a kind and a line that there are more; a thousand of all kinds."""
    caplog.set_level(logging.WARNING)
    for number in range(500):
        strange.noted("an error", f"EOdd:{number}")
    one_kind = len(told(caplog))
    for number in range(5_000):
        strange.noted(f"a field of {number % 50}", f"{number}")

    assert one_kind == strange.MOST_OF_ONE + 1
    assert "has more that zoe does not know as an error" in told(caplog)[-1 - 1_000 + 100]
    assert len(strange.words()) == strange.MOST
    assert max(len(line) for line in told(caplog)) < 400


# --- real answers


CAPTURES: tuple[tuple[Any, str], ...] = (
    (dict[str, wire.PairRow], "xchange/marketdata_example-assetpairs-data.json"),
    (dict[str, wire.PairRow], "xchange2025/AssetPairs.json"),
    (dict[str, wire.PairRow], "kraken-async-rs/public__get_tradable_asset_pairs.json"),
    (dict[str, wire.PairRow], "kraken-net/SpotExchangeData_GetSymbols.json"),
    (dict[str, wire.AssetRow], "xchange/marketdata_example-assets-data.json"),
    (dict[str, wire.AssetRow], "kraken-async-rs/public__get_asset_info.json"),
    (dict[str, wire.AssetRow], "kraken-net/SpotExchangeData_GetAssets.json"),
    (dict[str, wire.TickerRow], "nautilus/http_ticker.json"),
    (dict[str, wire.DayRow], "kraken-net/SpotExchangeData_GetTickers.json"),
    (wire.OpenOrders, "kraken-async-rs/account__get_open_orders.json"),
    (wire.OpenOrders, "kraken-net/SpotTrading_GetOpenOrders.json"),
    (wire.OpenOrders, "xchange/trading_example-openorders-data.json"),
    (wire.ClosedOrders, "kraken-net/SpotTrading_GetClosedOrders.json"),
    (dict[str, wire.OrderRow], "kraken-net/SpotTrading_GetOrder.json"),
    (wire.TradesHistory, "kraken-async-rs/account__get_trades_history.json"),
    (wire.TradesHistory, "kraken-net/SpotTrading_GetUserTrades.json"),
    (wire.TradesHistory, "xchange/trading_example-tradehistory-data.json"),
    (wire.Ledgers, "kraken-net/SpotAccount_GetLedgerInfo.json"),
    (wire.Ledgers, "xchange/account_example-ledgerinfo-data.json"),
    (dict[str, wire.BalanceRow], "kraken-async-rs/account__get_extended_balance.json"),
    (wire_account.TradeBalanceRow, "kraken-async-rs/account__get_trade_balance.json"),
    (wire_account.TradeVolume, "kraken-net/SpotAccount_GetTradeVolume.json"),
    (wire_account.PositionsAnswer, "kraken-net/SpotAccount_GetOpenPositions.json"),
    (wire_account.DepositMethods, "kraken-async-rs/funding__get_deposit_methods.json"),
    (wire_account.WithdrawMethods, "kraken-async-rs/funding__get_withdrawal_methods.json"),
    (wire_account.WithdrawInfo, "kraken-async-rs/funding__get_withdrawal_info.json"),
    (wire_account.MovementsAnswer, "kraken-net/SpotAccount_GetDepositStatus.json"),
    (wire_account.EarnAllocations, "kraken-net/SpotEarn_GetAllocations.json"),
    (wire_account.ExportRows, "kraken-async-rs/account__get_export_report_status.json"),
    (wire.Placed, "kraken-async-rs/trading__get_add_order.json"),
    (wire.Amended, "kraken-async-rs/trading__get_amend_order.json"),
    (wire.Cancelled, "kraken-async-rs/trading__get_cancel_order.json"),
    (wire.Countdown, "kraken-async-rs/trading__get_cancel_all_orders_after.json"),
    (wire.Spreads, "kraken-async-rs/public__get_recent_spreads.json"),
    (wire.ServerTime, "kraken-async-rs/public__get_server_time.json"),
    (wire.SystemStatus, "kraken-async-rs/public__get_system_status.json"),
)


@pytest.mark.skipif(
    not DATA.is_dir(), reason="no captures of real answers beside the checkout (../shared/data)"
)
@pytest.mark.parametrize(("kind", "name"), CAPTURES, ids=[name for _, name in CAPTURES])
def test_nothing_that_kraken_really_said_is_strange(kind: Any, name: str) -> None:
    """Ten years of answers are read by their structs, and hold no field that is not listed."""
    envelope = msgspec.json.decode((DATA / name).read_bytes(), type=wire.Envelope)

    msgspec.json.decode(envelope.result, type=kind)
    shapes.note_unknown(name, kind, envelope.result)

    assert strange.words() == frozenset()


@pytest.mark.skipif(
    not DATA.is_dir(), reason="no captures of real frames beside the checkout (../shared/data)"
)
def test_no_real_frame_is_strange() -> None:
    """Every channel of the captures: frames, and what is inside them."""
    lines = (DATA / "kraken-async-rs/ws_v2_messages.ndjson").read_text().splitlines()
    lines += [json.dumps(json.loads((DATA / "torquey66/instrument_snapshot.json").read_text()))]
    readers = {
        "ohlc": stream.OHLC,
        "ticker": stream.TICKER,
        "trade": stream.TRADE,
        "executions": stream.EXECUTIONS,
        "balances": stream.BALANCES,
        "instrument": stream.INSTRUMENTS,
        "status": stream.STATUS,
    }
    seen: set[str] = set()
    for line in lines:
        frame = stream.FRAME.decode(line)
        reader: Any = readers.get(frame.channel)
        if reader is not None:
            reader.decode(frame.data)
            seen.add(frame.channel)

    assert strange.words() == frozenset()
    assert len(seen) >= 4
