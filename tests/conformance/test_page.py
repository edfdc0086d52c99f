"""What docs/paper.md shows runs as it stands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from conformance_venue import Venue

PAGE = Path(__file__).parents[2] / "docs" / "paper.md"
_SNIPPET = re.compile(r"^### (\S+)\n.*?^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LAST_LINE = {
    "curl": r'.*"ZUSD":"1000000.0000".*',
    "ccxt": "open",
    "ccxt.pro": r"\[\d+\.\d+, \d+\.\d+\]",
    "krakenex": r"\{.*'ZUSD': '1000000.0000'.*\}",
    "python-kraken-sdk": r"\d+",
}


def test_every_client_s_snippet_runs(venue: Venue, tmp_path: Path) -> None:
    """In the page's order on one key: the nonces only rise."""
    told = {name: value for name, value in asdict(venue).items() if name != "secret"}
    (tmp_path / "venue.json").write_text(json.dumps({"result": told}))
    snippets = _SNIPPET.findall(PAGE.read_text("utf-8"))

    assert [name for name, _, _ in snippets] == list(_LAST_LINE)
    for name, language, text in snippets:
        if language == "sh" and not (shutil.which("curl") and shutil.which("openssl")):
            pytest.skip("curl or openssl is not here")
        program = ["sh", "-c", text] if language == "sh" else [sys.executable, "-c", text]
        ran = subprocess.run(
            program, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        lines = ran.stdout.strip().splitlines()
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
        assert re.fullmatch(_LAST_LINE[name], lines[-1]), f"{name}: {ran.stdout}"
