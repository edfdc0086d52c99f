"""What commands that list things have in common: `--since`, `--symbol`, and how they are read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import typer

from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.money import short
from zoe_tools.domain.snapshot import Missing, Reading
from zoe_tools.errors import ConfigError

SinceOption = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Nothing older: 30m, 12h, 7d, or a date such as 2026-01-31 or 2026-01-31T08:00.",
        show_default=False,
    ),
]
SymbolOption = Annotated[
    str,
    typer.Option(
        "--symbol", metavar="NAME", help="Of one instrument: BTC-USD.", show_default=False
    ),
]

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def since_of(text: str, now: datetime, *, option: str = "--since") -> datetime | None:
    """The moment that is meant, in UTC; None when nothing was said. `option` is named in errors.

    Raises:
        ConfigError: it is neither a span nor a date, or it lies ahead.
    """
    if not text:
        return None
    span = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text.strip())
    if span is not None:
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{option} {text}: this is no such time.",
            hint="30m, 12h, 7d, 2026-01-31 or 2026-01-31T08:00 (UTC).",
        ) from error
    if moment > now:
        raise ConfigError(f"{option} {text}: this lies ahead.")
    return moment


def symbol_of(text: str, catalogue: Reading[InstrumentCatalogue] | Missing) -> Symbol | None:
    """The instrument that is meant; None when none was named.

    Where the venue's list is missing only BTC-USD and BTC/USD are understood: another spelling
    would name nothing, and nothing would be found.

    Raises:
        ConfigError: the venue knows no such instrument, or it cannot be asked what is meant.
    """
    if not text:
        return None
    if isinstance(catalogue, Missing):
        base, sign, quote = text.upper().replace("-", "/").partition("/")
        if not (base and sign and quote):
            raise ConfigError(
                f"Without the venue nobody can say which instrument {text} is.",
                hint="Write it as BTC-USD or BTC/USD.",
            )
        return Symbol(f"{base}/{quote}")
    found = catalogue.value.find(text)
    if found is None:
        raise ConfigError(
            f"The venue knows no instrument {text}.", hint="Write it as BTC-USD or BTC/USD."
        )
    return found.symbol


def number(value: Decimal | None) -> str:
    """A quantity or price without needless zeros; a dash where there is none."""
    return "-" if value is None else short(value)


def timeframe_in(name: str) -> Timeframe:
    """The length of candles that `--tf` names.

    Raises:
        ConfigError: there is no such length.
    """
    try:
        return Timeframe(name)
    except ValueError as error:
        names = ", ".join(each.value for each in Timeframe)
        raise ConfigError(f"--tf {name}: no such timeframe.", hint=f"One of {names}.") from error
