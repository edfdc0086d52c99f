"""Every command's `--json` is what its published schema says, run for real on a paper exchange.

Wherever another test reads a command's JSON, it is held to the schema as well (`Ran.envelope`).
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import house_rules as house
import schema_files
from json_story import AFTERWARDS, SERVED, STORY
from program import PATIENCE_S, Home
from published import offences
from zoe_tools import cli

FILES = (".plan", ".db", ".frames")
"""How what stands in the folder of the story is called."""


@pytest.fixture(scope="session")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """A service manager's socket, as systemd hands it to what it starts."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path_factory.mktemp("manager") / "notify"))
        listening.settimeout(0)
        yield listening


@pytest.fixture(scope="session")
def answers(
    tmp_path_factory: pytest.TempPathFactory, manager: socket.socket
) -> dict[str, list[dict[str, Any]]]:
    """Command -> the objects it printed while the story was told."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "recorded.frames").mkdir()
    environ = {"USER": "ada", "NOTIFY_SOCKET": str(manager.getsockname())}
    home = Home(folder=folder / "home", environ=environ)
    home.fund({"USD": "10000", "BTC": "2", "ETH": "10"})
    with subprocess.Popen(
        [sys.executable, "-m", "zoe_tools", "--json", "paper", "serve", "--no-limits"],
        env=home.surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = {SERVED: [json.loads(process.stdout.readline())]}
            _tell(home, folder, STORY, found)
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)
    _tell(home, folder, AFTERWARDS, found)
    return found


def _tell(
    home: Home,
    folder: Path,
    story: tuple[tuple[str, int], ...],
    found: dict[str, list[dict[str, Any]]],
) -> None:
    for line, code in story:
        words = [str(folder / each) if each.endswith(FILES) else each for each in line.split()]
        ran = home.here(*words, "--json")
        assert ran.code == code, f"zoe {line}: {ran.out}{ran.err}"
        loaded = json.loads(ran.out)
        found.setdefault(loaded["command"], []).append(loaded)


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_s_json_is_what_its_schema_says(
    answers: dict[str, list[dict[str, Any]]], name: str
) -> None:
    """A result at least once; and wherever it fails, an error of the same form."""
    told = answers.get(name, [])

    assert any("result" in each for each in told), f"zoe {name} is not in STORY"
    assert [found for each in told for found in offences(each)] == []


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_what_is_published_accepts_what_is_printed_and_is_itself_sound(
    answers: dict[str, list[dict[str, Any]]], name: str
) -> None:
    """The file in docs/reference/schemas, as a reader of it would use it."""
    path = schema_files.FOLDER / f"{house.page_of(name)}.json"
    schema = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)

    for each in answers[name]:
        jsonschema.Draft202012Validator(schema).validate(each)
        more = {**each, "a_field_of_tomorrow": 1}
        jsonschema.Draft202012Validator(schema).validate(more)


def test_the_saved_plan_is_what_its_schema_says(
    answers: dict[str, list[dict[str, Any]]],
) -> None:
    """The plan in an answer is the plan in a file, but for what it costs just now."""
    schema = json.loads((schema_files.FOLDER / "plan.json").read_text("utf-8"))
    plan = next(each["result"] for each in answers["apply"] if "result" in each)

    content = {"format": "zoe-plan", "version": 1, **{k: plan[k] for k in ("plan", "plan_hash")}}
    jsonschema.Draft202012Validator(schema).validate(content)


def test_a_field_that_nobody_told_about_is_found() -> None:
    """The check can fail: unknown fields, missing ones, wrong types."""
    good: dict[str, Any] = {
        "command": "db upgrade",
        "account": None,
        "mode": "paper",
        "warnings": [],
        "exit_code": 0,
        "result": {"before": None, "after": "0001"},
    }
    assert offences(good) == []
    for bad in (
        {**good, "result": {"before": None, "after": "0001", "more": 1}},
        {**good, "result": {"before": None}},
        {**good, "exit_code": 9},
        {**good, "error": {"kind": "x", "message": "", "hint": "", "code": ""}},
        {key: value for key, value in good.items() if key != "result"},
    ):
        assert offences(bad) != []


def test_a_loop_tells_its_service_manager_how_it_does(
    answers: dict[str, list[dict[str, Any]]], manager: socket.socket
) -> None:
    """Over the socket in its environment: ready, patience asked for, its status, its end."""
    told = []
    with contextlib.suppress(BlockingIOError):
        while True:
            told.append(manager.recv(4096).decode())

    assert "run" in answers
    assert {"READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=READY"} <= set(told)
    assert told.index("READY=1") < told.index("STOPPING=1")
