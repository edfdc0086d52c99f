"""zoe's client beside ccxt and python-kraken-sdk as installed, in one run, turn by turn.

Books: frames a second of a real capture; order by order, of the paper exchange. Orders: from the
call to the venue's yes, at one paper exchange. Imports: whole processes. Prints tables and writes
`build/bench_client.json`. Run by `make bench`; `make bench-peers` installs the others.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from paper_load import Child, child

ARE_HERE = bool(importlib.util.find_spec("ccxt") and importlib.util.find_spec("kraken"))
pytestmark = pytest.mark.skipif(
    not ARE_HERE, reason="ccxt and python-kraken-sdk are not installed: `make bench-peers` does it"
)

if ARE_HERE:
    import client_books
    import client_level3
    from client_orders import Send, ways

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT.parent / "shared/data/crossbook/kraken_btcusd_sample.frames.tsv"
RESULTS = ROOT / "build" / "bench_client.json"
TURNS = 9
PASSES = 3
ORDER_TURNS, ORDERS_A_TURN = 100, 5
"""Short turns: what slows the machine for a moment slows every client."""
LEVEL3_FRAMES = 500
SPOILED = ('"qty":0.25761908', '"qty":0.25761909')

_IMPORTS = {
    "Python alone": "pass",
    "zoe": "import zoe_tools.kraken.spot, zoe_tools.kraken.stream",
    "ccxt": "import ccxt.async_support",
    "ccxt.pro": "import ccxt.pro",
    "python-kraken-sdk": "import kraken.spot",
}


def bench_the_book(tmp_path: Path) -> None:
    """150,000 checked frames a second; 5 times python-kraken-sdk, 3 times ccxt.pro unchecked."""
    if not CAPTURE.exists():
        pytest.skip("the real capture is not on this machine (../shared/data/crossbook)")
    lines = [line.split("\t", 1)[1] for line in CAPTURE.read_text().splitlines()]
    frames = [line for line in lines if '"channel":"book"' in line[:20]]
    with child(tmp_path / "paper.sqlite") as target:
        told = asyncio.run(_books(target, frames))
    _write("book", told)
    _print("book", "frames/s", told)

    zoe, sdk, ccxt = (told[name]["median"] for name in ("zoe", "python-kraken-sdk", "ccxt.pro"))
    assert told["zoe"]["mismatches"] == 0
    assert told["zoe"]["notices a wrong digit"]
    assert zoe >= 150_000
    assert zoe >= 5 * sdk
    assert zoe >= 3 * ccxt


async def _books(target: Child, frames: list[str]) -> dict[str, dict[str, Any]]:
    followers: dict[str, client_books.Follow] = {
        "zoe": client_books.by_zoe,
        "zoe, ten levels read": client_books.by_zoe_read,
        "python-kraken-sdk": client_books.by_sdk(f"http://127.0.0.1:{target.port}"),
        "ccxt.pro": client_books.by_ccxt,
    }
    spoiled = [frame.replace(*SPOILED, 1) for frame in frames]
    assert spoiled != frames
    rates: dict[str, list[float]] = {name: [] for name in followers}
    refused = dict.fromkeys(followers, 0)
    for turn in range(TURNS):
        for name in _turned(list(followers), turn):
            for _ in range(PASSES):
                followed = await followers[name](frames)
                rates[name].append(len(frames) / followed.took_s)
                refused[name] = max(refused[name], followed.refused)
    told = {name: _figures(rates[name]) for name in followers}
    for name, follow in followers.items():
        told[name]["mismatches"] = refused[name]
        told[name]["notices a wrong digit"] = (await follow(spoiled)).refused > 0
    told["ccxt.pro"]["mismatches"] = await client_books.mismatches_of_ccxt(frames)
    return told


def bench_the_book_order_by_order(tmp_path: Path) -> None:
    """How many frames of level3 a second, every one checked and told; nobody else has it."""
    with child(tmp_path / "paper.sqlite") as target:
        frames = asyncio.run(client_level3.frames_of(target, LEVEL3_FRAMES))
    rates: list[float] = []
    for _ in range(TURNS * PASSES):
        took_s, verified, told = asyncio.run(client_level3.followed(frames))
        assert verified == told == len(frames)
        rates.append(len(frames) / took_s)
    table = {"zoe, each book told": _figures(rates)}
    _write("level3", table)
    _print("level3", "frames/s", table)


def bench_an_order(tmp_path: Path) -> None:
    """WebSocket within a tenth of the fastest other client; REST within 1.2 ms of a bare socket."""
    with child(tmp_path / "paper.sqlite") as target:
        told = asyncio.run(_orders(target))
    _write("order", told)
    _print("order", "ms", told)

    median = {name: row["median"] for name, row in told.items()}
    clients = {name: value for name, value in median.items() if not name.startswith("bare")}
    others = {name: value for name, value in clients.items() if not name.startswith("zoe")}
    ours, fastest = median["zoe, WebSocket"], min(others, key=others.__getitem__)
    assert ours <= 1.1 * others[fastest], f"{ours:.3f} ms, and {fastest} {others[fastest]:.3f} ms"
    slower = {name: value for name, value in clients.items() if "REST" in name}
    assert ours < min(slower.values()), f"{ours:.3f} ms, and by REST {slower}"
    over = median["zoe, REST"] - median["bare socket, REST kept alive"]
    assert over <= 1.2, f"{over:.3f} ms more than a bare socket"


async def _orders(target: Child) -> dict[str, dict[str, Any]]:
    async with ways(target) as known:
        took: dict[str, list[float]] = {name: [] for name in known}
        for name in known:
            await _timed(known[name], 5)
        for turn in range(ORDER_TURNS):
            for name in _turned(list(known), turn):
                took[name] += await _timed(known[name], ORDERS_A_TURN)
    return {name: _figures(times) for name, times in took.items()}


async def _timed(send: Send, count: int) -> list[float]:
    """Milliseconds of each of so many orders, one after the other."""
    times: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        await send()
        times.append((time.perf_counter() - began) * 1_000)
    return times


def bench_the_import() -> None:
    """Quicker to load than either."""
    took: dict[str, list[float]] = {name: [] for name in _IMPORTS}
    for turn in range(TURNS + 1):
        for name in _turned(list(_IMPORTS), turn):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", _IMPORTS[name]], check=True, timeout=60)
            if turn:  # the first fills the disk's cache
                took[name].append((time.perf_counter() - began) * 1_000)
    told = {name: _figures(times) for name, times in took.items()}
    _write("import", told)
    _print("import", "ms", told)

    assert told["zoe"]["median"] < min(
        row["median"] for name, row in told.items() if name.startswith(("ccxt", "python-"))
    )


# --- telling -------------------------------------------------------------------------------------


def _turned(names: list[str], turn: int) -> list[str]:
    """The names, begun with another one each turn: nobody is always first."""
    at = turn % len(names)
    return names[at:] + names[:at]


def _figures(values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)
    at_p99 = min(len(ordered) - 1, int(0.99 * len(ordered)))
    return {
        "median": statistics.median(ordered),
        "p99": ordered[at_p99],
        "least": ordered[0],
        "most": ordered[-1],
        "measured": len(ordered),
    }


def _print(what: str, unit: str, told: dict[str, dict[str, Any]]) -> None:
    """A table, a client a line."""
    columns = list(next(iter(told.values())))
    lines = [f"{what} ({unit})".ljust(30) + "".join(each.rjust(24) for each in columns)]
    for name, row in told.items():
        cells = "".join(_cell(row[each]).rjust(24) for each in columns)
        lines.append(name.ljust(30) + cells)
    sys.stdout.write("\n" + "\n".join(lines) + "\n")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _write(what: str, told: dict[str, dict[str, Any]]) -> None:
    """Put one table into the JSON file; the others in it stay."""
    RESULTS.parent.mkdir(exist_ok=True)
    held = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    names = ("zoe-tools", "ccxt", "python-kraken-sdk")
    held["versions"] = {name: importlib.metadata.version(name) for name in names}
    held["python"] = sys.version.split()[0]
    held[what] = told
    RESULTS.write_text(json.dumps(held, indent=2) + "\n", "utf-8")
