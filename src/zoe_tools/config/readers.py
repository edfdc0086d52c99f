"""How the text of a setting is read: text in, value out, ValueError with the reason."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import urlsplit

from zoe_tools.domain.money import HUNDRED, ZERO, decimal_of

_LARGEST = Decimal(10) ** 12
_HOUR_S = 3600
_MOST_PAIRS = 1000
_SHORTEST_COUNTDOWN_S = 15
_NEAREST_DEADLINE_S, _LATEST_DEADLINE_S = Decimal("0.7"), 5
_SOONEST_S, _LATEST_S = 5, 600
_LONGEST_H = 24 * 365
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def as_is(told: str) -> str:
    """As it is."""
    return told


def amount(text: str) -> Decimal:
    """An amount of zero or more."""
    value = decimal_of(text)
    if abs(value) > _LARGEST:
        raise ValueError(f"{text!r} is beyond all reason")
    if value < ZERO:
        raise ValueError(f"{text!r} is negative")
    return value


def bound(text: str) -> Decimal:
    """An amount above zero, which what is at rest does not reach."""
    value = amount(text)
    if value == ZERO:
        raise ValueError(f"{text!r} is reached at rest; to switch a limit off, set it out of reach")
    return value


def percent_above_zero(text: str) -> Decimal:
    """A percentage above 0 and below 100."""
    value = amount(text)
    if value == ZERO or value >= HUNDRED:
        raise ValueError(f"{text!r} is not a percentage between 0 and 100")
    return value


def percent(text: str) -> Decimal:
    """A percentage from 0 to 100."""
    value = amount(text)
    if value > HUNDRED:
        raise ValueError(f"{text!r} is more than 100 percent")
    return value


def share_of_hundred(text: str) -> Decimal:
    """A percentage from 0 to below 100."""
    value = percent(text)
    if value == HUNDRED:
        raise ValueError(f"{text!r} percent below the market is nowhere")
    return value


def share(text: str) -> Decimal:
    """A fraction from 0 to 1."""
    value = amount(text)
    if value > 1:
        raise ValueError(f"{text!r} is more than all of it; 0.15 is 15 percent")
    return value


def hours(text: str) -> float:
    """Hours up to a year, and not none."""
    value = hours_or_none(text)
    if value == 0:
        raise ValueError("0 hours is no time at all")
    return value


def hours_or_none(text: str) -> float:
    """Hours up to a year."""
    value = amount(text)
    if value > _LONGEST_H:
        raise ValueError(f"{text!r} is more than a year")
    return float(value)


def pause(text: str) -> float:
    """Seconds from 5 to an hour."""
    return _seconds_up_to(_HOUR_S, text)


def count(text: str) -> int:
    """A whole number."""
    value = amount(text)
    if value != value.to_integral_value():
        raise ValueError(f"{text!r} is not a whole number")
    return int(value)


def pairs(text: str) -> int:
    """How many pairs one wire may follow: 1 to 1000."""
    return _whole_between(1, _MOST_PAIRS, text)


def milliseconds(text: str) -> int:
    """Whole milliseconds from a tenth of a second to an hour."""
    return _whole_between(100, _HOUR_S * 1000, text)


def minutes(text: str) -> int:
    """Whole minutes up to a day, one at least."""
    return _whole_between(1, 1440, text)


def asset(text: str) -> str:
    """The name of one asset or currency."""
    if not text.replace(".", "").isalnum():
        raise ValueError(f"{text!r} is no name of a currency")
    return text.upper()


def seconds_above_zero(text: str) -> float:
    """Seconds, and not none."""
    value = amount(text)
    if value == ZERO:
        raise ValueError("0 s is no time at all")
    return float(value)


def stop_deadline(text: str) -> float:
    """Seconds from 0.7 up to 5: the venue's socket takes no deadline within half a second."""
    value = amount(text)
    if not _NEAREST_DEADLINE_S <= value <= _LATEST_DEADLINE_S:
        raise ValueError(f"{text!r} is not from 0.7 to 5 seconds")
    return float(value)


def window(text: str) -> float:
    """Seconds up to an hour; 0 is none."""
    value = amount(text)
    if value > _HOUR_S:
        raise ValueError(f"{text!r} is more than an hour, which is as far back as anybody looks")
    return float(value)


