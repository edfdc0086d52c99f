"""What docs/reference/client.md shows runs as it stands, and what it names is there."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from conformance_venue import served
from zoe_tools import errors

PAGE = (Path(__file__).parents[2] / "docs/reference/client.md").read_text("utf-8")


def snippet() -> str:
    """The page's only program."""
    (found,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_twenty_lines_are_twenty() -> None:
    """Blank lines not counted."""
    assert len([line for line in snippet().splitlines() if line.strip()]) <= 20


def test_the_twenty_lines_place_and_cancel_an_order(tmp_path: Path) -> None:
    """Beside a `venue.json`, against a served exchange, and with nothing on stderr."""
    with served(tmp_path) as venue:
        told = {each: getattr(venue, each) for each in ("rest_url", "api_key", "api_secret")}
        (tmp_path / "venue.json").write_text(json.dumps({"result": told}))
        done = subprocess.run(
            [sys.executable, "-c", snippet()],
            cwd=tmp_path,
            env={"PATH": os.defpath},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (done.stdout, done.stderr, done.returncode) == ("open 1\n", "", 0)


def test_the_classes_and_errors_that_the_page_names_exist() -> None:
    """Every row of its tables."""
    classes = re.findall(r"^\| `(zoe_tools[\w.]*)\.(\w+)` \|", PAGE, re.MULTILINE)
    named = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)

    assert [
        each for each in classes if not hasattr(importlib.import_module(each[0]), each[1])
    ] == []
    assert [each for each in named if not hasattr(errors, each)] == []
    assert (len(classes), len(named)) == (15, 6)
