"""Names that must not be mixed up."""

from __future__ import annotations

from typing import NewType

AccountId = NewType("AccountId", str)
"""`<venue>-<paper|live>-<key fingerprint>`: the owner of every row in the store."""
ClientOrderId = NewType("ClientOrderId", str)
"""Our own id for an order, a UUID derived from the intent; the venue calls it cl_ord_id."""
VenueOrderId = NewType("VenueOrderId", str)
"""The venue's id for an order, e.g. `OQCLML-BW3P3-BUCMWZ`."""
FillId = NewType("FillId", str)
"""The venue's id for one execution, e.g. `THVRQM-33VKH-UCI7BS`."""
LedgerId = NewType("LedgerId", str)
"""The venue's id for one ledger row, e.g. `L4UESK-KG3EQ-UFO4T5`."""
IntentId = NewType("IntentId", str)
"""One step of a plan in the journal."""
GroupId = NewType("GroupId", str)
"""One intent group: all orders that were sent for one decision."""
PositionId = NewType("PositionId", str)
"""One managed position in the registry."""
Symbol = NewType("Symbol", str)
"""The canonical name of an instrument: Kraken's WebSocket v2 spelling, `BTC/USD`."""
