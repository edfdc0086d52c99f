"""The paper exchange as a process of its own: started on demand, found again, served.

One exchange per `ZOE_HOME`. Commands find it by its port file and prove that it is ours before
they trust it; `zoe run` never hosts it, so killing the loop leaves the venue standing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from zoe_tools.errors import VenueUnavailable
from zoe_tools.ports import Clock
from zoe_tools.runtime.clocks import ScaledClock

START_TIMEOUT_S = 20.0
"""How long a fresh exchange may take to listen."""

_POLL_S = 0.05
_PROOF_TIMEOUT_S = 3.0
