"""`zoe paper fault` against a running exchange: list, arm, strike, clear; and its refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from program import Home, result_of
from zoe_tools.paper.home import read_endpoint


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose exchange runs."""
    made = Home(folder=tmp_path_factory.mktemp("faults"))
    try:
        made.serve()
        yield made
    finally:
        made.stop_exchange()


@pytest.fixture(autouse=True)
def _nothing_stays_armed(home: Home) -> Iterator[None]:
    yield
    assert home.here("paper", "fault", "--clear").code == 0


def status_of_time(home: Home) -> int:
    """How the exchange answers a public call."""
    endpoint = read_endpoint(home.folder / "paper")
    assert endpoint is not None
    try:
        with build_opener(ProxyHandler({})).open(f"{endpoint.rest_url}/0/public/Time") as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_a_fault_is_armed_strikes_once_and_is_in_the_list(home: Home) -> None:
    """Armed by one process, it strikes the calls of any other."""
    armed = home.here("--json", "paper", "fault", "http-502", "--where", "Time")
    assert [each["name"] for each in result_of(armed)["armed"]] == ["http-502"]

    assert [status_of_time(home), status_of_time(home)] == [502, 200]
    told = result_of(home.here("--json", "paper", "fault"))
    assert told["log"][-1]["name"] == "http-502"
    assert told["armed"] == []


def test_without_a_name_it_says_what_there_is(home: Home) -> None:
    """Every fault with what happens."""
    ran = home.here("paper", "fault")

    assert ran.code == 0
    assert "accept-then-drop" in ran.out
    assert "None is armed." in ran.out


def test_a_file_arms_all_its_faults(home: Home, tmp_path: Path) -> None:
    """The same document as at the start of the exchange."""
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"faults": [{"name": "busy", "times": None}, {"name": "hang"}]}))
    told = result_of(home.here("--json", "paper", "fault", "--file", str(file)))

    assert [(each["name"], each["times"]) for each in told["armed"]] == [
        ("busy", None),
        ("hang", 1),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bsy",), "accept-then-drop"),
        (("busy", "--clear"), "exclude each other"),
        (("busy", "--probability", "2"), "probability"),
        (("--file", "nowhere.json"), "nowhere.json"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_armed(
    home: Home, words: tuple[str, ...], told: str
) -> None:
    """Exit 2, and what would be right."""
    ran = home.here("paper", "fault", *words)

    assert ran.code == 2
    assert told in ran.err
    assert result_of(home.here("--json", "paper", "fault"))["armed"] == []


def test_a_damaged_file_is_refused_whole(home: Home, tmp_path: Path) -> None:
    """One wrong rule, none armed."""
    file = tmp_path / "faults.json"
    file.write_text('[{"name":"busy"},{"name":"bsy"}]')
    ran = home.here("paper", "fault", "--file", str(file))

    assert (ran.code, "bsy" in ran.err) == (2, True)
    assert result_of(home.here("--json", "paper", "fault"))["armed"] == []
