"""Writes a tightened limit into the store: audited there, heeded by loop and commands at once."""

from __future__ import annotations

from zoe_tools.errors import ConsentMissing
from zoe_tools.gate.consent import CONSENT_LINE
from zoe_tools.gate.journal import Author
from zoe_tools.ports import Clock
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.settings import limit_key


async def set_limit(
    name: str,
    text: str,
    *,
    makes_room: bool,
    author: Author,
    store: StoreRunner,
    clock: Clock,
    live_consent: bool,
) -> None:
    """Keep the text as the account's own limit; empty takes it back.

    To tighten asks nobody. To take a live account's tightening back, `makes_room`, needs consent.

    Raises:
        ConsentMissing: it would make room on a live account, and nobody has consented.
        StoreError: nothing was written.
    """
    account = author.account
    if makes_room and account.mode == "live" and not live_consent:
        raise ConsentMissing(
            f"{account.title}: this would allow new risk on the live account that the store"
            " forbids now, and nobody has consented.",
            hint=f"If you mean it: {CONSENT_LINE}",
        )
    key, now = limit_key(account.account_id, name), clock.now()
    who = {"operator": author.operator, "host": author.host}
    await store.run(lambda transaction: transaction.set_config(key, text, now, **who))
