"""The listeners of one server: plain HTTP in the main process, TLS in one beside it, each with its workers.

Granian has one address and one certificate for each of its main processes. The one for TLS is told when its certificate has
changed, and then replaces its workers without dropping a request. Both fork their workers, so no other thread of theirs may
be at work meanwhile: a lock that it held would stay locked in the worker for ever.
"""

import logging
import logging.config
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server import MPServer
from granian.server.mp import WorkerProcess

from moorage.cli.parents import end_with_parent
from moorage.config import Settings, Tls
from moorage.web.app import App
from moorage.wiring import build

STOP_SECONDS = 30
"""How long requests may go on after the server was told to stop."""
LEAVE_SECONDS = 3600
"""How long they may go on in a worker that was replaced: nobody waits for it, but it should not be there for ever."""

_log = logging.getLogger("moorage.tls")


@dataclass(frozen=True, slots=True)
class Listener:
    """What a listening process is given."""

    settings: Settings
    log_config: dict[str, Any]

    def serve(
        self, at: Settings | Tls, *, certificate: Path | None = None, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        """Serve until SIGTERM or SIGINT, of which ``on_stop`` is told as it comes; ``certificate`` holds the key as well."""
        server = _Server(
            "moorage",
            address=at.host,
            port=at.port,
            interface=Interfaces.ASGI,
            workers=self.settings.workers,
            # One thread of the runtime per process: the second core is for hashing, files and rows.
            runtime_threads=1,
            websockets=False,
            http1_settings=HTTP1Settings(header_read_timeout=30_000, max_buffer_size=1024 * 1024),
            log_dictconfig=self.log_config,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_SECONDS,
            ssl_cert=certificate,
            ssl_key=certificate,
            # TLS 1.2 for Java 8 and older tools; rustls offers nothing weak in it.
            ssl_protocol_min=SSLProtocols.tls12,
        )
        server.on_stop = on_stop
        try:
            server.serve(target_loader=partial(_built, self.settings), wrap_loader=False)
        except SystemExit:
            # A terminal sends Ctrl-C to the workers too; one that ends before it is told to has failed in granian's eyes.
            if not server.interrupt_signal:
                raise


class _Server(MPServer):
    """Granian, which tells of a stop as it comes, and waits for nobody when it replaces its workers."""

    on_stop: Callable[[], None]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.main_loop_interrupt = _Flag(lambda: self.interrupt_signal)
        self._leaving: list[WorkerProcess] = []

    def signal_handler_interrupt(self, *args: Any, **options: Any) -> None:
        """Begin to stop."""
        super().signal_handler_interrupt(*args, **options)  # type: ignore[no-untyped-call] # granian types what it is given, not what it answers
        self.on_stop()

    def _respawn_workers(self, workers: list[int], spawn_target: Any, target_loader: Any, delay: float = 0) -> None:
        """Start new workers; those before them end what they have begun, while this process goes on to listen to its signals."""
        self._leaving = [worker for worker in self._leaving if worker.inner.is_alive()]
        for index in workers:
            if self.interrupt_signal:
                return
            old = self.wrks[index]
            self.respawned_wrks[index] = time.monotonic()
            self.wrks[index] = self._spawn_worker(idx=index, target=spawn_target, callback_loader=target_loader)
            self.wrks[index].start()
            # The new one is given the time to listen before the old one does not.
            time.sleep(delay)
            old.terminate()
            self._leaving.append(old)
            limit = threading.Timer(LEAVE_SECONDS, old.kill)
            limit.daemon = True
            limit.start()

    def _stop_workers(self) -> None:
        self.wrks += [worker for worker in self._leaving if worker.inner.is_alive()]
        super()._stop_workers()  # type: ignore[no-untyped-call] # see above


class _Flag(threading.Event):
    """What the main process waits for, without a lock.

    Of two signals at once the second one would wait for the lock that the first one holds, or both would run in another
    thread and nothing would wake this one. Nor does it miss a stop that comes while it is taken back.
    """

    def __init__(self, stopped: Callable[[], bool]) -> None:
        super().__init__()
        self._up = False
        self._stopped = stopped

    def set(self) -> None:
        """Wake the main process."""
        self._up = True

    def clear(self) -> None:
        """Take it back."""
        self._up = False

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - granian has none
        """Wait for it."""
        while not self._up and not self._stopped():
            time.sleep(0.05)
        return True


def _built(settings: Settings) -> App:
    """Build the application in a worker."""
    end_with_parent()
    return build(settings)


def serve_tls(listener: Listener, tls: Tls) -> None:
    """Be the process that listens with TLS, until SIGTERM."""
    # cryptography takes a moment to import, and only this process needs it.
    from moorage.adapters.authority import AuthorityFolder  # noqa: PLC0415 - see above
    from moorage.cli.certificate import Freshness, ServedCertificate  # noqa: PLC0415 - see above
    from moorage.config.certificates import Unusable  # noqa: PLC0415 - see above

    end_with_parent()
    # Until the server has handlers of its own. What SIGHUP is for, it does by itself when it starts.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.config.dictConfig(listener.log_config)
    with tempfile.TemporaryDirectory(prefix="moorage-tls-") as folder:
        served = ServedCertificate(tls, Path(folder))
        try:
            served.refresh()
        except Unusable as why:
            _log.error("%s", why)
            sys.exit(1)
        authority = AuthorityFolder(listener.settings.authority)
        freshness = Freshness(served, authority)
        freshness.warn()
        threading.Thread(target=freshness.keep, daemon=True, name="certificate").start()
        listener.serve(tls, certificate=served.file)
