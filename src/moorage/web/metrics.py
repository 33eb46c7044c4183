"""What operators count: requests by operation and outcome, their durations, bytes in and out (Prometheus text format)."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The counters of this process; with several, each scrape adds all of them up."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        # prometheus-client's own convention: several processes share a folder that the variable names.
        self._several = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        if self._several:
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped
        register = None if self._several else self._registry
        labels = ("door", "operation", "status")
        self._requests = Counter("moorage_requests", "Requests answered", labels, registry=register)
        self._seconds = Histogram(
            "moorage_request_seconds",
            "Seconds until a request was answered",
            labels[:2],
            buckets=_BUCKETS,
            registry=register,
        )
        self._received = Counter("moorage_received_bytes", "Bytes of request bodies", labels[:1], registry=register)
        self._sent = Counter("moorage_sent_bytes", "Bytes of response bodies", labels[:1], registry=register)
        self._unrecorded = Counter(
            "moorage_audit_failures", "Records that the audit log could not take", registry=register
        )
        # A look-up of labels costs more than the counting; there are few combinations.
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram, Counter, Counter]] = {}

    def count(self, door: str, operation: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count one request."""
        known = self._known.get((door, operation, status))
        if known is None:
            known = self._known[door, operation, status] = (
                self._requests.labels(door, operation, str(status)),
                self._seconds.labels(door, operation),
                self._received.labels(door),
                self._sent.labels(door),
            )
        requests, durations, bytes_in, bytes_out = known
        requests.inc()
        durations.observe(seconds)
        if received:
            bytes_in.inc(received)
        if sent:
            bytes_out.inc(sent)

    def count_unrecorded(self) -> None:
        """Count a record that the audit log could not take."""
        self._unrecorded.inc()

    def text(self) -> bytes:
        """Return the counters in the text format."""
        return generate_latest(self._registry)
