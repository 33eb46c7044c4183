"""The listeners of one server: plain HTTP in this process, TLS in one beside it, each with its workers.

Granian has one address and one certificate for each of its main processes. The one for TLS ends with this one, is told when
its certificate has changed, and then replaces its workers without dropping a request.
"""

import logging
import logging.config
import multiprocessing
import os
import signal
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

from granian import Granian
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings

from moorage.cli.parents import end_with_parent
from moorage.config import Settings, Tls
from moorage.web.app import App
from moorage.wiring import build

STOP_SECONDS = 30
"""How long requests may go on after the server was told to stop."""
CERTIFICATE_SECONDS = 2
"""How often the certificate's files are looked at."""

_log = logging.getLogger("moorage.tls")


@dataclass(frozen=True, slots=True)
class Listener:
    """What a listening process is given."""

    settings: Settings
    log_config: dict[str, Any]
    tls: Tls | None = None

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        at: Settings | Tls = self.tls or self.settings
        server = Granian(
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
            ssl_cert=self.tls.certificate if self.tls else None,
            ssl_key=self.tls.key if self.tls else None,
            # TLS 1.2 for Java 8 and older tools; rustls offers nothing weak in it.
            ssl_protocol_min=SSLProtocols.tls12,
        )
        server.main_loop_interrupt = _Flag()
        try:
            server.serve(target_loader=partial(_built, self.settings), wrap_loader=False)
        except SystemExit:
            # A terminal sends Ctrl-C to the workers too; one that ends before it is told to has failed in granian's eyes.
            if not server.interrupt_signal:
                raise


class _Flag(threading.Event):
    """What the main process waits for, without a lock.

    Of two signals at once the second one would wait for the lock that the first one holds, or both would run in another
    thread and nothing would wake this one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._up = False

    def set(self) -> None:
        """Wake the main process."""
        self._up = True

    def clear(self) -> None:
        """Take it back."""
        self._up = False

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - granian has none
        """Wait for it."""
        while not self._up:
            time.sleep(0.05)
        return True


class Beside:
    """The process that listens with TLS; leaving the block ends it."""

    def __init__(self, listener: Listener) -> None:
        self._process = multiprocessing.get_context("spawn").Process(target=_serve_tls, args=(listener,), name="tls")
        self._stopping = threading.Event()
        self.failed = False

    def __enter__(self) -> Self:
        self._process.start()
        threading.Thread(target=self._watch, daemon=True, name="tls").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._process.terminate()
        self._process.join(STOP_SECONDS + 5)
        if self._process.is_alive():
            self._process.kill()

    def _watch(self) -> None:
        self._process.join()
        if not self._stopping.is_set():
            # Half a server would look like a whole one.
            self.failed = True
            os.kill(os.getpid(), signal.SIGTERM)


def _built(settings: Settings) -> App:
    """Build the application in a worker."""
    end_with_parent()
    return build(settings)


def _serve_tls(listener: Listener) -> None:
    end_with_parent()
    logging.config.dictConfig(listener.log_config)
    threading.Thread(target=_keep_fresh, args=(listener,), daemon=True, name="certificate").start()
    listener.serve()


def _keep_fresh(listener: Listener) -> None:
    """Renew the authority's own certificate before it ends, and have a changed one served."""
    tls = listener.tls
    if tls is None:
        return
    from moorage.adapters.authority import AuthorityFolder  # noqa: PLC0415 - cryptography takes a moment; only TLS needs it

    authority = AuthorityFolder(listener.settings.authority)
    known = _stamp(tls)
    while True:
        threading.Event().wait(CERTIFICATE_SECONDS)
        try:
            if tls.certificate == authority.server and authority.renew(datetime.now(UTC)):
                _log.info("the certificate was renewed")
            stamp = _stamp(tls)
            if stamp == known:
                continue
            known = stamp
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
        except (OSError, ValueError) as error:
            _log.warning("the certificate in %s cannot be used, so the one before stays: %s", tls.certificate, error)
            continue
        os.kill(os.getpid(), signal.SIGHUP)


def _stamp(tls: Tls) -> tuple[tuple[int, int], ...]:
    return tuple((file.stat().st_mtime_ns, file.stat().st_ino) for file in (tls.certificate, tls.key))
