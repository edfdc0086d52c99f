"""Recorded frames through the exchange and out of its socket again, checksum by checksum."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from paper_books import Levels
from paper_socket import Wire, settle
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.markets.file import open_market
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "crossbook"
Row = dict[str, Any]


def recorded(path: Path) -> list[Row]:
    """The book rows of a recording, numbers as text."""
    frames = [
        json.loads(line.split("\t")[1], parse_float=str) for line in path.read_text().splitlines()
    ]
    return [frame["data"][0] for frame in frames if frame.get("channel") == "book"]


def replayed(path: Path, depth: int) -> list[Row]:
    """The book rows that a subscriber of the replay receives."""
    source = open_market(path)
    symbols = [spec.symbol for spec in source.pairs]

    async def story() -> list[Row]:
        exchange = PaperExchange(
            source,
            VirtualClock(moment_of(source.starts_at)),
            options=ExchangeOptions(wait_for_subscriber=True),
        )
        running = asyncio.create_task(exchange.run())
        wire = Wire(exchange, is_private=False)
        await wire.ask("subscribe", channel="book", symbol=symbols, depth=depth)
        await exchange.finished.wait()
        await settle()
        frames = wire.frames()
        await wire.close()
        await running
        return [frame["data"][0] for frame in frames if frame.get("channel") == "book"]

    return run_virtual(story())


def _recording(path: Path, frames: int) -> None:
    """A made-up recording of depth 25 with true checksums, levels entering and falling out."""
    dice = random.Random(5)
    client = Levels(25)
    lines = ['1\t{"method":"subscribe","result":{"channel":"book","depth":25,"symbol":"BTC/USD"}}']
    for number in range(frames):
        row: Row = {"symbol": "BTC/USD", "bids": [], "asks": []}
        for name, sign in (("bids", -1), ("asks", 1)):
            for _ in range(25 if number == 0 else dice.randint(0, 2)):
                price = f"{70000 + sign * dice.randint(1, 400) / 10:.1f}"
                held = price in client.sides[name] and len(client.sides[name]) > 12
                quantity = "0.00000000" if held else f"{dice.randint(1, 10**9) / 10**8:.8f}"
                row[name].append({"price": price, "qty": quantity})
        row["checksum"] = client.apply(row)
        levels = {
            name: ",".join(f'{{"price":{one["price"]},"qty":{one["qty"]}}}' for one in row[name])
            for name in ("bids", "asks")
        }
        lines.append(
            f'{number + 2}000000\t{{"channel":"book","type":"'
            f'{"update" if number else "snapshot"}","data":[{{"symbol":"BTC/USD",'
            f'"bids":[{levels["bids"]}],"asks":[{levels["asks"]}],'
            f'"checksum":{row["checksum"]}}}]}}'
        )
    path.write_text("\n".join(lines))


@pytest.mark.parametrize("depth", [10, 25, 100])
def test_a_subscriber_of_any_depth_can_follow_by_its_own_means(depth: int, tmp_path: Path) -> None:
    """Apply, cut, sum: every checksum sent is the one that a client arrives at."""
    path = tmp_path / "made.frames.tsv"
    _recording(path, 400)
    client = Levels(depth)
    rows = replayed(path, depth)

    assert [client.apply(row) for row in rows] == [row["checksum"] for row in rows]
    assert len(rows) > 50


def test_a_made_up_recording_comes_out_with_its_own_checksums(tmp_path: Path) -> None:
    """At the recorded depth the checksums sent are those of the recording, in order."""
    path = tmp_path / "made.frames.tsv"
    _recording(path, 400)
    wanted = [row["checksum"] for row in recorded(path) if row["bids"] or row["asks"]]
    got = [row["checksum"] for row in replayed(path, 25)]

    assert _without_repeats(got) == _without_repeats(wanted)


def _without_repeats(checksums: list[int]) -> list[int]:
    """A frame about levels that fall out at once has nothing to tell, and the sum stays."""
    return [one for index, one in enumerate(checksums) if not index or checksums[index - 1] != one]


def test_the_real_recording_gives_all_2052_checksums() -> None:
    """One message for every recorded frame, each with the checksum that Kraken sent."""
    path = REAL / "kraken_btcusd_sample.frames.tsv"
    if not path.exists():
        pytest.skip("the recorded market data is not here")
    rows, client = replayed(path, 25), Levels(25)

    assert len(rows) == 2052
    assert [row["checksum"] for row in rows] == [row["checksum"] for row in recorded(path)]
    assert [client.apply(row) for row in rows] == [row["checksum"] for row in rows]
