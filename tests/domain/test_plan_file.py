"""Plans as files: the same value back or a sentence; a schema that says the same as the reader."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

import schema_files
from builders import make_candle, make_catalogue, make_order, place, plan_with, snapshot_with
from typed_values import any_of
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.plan import Plan, Step, WriteCandles, canonical_json
from zoe_tools.domain.plan_file import MAX_BYTES, plan_file_schema, plan_in, plan_text
from zoe_tools.domain.snapshot_hash import sealed, snapshot_hash
from zoe_tools.errors import ConfigError, PlanRefused, ZoeError

PUBLISHED = jsonschema.Draft202012Validator(
    json.loads((schema_files.FOLDER / "plan.json").read_text("utf-8"))
)


def a_plan() -> Plan:
    """One entry."""
    return plan_with(place())


def told(plan: Plan | None = None) -> dict[str, Any]:
    """The file's content as JSON."""
    content: dict[str, Any] = json.loads(plan_text(plan or a_plan()))
    return content


def with_change(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The file, edited by somebody who renews its hash too."""
    content = told()
    change(content)
    plan = content.get("plan")
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content["plan_hash"] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return json.dumps(content).encode()


# --- there and back ------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_of(Plan))
def test_every_plan_comes_back_as_it_was_and_fits_the_published_schema(plan: Plan) -> None:
    """Of all kinds of steps, whatever their fields hold."""
    text = plan_text(plan)

    back = plan_in(text.encode(), "file")
    assert back == plan
    assert canonical_json(back) == canonical_json(plan.without_costs())
    PUBLISHED.validate(json.loads(text))


@pytest.mark.parametrize("kind", get_args(Step), ids=lambda kind: str(kind.__name__))
def test_each_kind_of_step_comes_back(kind: type) -> None:
    """None is left to chance."""

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(any_of(kind))
    def comes_back(step: Step) -> None:
        plan = plan_with(step)
        text = plan_text(plan)
        assert plan_in(text.encode(), "file") == plan
        PUBLISHED.validate(json.loads(text))

    comes_back()


def test_the_hash_is_that_of_the_plan_s_own_json() -> None:
    """Anybody can check it: sorted keys, no spaces, SHA-256."""
    content = told()
    text = json.dumps(content["plan"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert content["plan_hash"] == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    assert content["plan_hash"] == a_plan().plan_hash


def test_the_published_schema_is_what_the_types_say() -> None:
    """`make docs` writes it anew; it is itself a valid schema."""
    published = (schema_files.FOLDER / "plan.json").read_text("utf-8")

    assert published == schema_files.text_of(plan_file_schema())
    jsonschema.Draft202012Validator.check_schema(plan_file_schema())


# --- what is no plan -----------------------------------------------------------------------------


def _first_step(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["plan"]["steps"][0]
    return found


def _give_reason(content: dict[str, Any], reason: str) -> None:
    _first_step(content).update(reason=reason)


NO_PLANS: list[tuple[str, bytes, str]] = [
    ("empty", b"", "no JSON"),
    ("not text", b"\xff\xfe\x00", "no text"),
    ("cut short", plan_text(plan_with(place())).encode()[:400], "no JSON"),
    ("a list", b"[]", '"format": "zoe-plan"'),
    ("nested to death", b"[" * 100_000, "no JSON"),
    ("another format", with_change(lambda c: c.update(format="x")), '"format": "zoe-plan"'),
    ("a later version", with_change(lambda c: c.update(version=2)), "this zoe reads version 1"),
    ("version true", with_change(lambda c: c.update(version=True)), "reads version 1"),
    ("one field more", with_change(lambda c: c.update(extra=1)), "fields are not exactly"),
    ("no plan", with_change(lambda c: c.pop("plan")), "fields are not exactly"),
    ("plan is a list", with_change(lambda c: c.update(plan=[])), "plan is no Plan"),
    (
        "an unknown field",
        with_change(lambda c: _first_step(c).update(urgent=True)),
        "plan.steps[0] has the unknown field 'urgent'",
    ),
    (
        "a missing field",
        with_change(lambda c: _first_step(c).pop("reason")),
        "plan.steps[0] lacks the field reason",
    ),
    (
        "an unknown kind",
        with_change(lambda c: _first_step(c).update(kind="Withdraw")),
        "plan.steps[0] is of the unknown kind 'Withdraw'; known are AdjustPosition",
    ),
    (
        "no kind",
        with_change(lambda c: _first_step(c).pop("kind")),
        "plan.steps[0] is of the unknown kind None",
    ),
    (
        "a wrong word",
        with_change(lambda c: _first_step(c)["request"].update(side="short")),
        "plan.steps[0].request.side is 'short', not one of buy, sell",
    ),
    (
        "an unknown purpose",
        with_change(lambda c: _first_step(c)["request"].update(purpose="fun")),
        "plan.steps[0].request.purpose is 'fun', not one of entry",
    ),
    *(
        (
            f"quantity {value!r:.20}",
            with_change(lambda c, v=value: _first_step(c)["request"].update(quantity=v)),  # type: ignore[misc]
            "plan.steps[0].request.quantity is no decimal",
        )
        for value in ("NaN", "Infinity", "1e9999999", "0x10", "", " 1", "9" * 5_000, 1, None, "٣")
    ),
    ("a JSON NaN", with_change(lambda c: _first_step(c).update(notional=float("nan"))), "NaN"),
    ("a JSON float", with_change(lambda c: _first_step(c).update(notional=1.5)), "number '1.5'"),
    ("a key twice", b'{"format": "zoe-plan", "format": "zoe-plan"}', "key 'format' twice"),
    ("a number too long", b'{"version": ' + b"9" * 10_000 + b"}", "no JSON"),
    (
        "a step too many",
        with_change(lambda c: c["plan"].update(steps={})),
        "plan.steps is no list",
    ),
    (
        "a local time",
        with_change(lambda c: c["plan"].update(expires_at="2026-01-05T12:05:00")),
        "plan.expires_at is no time in UTC",
    ),
    (
        "no such day",
        with_change(lambda c: c["plan"].update(expires_at="2026-02-30T12:05:00+00:00")),
        "plan.expires_at is no such time",
    ),
    (
        "a screen code",
        with_change(lambda c: _first_step(c).update(reason="\x1b[2J")),
        "plan.steps[0].reason holds control characters",
    ),
    *(
        (
            f"a hidden character {ord(each):x}",
            with_change(partial(_give_reason, reason=f"a{each}b")),
            "plan.steps[0].reason holds control characters, or others that nobody can see",
        )
        for each in "\u202e\u2066\u200b\u2028\u2029\ufeff\ud800\x85"
    ),
    (
        "a novel",
        with_change(lambda c: _first_step(c).update(reason="x" * 5_000)),
        "plan.steps[0].reason has 5000 characters",
    ),
    (
        "an argument of three",
        with_change(lambda c: c["plan"].update(arguments=[["a", "b", "c"]])),
        "plan.arguments[0] has 3 entries, not 2",
    ),
]


@pytest.mark.parametrize(
    ("content", "said"), [row[1:] for row in NO_PLANS], ids=[row[0] for row in NO_PLANS]
)
def test_what_is_no_plan_is_named_by_its_place_and_ends_with_2(content: bytes, said: str) -> None:
    """Even with a hash that fits: unknown kinds, fields, versions, numbers."""
    with pytest.raises(ConfigError) as refused:
        plan_in(content, "monday.plan")

    assert said in refused.value.message
    assert refused.value.message.startswith("monday.plan is no plan: ")
    assert len(refused.value.message) < 500


@pytest.mark.parametrize(
    ("command", "stops"), [("kill", True), ("resume", False), ("sync-positions", False)]
)
def test_a_plan_of_an_earlier_version_is_refused_with_what_to_do(
    command: str, *, stops: bool
) -> None:
    """It has not the fields that were added since; who wants to stop needs no file."""

    def earlier(content: dict[str, Any]) -> None:
        content["plan"]["command"] = command
        _first_step(content).pop("reason")

    with pytest.raises(ConfigError, match=r"lacks the field reason\.") as refused:
        plan_in(with_change(earlier), "friday.plan")
    hint = refused.value.hint

    assert hint.startswith("Nothing was done. Another version of zoe may have saved it: ")
    assert ("`zoe kill --execute`" in hint) is stops


def test_a_file_of_more_bytes_than_any_plan_has_is_not_read() -> None:
    """64 MiB."""
    with pytest.raises(ConfigError, match="more than 67108864 bytes"):
        plan_in(b" " * (MAX_BYTES + 1), "huge")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("steps", 0, "request", "quantity"), "0.4"),
        (("steps", 0, "request", "side"), "sell"),
        (("expires_at",), "2099-01-05T12:05:00+00:00"),
        (("account", "mode"), "live"),
        (("arguments",), [["level", "flatten"]]),
        (("notes",), ["all is well"]),
    ],
)
def test_a_file_that_was_edited_by_hand_is_refused_with_4(
    path: tuple[str | int, ...], value: object
) -> None:
    """Whatever it is that was changed."""
    content = told()
    place_in: Any = content["plan"]
    for each in path[:-1]:
        place_in = place_in[each]
    place_in[path[-1]] = value

    with pytest.raises(PlanRefused, match="was changed after it was written") as refused:
        plan_in(json.dumps(content).encode(), "file")
    assert refused.value.exit_code == 4


@pytest.mark.parametrize(
    "plan",
    [
        plan_with(replace(place(), reason="two\nlines")),
        plan_with(place(notional=Decimal("NaN"))),
        plan_with(replace(place(), reason="x" * 5_000)),
    ],
    ids=["control characters", "not a number", "too long"],
)
def test_what_could_not_be_read_back_is_not_written(plan: Plan) -> None:
    """Better at the saving than on Monday."""
    with pytest.raises(ZoeError, match="The plan cannot be saved"):
        plan_text(plan)


# --- the same snapshot, the same plan ------------------------------------------------------------


def test_the_snapshot_s_name_moves_with_every_part_of_it() -> None:
    """And with nothing else."""
    base = snapshot_hash(snapshot_with())

    assert base == snapshot_hash(snapshot_with())
    changed = [
        snapshot_with(orders=(make_order(),)),
        snapshot_with(catalogue=make_catalogue(*list(make_catalogue())[:1])),
        snapshot_with(adopted=(("BTC/USD", Decimal(1)),)),
        replace(snapshot_with(), daily_notional=Decimal("0.00000001")),
    ]
    assert len({base, *(snapshot_hash(each) for each in changed)}) == 5


def test_the_snapshot_s_name_moves_with_each_row_of_the_last_hour() -> None:
    """Rows are named once and remembered: what is another is another, what is equal the same."""
    orders = [make_order(client_order_id=ClientOrderId(f"C{number}")) for number in range(3_000)]

    def name_of(*rows: OrderRecord) -> str:
        return snapshot_hash(replace(snapshot_with(), recent_orders=rows))

    base = name_of(*orders)

    assert base == name_of(*(replace(each) for each in orders))
    others = (orders[1:], orders[::-1], [*orders[1:], replace(orders[0], reason="another")])
    assert len({base, *(name_of(*each) for each in others)}) == 4


def test_a_plan_is_sealed_once_and_an_empty_one_never() -> None:
    """A plan from a file keeps the name of what it was made of."""
    seen = snapshot_with()
    first = sealed(a_plan(), seen)

    assert first.snapshot_hash == snapshot_hash(seen)
    assert sealed(first, snapshot_with(orders=(make_order(),))) == first
    assert sealed(plan_with(), seen).snapshot_hash == ""


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from builders import make_position, snapshot_with
from zoe_tools.core.recover_sl import plan_recover_sl
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.plan_file import plan_text
from zoe_tools.domain.snapshot_hash import sealed
held = make_position()
balance = Balance(asset="BTC", total=held.quantity)
seen = snapshot_with(positions=(held,), balances=(balance,))
sys.stdout.write(plan_text(sealed(plan_recover_sl(seen), seen)))
"""


def test_the_same_snapshot_gives_the_same_file_under_any_hash_seed() -> None:
    """Byte for byte, in processes of their own."""
    tests = str(schema_files.FOLDER.parents[2] / "tests")
    texts = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, tests],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }

    assert len(texts) == 1
    assert b'"kind": "PlaceOrder"' in texts.pop()


def test_a_plan_of_a_week_of_candles_is_written_and_read() -> None:
    """Long lists are no reason to refuse."""
    candles = tuple(make_candle() for _ in range(2_000))

    first = candles[0]
    step = WriteCandles(
        symbol=first.symbol,
        timeframe=first.timeframe,
        candles=candles,
        source="venue",
        reason="gap",
    )
    plan = plan_with(step)
    assert plan_in(plan_text(plan).encode(), "file") == plan
