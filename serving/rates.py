"""Rates: how often a principal may ask. A token bucket each, in memory of this process."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from base.errors import NotReady
from serving.principal import Principal

PRINCIPALS_KEPT = 10_000
# A bucket holds what is allowed in so many seconds: a page that asks for ten things at once is no
# flood.
BURST_SECONDS = 2.0


class TooFast(NotReady):
    """More requests than a principal may make; `seconds` until the next one is answered."""

    seconds: int


class Rates:
    """`persons` and `machines`: requests a second; 0 means without bound."""

    def __init__(
        self, persons: float, machines: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates = {True: machines, False: persons}
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._turn = threading.Lock()

    def spend(self, who: Principal) -> None:
        """Count one request. Raises TooFast where the bucket is empty."""
        rate = self._rates[who.role == "case_system"]
        if rate <= 0:
            return
        size = max(1.0, rate * BURST_SECONDS)
        with self._turn:
            now = self._now()
            left, at = self._buckets.pop(who.key_id, (size, now))
            left = min(size, left + (now - at) * rate)
            allowed = left >= 1
            self._buckets[who.key_id] = (left - 1 if allowed else left, now)
            # The one longest silent is forgotten: its bucket would be full again soonest.
            if len(self._buckets) > PRINCIPALS_KEPT:
                self._buckets.popitem(last=False)
        if not allowed:
            raise TooFast(
                wanted=f"at most {rate:g} requests a second",
                got="more",
                cure="wait as long as Retry-After says",
                seconds=max(1, math.ceil((1 - left) / rate)),
            )
