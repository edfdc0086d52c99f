"""Writes the published JSON Schemas, and tells whether they still are what the program means.

Run as a program (`make docs`) it rewrites them; the test compares.
"""

from __future__ import annotations

import json
from pathlib import Path

from zoe_tools.domain.plan_file import plan_file_schema
from zoe_tools.domain.typed_json import Schema

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "schemas"


def generated() -> dict[str, Schema]:
    """File name -> schema, of all that follow from types."""
    return {"plan.json": plan_file_schema()}


def text_of(schema: Schema) -> str:
    """As it stands in the file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Rewrite the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in generated().items():
        (FOLDER / name).write_text(text_of(schema), "utf-8")


if __name__ == "__main__":
    main()
