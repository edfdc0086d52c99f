"""The folder `audit/` in ZOE_HOME: the key that signs, the keys that are trusted, the newest heads.

Heads are kept here as well as in the database, because whoever can cut rows off the log can cut
their signatures too. The cryptography library is loaded with the first signature, not before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zoe_tools.domain.audit import SignedHead
from zoe_tools.domain.identifiers import AccountId
from zoe_tools.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LOG = logging.getLogger(__name__)

_ALGORITHM = "ed25519"
_KEY_BYTES = 32
_SHOWN = 16
_OTHERS = 0o077
"""The rights of everybody but the owner."""


class KeyTrouble(NamedTuple):
    """What is wrong with the key that signs, and what to do."""

    what: str
    next_step: str


class AuditHome:
    """The audit folder of one ZOE_HOME; made (0700) when a key is."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "audit"
        self.key_path = self.folder / "key"
        self.trusted_path = self.folder / "trusted-keys"
        self._heads = self.folder / "heads"

    @property
    def has_key(self) -> bool:
        """Whether this home can sign; a folder that keeps us out counts as one with a key."""
        try:
            return self.key_path.exists()
        except OSError:
            return True

    def trouble(self) -> KeyTrouble | None:
        """What is wrong with the key; None when nothing is, or there is no key."""
        if not self.has_key:
            return None
        try:
            mode = self.key_path.stat().st_mode & _OTHERS
            _secret(self.key_path)
        except (OSError, ConfigError):
            return KeyTrouble(
                f"the audit key {self.key_path} cannot be read: nothing is signed",
                "Make it readable for who runs zoe, restore it from its copy, or remove it and run"
                " `zoe audit init`.",
            )
        if mode:
            return KeyTrouble(
                f"others may read or change the audit key {self.key_path}: who has it can sign a"
                " log of his own making",
                f"chmod 600 {self.key_path}",
            )
        return None

    def complaint(self) -> str:
        """The same in a sentence; empty when nothing is wrong."""
        trouble = self.trouble()
        if trouble is None:
            return ""
        what = f"{trouble.what[0].upper()}{trouble.what[1:]}"
        return f"{what}. {trouble.next_step.rstrip('.')}."

    def make_key(self) -> str:
        """Make the key pair, unless there is one; returns the public key in hexadecimal.

        Raises:
            ConfigError: the folder cannot be written, or holds something else.
        """
        if not self.has_key:
            try:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write_once(self.key_path, f"{_ALGORITHM} {os.urandom(_KEY_BYTES).hex()}\n")
            except OSError as error:
                raise ConfigError(
                    f"The audit key cannot be made in {self.folder}: {error.strerror}.",
                    hint="Make ZOE_HOME writable for the user that runs zoe.",
                ) from error
        public = self.signer().public_key
        if public not in self.trusted():
            with self.trusted_path.open("a", encoding="utf-8") as file:
                file.write(f"{_ALGORITHM} {public} this-home\n")
        return public

    def signer(self) -> Signer:
        """What signs with this home's key.

        Raises:
            ConfigError: there is no key, or it cannot be read.
        """
        return Signer(self)

    def trusted(self) -> tuple[str, ...]:
        """The public keys (hexadecimal) whose signatures count here.

        Raises:
            ConfigError: a line of the file is no key.
        """
        try:
            lines = self.trusted_path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.trusted_path} cannot be read: {error}.") from error
        told = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        return tuple(_public_key(words, self.trusted_path) for words in told)

    def keep(self, head: SignedHead) -> None:
        """Write the newest signed head of an account down, beside the database."""
        path = self._heads / f"{head.account_id}.{head.store_epoch[:_SHOWN]}.json"
        text = json.dumps(asdict(head), sort_keys=True) + "\n"
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._heads.mkdir(mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._heads, prefix=".new-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, path)  # noqa: PTH105 - mkstemp gives a name
        except OSError as error:
            _LOG.warning("the signed head is not kept in %s: %s", path, error.strerror)

    def kept(self, account_id: AccountId, more: Iterable[Path] = ()) -> tuple[SignedHead, ...]:
        """The heads kept here of an account, and those in `more` files.

        Raises:
            ConfigError: a file named in `more` holds no signed head.
        """
        own = sorted(self._heads.glob(f"{account_id}.*.json"))
        found = []
        for path in own:
            with contextlib.suppress(ConfigError):  # ours may be half gone; the database has it too
                found.append(_head_in(path))
        found += [_head_in(path) for path in more]
        return tuple(each for each in found if each.account_id == account_id)


class Signer:
    """Signs with the home's private key; a `HeadSigner`."""

    def __init__(self, home: AuditHome) -> None:
        self._home = home
        self._private: Ed25519PrivateKey | None = None
        self._key_id = ""

    @property
    def public_key(self) -> str:
        """The public key, in hexadecimal.

        Raises:
            ConfigError: the key cannot be read.
        """
        return self._key.public_key().public_bytes_raw().hex()

    @property
    def key_id(self) -> str:
        """See `HeadSigner`."""
        if not self._key_id:
            self._key_id = key_id_of(self.public_key)
        return self._key_id

    def sign(self, statement: bytes) -> str:
        """See `HeadSigner`."""
        return self._key.sign(statement).hex()

    def keep(self, head: SignedHead) -> None:
        """See `HeadSigner`."""
        self._home.keep(head)

    @property
    def _key(self) -> Ed25519PrivateKey:
        if self._private is None:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - slow
                Ed25519PrivateKey,
            )

            self._private = Ed25519PrivateKey.from_private_bytes(_secret(self._home.key_path))
        return self._private


