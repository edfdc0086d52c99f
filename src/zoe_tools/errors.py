"""Every error an operator can meet, named by what must be done next.

    ZoeError                    exit code
    |- ConfigError                  2   fix a setting
    |  `- UnknownInstrument         2   that spelling names nothing the venue trades
    |- PlanError
    |  |- PlanStale                 4   the world moved since the plan: plan again
    |  |- PlanRefused               4   policy or trading state forbids it
    |  |- ConsentMissing            4   nobody said yes
    |  `- AccountBusy               4   another engine holds the account
    |- VenueError
    |  |- VenueUnavailable          5   nothing reached the venue: a retry is safe
    |  |  `- CircuitOpen            5   it failed too often: see `zoe breaker`
    |  |- VenueThrottled            5   wait; carries retry_after_s
    |  |- VenueRejected             5   a definite no; carries the venue's code
    |  |- VenueMisbehaved           5   the answer does not parse or contradicts itself
    |  `- OutcomeUnknown            6   it may have happened: run `zoe reconcile --execute`
    |- StoreError
    |  |- SchemaOutdated            7   run `zoe db upgrade`
    |  |- ForeignDatabase           7   those tables are somebody else's
    |  `- StoreUnavailable          7   it cannot be opened, read or written
    |- MarketDataError              2   a replay file does not say what it should
    |- LedgerFileError              2   a file of the account's history does not say what it should
    `- Interrupted                130   the operator ended it in its midst

A `ZoeError` carries one clear sentence, a `hint` that says what to do, and its exit code. Broken
invariants are not in this tree: they are bugs, and crash (exit 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class ZoeError(Exception):
    """The root: one sentence for the operator, a hint, an exit code."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint


class ConfigError(ZoeError):
    """A setting or an argument is missing, unknown or contradictory."""

    exit_code = 2


class UnknownInstrument(ConfigError):
    """A spelling that the instrument catalogue does not resolve."""


class MarketDataError(ConfigError):
    """A market-data file that cannot be replayed; the message names file and line."""


class LedgerFileError(ConfigError):
    """A file of the account's history that cannot be imported; the message names file and line."""


class Interrupted(ZoeError):
    """SIGINT: what was under way may be half done."""

    exit_code = 130
    default_hint = "What had been sent is in the journal: `zoe status` says what is open."


class PlanError(ZoeError):
    """A plan that may not be carried out."""

    exit_code = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One thing that is no longer as planned; `step` counts from 1, 0 is the plan as a whole."""

    step: int
    what: str
    was: str
    now: str
    allowed: str


class PlanStale(PlanError):
    """The world moved between the plan and the act; `moved` lists what."""

    default_hint = "Run the command again and read the new plan."

    def __init__(self, message: str, *, hint: str = "", moved: tuple[Moved, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.moved = moved


class PlanRefused(PlanError):
    """Policy, venue mode or trading state forbids the plan."""


class ConsentMissing(PlanError):
    """A live account needs I_UNDERSTAND_LIVE=1 in the environment."""


class AccountBusy(PlanError):
    """Another trading loop holds this account."""


class VenueError(ZoeError):
    """Something between us and the venue went wrong."""

    exit_code = 5


class VenueUnavailable(VenueError):
    """Nothing reached the venue, or a read failed: trying again is safe."""

    default_hint = "Check the network and the venue's status page, then run the command again."


class CircuitOpen(VenueUnavailable):
    """The API circuit breaker is open: nothing was sent, and nothing ordinary is for a while."""

    default_hint = "Stops, exits and cancels go on. `zoe breaker` shows why, and until when."


class VenueThrottled(VenueError):
    """The venue asked us to wait; `retry_after_s` is in seconds."""

    def __init__(
        self, message: str, *, hint: str = "", code: str = "", retry_after_s: float = 1.0
    ) -> None:
        super().__init__(message, hint=hint or f"Wait {retry_after_s:.0f} s and try again.")
        self.code = code
        self.retry_after_s = retry_after_s


class VenueRejected(VenueError):
    """A definite no; `code` is the venue's own error string.

    `is_passing`: the same may be asked again once the stated cause is gone. `is_as_asked`: there
    was nothing to change.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        is_passing: bool = False,
        is_as_asked: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.is_passing = is_passing
        self.is_as_asked = is_as_asked


class VenueMisbehaved(VenueError):
    """The venue's answer does not parse, or contradicts itself."""


class OutcomeUnknown(VenueError):
    """A write may or may not have happened; nothing may be sent again blindly.

    `is_late`: the venue says that its deadline is over; nothing of it is on its way any more.
    """

    exit_code = 6
    default_hint = "Run `zoe reconcile --execute` before anything else."

    def __init__(
        self, message: str, *, hint: str = "", code: str = "", is_late: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.is_late = is_late


class StoreError(ZoeError):
    """The store failed."""

    exit_code = 7


class SchemaOutdated(StoreError):
    """Migrations are missing."""

    default_hint = "Run `zoe db upgrade`."


class ForeignDatabase(StoreError):
    """The database holds tables that zoe did not make."""

    default_hint = "Point DATABASE_URL at an empty database, or at the one zoe made."


class StoreUnavailable(StoreError):
    """The store cannot be opened, read or written."""
