"""What each kind of ledger row means for the books: one table for every type the venue books.

For every type of kraken-spot section 7.4. A type or subtype that the table does not know is kept:
its role is UNKNOWN, and its money is posted against `unclassified` until somebody says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.wallet import FUTURES


class Role(StrEnum):
    """What a row does to what is owned."""

    ACQUISITION = "acquisition"
    """Received for something else: a bought lot."""
    DISPOSAL = "disposal"
    """Given for something else: lots are realised."""
    DEPOSIT = "deposit"
    """Came from outside: a lot whose cost nobody has said yet."""
    WITHDRAWAL = "withdrawal"
    """Left for outside: lots move, and nothing is realised."""
    MOVE = "move"
    """From one wallet of the account to another: lots stay what they are."""
    INCOME = "income"
    """Earned: a lot at its worth of that moment."""
    PROFIT = "profit"
    """What a position on margin made or lost."""
    FEE = "fee"
    """Nothing but its fee."""
    ADJUSTMENT = "adjustment"
    """The venue corrected itself."""
    UNKNOWN = "unknown"
    """A type that nobody knows yet."""
    NOTHING = "nothing"
    """It moved no money."""


class Book(StrEnum):
    """The accounts of the journal besides the wallets, which are called `wallet:<name>`."""

    HOLD = "hold"
    EXTERNAL = "external"
    FEES = "fees"
    CONVERSION = "conversion"
    TRANSIT = "transit"
    REALISED_PNL = "realised_pnl"
    REWARDS = "rewards"
    ROUNDING = "rounding"
    ADJUSTMENT = "adjustment"
    UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A ledger row, understood.

    `amount` is signed as the row's, before its fee; `fee` is in `fee_asset`. `counter` is the
    journal's account on the other side of `amount`.
    """

    role: Role
    asset: str
    wallet: str
    amount: Decimal
    fee: Decimal
    fee_asset: str
    counter: str


_Known = tuple[str, Role, Role]
"""The other side; the role of money that comes, and of money that goes."""

_EXCHANGE: _Known = (Book.CONVERSION, Role.ACQUISITION, Role.DISPOSAL)
_OUTSIDE: _Known = (Book.EXTERNAL, Role.DEPOSIT, Role.WITHDRAWAL)
_TRANSIT: _Known = (Book.TRANSIT, Role.MOVE, Role.MOVE)
_FUTURES_ACCOUNT = f"wallet:{FUTURES}"
_FUTURES: _Known = (_FUTURES_ACCOUNT, Role.MOVE, Role.MOVE)
_EARNED: _Known = (Book.REWARDS, Role.INCOME, Role.INCOME)
_MARGIN: _Known = (Book.REALISED_PNL, Role.PROFIT, Role.PROFIT)
_CHARGE: _Known = (Book.FEES, Role.FEE, Role.FEE)
_HELD: _Known = (Book.HOLD, Role.MOVE, Role.MOVE)
_CORRECTED: _Known = (Book.ADJUSTMENT, Role.ADJUSTMENT, Role.ADJUSTMENT)
_UNKNOWN: _Known = (Book.UNCLASSIFIED, Role.UNKNOWN, Role.UNKNOWN)

BY_TYPE: Mapping[str, _Known] = {
    "trade": _EXCHANGE,
    "blocktrade": _EXCHANGE,
    "spend": _EXCHANGE,
    "receive": _EXCHANGE,
    "conversion": _EXCHANGE,
    "collateralconversion": _EXCHANGE,
    "marginconversion": _EXCHANGE,
    "settled": _EXCHANGE,
    "sale": _EXCHANGE,
    "nfttrade": _EXCHANGE,
    "deposit": _OUTSIDE,
    "withdrawal": _OUTSIDE,
    "credit": _OUTSIDE,
    "custodytransfer": _OUTSIDE,
    "transfer": _OUTSIDE,
    "margin": _MARGIN,
    "rollover": _CHARGE,
    "nftcreatorfee": _CHARGE,
    "staking": _EARNED,
    "reward": _EARNED,
    "dividend": _EARNED,
    "nftrebate": _EARNED,
    "adjustment": _CORRECTED,
    "reserve": _HELD,
}
"""Types whose subtypes change nothing. A `transfer` without one is what came from outside (an
airdrop, another account of the owner's). `none` and `earn` are nothing without their subtype."""

BY_SUBTYPE: Mapping[tuple[str, str], _Known] = {
    ("transfer", "spottofutures"): _FUTURES,
    ("transfer", "spotfromfutures"): _FUTURES,
    ("transfer", "spottostaking"): _TRANSIT,
    ("transfer", "stakingfromspot"): _TRANSIT,
    ("transfer", "stakingtospot"): _TRANSIT,
    ("transfer", "spotfromstaking"): _TRANSIT,
    ("earn", "reward"): _EARNED,
    ("earn", "bonus"): _EARNED,
    ("earn", "allocation"): _TRANSIT,
    ("earn", "autoallocation"): _TRANSIT,
    ("earn", "deallocation"): _TRANSIT,
    ("earn", "autodeallocation"): _TRANSIT,
    ("earn", "migration"): _TRANSIT,
}
"""What is told by type and subtype together; looked up first."""

_OWN_SUBTYPES = frozenset({"transfer", "earn"})
"""Types whose every subtype has to be known: one that is not says something new."""


def movement_of(entry: LedgerEntry) -> Movement:
    """What a row means; total: what is unknown has the role UNKNOWN."""
    counter, comes, goes = known_of(entry.kind, entry.subtype)
    role = comes if entry.amount > ZERO else goes
    if not entry.amount:
        role = Role.FEE if entry.fee else Role.NOTHING
        counter = Book.FEES if counter == Book.UNCLASSIFIED else counter
    return Movement(
        role=role,
        asset=entry.asset,
        wallet=entry.wallet,
        amount=entry.amount,
        fee=entry.fee,
        fee_asset=entry.fee_asset or entry.asset,
        counter=counter,
    )


def is_flow(movement: Movement) -> bool:
    """Whether it moves money into or out of what zoe counts as the account.

    The futures wallet is the owner's too, but its money is in no balance that is looked at.
    """
    is_outside = movement.role in {Role.DEPOSIT, Role.WITHDRAWAL}
    crosses = movement.counter == _FUTURES_ACCOUNT and movement.wallet != FUTURES
    return is_outside or (crosses and bool(movement.amount))


def known_of(kind: str, subtype: str) -> _Known:
    """The table's line for a type and subtype, as the venue spells them."""
    found = BY_SUBTYPE.get((kind, subtype))
    if found is not None:
        return found
    if subtype and kind in _OWN_SUBTYPES:
        return _UNKNOWN
    return BY_TYPE.get(kind, _UNKNOWN)


def is_known(kind: str, subtype: str) -> bool:
    """Whether the books know what such a row means."""
    return known_of(kind, subtype) is not _UNKNOWN or kind == "none"
