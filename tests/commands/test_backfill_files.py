"""`zoe backfill --import` and `--export` over books in memory, and by the command line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from bulk_tables import BEGIN
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk, command_io
from published import offences
from zoe_tools.commands.backfill_files import _export, _import
from zoe_tools.domain.candle import Span, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.errors import ConfigError, MarketDataError, UnknownInstrument

BTC = Symbol("BTC/USD")
TRADES = tuple(f"{BEGIN + 45 * n},{42_000 + n},0.5" for n in range(40))
CANDLES = tuple(f"{BEGIN + 3_600 * n},10,12,9,11,3.5,4" for n in (0, 1, 4))


def table(tmp_path: Path, *rows: str, name: str = "BTCUSD.csv") -> Path:
    """A table of these rows."""
    path = tmp_path / name
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


async def brought_in(
    desk: Desk, file: Path, *names: str, execute: bool = False, as_json: bool = False
) -> tuple[int, str]:
    """The import's exit code, and all it printed."""
    context, invocation, out = command_io(desk, "backfill", json=as_json)
    code = await _import(context, invocation, file, names, execute=execute)
    return code, out.getvalue()


def test_a_dry_run_tells_what_is_in_it_and_what_would_be_new(tmp_path: Path) -> None:
    """Rows, span, volume and candles of each length; exit 3, and the line that carries it out."""
    path = table(tmp_path, *TRADES)

    async def story(desk: Desk) -> None:
        code, text = await brought_in(desk, path)
        assert code == 3
        for said in (
            "40 trades of BTC/USD",
            "2024-01-01 00:00:00 to 2024-01-01 00:29:15 UTC",
            "volume 20, all of it",
            "1m 30 30 0 0 0 0",
            "15m 2 2 0 0 0 0",
            "DRY RUN: nothing was written.",
            f"zoe backfill --import {path} --execute",
        ):
            assert said in " ".join(text.split())
        assert await desk.read(lambda books: books.candles(BTC, Timeframe.M1)) == ()

    at_the_desk(tmp_path, story)


def test_what_is_imported_is_told_and_a_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    """Rows read and candles written."""
    path = table(tmp_path, *TRADES)

    async def story(desk: Desk) -> None:
        code, text = await brought_in(desk, path, execute=True)
        assert code == 0
        assert "Read: 40 rows. Written: 41 candles." in text
        stored = await desk.read(lambda books: books.candles(BTC, Timeframe.M1))
        assert len(stored) == 30
        code, text = await brought_in(desk, path, execute=True)
        assert (code, "Written: 0 candles." in text) == (0, True)
        code, text = await brought_in(desk, path)
        assert (code, "Nothing to do" in text) == (0, True)

    at_the_desk(tmp_path, story)


