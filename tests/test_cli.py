"""The door: options anywhere on the line, errors as exit codes, nothing imported too early."""

from __future__ import annotations

import errno
import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typing_extensions import override

from command_line import LIVE_KEYS, migrated, zoe
from zoe_tools import __version__, cli
from zoe_tools.commands.invocation import GlobalOptions, Invocation
from zoe_tools.errors import ConsentMissing, OutcomeUnknown, StoreUnavailable, VenueUnavailable
from zoe_tools.observe import log
from zoe_tools.render.printer import Printer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A migrated home."""
    return migrated(tmp_path / "home")


def failing_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `zoe status` end with this error, whatever it would have said."""

    def status() -> None:
        """Fail."""
        raise error

    module = ModuleType("zoe_tools.commands.status")
    vars(module)["status"] = status
    monkeypatch.setitem(sys.modules, module.__name__, module)


# --- global options ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "--json --account live status",
        "status --json --account live",
        "--json status --account=live",
        "--account paper status --account live --json",
        "status --no-color --json --account live",
    ],
)
def test_global_options_stand_before_or_after_the_name(home: Path, line: str) -> None:
    """The last one counts."""
    ran = zoe(line, LIVE_KEYS, home=home)

    assert ran.code == 0
    assert ran.envelope["mode"] == "live"


def test_global_options_stand_inside_a_group_too(home: Path) -> None:
    """`zoe config --json show`."""
    assert zoe("config --json show", LIVE_KEYS, home=home).envelope["command"] == "config show"


def test_a_command_s_own_value_is_not_taken_for_a_global_option(tmp_path: Path) -> None:
    """`--reason --json` is a reason of the operator's."""
    ran = zoe("kill --reason --json --level nonsense", LIVE_KEYS, home=tmp_path)

    assert ran.code == 2
    assert ran.err.startswith("error:")


def test_the_longer_name_wins(home: Path) -> None:
    """`kill` is a command and `kill status` another."""
    ran = zoe("kill status --json", LIVE_KEYS, home=home)

    assert (ran.code, ran.envelope["command"]) == (0, "kill status")


def test_no_words_are_help_and_version_is_one_line() -> None:
    """Both on stdout, exit 0."""
    assert zoe("").out == zoe("--help").out
    assert zoe("--version").out == f"zoe {__version__}\n"
    assert zoe("").code == zoe("--help").code == zoe("--version").code == 0


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("statsu", "No such command 'statsu'. Did you mean 'status'?", "zoe --help"),
        ("config shwo", "No such command 'shwo'. Did you mean 'show'?", "zoe config --help"),
        ("config", "Missing command.", "zoe config --help"),
        ("status --nonsense", "No such option: --nonsense", "zoe status --help"),
        ("status extra", "Got unexpected extra argument", "zoe status --help"),
        ("paper serve --port many", "--port", "zoe paper serve --help"),
        ("status --account nobody", "no account called 'nobody'", "paper"),
        ("kill --account= --level flatten", "--account names none", "Leave the option out"),
        ("--profile= status", "--profile names none", "Leave the option out"),
        ("status --config=", "--config names none", "Leave the option out"),
    ],
)
def test_usage_errors_exit_2_with_a_sentence_and_a_hint(
    tmp_path: Path, line: str, said: str, hint: str
) -> None:
    """Nothing on stdout."""
    ran = zoe(line, home=tmp_path)

    assert ran.code == 2
    assert ran.out == ""
    assert said in ran.err
    assert hint in ran.err.split("hint:")[1]


def test_a_usage_error_with_json_is_an_object(tmp_path: Path) -> None:
    """Even where the options were never parsed."""
    ran = zoe("status --nonsense --json", home=tmp_path)

    assert ran.envelope["exit_code"] == 2
    assert ran.envelope["error"]["kind"] == "ConfigError"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConsentMissing("Nobody consented."), 4, "error: Nobody consented.\n"),
        (VenueUnavailable("Gone."), 5, "hint: Check the network"),
        (OutcomeUnknown("Perhaps."), 6, "zoe reconcile --execute"),
        (StoreUnavailable("Locked."), 7, "error: Locked.\n"),
        (KeyboardInterrupt(), 130, "error: Interrupted.\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 7, "Cannot write /x: No space"),
        (OSError(errno.EACCES, "Permission denied", "/x"), 2, "Cannot use /x: Permission denied"),
        (OSError(errno.EIO, "Input/output error"), 1, "A bug in zoe"),
        (ZeroDivisionError("by zero"), 1, "A bug in zoe: ZeroDivisionError: by zero"),
    ],
)
def test_every_error_has_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    """The contract's; a traceback is for the log."""
    failing_with(monkeypatch, error)

    ran = zoe("status", home=tmp_path)

    assert ran.code == code
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_an_interrupted_command_still_answers_with_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads the output is not left with nothing."""
    failing_with(monkeypatch, KeyboardInterrupt())

    ran = zoe("--json status", home=tmp_path)

    assert (ran.code, ran.envelope["exit_code"]) == (130, 130)


def test_a_bug_leaves_its_traceback_in_the_log_and_on_demand_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without -v an operator sees one sentence."""
    failing_with(monkeypatch, ZeroDivisionError("by zero"))

    assert "Traceback" in zoe("status -v", home=tmp_path).err
    assert "ZeroDivisionError" in (tmp_path / "logs" / "zoe.log").read_text()


