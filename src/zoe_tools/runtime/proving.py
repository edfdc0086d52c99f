"""The proof that an account may be traded, asked beside the loop that trades it already.

It reads the venue's whole history: on a long one that takes minutes, by the venue's counter of
calls, and then seconds of arithmetic. So it goes as a command beside the loop does, in a thread of
its own: its calls come after all of the loop's, it reads the store over a connection that writes
nothing, and holds up neither turns nor journal. What it has read it keeps: a second look, or the
next proof, asks for what came since.
"""

from __future__ import annotations

from dataclasses import replace

from zoe_tools.config import Settings
from zoe_tools.errors import StoreUnavailable
from zoe_tools.kraken.pages import KeptHistories
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.ports import Urgency
from zoe_tools.runtime.aside import aside
from zoe_tools.runtime.context import Context, open_context
from zoe_tools.runtime.readiness import reasons_against_entries
from zoe_tools.runtime.writer_thread import ReaderThread
from zoe_tools.store.store import Store

_READS_ONLY = StoreUnavailable("The proof that the account is ready writes nothing.")


class Proof:
    """One run's; `ask` is a `Readiness`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: KeptHistories = {}

    async def ask(self) -> tuple[str, ...]:
        """Why new risk would be wrong now, a sentence each; empty when the account is ready.

        Raises:
            StoreError: the books cannot be read.
        """
        reasons = await aside(self._looked, name="zoe-proof")
        if not reasons:
            self._kept = {}  # nobody asks again
        return reasons

    async def _looked(self) -> tuple[str, ...]:
        opened = open_context(self._settings, needs_store=False, urgency=Urgency.COMMAND)
        async with opened as context:
            reader = ReaderThread(
                Store.open(
                    self._settings.database_url,
                    context.account,
                    clock_now=context.clock.now(),
                    read_only=True,
                ),
                _READS_ONLY,
            )
            try:
                return await reasons_against_entries(self._as_read(context, reader))
            finally:
                await reader.close()

    def _as_read(self, context: Context, reader: ReaderThread) -> Context:
        if context.wires is None:
            raise RuntimeError("the context was opened without a venue")
        venue = KrakenSpot(
            context.wires.rest, context.clock, time=context.venue.time, kept=self._kept
        )
        return replace(context, opened_venue=venue, opened_store=reader)
