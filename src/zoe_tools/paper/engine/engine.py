"""The matching engine: a command or a market event and the time in, a list of events out.

No clock and no dice: ids come from (seed, counter). A refused command raises `Refusal` and has
changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from zoe_tools.paper.engine import checks, funding, margin_checks
from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.drafts import amended, draft_of, edited, trail_of
from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.margin_turn import MarginTurn
from zoe_tools.paper.engine.matching import Turn
from zoe_tools.paper.engine.rate_counters import TIERS
from zoe_tools.paper.engine.valuation import withdrawable
from zoe_tools.paper.values.events import AmendEvent, EngineEvent, ModeEvent, SystemMode
from zoe_tools.paper.values.margin import MarginRules
from zoe_tools.paper.values.market import BookChange, BookSnapshot, MarketEvent, Print
from zoe_tools.paper.values.order import AmendOrder, EditOrder, OrderView, PlaceOrder
from zoe_tools.paper.values.refusal import Refusal

T = TypeVar("T")
_BATCH_LEAST, _BATCH_MOST = 2, 15


class Engine:
    """Steps a floor. `protection_pct`: how far from the best price a market order may go."""

    def __init__(
        self,
        floor: Floor,
        *,
        protection_pct: Decimal | None = Decimal(10),
        holds_before_trigger: bool = True,
        max_open_orders: int = 225,
        has_tiers: bool = False,
        margin: MarginRules | None = None,
    ) -> None:
        self.floor = floor
        self._protection_pct = protection_pct
        self._holds_before_trigger = holds_before_trigger
        self._max_open_orders = max_open_orders
        self._has_tiers = has_tiers
        floor.margin = margin or MarginRules()

    def _turn(self, now: int) -> MarginTurn:
        self.floor.now = now = max(self.floor.now, now)
        return MarginTurn(
            self.floor,
            now,
            protection_pct=self._protection_pct,
            holds_before_trigger=self._holds_before_trigger,
        )

    # the market
    def market(self, event: MarketEvent) -> list[EngineEvent]:
        """Something happened at the source; never earlier than the floor already is."""
        turn = self._turn(event.at)
        book = self.floor.book(event.symbol)
        turn.touch(book)
        match event:
            case Print():
                turn.hear_print(book, event)
            case BookChange():
                book.change("buy", event.bids)
                book.change("sell", event.asks)
            case BookSnapshot():
                book.replace(event.bids, event.asks)
        self.floor.market_events += 1
        is_snapshot = isinstance(event, BookSnapshot)
        return turn.finish(snapshot_of=event.symbol if is_snapshot else None)

    # accounts
    def create_account(
        self, name: str, balances: Mapping[str, Decimal], now: int, *, has_margin: bool = False
    ) -> tuple[str, list[EngineEvent]]:
        """Open an account; its starting balances are deposits in its ledger."""
        for asset, amount in balances.items():
            self._check_deposit(asset, amount)
        account_id = f"A{self.floor.mint.count('account'):05d}"
        self.floor.open_account(account_id, name)
        turn = self._turn(now)
        if has_margin:
            turn.allow_margin(self.floor.account(account_id), has_margin=True)
        for asset, amount in balances.items():
            funding.deposit(turn, self.floor.account(account_id), asset, amount)
        return account_id, turn.finish()

    def deposit(self, account_id: str, asset: str, amount: Decimal, now: int) -> list[EngineEvent]:
        """Money from outside; negative takes it out again.

        Raises:
            Refusal: `EQuery:Unknown asset`, `EFunding:Invalid amount`.
        """
        self._check_deposit(asset, amount)
        account = self.floor.account(account_id)
        if amount < 0 and withdrawable(self.floor, account, asset) + amount < 0:
            raise Refusal("EFunding:Insufficient funds")
        turn = self._turn(now)
        if amount < 0:
            funding.withdraw(turn, account, asset, -amount)
        else:
            funding.deposit(turn, account, asset, amount)
        return turn.finish()

    def step(self, work: Callable[[MarginTurn], T], now: int) -> tuple[T, list[EngineEvent]]:
        """A step of its own for work that was checked before."""
        turn = self._turn(now)
        result = work(turn)
        return result, turn.finish()

    def _check_deposit(self, asset: str, amount: Decimal) -> None:
        if asset not in self.floor.assets:
            raise Refusal("EQuery:Unknown asset")
        if not amount.is_finite() or abs(amount) > checks.LARGEST:
            raise Refusal("EFunding:Invalid amount")

    # orders
    def place(
        self, account_id: str, request: PlaceOrder, now: int
    ) -> tuple[OrderView, list[EngineEvent]]:
        """Take an order in and let it work.

        Returns the order after the step; with `is_validate` a draft without id and no events.
        """
        now = max(now, self.floor.now)
        draft = self._checked(account_id, request, now)
        account = self.floor.account(account_id)
        self._check_engine(account, draft)
        if request.is_validate:
            return draft, []
        turn = self._turn(now)
        order = turn.open_order(draft)
        if order.status == "open":
            turn.work(order)
        events = turn.finish()
        return self._latest(account, order.order_id), events

    def _checked(self, account_id: str, request: PlaceOrder, now: int) -> OrderView:
        """The order asked for, if it is valid; the engine's own reasons come after."""
        book = self.floor.book(request.symbol)
        account = self.floor.account(account_id)
        checks.check_mode(self.floor.mode, request)
        checks.check_deadline(request.deadline, now)
        spec, closes = book.spec, False
        if request.leverage is not None or request.is_reduce_only or _settles(request):
            request = margin_checks.admitted(request, account, spec)
            closes = margin_checks.is_closing(request, account)
        checks.check_shape(request, margin_checks.unbounded(spec) if closes else spec, now)
        checks.check_client_id(account, request)
        draft = draft_of(request, account, book, now)
        # a price that was given as a number has been checked with the order's shape
        if not isinstance(request.limit_price, Decimal):
            checks.check_price(draft.limit_price, spec)
        if not isinstance(request.trigger_price, Decimal):
            checks.check_price(draft.trigger_price, spec)
        if draft.quote_quantity is None and not closes:
            checks.check_cost(draft, draft.quantity, book)
        return draft

    def _check_engine(self, account: Account, draft: OrderView) -> None:
        """Post-only, funds and the count of open orders."""
        book = self.floor.book(draft.symbol)
        if draft.is_post_only and draft.starts_at is None:
            checks.check_post_only(draft, draft.limit_price, book)
        self._check_funds(account, draft)
        if draft.order_id == "":
            self._check_count(account, draft.symbol)

    def _check_funds(self, account: Account, order: OrderView) -> None:
        """The account can pay for it, or carry it."""
        book = self.floor.book(order.symbol)
        if order.leverage is None:
            checks.check_funds(account, order, book, has_hold=self._holds_before_trigger)
            if account.account_id in self.floor.exposed:
                margin_checks.check_spot(self.floor, account, order, book)
        else:
            margin_checks.check_collateral(self.floor, account, order, book)

    def place_batch(
        self, account_id: str, requests: Sequence[PlaceOrder], now: int
    ) -> tuple[list[OrderView | Refusal], list[EngineEvent]]:
        """All valid or none placed; then each by itself, in order (section 13.5).

        Raises:
            Refusal: not 2 to 15 orders of one pair, or one that is invalid.
        """
        now = max(now, self.floor.now)
        sizes = range(_BATCH_LEAST, _BATCH_MOST + 1)
        if len(requests) not in sizes or len({one.symbol for one in requests}) > 1:
            raise Refusal("EGeneral:Invalid arguments:orders")
        names = [one.cl_ord_id for one in requests if one.cl_ord_id is not None]
        if len(set(names)) < len(names):
            raise Refusal("EGeneral:Invalid arguments:cl_ord_id")
        for one in requests:
            self._check_member(account_id, one, now)
        answers: list[OrderView | Refusal] = []
        events: list[EngineEvent] = []
        for one in requests:
            try:
                order, said = self.place(account_id, one, now)
            except Refusal as refusal:
                answers.append(refusal)
                continue
            answers.append(order)
            events += said
        return answers, events

    def _check_member(self, account_id: str, request: PlaceOrder, now: int) -> None:
        """A member of a batch is valid; what it is to reduce may be opened by the one before."""
        try:
            self._checked(account_id, request, now)
        except Refusal as refusal:
            if refusal.error not in margin_checks.OF_POSITIONS:
                raise

    def edit(
        self, account_id: str, request: EditOrder, now: int
    ) -> tuple[OrderView, OrderView, list[EngineEvent]]:
        """Cancel and place anew, or refuse and leave the old order alone (section 8.5)."""
        now = max(now, self.floor.now)
        account = self.floor.account(account_id)
        old = checks.editable(account, request)
        draft = self._checked(account_id, edited(old, request), now)
        self._check_engine(account, replace(draft, order_id=old.order_id))
        if request.is_validate:
            return old, draft, []
        turn = self._turn(now)
        ended = turn.end(old, "canceled", "User requested")
        order = turn.open_order(replace(draft, parent_id=old.order_id))
        if order.status == "open":
            turn.work(order)
        events = turn.finish()
        return ended, self._latest(account, order.order_id), events

    def _check_count(self, account: Account, symbol: str) -> None:
        most = self._max_open_orders
        if self._has_tiers and account.tier is not None:
            most = TIERS[account.tier].open_orders
        if account.working(symbol) >= most:
            raise Refusal("EOrder:Orders limit exceeded")

    @staticmethod
    def _latest(account: Account, order_id: str) -> OrderView:
        order = account.open.get(order_id)
        return account.closed[order_id] if order is None else order

    def amend(
        self, account_id: str, request: AmendOrder, now: int
    ) -> tuple[str, OrderView, list[EngineEvent]]:
        """Change an open order in place: same id, same fills (section 8.4)."""
        now = max(now, self.floor.now)
        checks.check_mode(self.floor.mode, None)
        checks.check_deadline(request.deadline, now)
        account = self.floor.account(account_id)
        order = account.find_open(order_id=request.order_id, cl_ord_id=request.cl_ord_id)
        if order is None:
            raise Refusal("EOrder:Unknown order")
        book = self.floor.book(order.symbol)
        checks.check_amendment(request, order, book.spec)
        after = amended(order, request, book)
        if after == replace(order, is_amended=True):
            raise Refusal("EOrder:No amendable parameters specified")
        checks.check_price(after.limit_price, book.spec)
        checks.check_price(after.trigger_price, book.spec)
        is_repriced = after.limit_price != order.limit_price
        loses_place = is_repriced or after.quantity > order.quantity
        checks.check_cost(after, after.quantity, book)
        if is_repriced and (order.is_post_only or request.is_post_only):
            checks.check_post_only(order, after.limit_price, book)
        self._check_funds(account, after)
        turn = self._turn(now)
        after = replace(after, amended_at=turn.now)
        amend_id = self.floor.mint.amend()
        turn.events += self._trail(account, amend_id, order, after, turn.now)
        turn.change(after, loses_place=loses_place)
        events = turn.finish()
        return amend_id, self._latest(account, order.order_id), events

    def _trail(
        self, account: Account, amend_id: str, before: OrderView, after: OrderView, now: int
    ) -> list[AmendEvent]:
        """One more row of the order's trail; the first amendment writes the original too."""
        rows = [trail_of(after, amend_id, now)]
        if not before.is_amended:
            original = self.floor.mint.amend()
            rows.insert(0, trail_of(before, original, before.opened_at, is_original=True))
        account.amends.setdefault(after.order_id, []).extend(rows)
        return [AmendEvent(at=now, account_id=account.account_id, amend=row) for row in rows]

    def cancel(
        self, account_id: str, order_ids: Sequence[str], now: int, reason: str = "User requested"
    ) -> tuple[tuple[OrderView, ...], list[EngineEvent]]:
        """Cancel those of these orders that are open; returns them as they ended."""
        checks.check_cancel_mode(self.floor.mode)
        account = self.floor.account(account_id)
        turn = self._turn(now)
        ended = [
            turn.end(account.open[order_id], "canceled", reason)
            for order_id in dict.fromkeys(order_ids)
            if order_id in account.open
        ]
        return tuple(ended), turn.finish()

    def expire(self, now: int) -> list[EngineEvent]:
        """End what is past its expiry, start what waited for its time, take up planned modes."""
        due = self.floor.take_expired(now)
        modes = self.floor.take_modes(now)
        if not due and not modes:
            return []
        turn = self._turn(now)
        for mode in modes:
            self.floor.mode = mode
            turn.events.append(ModeEvent(at=turn.now, mode=mode))
        for account_id, order_id in due:
            if not order_id:
                self._wake_dead_man(turn, account_id, now)
                continue
            account = self.floor.account(account_id)
            if order_id in account.movements:
                funding.advance(turn, account, order_id)
                continue
            turn.roll_over(account, order_id)
            order = account.open.get(order_id)
            if order is None:
                continue
            if order.expire_at is not None and order.expire_at <= now:
                turn.end(order, "expired", None)
            elif order.status == "pending":
                turn.start(order)
        return turn.finish()

    def _wake_dead_man(self, turn: Turn, account_id: str, now: int) -> None:
        """Cancel everything, unless the countdown was set anew meanwhile."""
        if self.floor.dead_men.get(account_id, now + 1) > now:
            return
        self.floor.arm_dead_man(account_id, None)
        for order in list(self.floor.account(account_id).open.values()):
            turn.end(order, "canceled", "Dead man's switch")

    def set_mode(self, mode: SystemMode, now: int) -> list[EngineEvent]:
        """Change what the whole exchange accepts."""
        turn = self._turn(now)
        self.floor.mode = mode
        turn.events.append(ModeEvent(at=turn.now, mode=mode))
        return turn.finish()


def _settles(request: PlaceOrder) -> bool:
    return request.order_type == "settle-position"
