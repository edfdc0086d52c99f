"""Damaged frames of every channel: whatever arrives, only errors that drop one wire come of it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from feed_rig import START

from builders import BTC, make_instrument
from zoe_tools.domain.stream import StreamEvent
from zoe_tools.errors import VenueError
from zoe_tools.kraken.level3_channel import Level3Channel
from zoe_tools.kraken.private_channels import PrivateChannels
from zoe_tools.kraken.public_channels import PublicChannels
from zoe_tools.kraken.stream import FeedSubscriptions
from zoe_tools.kraken.wire_stream import FRAME, Frame
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

AT = '"timestamp":"2026-01-05T12:12:21.004500Z"'
ORDER = f'"order_id":"OAAAAA-BBBBB-CCCCC8","limit_price":70000.6,"order_qty":0.30289736,{AT}'
FRAMES = (
    '{"channel":"status","type":"update","data":[{"system":"online","connection_id":138347743802}]}',
    (
        '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":70000.0,"bid_qty":1.2,'
        f'"ask":70000.1,"ask_qty":0.45,"last":70000.1,{AT}}}]}}'
    ),
    (
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":70000.1,'
        f'"qty":0.0015,"ord_type":"market","trade_id":71044953,{AT}}}]}}'
    ),
    (
        '{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":69999.9,'
        f'"qty":0.5}}],"asks":[{{"price":70000.1,"qty":0.5}}],"checksum":2114181697,{AT}}}]}}'
    ),
    (
        '{"channel":"level3","type":"snapshot","data":[{"checksum":2841398499,"symbol":"BTC/USD",'
        f'"bids":[],"asks":[{{"event":"delete",{ORDER}}},{{"event":"add",{ORDER}}}],{AT}}}]}}'
    ),
    (
        '{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD","open":70000.0,"high":70010.1,'
        '"low":69990.0,"close":70005.5,"trades":12,"volume":3.09276807,"vwap":70001.2,'
        '"interval_begin":"2026-01-05T16:25:00.000000000Z","interval":5}]}'
    ),
    (
        '{"channel":"instrument","type":"update","data":{"assets":[],"pairs":[{"symbol":"BTC/USD",'
        '"status":"online","qty_increment":1e-08}]}}'
    ),
    (
        '{"channel":"executions","type":"update","data":[{"order_id":"OAAAAA-BBBBB-CCCCC8",'
        '"exec_id":"TAAAAA-BBBBB-CCCCC9","exec_type":"trade","symbol":"BTC/USD","side":"sell",'
        '"last_qty":0.0012,"last_price":66000.0,"liquidity_ind":"t","cost":79.2,"order_status":"filled",'
        f'"order_type":"limit","fees":[{{"asset":"USD","qty":0.3168}}],{AT}}}],"sequence":1}}'
    ),
    (
        '{"channel":"balances","type":"update","data":[{"ledger_id":"L5KS77-LQRMP-SMMNAA",'
        f'"ref_id":"TGBB7L","type":"trade","asset":"USD","amount":350.0005,"fee":1.4,"balance":80944.1,{AT}'
        '}],"sequence":1}'
    ),
)
SPOILERS = (
    "null",
    "[]",
    "{}",
    '""',
    "-1",
    "1e400",
    "NaN",
    '"NaN"',
    "true",
    "0",
    "1e-400",
    '"\\ud800"',
)
LEFT = (VenueError, msgspec.MsgspecError, ArithmeticError)
"""What a connection turns into the loss of one wire."""


def damaged(text: str, draw: random.Random) -> str:
    """One to three changes: a value replaced, a piece cut, a character changed, a time moved."""
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(text))
        match draw.randrange(4):
            case 0:
                parts = text.split(":")
                place = draw.randrange(1, len(parts)) if len(parts) > 1 else 0
                tail = parts[place].find(",")
                parts[place] = draw.choice(SPOILERS) + (parts[place][tail:] if tail > 0 else "")
                text = ":".join(parts)
            case 1:
                text = text[:at] + text[at + draw.randint(1, 12) :] or "{"
            case 2:
                text = (
                    text[:at]
                    + chr(draw.choice([34, 44, 45, 48, 57, 0x7F, 0x2028]))
                    + text[at + 1 :]
                )
            case _:
                text = text.replace("2026-", draw.choice(["0001-", "9999-", "2026-13"]))
    return text


async def swallow(_: StreamEvent) -> None:
    """Nobody listens."""


def handlers() -> list[tuple[Callable[[Frame], Awaitable[None]], Callable[[], None]]]:
    """Every kind of channel, and how it starts over."""
    clock = VirtualClock(START)
    instruments = {BTC: make_instrument()}
    public = PublicChannels(instruments, depth=10, patience_s=10.0, clock=clock, emit=swallow)
    private = PrivateChannels(clock=clock, emit=swallow)
    level3 = Level3Channel(instruments, depth=10, patience_s=10.0, clock=clock, emit=swallow)
    return [(each.on_frame, each.reset) for each in (public, private, level3)]


def test_damaged_frames_cost_a_wire_at_most() -> None:
    """A hundred thousand of them; what is no frame is passed over before it gets here."""

    async def story() -> int:
        draw, decoded = random.Random(11), 0
        channels = handlers()
        for _ in range(100_000):
            text = damaged(draw.choice(FRAMES), draw)
            try:
                frame = FRAME.decode(text.encode(errors="surrogatepass"))
            except msgspec.MsgspecError:
                continue
            decoded += 1
            for on_frame, reset in channels:
                try:
                    await on_frame(frame)
                except LEFT:
                    reset()
        return decoded

    assert run_virtual(story()) > 30_000


@pytest.mark.parametrize(("depth", "level3_depth"), [(20, None), (10, 25), (0, None)])
def test_a_depth_that_is_not_served_is_refused_before_a_byte_leaves(
    depth: int, level3_depth: int | None
) -> None:
    """10, 25, 100, 500, 1000 levels; 10, 100, 1000 order by order."""
    with pytest.raises(ValueError, match="is served"):
        FeedSubscriptions(symbols=(BTC,), book_depth=depth, level3_depth=level3_depth)
