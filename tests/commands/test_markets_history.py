"""`zoe markets history`: what it draws, and what it says where there is nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from builders import BTC, NOON, d, make_candle
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.markets_history import MOST_TOLD, _history
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.errors import ConfigError
from zoe_tools.render.printer import Printer

CANDLES = tuple(
    make_candle(
        opened_at=NOON - timedelta(hours=back),
        close=d("102.5") if back % 2 else d("99.5"),
        volume=d(str(back)),
    )
    for back in range(200, 0, -1)
    if back != 7
)


async def keep(desk: Desk, candles: tuple[Candle, ...] = CANDLES) -> None:
    """Put them into the store."""
    await desk.read(lambda tx: tx.write_candles(candles, "test"))


async def shown(
    desk: Desk,
    name: str = "BTC/USD",
    *,
    width: int = 80,
    color: bool = False,
    json: bool = False,
    since: str = "",
    until: str = "",
) -> str:
    """What the command prints, and that it is content."""
    context, _, _ = command_io(desk, "markets history")
    out = StringIO()
    printer = Printer(
        out=out, err=out, command="markets history", width=width, color=color, json=json
    )
    code = await _history(context, printer, name, Timeframe.H1, since=since, until=until)
    assert code == 0
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_newest_candles_that_fit_are_drawn(tmp_path: Path, width: int) -> None:
    """Within the width, without colour, with the missing one told."""

    async def story(desk: Desk) -> None:
        await keep(desk)
        text = await shown(desk, width=width)

        assert "BTC/USD 1h" in text
        assert f"{width - 15} candles, 1 not there" in text
        assert max(map(len, text.splitlines())) <= width
        assert "\x1b" not in text
        assert "2026-01-05 12:00 UTC" in text
        assert "a column is" not in text

    at_the_desk(tmp_path, story)


def test_more_candles_than_columns_share_them(tmp_path: Path) -> None:
    """All of them, the first to the last."""

    async def story(desk: Desk) -> None:
        await keep(desk)
        text = await shown(desk, "btc-usd", since="30d")

        assert "199 candles, 1 not there" in text
        assert "a column is 4 candles" in text
        assert "open 100, high 103, low 99" in text

    at_the_desk(tmp_path, story)


def test_colour_is_colour_and_nothing_else(tmp_path: Path) -> None:
    """The same signs, painted."""

    async def story(desk: Desk) -> None:
        await keep(desk)
        plain, painted = await shown(desk), await shown(desk, color=True)

        assert "\x1b[31m" in painted
        assert "\x1b[32m" in painted
        for code in ("0", "1", "2", "31", "32", "1;32"):
            painted = painted.replace(f"\x1b[{code}m", "")
        assert painted == plain

    at_the_desk(tmp_path, story)


def test_without_candles_it_says_how_to_get_them(tmp_path: Path) -> None:
    """Of an instrument that is not followed, and of a time before the first."""

    async def story(desk: Desk) -> None:
        text = await shown(desk)
        assert "The store has no 1h candles of BTC/USD there." in text
        assert "zoe backfill --symbols BTC/USD --tf 1h --execute" in text

        await keep(desk)
        assert "has no 1h candles" in await shown(desk, until="2025-12-01")
        answer = json.loads(await shown(desk, until="2025-12-01", json=True))
        assert answer["result"] == {"history": None, "candles": []}

    at_the_desk(tmp_path, story)


def test_json_holds_the_candles(tmp_path: Path) -> None:
    """Those of the stretch, exact."""

    async def story(desk: Desk) -> None:
        await keep(desk)
        answer = json.loads(await shown(desk, since="5h", json=True))["result"]

        assert [each["volume"] for each in answer["candles"]] == ["5", "4", "3", "2", "1"]
        assert answer["history"]["candles"] == 5
        assert answer["history"]["symbol"] == BTC

    at_the_desk(tmp_path, story)


def test_bad_words_are_refused(tmp_path: Path) -> None:
    """With a hint, and exit 2."""

    async def story(desk: Desk) -> None:
        with pytest.raises(ConfigError):
            await shown(desk, "XBTUSD")
        with pytest.raises(ConfigError, match="not before"):
            await shown(desk, since="1h", until="2h")
        last = make_candle(opened_at=NOON - timedelta(hours=MOST_TOLD + 2))
        await keep(desk, (*CANDLES, last))
        with pytest.raises(ConfigError, match="more than 10,000"):
            await shown(desk, since="1000d", json=True)

    at_the_desk(tmp_path, story)