class Trust:
    """Checks signatures against the keys that count."""

    def __init__(self, public_keys: Iterable[str]) -> None:
        self._keys = {key_id_of(each): bytes.fromhex(each) for each in public_keys}

    def is_signed(self, key_id: str, statement: bytes, signature: str) -> bool | None:
        """Whether that key made the signature; None when the key is not trusted."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - slow to import
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - same
            Ed25519PublicKey,
        )

        known = self._keys.get(key_id)
        if known is None:
            return None
        try:
            Ed25519PublicKey.from_public_bytes(known).verify(bytes.fromhex(signature), statement)
        except (InvalidSignature, ValueError):
            return False
        return True


def signer_of(home: Path) -> Signer | None:
    """What signs the heads of this home's logs; None before `zoe audit init`."""
    audit = AuditHome(home)
    return audit.signer() if audit.has_key else None


def key_id_of(public_key: str) -> str:
    """A short name of a public key: sixteen hexadecimal digits of its hash."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:_SHOWN]


def _public_key(words: list[str], path: Path) -> str:
    """The key in a line `ed25519 HEX whose`."""
    with contextlib.suppress(IndexError, ValueError):
        if words[0] == _ALGORITHM and len(bytes.fromhex(words[1])) == _KEY_BYTES:
            return words[1].lower()
    raise ConfigError(
        f"{path}: {' '.join(words)[:40]!r} is no public key.",
        hint="A line is: ed25519 <64 hexadecimal digits> <whose it is>.",
    )


def _secret(path: Path) -> bytes:
    try:
        algorithm, digits = path.read_text("ascii").split()
        secret = bytes.fromhex(digits)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The audit key {path} cannot be read.",
            hint="Restore it, or remove it: zoe audit init.",
        ) from error
    if algorithm != _ALGORITHM or len(secret) != _KEY_BYTES:
        raise ConfigError(f"{path} is no Ed25519 key.")
    return secret


def _write_once(path: Path, text: str) -> None:
    """A new file of 0600; one that somebody else made meanwhile stays."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)


def _head_in(path: Path) -> SignedHead:
    try:
        told = json.loads(path.read_text("utf-8"))
        return SignedHead(
            account_id=AccountId(str(told["account_id"])),
            store_epoch=str(told["store_epoch"]),
            seq=int(told["seq"]),
            hash=str(told["hash"]),
            at=str(told["at"]),
            key_id=str(told["key_id"]),
            signature=str(told["signature"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} holds no signed head.", hint="Name a copy of a file of audit/heads."
        ) from error
