"""A plan as a file: written once, read back to the same value or not at all.

The file is JSON: `format`, `version`, `plan_hash` and `plan`. The hash is the SHA-256 of the plan's
canonical JSON, so that a file that was edited is recognised. Nothing in it names the machine or the
person that wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

from zoe_tools.domain.plan import Plan, jsonable
from zoe_tools.domain.typed_json import Json, NotSuchJson, Schema, parse, read, schema_of
from zoe_tools.errors import ConfigError, PlanRefused

FORMAT = "zoe-plan"
VERSION = 1
MAX_BYTES = 64 * 1024 * 1024
LONGEST_LIFE = timedelta(days=7)
"""How long a saved plan may be applied, at most."""
_FIELDS = ("format", "version", "plan_hash", "plan")
_MADE_BY_ZOE = "A plan file is what `--out FILE` writes; make it anew."
_OTHER_VERSION = (
    "Nothing was done. Another version of zoe may have saved it: make it anew with `--out FILE`."
)
_TO_STOP = " To stop there is no need of a file: `zoe kill --execute`."


def plan_text(plan: Plan) -> str:
    """The file's whole content, ending in a newline.

    Raises:
        ConfigError: the plan holds what no file can, e.g. a control character in a reason.
    """
    told = {
        "format": FORMAT,
        "version": VERSION,
        "plan_hash": plan.plan_hash,
        "plan": jsonable(plan.without_costs()),
    }
    text = json.dumps(told, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    try:
        _read(parse(text))
    except NotSuchJson as error:
        raise ConfigError(f"The plan cannot be saved: {error}.") from error
    return text


def plan_in(content: bytes, name: str) -> Plan:
    """The plan in the content of the file of that name.

    Raises:
        ConfigError: it is no plan file, or one of another version.
        PlanRefused: it was changed after it was written.
    """
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name} is no plan: it has more than {MAX_BYTES} bytes.")
    told: Json = None
    try:
        told = parse(content.decode("utf-8"))
        plan, told_hash = _read(told)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is no plan: it is no text.", hint=_MADE_BY_ZOE) from error
    except NotSuchJson as error:
        raise ConfigError(f"{name} is no plan: {error}.", hint=_hint_for(told)) from error
    if plan.plan_hash != told_hash:
        raise PlanRefused(
            f"{name} was changed after it was written: its hash is {plan.plan_hash[:12]}, and it"
            f" says {told_hash[:12]}.",
            hint="Nothing was done. Make the plan anew with `--out`.",
        )
    return plan


def _hint_for(told: Json) -> str:
    """What to do about a file that cannot be read; zoe itself may have written it, long ago."""
    if not isinstance(told, Mapping) or told.get("format") != FORMAT:
        return _MADE_BY_ZOE
    plan = told.get("plan")
    is_kill = isinstance(plan, Mapping) and plan.get("command") == "kill"
    return _OTHER_VERSION + (_TO_STOP if is_kill else "")


def _read(told: Json) -> tuple[Plan, str]:
    if not isinstance(told, Mapping) or told.get("format") != FORMAT:
        raise NotSuchJson(f'it does not say "format": "{FORMAT}"')
    version = told.get("version")
    if version != VERSION or isinstance(version, bool):
        raise NotSuchJson(f"its version is {version!r:.20}, and this zoe reads version {VERSION}")
    if set(told) != set(_FIELDS):
        raise NotSuchJson(f"its fields are not exactly {', '.join(_FIELDS)}")
    plan: Plan = read(told["plan"], Plan, "plan")
    told_hash: str = read(told["plan_hash"], str, "plan_hash")
    return plan, told_hash


def plan_file_schema() -> Schema:
    """The JSON Schema of the file, as published in docs/reference/schemas/plan.json."""
    known: dict[str, Schema] = {}
    plan = schema_of(Plan, known)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A plan of zoe, saved by --out and carried out by zoe apply",
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            "version": {"const": VERSION},
            "plan_hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "plan": plan,
        },
        "required": sorted(_FIELDS),
        "additionalProperties": False,
        "$defs": dict(sorted(known.items())),
    }