def test_contradictory_limits_are_an_event(tmp_path: Path) -> None:
    """THRESHOLD_MISMATCH reaches those who watch the log."""
    ran = zoe("config show", {"MAX_DAILY_NOTIONAL": "1"}, home=tmp_path)

    assert ran.code == 2
    assert '"event": "THRESHOLD_MISMATCH"' in (tmp_path / "logs" / "zoe.log").read_text()


def test_output_that_is_lost_is_an_error(tmp_path: Path) -> None:
    """`zoe config show > /dev/full` does not end with 0."""

    class Full(io.StringIO):
        @override
        def write(self, text: str) -> int:
            del text
            raise OSError(errno.ENOSPC, "No space left on device")

    err = io.StringIO()
    code = cli.main(["config", "show"], {"ZOE_HOME": str(tmp_path)}, out=Full(), err=err)

    assert code == 2
    assert "Output was lost: No space left on device." in err.getvalue()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_were_closed_before_the_start_change_nothing(
    tmp_path: Path, closed: str
) -> None:
    """Some supervisors close what they do not read."""
    code = subprocess.run(  # noqa: S602 - only a shell closes a stream before the program starts
        f'"{sys.executable}" -m zoe_tools config show {closed}',
        shell=True,
        env={"ZOE_HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        timeout=60,
    ).returncode

    assert code == 0


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """`zoe config show | head -1`, in a real process."""
    command = f"{sys.executable} -m zoe_tools config show | true"
    finished = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"ZOE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert finished.stderr == ""


# --- what is not loaded --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "unwanted"),
    [
        ("--help", ("rich", "sqlalchemy", "httpx", "asyncio", "pydantic")),
        ("status", ("rich", "httpx", "alembic", "uvicorn", "starlette", "pydantic")),
        ("db upgrade", ("rich", "alembic", "uvicorn", "starlette", "pydantic")),
    ],
)
def test_the_quick_commands_load_nothing_heavy(
    home: Path, line: str, unwanted: tuple[str, ...]
) -> None:
    """150 ms for help, 400 ms for status; an upgrade that has nothing to do is one of them."""
    script = (
        "import sys, io\n"
        "from zoe_tools.cli import main\n"
        f"code = main({line.split()!r}, {LIVE_KEYS | {'ZOE_HOME': str(home)}!r}, err=sys.stderr)\n"
        f"loaded = [name for name in {unwanted!r} if name in sys.modules]\n"
        "sys.exit(repr((code, loaded)) if code or loaded else 0)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )

    assert finished.stderr == ""


def test_completion_knows_the_commands_without_importing_them() -> None:
    """In bash, through the variable that its script sets."""
    finished = subprocess.run(
        [sys.executable, "-m", "zoe_tools"],
        env={"_ZOE_COMPLETE": "complete_bash", "COMP_WORDS": "zoe pa", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert finished.stdout.strip() == "paper"


def test_an_event_that_alerts_runs_the_operators_command(home: Path, tmp_path: Path) -> None:
    """Whatever command wrote it; the alert is noted in the home as well."""
    script = tmp_path / "alert"
    script.write_text(f'#!/bin/sh\ncat > "{tmp_path}/told"\n')
    script.chmod(0o700)
    alerted = LIVE_KEYS | {"ALERT_EXEC": str(script), "ZOE_HOME": str(home)}

    Invocation(
        command="run",
        options=GlobalOptions(),
        environ=alerted,
        output=Printer(out=io.StringIO(), err=io.StringIO()),
    ).settings()
    logging.getLogger("zoe_tools.x").error("INVARIANT_VIOLATION two and two")
    log.tear_down()

    assert json.loads((tmp_path / "told").read_text())["event"] == "INVARIANT_VIOLATION"
    assert "INVARIANT_VIOLATION" in (home / "logs" / "alerts.log").read_text()
