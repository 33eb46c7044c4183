"""Running the server: a port that is free, logs, workers, a clean stop."""

import errno
import os
import shutil
import socket
import tempfile

import click

from moorage.config import Settings

STOP_SECONDS = 30
"""How long requests may go on after the server was told to stop."""


def run(settings: Settings, *, json_logs: bool, log_requests: str) -> int:
    """Serve until told to stop; returns the exit status."""
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
    except PermissionError as error:
        raise click.ClickException(f"The data folder cannot be used: {error}") from None
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
    server.serve(target_loader=lambda: build(settings), wrap_loader=False)
    return 0


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
