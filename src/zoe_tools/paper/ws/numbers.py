"""Numbers and frames as the v2 socket prints them: fixed-point JSON numbers, zeros kept.

Data alone goes in, text comes out; nothing here knows a subscription.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from zoe_tools.paper.values.rounding import fixed

_encoder = msgspec.json.Encoder()


def number(value: Decimal, decimals: int) -> msgspec.Raw:
    """A JSON number with exactly so many decimals, ready to stand inside a frame."""
    return msgspec.Raw(fixed(value, decimals).encode())


def encode(frame: Mapping[str, Any]) -> str:
    """A frame as text; keys keep their order."""
    return _encoder.encode(frame).decode()


def data_frame(
    channel: str, kind: str, data: Sequence[Mapping[str, Any]], sequence: int | None = None
) -> str:
    """`{"channel","type","data"[,"sequence"]}`; the private channels number their frames."""
    frame: dict[str, Any] = {"channel": channel, "type": kind, "data": data}
    if sequence is not None:
        frame["sequence"] = sequence
    return encode(frame)


def number_or_none(value: object) -> Decimal | None:
    """The decimal of a decoded JSON number; None for everything that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)


def checksum_text(number_text: str) -> str:
    """What a printed number adds to the book's checksum: no dot, no leading zeros (10.6)."""
    return number_text.replace(".", "", 1).lstrip("0")
