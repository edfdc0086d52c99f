"""Asks the home's paper exchange for what only its operator may: faults, funds, keys.

The request is sealed with the home's own secret; the exchange is started when it is not running.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from zoe_tools.errors import ConfigError, VenueUnavailable
from zoe_tools.paper.admin.door import SEAL, seal
from zoe_tools.paper.home import PaperHome, read_endpoint
from zoe_tools.runtime.paper_process import find_or_start, folder_of

_TIMEOUT_S = 10.0


def ask_exchange(
    home: Path, path: str, body: str = "", *, hint: str = "`zoe paper fault` lists what there is."
) -> dict[str, Any]:
    """The result of `/zoe/admin/<path>`; a refusal carries the hint.

    Raises:
        ConfigError: the exchange refuses what is asked.
        VenueUnavailable: it does not answer.
    """
    endpoint = read_endpoint(folder_of(home))
    told = None if endpoint is None else _post(home, endpoint.rest_url, path, body)
    if told is None:
        told = _post(home, find_or_start(home).rest_url, path, body)
    if told is None:
        raise VenueUnavailable("The paper exchange does not answer.")
    if told.get("error"):
        words = "; ".join(str(each) for each in told["error"])
        raise ConfigError(f"The paper exchange refuses: {words}.", hint=hint)
    result = told.get("result")
    return result if isinstance(result, dict) else {}


def _post(home: Path, rest_url: str, path: str, body: str) -> dict[str, Any] | None:
    """The answer; None when nobody answers there, or not as the exchange does."""
    where, content = f"/zoe/admin/{path}", body.encode()
    secret = PaperHome(folder_of(home)).keys().proof_secret
    request = Request(  # noqa: S310 - our own exchange on loopback
        f"{rest_url}{where}",
        data=content,
        headers={SEAL: seal(secret, where, content), "Content-Type": "application/json"},
        method="POST",
    )
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT_S) as answer:
            return _read(answer.read())
    except HTTPError as error:
        return _read(error.read())
    except (OSError, URLError):
        return None


def _read(content: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(content)
    except ValueError:
        return None
    return told if isinstance(told, dict) and "error" in told else None
