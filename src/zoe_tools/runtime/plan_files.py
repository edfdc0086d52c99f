"""Plans on the disk: saved whole or not at all, readable by their owner alone."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.plan_file import MAX_BYTES, plan_in, plan_text
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.errors import ConfigError
from zoe_tools.gate.gate import Regather

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where a command's plan is kept, if anywhere, and how long it may be applied there."""

    path: Path | None = None
    lifetime: timedelta = timedelta()
    may_overwrite: bool = False

    def lasting(self, plan: Plan) -> Plan:
        """The plan with the life that was asked for; as it is when it is not kept."""
        if self.path is None:
            return plan
        return replace(plan, expires_at=plan.created_at + self.lifetime)

    def invitation(self, line: str) -> str:
        """The line that carries the plan out: the file's, when it is kept."""
        return line if self.path is None else f"zoe apply {shlex.quote(str(self.path))} --execute"

    def keep(self, plan: Plan) -> str:
        """Write the file, if one was asked for and there is anything to do; a sentence about it.

        Raises:
            ConfigError: the file is there already, or cannot be written.
        """
        if self.path is None:
            return ""
        if plan.is_empty:
            return "No plan was saved: there is nothing to do."
        write_plan(self.path, plan, may_overwrite=self.may_overwrite)
        until = f"{plan.expires_at:%Y-%m-%d %H:%M:%SZ}"
        return f"Saved as {self.path}: plan {plan.plan_hash[:12]}, valid until {until}."


NOT_KEPT = Keeping()


def with_arguments(look: Regather, arguments: Arguments) -> Regather:
    """The same look; its plan knows what it was made from."""

    async def sealed_look() -> tuple[Snapshot, Plan]:
        snapshot, plan = await look()
        return snapshot, sealed(replace(plan, arguments=arguments), snapshot)

    return sealed_look


def write_plan(path: Path, plan: Plan, *, may_overwrite: bool) -> None:
    """Write a plan file (0600); whoever looks sees the old one, or the new one, whole.

    Raises:
        ConfigError: it is there already and may not be overwritten, or the plan cannot be written.
        OSError: the disk's own reasons.
    """
    text = plan_text(plan)
    with _beside(path) as draft:
        draft.touch(mode=_OWNER_ONLY, exist_ok=False)
        with draft.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        if may_overwrite:
            draft.replace(path)
        else:
            _link_as(draft, path)


def demand_free(path: Path, *, may_overwrite: bool) -> None:
    """Pass while the file can be made there.

    Raises:
        ConfigError: it is there already, or its folder is not.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"--out {path}: this cannot be a file.", hint="Its folder must be there.")
    if path.exists() and not may_overwrite:
        raise _taken(path)


def read_plan(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        ConfigError: there is no such file, or it is no plan.
        PlanRefused: it was changed after it was written.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # Looked at before it is opened: a pipe without a writer would be waited for.
            raise ConfigError(
                f"{path} is no plan: it is no regular file.",
                hint="Save what comes from a pipe or a device in a file first.",
            )
        with path.open("rb") as source:
            content = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
    return plan_in(content, str(path))


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name of this process's own in the same folder; whatever is left there is taken away."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _link_as(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)  # fails, other than a rename, when the name is taken
    except FileExistsError as error:
        raise _taken(path) from error


def _taken(path: Path) -> ConfigError:
    return ConfigError(
        f"--out {path}: the file is there already, and it was left as it is.",
        hint="Choose another name, or add --force to write over it.",
    )
