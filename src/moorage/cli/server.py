"""Running the server: a port that is free, logs, workers, a clean stop."""

import errno
import os
import shutil
import socket
import tempfile
import threading
import time

import click

from moorage.config import Settings

STOP_SECONDS = 30
"""How long requests may go on after the server was told to stop."""


def run(settings: Settings, *, json_logs: bool, log_requests: str) -> int:
    """Serve until told to stop; returns the exit status."""
    # The store holds secrets; the folder may have been made by somebody else, with another mode than ours.
    os.umask(0o077)
    problem = _listen_problem(settings)
    if problem:
        raise click.ClickException(problem)
    counters = tempfile.mkdtemp(prefix="moorage-metrics-") if settings.workers > 1 else None
    if counters:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters
    try:
        return _run(settings, json_logs=json_logs, log_requests=log_requests)
    finally:
        if counters:
            shutil.rmtree(counters, ignore_errors=True)


def _run(settings: Settings, *, json_logs: bool, log_requests: str) -> int:
    # Imported after the environment of the metrics is set.
    from granian import Granian  # noqa: PLC0415 - see above
    from granian.constants import Interfaces  # noqa: PLC0415 - see above
    from granian.http import HTTP1Settings  # noqa: PLC0415 - see above

    from moorage.cli.logs import logging_config  # noqa: PLC0415 - see above
    from moorage.wiring import build, prepare  # noqa: PLC0415 - see above

    try:
        made = prepare(settings)
    except Exception as error:
        problem = _store_problem(error)
        if problem is None:
            raise
        raise click.ClickException(problem) from None
    if made.key:
        click.echo(
            f"Made account {made.key.user.account} with the user {made.key.user.name}; its access key is in {settings.credentials}",
            err=True,
        )
    click.echo(f"Moorage on {settings.url}, data in {settings.data}", err=True)
    server = Granian(
        "moorage",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        # One thread of the runtime per process: the second core is for hashing, files and rows.
        runtime_threads=1,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=30_000, max_buffer_size=1024 * 1024),
        log_dictconfig=logging_config(json_logs=json_logs, log_requests=log_requests),
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )
    server.main_loop_interrupt = _Flag()
    try:
        server.serve(target_loader=lambda: build(settings), wrap_loader=False)
    except SystemExit:
        # A terminal sends Ctrl-C to the workers too; one that ends before it is told to has failed in granian's eyes.
        if not server.interrupt_signal:
            raise
    return 0


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


def _store_problem(error: Exception) -> str | None:
    """Return why the data folder or the database cannot be used, or None where the failure is a defect of ours."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - only a start that fails needs them

    from moorage.adapters.sql.migrate import NewerDatabase  # noqa: PLC0415 - see above
    from moorage.core.errors import StorageFull  # noqa: PLC0415 - see above

    if isinstance(error, OSError | StorageFull):
        return f"The data folder cannot be used: {error}"
    if isinstance(error, DBAPIError):
        return f"The database cannot be used: {' '.join(str(error.orig).split())}"
    return str(error) if isinstance(error, NewerDatabase) else None


def _listen_problem(settings: Settings) -> str | None:
    """Return why the port cannot be listened on, or None."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            if error.errno == errno.EADDRINUSE:
                return f"Something else listens on {where}. Choose another port with --listen {settings.host}:PORT."
            return f"Cannot listen on {where}: {os.strerror(error.errno or 0)}. Choose another address with --listen."
    return None