def countdown(text: str) -> int:
    """Whole seconds from 15 up to an hour; 0 is none."""
    value = count(text)
    if value and not _SHORTEST_COUNTDOWN_S <= value <= _HOUR_S:
        raise ValueError(f"{text!r} is not 0, and not from 15 to 3600 seconds")
    return value


def quantities(text: str) -> tuple[tuple[str, Decimal], ...]:
    """`BTC-USD=0.5,ETH-USD=10`."""
    found: dict[str, Decimal] = {}
    for each in text.split(","):
        name, separator, number = each.strip().partition("=")
        if not name or not separator:
            raise ValueError(f"{each.strip()!r} is not of the form BTC-USD=0.5")
        found[name.strip().upper()] = amount(number.strip())
    return tuple(found.items())


def ladder(text: str) -> tuple[tuple[Decimal, Decimal], ...]:
    """`50@3,50@6`: half at three percent, half at six."""
    rungs: list[tuple[Decimal, Decimal]] = []
    for each in text.split(","):
        share, separator, profit = each.strip().partition("@")
        if not separator:
            raise ValueError(f"{each.strip()!r} is not of the form 50@3")
        rungs.append((amount(share.strip()), amount(profit.strip())))
    profits = [profit for _, profit in rungs]
    if sum(share for share, _ in rungs) != HUNDRED or min(share for share, _ in rungs) == ZERO:
        raise ValueError(f"the shares of {text!r} are not 100 percent together, each above 0")
    if profits != sorted(profits) or profits[0] == ZERO:
        raise ValueError(f"the profits of {text!r} do not rise from above 0")
    return tuple(rungs)


def lag(text: str) -> float:
    """Seconds, one at least."""
    value = amount(text)
    if value < 1:
        raise ValueError("what was not seen within a second may still come")
    return float(value)


def interval(text: str) -> float:
    """Seconds between two looks."""
    return _seconds_up_to(_LATEST_S, text)


def runs(text: str) -> int:
    """How often, once at least."""
    value = count(text)
    if value < 1:
        raise ValueError("an alarm cannot end before it was looked again")
    return value


def flag(text: str) -> bool:
    """True or false, in the usual words."""
    word = text.lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of these words."""

    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text.lower()

    return read


def exchange(text: str) -> str:
    """The venue's name."""
    if text.lower() == "robinhood":
        raise ValueError("robinhood is not built yet; kraken is")
    return one_of("kraken")(text)


def symbols(text: str) -> tuple[str, ...]:
    """Symbols, separated by commas."""
    names = tuple(dict.fromkeys(each.strip().upper() for each in text.split(",") if each.strip()))
    if not names:
        raise ValueError(f"{text!r} names no symbol")
    return names


def url_of(secure: str, open_scheme: str) -> Callable[[str], str]:
    """A reader of addresses; without TLS of this machine alone."""

    def read(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in {secure, open_scheme} or not parts.hostname:
            raise ValueError(f"{text!r} is not a {secure}:// address")
        if parts.scheme == open_scheme and parts.hostname not in _LOOPBACK:
            raise ValueError(f"{text!r} would send keys in the clear; use {secure}://")
        return text.rstrip("/")

    return read


def command(text: str) -> tuple[str, ...]:
    """A command and its words; its path is whole, because cron's PATH is another one."""
    words = tuple(shlex.split(text))
    if not words or not words[0].startswith("/"):
        raise ValueError(f"{text!r} does not begin with the whole path of a program")
    return words


def database_url(text: str) -> str:
    """An address of SQLite or PostgreSQL."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {
        "sqlite",
        "sqlite+pysqlite",
        "postgres",
        "postgresql",
        "postgresql+psycopg",
    }:
        raise ValueError("it is neither a sqlite:/// nor a postgresql:// address")
    return text if scheme.startswith("sqlite") else f"postgresql+psycopg://{rest}"


def _whole_between(least: int, most: int, text: str) -> int:
    value = count(text)
    if not least <= value <= most:
        raise ValueError(f"{text!r} is not between {least} and {most}")
    return value


def _seconds_up_to(most: int, text: str) -> float:
    value = amount(text)
    if not _SOONEST_S <= value <= most:
        raise ValueError(f"{text!r} is not between {_SOONEST_S} and {most} seconds")
    return float(value)
