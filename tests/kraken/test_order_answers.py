"""What is made of answers to batches, edits and the dead man's switch, whichever wire gave them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from builders import make_request
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderName
from zoe_tools.errors import OutcomeUnknown, VenueError, VenueRejected
from zoe_tools.kraken.order_answers import (
    EditedOrder,
    NewOrder,
    check_edit_unmade,
    checked_of,
    edited_of,
    is_gone,
    members_of,
    trigger_time_of,
)
from zoe_tools.kraken.wire_orders import BATCH, EDITED, BatchRow, PlacedBatch

ORDERS: tuple[NewOrder, ...] = ((ClientOrderId("ours"), make_request()), (None, make_request()))
OLD, NEW = VenueOrderId("OLD"), VenueOrderId("NEW")


def rows_in(payload: Any) -> list[BatchRow]:
    """The rows of a batch's answer."""
    found = BATCH.decode(msgspec.json.encode(payload))
    return found.orders if isinstance(found, PlacedBatch) else found


@pytest.mark.parametrize(
    "payload",
    [
        [{"order_id": "O1", "cl_ord_id": "ours"}, {"order_id": "O2", "order_userref": 7}],
        {"orders": [{"txid": "O1", "descr": {"order": "buy"}}, {"txid": "O2"}]},
    ],
)
def test_the_ids_of_a_batch_are_read_in_either_spelling(payload: Any) -> None:
    """A list as documented, or in an object as others have seen it."""
    members = members_of(ORDERS, rows_in(payload))

    assert [(each.client_order_id, each.venue_order_id, each.error) for each in members] == [
        ("ours", "O1", None),
        (None, "O2", None),
    ]


@pytest.mark.parametrize(
    ("rows", "errors"),
    [
        ([{"txid": "O1"}, {"error": "EOrder:Insufficient funds"}], [None, VenueRejected]),
        ([{"txid": "O1"}, {"error": "EOrder:Never seen"}], [None, OutcomeUnknown]),
        ([{"txid": "O1"}, {"error": "EService:Busy"}], [None, OutcomeUnknown]),
        ([{"txid": "O1"}, {}], [None, OutcomeUnknown]),
        ([{"txid": ""}, {"order_id": ""}], [OutcomeUnknown, OutcomeUnknown]),
        ([{"txid": "O1", "error": "EOrder:Insufficient funds"}, {"txid": "O2"}], [None, None]),
    ],
)
def test_a_member_without_an_id_and_a_listed_no_may_exist(
    rows: list[dict[str, str]], errors: list[type[VenueError] | None]
) -> None:
    """An id is a yes, whatever else is said."""
    members = members_of(ORDERS, rows_in(rows))

    assert [type(each.error) if each.error else None for each in members] == errors


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"txid": "O1"}],
        [{"txid": "O1"}, {"txid": "O2"}, {"txid": "O3"}],
        [{"txid": "O1"}, {"txid": "O1"}],
        [{"order_id": "O1", "cl_ord_id": "theirs"}, {"order_id": "O2"}],
        [{"order_id": "O1"}, {"order_id": "O2", "cl_ord_id": "ours"}],
    ],
)
def test_rows_that_are_not_those_of_the_batch_leave_all_of_it_unknown(rows: Any) -> None:
    """Fewer, more, one twice, or another's: no id of them may be taken for ours."""
    with pytest.raises(OutcomeUnknown):
        members_of(ORDERS, rows_in(rows))


def test_a_check_names_no_order() -> None:
    """Sound ones have no error; an id means that something was placed after all."""
    sound, poor = checked_of(ORDERS, rows_in([{}, {"error": "EOrder:Insufficient funds"}]))

    assert (sound.venue_order_id, sound.error, poor.venue_order_id) == (None, None, None)
    assert isinstance(poor.error, VenueRejected)
    with pytest.raises(OutcomeUnknown, match="named the id O2"):
        checked_of(ORDERS, rows_in([{}, {"txid": "O2"}]))
    with pytest.raises(OutcomeUnknown, match="1 of the 2"):
        checked_of(ORDERS, rows_in([{}]))


EDITS: list[tuple[dict[str, Any], EditedOrder | type[VenueError]]] = [
    (
        {"status": "ok", "txid": "NEW", "originaltxid": "OLD", "orders_cancelled": 1},
        EditedOrder(venue_order_id=NEW, original_order_id=OLD),
    ),
    (
        {"order_id": "NEW", "original_order_id": "OLD"},
        EditedOrder(venue_order_id=NEW, original_order_id=OLD),
    ),
    ({"txid": "NEW"}, EditedOrder(venue_order_id=NEW, original_order_id=OLD)),
    ({}, OutcomeUnknown),
    ({"txid": "NEW", "originaltxid": "ANOTHER"}, OutcomeUnknown),
    ({"originaltxid": "OLD", "orders_cancelled": 1}, OutcomeUnknown),
    ({"error_message": "EOrder:Insufficient funds", "orders_cancelled": 0}, VenueRejected),
    ({"error_message": "EOrder:Insufficient funds", "orders_cancelled": 1}, OutcomeUnknown),
    ({"error_message": "EOrder:Insufficient funds"}, OutcomeUnknown),
    ({"error_message": "EService:Busy", "orders_cancelled": 0}, OutcomeUnknown),
]


@pytest.mark.parametrize(("payload", "expected"), EDITS)
def test_an_edit_is_made_where_it_names_a_new_order_for_the_old_one(
    payload: dict[str, Any], expected: EditedOrder | type[VenueError]
) -> None:
    """A no counts only where the venue says that it cancelled nothing."""
    row = EDITED.decode(msgspec.json.encode(payload))
    if isinstance(expected, EditedOrder):
        assert edited_of(row, OLD) == expected
    else:
        with pytest.raises(expected):
            edited_of(row, OLD)


def test_an_edit_that_was_only_checked_names_no_order() -> None:
    """A no is a no; a new id means that it was made after all."""
    check_edit_unmade(EDITED.decode('{"order_id": "", "original_order_id": "OLD"}'))
    with pytest.raises(VenueRejected):
        check_edit_unmade(EDITED.decode('{"error_message": "EOrder:Insufficient funds"}'))
    with pytest.raises(OutcomeUnknown, match="named the id NEW"):
        check_edit_unmade(EDITED.decode('{"txid": "NEW"}'))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("EOrder:Unknown order", True),
        ("EOrder: Invalid order", True),
        ("EOrder:Unknown position", False),
        ("EService:Busy", False),
    ],
)
def test_two_refusals_say_that_an_order_is_not_open_any_more(code: str, *, expected: bool) -> None:
    """As of 2026, and as before."""
    assert is_gone(code) is expected


def test_a_switch_whose_time_cannot_be_read_is_unknown() -> None:
    """It may be set."""
    assert trigger_time_of("0") is None
    with pytest.raises(OutcomeUnknown, match="no time"):
        trigger_time_of("soon")


@pytest.mark.parametrize("names", [{}, {"venue_order_id": OLD, "userref": 7}])
def test_a_name_is_one_name(names: dict[str, Any]) -> None:
    """Neither none nor two; zero is a reference like any other."""
    with pytest.raises(ValueError, match="not one name"):
        OrderName(**names)
    assert OrderName(userref=0).text == "0"
