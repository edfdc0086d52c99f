"""The crontab of docs/runbooks/cron.md runs as it stands: cron's environment, any folder, twice."""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nursery import nursery
from program import PATIENCE_S, Home

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "runbooks" / "cron.md"
SETTING = re.compile(r"^([A-Z_]+)=(.*)$")
SCHEDULE = re.compile(r"^((?:[-*/,0-9]+\s+){5})(.*)$")

EXPECTED = {
    "health": {3},  # no loop runs here
    "check-tp-coverage": {0},
    "pre-flight": {0},
    "reconcile": {0},
    "ledger import": {0},
    "pnl": {0},
    "db backup": {0, 2},  # the second finds the file of the first
}
"""The exit codes that each command may end with, alone or beside itself."""


def crontab() -> tuple[dict[str, str], list[str]]:
    """The settings and the commands of the page, read as cron reads them."""
    block = PAGE.read_text().partition("```crontab\n")[2].partition("```")[0]
    settings: dict[str, str] = {}
    commands: list[str] = []
    for line in block.splitlines():
        if found := SETTING.match(line):
            settings[found[1]] = found[2]
        elif found := SCHEDULE.match(line):
            assert "%" not in found[2].replace("\\%", "")  # cron would end the command there
            commands.append(found[2].replace("\\%", "%"))
        else:
            assert not line or line.startswith("#"), line
    return settings, commands


def twice_at_once(call: dict[str, Any]) -> list[tuple[int, str]]:
    """The exit codes of two such calls at the same time, and all that each of them says."""
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2)]
        started = [
            nursery().start(
                call["words"], call["environ"], out=each, err=each, folder=Path(call["folder"])
            )
            for each in files
        ]
        codes = [each.wait(timeout=PATIENCE_S) for each in started]
        for each in files:
            each.seek(0)
        return [(code, each.read()) for code, each in zip(codes, files, strict=True)]


def recorder(folder: Path) -> Path:
    """Stands where the program is: notes how the shell calls it, and fails."""
    path = folder / "zoe"
    path.write_text(
        "#!/bin/sh\n"
        f'exec > "{folder}/call.$$"\n'
        'pwd\nenv\necho --\nfor word; do echo "$word"; done\necho broken >&2\nexit 3\n'
    )
    path.chmod(0o700)
    return path


def called(line: str, settings: dict[str, str], folder: Path) -> dict[str, Any]:
    """How the line calls the program, by the real shell with nothing but the crontab's settings."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    ran = subprocess.run(
        ["/bin/sh", "-c", line],
        env={**settings, "ZOE": str(recorder(folder))},
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    assert ran.stdout == "broken\n"  # what fails is printed, for cron to mail
    (note,) = folder.glob("call.*")
    head, _, words = note.read_text().partition("--\n")
    where, *environ = head.splitlines()
    note.unlink()
    return {
        "words": words.splitlines(),
        "environ": dict(each.split("=", 1) for each in environ),
        "folder": where,
    }


def test_the_crontab_runs_as_it_stands_and_twice_at_once(home: Home, tmp_path: Path) -> None:
    """No bug, no locked store, no spent nonce; a second start spoils nothing of the first."""
    home.serve()
    settings, commands = crontab()
    assert settings.keys() == {"SHELL", "PATH", "MAILTO", "ZOE_HOME", "ZOE"}
    settings["ZOE_HOME"] = str(home.folder)
    backups = tmp_path / "backups"
    backups.mkdir()
    seen = set()
    for line in commands:
        call = called(line.replace("/var/backups/zoe", str(backups)), settings, tmp_path)
        assert call["environ"].keys() <= {*settings, "PWD", "_", "SHLVL", "OLDPWD"}
        name = next(each for each in EXPECTED if " ".join(call["words"]).startswith(each))
        seen.add(name)
        for code, text in twice_at_once(call):
            assert code in EXPECTED[name], (name, code, text)
            assert "Traceback" not in text
    assert seen == EXPECTED.keys()
    assert len(list(backups.iterdir())) == 1
