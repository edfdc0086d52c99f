"""Who among the connections hears what: one listener at the exchange, however many there are.

Public events go to the market desk, an account's to the feeds of that account, the exchange's mode
to every connection. It prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.events import (
    BookEvent,
    EngineEvent,
    LedgerEvent,
    ModeEvent,
    OrderEvent,
    PrintEvent,
)

AccountEvent = OrderEvent | LedgerEvent
Prints = tuple[PrintEvent, ...]
"""The trades of one pair in one step."""
MarketEar = Callable[[BookEvent | Prints], None]
AccountEar = Callable[[AccountEvent], None]
ModeEar = Callable[[ModeEvent], None]


class Hub:
    """The ears of all connections of one exchange."""

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        self._markets: dict[MarketEar, None] = {}
        self._modes: dict[ModeEar, None] = {}
        self._accounts: dict[str, dict[AccountEar, None]] = {}
        self._stop: Callable[[], None] | None = None

    def hear_markets(self, ear: MarketEar) -> None:
        """Books and prints."""
        self._markets[ear] = None
        self._listen()

    def hear_modes(self, ear: ModeEar) -> None:
        """The exchange's mode."""
        self._modes[ear] = None
        self._listen()

    def hear_account(self, account_id: str, ear: AccountEar) -> None:
        """Orders and ledger of one account."""
        self._accounts.setdefault(account_id, {})[ear] = None
        self._listen()

    def forget_markets(self, ear: MarketEar) -> None:
        """This ear hears no more of markets."""
        self._markets.pop(ear, None)
        self._rest()

    def forget_modes(self, ear: ModeEar) -> None:
        """This ear hears no more of modes."""
        self._modes.pop(ear, None)
        self._rest()

    def forget_account(self, account_id: str, ear: AccountEar) -> None:
        """This ear hears no more of the account."""
        ears = self._accounts.get(account_id, {})
        ears.pop(ear, None)
        if not ears:
            self._accounts.pop(account_id, None)
        self._rest()

    def _rest(self) -> None:
        if not self._markets and not self._modes and not self._accounts and self._stop is not None:
            self._stop()
            self._stop = None

    def _listen(self) -> None:
        if self._stop is None:
            self._stop = self._exchange.add_step_listener(self._hear)

    def _hear(self, events: Sequence[EngineEvent]) -> None:
        told: set[str] = set()
        for event in events:
            if isinstance(event, BookEvent):
                self._tell_markets(event)
            elif isinstance(event, PrintEvent):
                if event.symbol not in told:
                    told.add(event.symbol)
                    self._tell_markets(_prints_of(event.symbol, events))
            elif isinstance(event, (OrderEvent, LedgerEvent)):
                for account_ear in tuple(self._accounts.get(event.account_id, ())):
                    account_ear(event)
            elif isinstance(event, ModeEvent):
                for mode_ear in tuple(self._modes):
                    mode_ear(event)

    def _tell_markets(self, told: BookEvent | Prints) -> None:
        for ear in tuple(self._markets):
            ear(told)


def _prints_of(symbol: str, events: Sequence[EngineEvent]) -> Prints:
    return tuple(
        event for event in events if isinstance(event, PrintEvent) and event.symbol == symbol
    )


def hub_of(exchange: PaperExchange) -> Hub:
    """The one hub of an exchange."""
    return exchange.companion(Hub)
