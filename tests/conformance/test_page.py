"""What docs/paper.md shows runs as it stands, from the first line on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from program import wait_until
from zoe_tools.paper.home import read_endpoint

PAGE = (Path(__file__).parents[2] / "docs" / "paper.md").read_text("utf-8")
_SERVE = re.compile(r"^## Serve it\n.*?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SNIPPET = re.compile(r"^### (\S+)\n.*?^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LAST_LINE = {
    "curl": r'.*"ZUSD":"10000.0000".*',
    "ccxt": "open",
    "ccxt.pro": r"\[\d+\.\d+, \d+\.\d+\]",
    "krakenex": r"\{.*'ZUSD': '10000.0000'.*\}",
    "python-kraken-sdk": r"\d+",
}


def ran(program: list[str], folder: Path, environ: Mapping[str, str]) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(
        program,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{program[-1]}: {done.stderr}"
    return done.stdout


@contextmanager
def served_as_shown(folder: Path) -> Iterator[dict[str, str]]:
    """The exchange as the page starts it, in the background of a shell; its environment."""
    (command,) = _SERVE.findall(PAGE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    environ = {"PATH": path, "ZOE_HOME": str(folder / "home"), "HOME": str(folder)}
    ran(["sh", "-c", f"{command.strip()[:-1]} 2> stderr & true"], folder, environ)
    wait_until(lambda: read_endpoint(folder / "home" / "paper") is not None)
    wait_until(lambda: (folder / "venue.json").read_text().endswith("\n"))
    endpoint = read_endpoint(folder / "home" / "paper")
    assert endpoint is not None
    try:
        yield environ
    finally:
        os.kill(endpoint.pid, signal.SIGTERM)
        wait_until(lambda: read_endpoint(folder / "home" / "paper") is None)


def test_every_client_s_snippet_runs(tmp_path: Path) -> None:
    """In the page's order on one key, with Kraken's limits: the nonces only rise."""
    snippets = _SNIPPET.findall(PAGE)

    assert [name for name, _, _ in snippets] == list(_LAST_LINE)
    with served_as_shown(tmp_path) as environ:
        for name, language, text in snippets:
            if language == "sh" and not (shutil.which("curl") and shutil.which("openssl")):
                pytest.skip("curl or openssl is not here")
            program = ["sh", "-c", text] if language == "sh" else [sys.executable, "-c", text]
            last = ran(program, tmp_path, environ).strip().splitlines()[-1]
            assert re.fullmatch(_LAST_LINE[name], last), f"{name}: {last}"
