"""``moorage run``: a command beside a server that is there for it alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from moorage.cli.options import ACCOUNT_ID, region_option
from moorage.cli.parents import end_with_parent
from moorage.cli.throwaway import NotStarted, ThrowAway
from moorage.config import ACCOUNT

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOT_EXECUTABLE = 126
NOT_FOUND = 127
BY_SIGNAL = 128
_LOOK_SECONDS = 1


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--account", metavar="ID", default=ACCOUNT, show_default=True, type=ACCOUNT_ID, help="The server's account."
)
@region_option
@click.option(
    "--log", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Keep the server's log in this file."
)
@click.argument("command", nargs=-1, required=True, metavar="COMMAND [ARG]...")
def run(account: str, region: str, log: Path | None, command: tuple[str, ...]) -> None:
    """Run a command with a server of its own. That is gone with all its data when the command has ended.

    The command finds the server in its environment: AWS_ENDPOINT_URL, a key and a region for the AWS CLI and SDKs, and
    MOORAGE_REGISTRY for container clients. Its exit status is that of the command.

    Example: moorage run -- pytest tests/images
    """
    # What the caller has us ignore, as nohup does, stays ignored.
    signals = [one for one in PASSED_ON if signal.getsignal(one) is not signal.SIG_IGN]
    for one in signals:
        signal.signal(one, lambda number, _: sys.exit(BY_SIGNAL + number))
    try:
        with ThrowAway(account, region, log) as server:
            status = _run(server, command, signals)
    except NotStarted as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None
    sys.exit(status)


def _run(server: ThrowAway, command: Sequence[str], signals: Sequence[signal.Signals]) -> int:
    """Run the command to its end and return its exit status, as a shell would."""
    # From here on signals are waited for, and stay blocked until the server is gone.
    signal.pthread_sigmask(signal.SIG_BLOCK, [*signals, signal.SIGCHLD])

    def prepare() -> None:
        end_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [*signals, signal.SIGCHLD])

    try:
        process = subprocess.Popen(  # noqa: S603 - running it is what was asked for
            command,
            env=server.within(os.environ),
            preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
        )
    except OSError as error:
        click.echo(f"Error: {command[0]} cannot be run: {error.strerror}", err=True)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    alive = True
    while process.poll() is None:
        came = signal.sigtimedwait([*signals, signal.SIGCHLD], _LOOK_SECONDS)
        # What a terminal sends (a positive code, for it is the kernel's), the command has been sent as well.
        if came and came.si_signo in signals and came.si_code <= 0:
            process.send_signal(came.si_signo)
        if alive and server.ended:
            alive = False
            click.echo(f"The server has ended before the command. Its log ends with\n{server.log()}", err=True)
    status = process.returncode
    return status if status >= 0 else BY_SIGNAL - status