def test_a_zip_tells_what_is_left_out_and_what_is_missing_in_it(tmp_path: Path) -> None:
    """Pairs that nobody knows; hours in which nothing traded; one pair alone if it is named."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ETHUSD_60.csv", "\n".join(CANDLES))
        archive.writestr("BTCUSD.csv", "\n".join(TRADES))
        for name in ("A", "B", "C", "D"):
            archive.writestr(f"{name}{name}USD.csv", "1,1,1")

    async def story(desk: Desk) -> None:
        code, text = await brought_in(desk, path, "ETHUSD")
        assert code == 3
        words = " ".join(text.split())
        assert "1h 3 3 0 0 0 2" in words
        assert "BBUSD.csv, CCUSD.csv and 1 more" in words
        assert "--symbols ETH/USD --execute" in words
        assert "BTC/USD" not in words
        with pytest.raises(UnknownInstrument):
            await brought_in(desk, path, "NOPE/USD")

    at_the_desk(tmp_path, story)


def test_differences_are_told_with_what_stays(tmp_path: Path) -> None:
    """A table of candles against candles that trades made: exit 3, also where it is executed."""
    trades = table(tmp_path, *(f"{BEGIN + 30 * n},100,1" for n in range(6)))
    minutes = (f"{BEGIN},100,100,100,100,2.5,2", f"{BEGIN + 60},100,100,100,100,2,2")
    other = table(tmp_path, *minutes, name="BTCUSD_1.csv")

    async def story(desk: Desk) -> None:
        await brought_in(desk, trades, execute=True)
        code, text = await brought_in(desk, other, execute=True)
        words = " ".join(text.split())
        assert code == 3
        assert (
            "1m of 2024-01-01 00:00: volume 2, vwap 100 stays, and not volume 2.5, vwap none"
            in words
        )
        assert "1 candle differs from one that tells more, which stays." in words

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("execute", [True, False])
def test_json_is_as_published(tmp_path: Path, *, execute: bool) -> None:
    """One object; decimals and times as text."""
    path = table(tmp_path, *TRADES)

    async def story(desk: Desk) -> None:
        code, text = await brought_in(desk, path, execute=execute, as_json=True)
        envelope = json.loads(text)
        assert offences(envelope) == []
        assert envelope["exit_code"] == code
        result = envelope["result"]
        assert (result["rows_read"], result["rows_written"]) == (40, 41 if execute else 0)
        assert result["tables"][0]["series"][0]["written"]["new"] == 30

    at_the_desk(tmp_path, story)


def test_stored_candles_go_into_a_file(tmp_path: Path) -> None:
    """Told with rows and span, as JSON too; without any there is no file."""
    path, target = table(tmp_path, *TRADES), tmp_path / "out.csv"
    ever = Span(0, 1 << 33)

    async def story(desk: Desk) -> None:
        await brought_in(desk, path, execute=True)
        for as_json in (False, True):
            context, invocation, out = command_io(desk, "backfill", json=as_json)
            code = await _export(
                context, invocation, target, "BTCUSD", Timeframe.M5, ever, force=as_json
            )
            assert code == 0
            if as_json:
                assert offences(json.loads(out.getvalue())) == []
            else:
                assert "6 of BTC/USD 5m" in out.getvalue()
        assert len(target.read_text().splitlines()) == 7
        context, invocation, out = command_io(desk, "backfill")
        empty = tmp_path / "none.csv"
        await _export(context, invocation, empty, "ETHUSD", Timeframe.M5, ever, force=False)
        assert ("no file" in out.getvalue(), empty.exists()) == (True, False)

    at_the_desk(tmp_path, story)


def test_a_broken_file_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    """With file and line."""
    path = table(tmp_path, *TRADES, "much")

    async def story(desk: Desk) -> None:
        with pytest.raises(MarketDataError, match=r"BTCUSD\.csv, line 41"):
            await brought_in(desk, path, execute=True)
        assert await desk.read(lambda books: books.candles(BTC, Timeframe.M1)) == ()

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--import a.csv --export b.csv", "two errands"),
        ("--import a.csv --tf 1m", "--tf says nothing to --import"),
        ("--import a.csv --from 30d", "--from says nothing to --import"),
        ("--import a.csv --out plan.json", "--out says nothing to --import"),
        ("--import nowhere.csv", "there is no such file"),
        ("--import a.csv --symbols ,", "--symbols names no instrument"),
        ("--symbol= --tf 1h", "--symbol names no instrument"),
        ("--export b.csv --execute", "--execute says nothing to --export"),
        ("--export b.csv", "takes one --symbol and one --tf"),
        ("--export b.csv --symbol BTC/USD --tf 1m,5m", "takes one --symbol and one --tf"),
    ],
)
def test_options_that_a_file_does_not_heed_are_refused(
    tmp_path: Path, line: str, words: str
) -> None:
    """Exit 2, and nothing else is looked at."""
    ran = zoe(f"backfill {line}", LIVE_KEYS, home=migrated(tmp_path))

    assert ran.code == ConfigError.exit_code == 2
    assert words in " ".join(ran.err.split())
