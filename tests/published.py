"""Holds what a command printed with `--json` to the schema that is published for it."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import Any

from schema_files import RESULTS, answer_schema, closed


@lru_cache(maxsize=64)
def _validator(command: str) -> Any:
    # Found late: tests of other matters run in environments without the validator.
    import jsonschema  # noqa: PLC0415 - same

    return jsonschema.Draft202012Validator(closed(answer_schema(command)))


def offences(envelope: dict[str, Any]) -> list[str]:
    """Where the object is not what its schema says; empty when it is."""
    command = envelope.get("command", "")
    if command not in RESULTS or importlib.util.find_spec("jsonschema") is None:
        return []
    found = sorted(_validator(command).iter_errors(envelope), key=lambda each: str(each.path))
    return [f"{each.json_path}: {each.message[:300]}" for each in found]
