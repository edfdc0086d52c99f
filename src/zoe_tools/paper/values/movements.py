"""Money on its way into an account or out of it. Values only; amounts at the asset's decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

MovementKind = Literal["deposit", "withdrawal"]
MovementStatus = Literal["Initial", "Pending", "Settled", "Success", "Failure"]
Stages = tuple[tuple[int, MovementStatus], ...]
"""(time in ns, the status from then on), in order."""


class Movement(Struct, frozen=True, kw_only=True, gc=False):
    """A deposit or a withdrawal at one moment (section 6, Funding).

    `amount` is what is sent: of a deposit `amount` less `fee` is credited, of a withdrawal both
    are taken. `due` are the stages to come; none once it has ended. `info` is the address.
    """

    ref_id: str
    account_id: str
    kind: MovementKind
    asset: str
    method: str
    amount: Decimal
    fee: Decimal
    at: int
    status: MovementStatus
    due: Stages = ()
    network: str | None = None
    tx_id: str = ""
    info: str = ""
    key: str = ""
    status_prop: str | None = None
