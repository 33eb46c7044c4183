"""Running the server: a port that is free, logs, workers, a clean stop."""

import errno
import logging.config
import os
import resource
import shlex
import shutil
import signal
import socket
import sqlite3
import tempfile
from contextlib import suppress
from typing import Any

import click

from moorage.config import InvalidSettings, Settings

TAKEN = 3
"""The exit status where something else listens on a port; another port would do."""


def run(settings: Settings) -> int:
    """Serve until told to stop; returns the exit status."""
    # The store holds secrets; the folder may have been made by somebody else, with another mode than ours.
    os.umask(0o077)
    _open_all_files()
    for host, port, option in _addresses(settings):
        _check_free(host, port, option)
    several = settings.workers > 1 or settings.tls is not None
    counters = tempfile.mkdtemp(prefix="moorage-metrics-") if several else None
    if counters:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters
    try:
        return _run(settings)
    finally:
        if counters:
            shutil.rmtree(counters, ignore_errors=True)


def _open_all_files() -> None:
    """Let this process and those that it starts have as many files open as they may.

    An upload under way has two, its connection and its bytes; the usual limit of 1,024 is there for programs of another kind.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems call it unlimited and then allow less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _run(settings: Settings) -> int:
    # Imported after the environment of the metrics is set.
    from moorage.cli.beside import Beside  # noqa: PLC0415 - see above
    from moorage.cli.endpoint import Endpoint  # noqa: PLC0415 - see above
    from moorage.cli.logs import logging_config  # noqa: PLC0415 - see above
    from moorage.cli.upkeep import refuse_other_users  # noqa: PLC0415 - see above
    from moorage.wiring import prepare  # noqa: PLC0415 - see above

    refuse_other_users(settings.data, "serve")
    try:
        made = prepare(settings)
        Endpoint(settings).note()
    except Exception as error:
        problem = store_problem(error)
        if problem is None:
            raise
        raise click.ClickException(problem) from None
    if made.key:
        click.echo(
            f"Made account {made.key.user.account} with the user {made.key.user.name}; its access key is in {settings.credentials}",
            err=True,
        )
        click.echo(f'In another terminal: eval "$(moorage env --data {shlex.quote(str(settings.data))})"', err=True)
    if made.remains:
        click.echo(
            f"Secrets are sealed now, but clear ones may be left in unused parts of the database: {made.remains}. The next start tries again.",
            err=True,
        )
    log_config = logging_config(json_logs=settings.json_logs, log_requests=settings.log_requests)
    logging.config.dictConfig(log_config)
    # A process of its own, not threads of this one, which forks workers (see listeners).
    with Beside("upkeep", "fork", _keep, settings) as upkeep:
        status = _listen(settings, log_config)
    return 1 if upkeep.failed else status


def _keep(settings: Settings) -> None:
    """Be the process that collects what is unused and follows the audit log, until SIGTERM."""
    from moorage.cli.audit import Indexer  # noqa: PLC0415 - see above
    from moorage.cli.collect import Collector  # noqa: PLC0415 - see above
    from moorage.cli.parents import end_with_parent  # noqa: PLC0415 - see above

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    # A terminal tells every process of either; the main one stops this one last, or goes on.
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    end_with_parent()
    collector, indexer = Collector(settings), Indexer(settings)
    collector.start()
    indexer.start()
    signal.sigwait({signal.SIGTERM})
    collector.stop()
    indexer.stop()


def _listen(settings: Settings, log_config: dict[str, Any]) -> int:
    from moorage.cli.beside import Beside  # noqa: PLC0415 - see above
    from moorage.cli.listeners import Listener, serve_tls  # noqa: PLC0415 - see above

    listener = Listener(settings, log_config)
    if settings.tls is None:
        click.echo(f"Moorage on {settings.url}, data in {settings.data}", err=True)
        listener.serve(settings)
        return 0
    with Beside("tls", "spawn", serve_tls, listener, settings.tls) as beside:
        secure = f"https on {settings.tls.host}:{settings.tls.port}"
        click.echo(f"Moorage on {settings.url} and by {secure}, data in {settings.data}", err=True)
        listener.serve(settings, on_stop=beside.stop)
    return 1 if beside.failed else 0


def _addresses(settings: Settings) -> list[tuple[str, int, str]]:
    plain = (settings.host, settings.port, "--listen")
    return [plain, (settings.tls.host, settings.tls.port, "--tls-listen")] if settings.tls else [plain]


def store_problem(error: Exception) -> str | None:
    """Return why the data folder or the database cannot be used, or None where the failure is a defect of ours."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - only a start that fails needs them

    from moorage.adapters.sql.migrate import NewerDatabase  # noqa: PLC0415 - see above
    from moorage.adapters.vault import VaultShut  # noqa: PLC0415 - see above
    from moorage.core.errors import StorageFull  # noqa: PLC0415 - see above

    if isinstance(error, OSError) and error.filename:
        return f"The data folder cannot be used: {error.filename}: {error.strerror}. Choose another one with --data."
    cause = error.orig if isinstance(error, DBAPIError) else error
    if (
        isinstance(error, StorageFull)
        or getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))
    ):
        return "The disk of the data folder is full: make a few MiB of room there, and start again."
    if isinstance(error, OSError):
        return f"The data folder cannot be used: {error}"
    if isinstance(error, DBAPIError | sqlite3.Error):
        return f"The database cannot be used: {' '.join(str(cause).split())}"
    return str(error) if isinstance(error, NewerDatabase | InvalidSettings | VaultShut) else None


class PortTaken(click.ClickException):
    """A port on which something else listens."""

    exit_code = TAKEN


def _check_free(host: str, port: int, option: str) -> None:
    """Raise ClickException where the port cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            where = f"{host}:{port}"
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"Something else listens on {where}. Choose another port with {option} {host}:PORT."
                ) from None
            why = os.strerror(error.errno or 0)
            raise click.ClickException(
                f"Cannot listen on {where}: {why}. Choose another address with {option}."
            ) from None
