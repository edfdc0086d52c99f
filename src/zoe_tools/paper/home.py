"""The folder of one paper exchange: its lock, keys, state and where it listens.

Files only; whether the process behind a port file lives, and is ours, is the caller's question.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from zoe_tools.errors import ConfigError

_SECRET_BYTES = 64
_KEY_BYTES = 42
_PROOF_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a client of this home needs, and how the exchange proves that it is this home's."""

    api_key: str
    api_secret: str = field(repr=False)
    proof_secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an exchange said it listens. `pid` may be long gone.

    `limits` are the words of `zoe paper serve` that gave it the limits it had.
    """

    host: str
    port: int
    pid: int
    speed: float
    limits: tuple[str, ...] = ()

    @property
    def rest_url(self) -> str:
        """Base URL of REST."""
        return f"http://{self._place}"

    @property
    def ws_url(self) -> str:
        """The public WebSocket."""
        return f"ws://{self._place}/v2"

    @property
    def ws_private_url(self) -> str:
        """The private WebSocket."""
        return f"ws://{self._place}/auth/v2"

    @property
    def ws_level3_url(self) -> str:
        """The WebSocket of the level3 channel."""
        return f"ws://{self._place}/l3/v2"

    @property
    def _place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class PaperHome:
    """One folder, made (0700) when it is first written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_path = folder / "state.sqlite"
        self._keys_path = folder / "keys.json"
        self._port_path = folder / "port.json"
        self._lock_path = folder / "lock"

    @property
    def has_keys(self) -> bool:
        """Whether there ever was an exchange here."""
        return self._keys_path.exists()

    @property
    def was_served(self) -> bool:
        """Whether an exchange ever held this folder, or does now."""
        return self._lock_path.exists()

    def keys(self, *, seed: str | None = None) -> Keys:
        """The home's keys, made at the first call; from the seed where a run must repeat itself.

        Raises:
            ConfigError: the key file cannot be read or written, or is not what was written.
        """
        try:
            text = self._keys_path.read_text()
        except FileNotFoundError:
            return self._make_keys(seed)
        except OSError as error:
            raise self._unusable(self._keys_path, str(error)) from error
        try:
            values = json.loads(text)
            return Keys(
                api_key=str(values["api_key"]),
                api_secret=str(values["api_secret"]),
                proof_secret=bytes.fromhex(values["proof_secret"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise self._unusable(self._keys_path, f"it is damaged ({error})") from error

    def _make_keys(self, seed: str | None) -> Keys:
        values = {
            "api_key": base64.b64encode(_bytes(_KEY_BYTES, seed, "key")).decode(),
            "api_secret": base64.b64encode(_bytes(_SECRET_BYTES, seed, "secret")).decode(),
            "proof_secret": secrets.token_hex(_PROOF_BYTES),
        }
        self._make_folder()
        temporary = _written_beside(self._keys_path, json.dumps(values))
        try:
            # a link refuses to replace: of two first callers one wins and both use its keys
            os.link(temporary, self._keys_path)
        except FileExistsError:
            pass
        except OSError as error:
            raise self._unusable(self._keys_path, str(error)) from error
        finally:
            temporary.unlink(missing_ok=True)
        return self.keys()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home: one exchange at a time.

        Raises:
            ConfigError: another exchange holds it.
        """
        self._make_folder()
        try:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(self._lock_path, str(error)) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigError(
                    f"A paper exchange already serves {self.folder}.",
                    hint="Use it, or stop it first.",
                ) from error
            yield
        finally:
            os.close(descriptor)

    def announce(
        self, *, port: int, speed: float, host: str = "127.0.0.1", limits: Sequence[str] = ()
    ) -> None:
        """Say where this process listens: written whole or not at all."""
        values = {
            "host": host,
            "port": port,
            "pid": os.getpid(),
            "speed": speed,
            "limits": list(limits),
        }
        _written_beside(self._port_path, json.dumps(values)).replace(self._port_path)

    def withdraw(self) -> None:
        """Nobody listens any more."""
        self._port_path.unlink(missing_ok=True)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(self.folder, str(error)) from error

    @staticmethod
    def _unusable(path: Path, why: str) -> ConfigError:
        return ConfigError(
            f"The paper exchange's file {path} cannot be used: {why}.",
            hint="Check the permissions, or run `zoe paper reset`.",
        )


def reached_at(address: str) -> str:
    """Where this machine reaches what listens on an address, or on all there are."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - not bound here


def _bytes(count: int, seed: str | None, purpose: str) -> bytes:
    """Random, or derived: a throw-away exchange guards nothing."""
    if seed is None:
        return secrets.token_bytes(count)
    return hashlib.sha512(f"{seed}:paper {purpose}".encode()).digest()[:count]


def _written_beside(path: Path, text: str) -> Path:
    """A new file (0600) in the same folder, complete and on disk."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def read_endpoint(folder: Path) -> Endpoint | None:
    """What the port file says; None when there is none or it cannot be understood."""
    try:
        values = json.loads((folder / "port.json").read_text())
        return Endpoint(
            host=str(values["host"]),
            port=int(values["port"]),
            pid=int(values["pid"]),
            speed=float(values["speed"]),
            limits=tuple(str(word) for word in values.get("limits", ())),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
