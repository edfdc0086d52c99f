"""What is not known for sure of Kraken, as switches; a file of them is JSON with these names.

Defaults are what the newest sources say. Values only.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from zoe_tools.paper.values.margin import MarginRules
from zoe_tools.paper.values.refusal import Refusal


class Quirks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where sources contradict each other or are silent (kraken-spot sections 8, 10, 11 and 16).

    `unknown_order`: how a cancel of what is not open is refused. `closes_with_client_id`: an order
    with a client id may have a conditional close. `sells_pay_in_base`: so a sell's fee is taken if
    it does not say. `socket_takes_fok`: FOK is known over the socket too. `trigger_report` is the
    exec_type that says that a trigger has fired, `rate_count_field` the name under which reports
    tell the engine's counter. `reports_first`: executions tell of an order before its request is
    answered; Kraken leaves it open. `status_every_s`: the status is told again so often, unasked.
    `counts_bad_nonces`: a call that is refused for its nonce counts. `refuses_cancels`: a single
    cancel is refused above the engine's limit, as an order is; a batch never is.
    `lockout_failures` calls with a bad key, signature or nonce within `lockout_s` lock out for as
    long; null: never. `public_calls_per_s`: so many calls a second of each public endpoint an
    address may make, of `Trades`, `OHLC` and `Depth` for each pair; null: as many as it likes.
    `margin`: what borrowed money costs, and when it is called back.
    """

    unknown_order: Literal["EOrder:Invalid order", "EOrder:Unknown order"] = "EOrder:Invalid order"
    closes_with_client_id: bool = False
    sells_pay_in_base: bool = False
    socket_takes_fok: bool = True
    trigger_report: Literal["status", "new"] = "status"
    rate_count_field: str = "ratecount"
    reports_first: bool = False
    status_every_s: float | None = None
    counts_bad_nonces: bool = True
    refuses_cancels: bool = False
    lockout_failures: int | None = 20
    lockout_s: int = 900
    public_calls_per_s: int | None = None
    margin: MarginRules = MarginRules()


def quirks_in(content: bytes) -> Quirks:
    """The switches of a file; what is not named is as usual.

    Raises:
        Refusal: `EGeneral:Invalid arguments:<what is wrong>`.
    """
    try:
        quirks = msgspec.json.decode(content, type=Quirks)
    except msgspec.MsgspecError as error:
        raise Refusal(f"EGeneral:Invalid arguments:{error}") from error
    if quirks.status_every_s is not None and quirks.status_every_s <= 0:
        raise Refusal("EGeneral:Invalid arguments:status_every_s must be more than 0")
    if quirks.margin.fault is not None:
        raise Refusal(f"EGeneral:Invalid arguments:margin: {quirks.margin.fault}")
    for name in ("lockout_failures", "lockout_s", "public_calls_per_s"):
        number = getattr(quirks, name)
        if number is not None and number < 1:
            raise Refusal(f"EGeneral:Invalid arguments:{name} must be at least 1")
    return quirks
