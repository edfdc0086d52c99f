"""How far the venue's clock is ahead of ours, from answers that carry its time.

Pure: times in, an offset out. An answer with the venue's time was written between our sending and
our receiving, which bounds the offset; several answers narrow it. Where our own clock may be
right, it is taken to be. Source: kraken-spot sections 5 (Time) and 10 (time_in, time_out).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

_GRAIN = timedelta(milliseconds=1)
"""What times lose when they are written."""
_BELIEVED = timedelta(days=1)
"""A clock that is further off than this is not measured but broken."""
_LOG = logging.getLogger(__name__)


class ServerTime:
    """The offset between our clock and the venue's; zero until something else is proved.

    A day or more is corrected by nobody: it is told, once until the clocks agree again.
    """

    def __init__(self) -> None:
        self._is_far_off = False
        self._least = timedelta.min
        self._most = timedelta.max

    @property
    def offset(self) -> timedelta:
        """To be added to our time to have the venue's."""
        if self._least <= timedelta(0) <= self._most:
            return timedelta(0)
        return self._least + (self._most - self._least) / 2

    def at_venue(self, ours: datetime) -> datetime:
        """A moment of our clock, as the venue would write it."""
        return ours + self.offset

    def observe(
        self, *, sent: datetime, received: datetime, earliest: datetime, latest: datetime
    ) -> None:
        """An exchange with the venue.

        Args:
            sent: When the request left, by our clock.
            received: When the answer was here, by our clock.
            earliest: A time that the venue's clock had reached before the answer left.
            latest: A time that it had not passed when the request came.
        """
        least, most = earliest - received - _GRAIN, latest - sent + _GRAIN
        if least > most:
            return  # our clock was set meanwhile
        if abs(least) > _BELIEVED:
            self._tell_far_off(least)
            return
        self._is_far_off = False
        if least > self._most or most < self._least:
            self._least, self._most = least, most  # a clock was set: what was known is void
        else:
            self._least, self._most = max(least, self._least), min(most, self._most)

    def _tell_far_off(self, ahead: timedelta) -> None:
        if not self._is_far_off:
            _LOG.warning(
                "CLOCK_FAR_OFF: the venue's clock is %+.1f days from ours, which is not corrected: "
                "the venue may refuse every order as late. Set this machine's clock.",
                ahead / _BELIEVED,
            )
        self._is_far_off = True
