"""The auditor: what it is started with, and what its answers mean.

That it finds what is wrong is proved end to end, with real processes.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from zoe_tools.errors import VenueMisbehaved
from zoe_tools.runtime.auditor import audit_blocking

FINDING = {"kind": "MISSING_FILL", "evidence": "T1"}


class OtherProcess:
    """Stands for the auditor's process: answers as told, and remembers how it was started."""

    def __init__(self, code: int, out: str, err: str = "") -> None:
        self._answer = (code, out.encode(), err.encode())
        self.environ: dict[str, str] = {}
        self.words: list[str] = []

    def __call__(self, words: list[str], **how: Any) -> subprocess.CompletedProcess[bytes]:
        """As `subprocess.run`."""
        self.words, self.environ = words[1:], how["env"]
        code, out, err = self._answer
        return subprocess.CompletedProcess(words, code, out, err)


def answering(
    monkeypatch: pytest.MonkeyPatch, code: int, out: str = "", err: str = ""
) -> OtherProcess:
    """Have the auditor's process end so."""
    process = OtherProcess(code, out, err)
    monkeypatch.setattr(subprocess, "run", process)
    return process


def told(*findings: dict[str, str]) -> str:
    """The JSON of a finished reconcile."""
    return json.dumps({"result": {"findings": findings}})


@pytest.mark.parametrize(("code", "findings"), [(0, ()), (3, (FINDING,)), (3, (FINDING, FINDING))])
def test_findings_are_counted(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    code: int,
    findings: tuple[dict[str, str], ...],
) -> None:
    """Exit 0 and 3 are both answers."""
    answering(monkeypatch, code, told(*findings))
    audit = audit_blocking(tmp_path, {}, is_replay=False)

    assert (audit.discrepancies, audit.findings) == (len(findings), findings)


@pytest.mark.parametrize("code", [1, 2, 5, 6, 7, -9])
def test_an_audit_that_did_not_happen_is_no_clean_audit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    """The sentence carries the auditor's own last words, the hint how to look oneself."""
    answering(monkeypatch, code, err="noise\nThe venue is away.\nTry again.\n")
    with pytest.raises(VenueMisbehaved, match=r"away\. Try again") as raised:
        audit_blocking(tmp_path, {}, is_replay=False)

    assert str(code) in raised.value.message
    assert raised.value.hint.endswith(f"ZOE_HOME={tmp_path} zoe reconcile")


@pytest.mark.parametrize("out", ["", "{", "[]", "{}", '{"result": null}'])
def test_an_answer_that_cannot_be_read_is_no_clean_audit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, out: str
) -> None:
    """Whatever the exit code says."""
    answering(monkeypatch, 0, out)

    with pytest.raises(VenueMisbehaved, match="cannot be read"):
        audit_blocking(tmp_path, {}, is_replay=False)


def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After a bounded time."""

    def hang(*_: Any, timeout: float, **__: Any) -> None:
        raise subprocess.TimeoutExpired("zoe", timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(VenueMisbehaved, match="did not finish"):
        audit_blocking(tmp_path, {}, is_replay=False)


def test_it_only_looks_and_only_at_the_paper_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Never --execute."""
    process = answering(monkeypatch, 0, told())
    audit_blocking(tmp_path, {"DATABASE_URL": "sqlite:///x"}, is_replay=False)

    assert process.words == ["-m", "zoe_tools", "--json", "--account", "paper", "reconcile"]
    assert process.environ == {
        "PATH": os.defpath,
        "DATABASE_URL": "sqlite:///x",
        "ZOE_HOME": str(tmp_path),
    }


def test_a_replay_is_audited_by_its_folder_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No setting of the operator's reaches into it, least of all another database."""
    process = answering(monkeypatch, 0, told())
    audit_blocking(tmp_path, {"DATABASE_URL": "sqlite:///x"}, is_replay=True)

    assert process.environ == {"PATH": os.defpath, "ZOE_HOME": str(tmp_path)}
