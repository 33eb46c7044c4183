"""How much memory a server takes on: while one large layer comes in, and while many small ones come slowly."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.client import head
from benchmarks.measures import BLOBS, MIB, Layer, path_of, push_layer
from benchmarks.peers import Contestant, memory

UPLOADS = 1_000
FIRST = 128 * 1024
"""Bytes that each slow upload sends at once: about as many as a server may gather of each before it writes."""
TRICKLES = 10


class Peak:
    """The most memory that a server was seen to have, above what it had before."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._before = self._most = memory(group, "Rss")

    @property
    def bytes(self) -> int:
        self._most = max(self._most, memory(self._group, "Rss"))
        return self._most - self._before


@contextmanager
def watched(contestant: Contestant) -> Iterator[Peak]:
    """Start the server anew, and look at its memory ten times in a second until the block is left."""
    contestant.service.stop()
    contestant.service.start()
    # What the first request imports and opens is not growth.
    contestant.client().request("GET", "/v2/").expect(200)
    peak, done = Peak(contestant.service.pid), threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            _ = peak.bytes

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def mib_grown_by_push(contestant: Contestant, layer: Layer) -> float:
    """Return by how much a server's memory grew at most while one large layer was pushed."""
    with watched(contestant) as peak:
        push_layer(contestant.client(), layer)
    return peak.bytes / MIB


def kib_grown_by_slow_upload(contestant: Contestant) -> float:
    """Return how much memory each of a thousand uploads takes that are all open and send next to nothing."""
    clients = [contestant.client() for _ in range(UPLOADS)]
    with watched(contestant) as peak:
        try:
            for client in clients:
                path = path_of(client.request("POST", f"{BLOBS}/uploads/").expect(202).headers)
                lengths = {"Host": f"localhost:{client.port}", "Content-Length": str(MIB * 64)}
                client.begin(head("PATCH", path, lengths | client.headers) + bytes(FIRST))
            for _ in range(TRICKLES):
                time.sleep(1)
                for client in clients:
                    client.begin(bytes(1024))
        finally:
            for client in clients:
                with suppress(OSError):
                    client.close()
    return peak.bytes / 1024 / UPLOADS
