"""The rates of ECR at both doors, for whoever wants to see what clients do about them."""

import threading

from moorage.core.calls import Call
from moorage.core.errors import RateExceeded
from moorage.core.names import AccountId, Region
from moorage.core.rates import RATES, Bucket, draw, is_full

KEPT = 1_000
"""Buckets after which those that are full again are forgotten: regions are as many as callers can think of."""


class Throttle:
    """The buckets of one process: one for each account, region and operation that has a rate."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[AccountId, Region, str], Bucket] = {}
        self._lock = threading.Lock()

    def admit(self, call: Call, operation: str) -> None:
        """Count a request; raises RateExceeded where it is one too many."""
        rate = RATES.get(operation)
        if rate is None:
            return
        whose, at = (call.caller.account, call.registry.region, operation), call.at.timestamp()
        with self._lock:
            self._buckets[whose], early = draw(self._buckets.get(whose), rate, at)
            if len(self._buckets) > KEPT:
                self._buckets = {key: each for key, each in self._buckets.items() if not is_full(each, at)}
        if early:
            raise RateExceeded(early)
