"""Which of an account's channels one connection hears: requests judged, acks, the feed behind them.

Source: kraken-spot sections 10.4, 11.1 and 11.2.
"""

from __future__ import annotations

from collections.abc import Callable

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.tokens import TokenHolds
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.values.views import Principal
from zoe_tools.paper.ws.answers import Answers, Request
from zoe_tools.paper.ws.fields import flag, token_of
from zoe_tools.paper.ws.private import ExecutionOptions, Later, PrivateFeed

ACCOUNT_CHANNELS = ("executions", "balances")
_READ_ORDERS = ("query-open-trades", "query-closed-trades")
_WARNINGS = [
    "cancel_reason is deprecated, use reason",
    "stop_price is deprecated, use triggers.price",
    "trigger is deprecated use triggers.reference",
    "triggered_price is deprecated use triggers.last_price",
]


class AccountChannels:
    """Executions and balances of the one account that this connection is for."""

    def __init__(
        self,
        exchange: PaperExchange,
        push: Callable[[str], None],
        answers: Answers,
        holds: TokenHolds,
        later: Later,
    ) -> None:
        self._exchange = exchange
        self._push = push
        self._later = later
        self._answers = answers
        self._holds = holds
        self._channels: set[str] = set()
        self._feed: PrivateFeed | None = None

    @property
    def is_empty(self) -> bool:
        """Whether neither is subscribed."""
        return not self._channels

    def close(self) -> None:
        """Hear nothing more."""
        self._channels.clear()
        if self._feed is not None:
            self._feed.close()

    def subscribe(self, request: Request, channel: str) -> None:
        """Answer a subscribe.

        Raises:
            Refusal: no good token, a missing permission, an odd option, or a second time.
        """
        params = request.params
        principal = self._exchange.account_by_token(token_of(params))
        principal.require(*(_READ_ORDERS if channel == "executions" else ("query-funds",)))
        if params.get("users") not in (None, "all"):
            raise invalid("users")
        is_all_users = params.get("users") == "all"
        flag(params, "rebased", default=True)
        if channel in self._channels:
            raise Refusal("Already subscribed")
        feed = self._feed_of(principal)
        if channel == "executions":
            self._subscribe_executions(request, feed, may_look_back=not is_all_users)
        else:
            has_snapshot = flag(params, "snapshot", default=True) and not is_all_users
            self._answers.answer(request, {"channel": channel, "snapshot": has_snapshot})
            feed.open_balances(has_snapshot=has_snapshot)
        if is_all_users:
            feed.tell_users(channel)
        self._channels.add(channel)
        self._holds.hold(channel, token_of(params))

    def _subscribe_executions(
        self, request: Request, feed: PrivateFeed, *, may_look_back: bool
    ) -> None:
        """Who hears all users gets no snapshot; `snapshot` and `snapshot_trades` are old names."""
        params = request.params
        orders = flag(params, "snap_orders", default=flag(params, "snapshot", default=True))
        trades = flag(params, "snap_trades", default=flag(params, "snapshot_trades", default=False))
        options = ExecutionOptions(
            snap_orders=orders and may_look_back,
            snap_trades=trades and may_look_back,
            order_status=flag(params, "order_status", default=True),
            ratecounter=flag(params, "ratecounter", default=False),
        )
        result = {
            "channel": "executions",
            "maxratecount": feed.most_rate_count,
            "snap_orders": options.snap_orders,
            "snap_trades": options.snap_trades,
            "warnings": _WARNINGS,
        }
        self._answers.answer(request, result)
        feed.open_executions(options)

    def unsubscribe(self, request: Request, channel: str) -> None:
        """Answer an unsubscribe.

        Raises:
            Refusal: no good token, or nothing to end.
        """
        self._exchange.account_by_token(token_of(request.params))
        if channel not in self._channels or self._feed is None:
            raise Refusal("Subscription not found")
        self._channels.discard(channel)
        self._holds.release(channel)
        self._feed.close_channel(channel)
        self._answers.answer(request, {"channel": channel})

    def _feed_of(self, principal: Principal) -> PrivateFeed:
        if self._feed is None:
            self._feed = PrivateFeed(self._exchange, principal.account_id, self._push, self._later)
        if self._feed.account_id != principal.account_id:
            raise Refusal("ESession:Invalid session")
        return self._feed
