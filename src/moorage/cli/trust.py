"""``moorage trust``: show what would change on this machine, ask, change it, and take it back."""

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import click

from moorage.adapters.authority import AuthorityFolder, describe
from moorage.adapters.files import as_owner_of
from moorage.adapters.machine import Machine
from moorage.config import Settings
from moorage.core.hosts import is_wildcard
from moorage.core.names import AccountId, parse_account
from moorage.core.trust import AUTHORITY_PATH, Authority, Change, Place, Trusted, added, in_stores, objection

_FETCH_SECONDS = 10
_MOST_BYTES = 64 * 1024
_TAKE_BACK = "`moorage trust --undo` takes back whatever was done."


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; ``place`` is where the names are reached."""

    data: Path
    names: tuple[str, ...]
    place: Place
    root: Path


@dataclass(frozen=True, slots=True)
class Known:
    """An authority as it is, None where it has yet to be made, under the key that it has or is to have, and what it lacks.

    ``narrower`` is the one of that key that is too narrow or near its end, and is made anew.
    """

    authority: Authority | None
    key: str
    names: tuple[str, ...]
    lacks_certificate: bool = False
    narrower: Authority | None = None


def trust(wish: Wish, *, server: str | None, sure: bool, only_show: bool) -> None:
    """Carry a wish out, after showing it and asking; raises ClickException."""
    with _told(wish.data):
        machine = Machine(wish.root)
        journal = machine.journal()
        known = _fetched(server, wish.names) if server else _own(wish, journal.trusted)

        def wanted(authority: Authority | None) -> list[Trusted]:
            key, certificate = (authority.key, authority.certificate) if authority else (known.key, b"")
            return added(journal.trusted, Trusted(key, certificate, dict.fromkeys(wish.names, wish.place)))

        changes = machine.pending(wanted(known.authority))
        if known.authority and not changes and not known.lacks_certificate and journal.finished:
            click.echo(
                f"Everything is trusted already: the authority with the SHA-256 fingerprint {known.authority.fingerprint}."
            )
            return
        _show(wish, known, changes)
        if only_show:
            return
        if not sure and not click.confirm("Do this?"):
            raise click.ClickException("Nothing was changed.")
        machine.begin(None if server else wish.data)
        machine.apply(wanted(known.authority if server else _made(wish, known)))
    click.echo("Done. `moorage trust --undo` takes all of it back.")


def undo(data: Path, root: Path, *, only_show: bool) -> None:
    """Take back what was done on this machine, and the authorities that were made for it; or only show what that is."""
    with _told(data):
        machine = Machine(root)
        journal = machine.journal()
        if only_show:
            for path in [*reversed(journal.files), *(f"{folder}/{Settings.AUTHORITY}" for folder in journal.data)]:
                click.echo(f"would take back {path}")
            return
        undone = machine.undo()
        for path in undone.restored:
            click.echo(f"put back {path}")
        for path in undone.left:
            click.echo(f"left {path} as it is: it was changed by somebody else since")
        for folder, was_made in journal.data.items():
            _remove_authority(Path(folder), was_made=was_made)
        if not journal.files and not journal.data:
            click.echo("There is nothing to take back.")
        machine.forget()


def first_account(data: Path) -> AccountId:
    """Return the account that the server of a data folder has; raises UsageError where none has started yet."""
    path = data / Settings.CREDENTIALS
    with _told(data), as_owner_of(data):
        try:
            account = parse_account(json.loads(path.read_text())["Account"])
        except FileNotFoundError:
            raise click.UsageError(
                f"{data} has no {Settings.CREDENTIALS} to read the account from: start `moorage serve` once, or say --account"
            ) from None
        except (ValueError, KeyError, TypeError):
            account = None
    if account is None:
        raise click.ClickException(f"{path} names no account")
    return account


def _own(wish: Wish, trusted: Sequence[Trusted]) -> Known:
    """Return the authority of the data folder, as far as it is good for the names that are wanted and those of before."""
    folder, now = AuthorityFolder(wish.data / Settings.AUTHORITY), datetime.now(UTC)
    with as_owner_of(wish.data):
        there = folder.read()
        key = there.key if there else ""
        names = tuple(dict.fromkeys([*(name for one in trusted if one.key == key for name in one.places), *wish.names]))
        authority = folder.authority_for(names, now)
        return Known(
            authority,
            key,
            tuple(dict.fromkeys([*folder.names(), *names])),
            folder.lacks_certificate(names, now),
            there,
        )


def _made(wish: Wish, known: Known) -> Authority:
    """Make what is missing in the data folder; the server may run as the folder's owner, so all of it becomes that user's."""
    with as_owner_of(wish.data):
        wish.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = AuthorityFolder(wish.data / Settings.AUTHORITY).ensure(known.names, datetime.now(UTC))
    # The folder's owner may have changed it since it was shown.
    if not set(made.permitted) <= {name.removeprefix("*.") for name in _permitted(known)}:
        raise click.ClickException(f"The authority in {wish.data} is not the one that was shown.")
    return made


def _remove_authority(data: Path, *, was_made: bool) -> None:
    with as_owner_of(data):
        AuthorityFolder(data / Settings.AUTHORITY).remove()
    if was_made and data.is_dir() and not any(data.iterdir()):
        data.rmdir()


def _show(wish: Wish, known: Known, changes: Sequence[Change]) -> None:
    click.echo("Moorage would")
    scope = "these names and what is below them, and no other"
    if known.authority is None and known.narrower:
        click.echo(f"  make the authority with the SHA-256 fingerprint {known.narrower.fingerprint} anew,")
        click.echo(f"  so that it has another fingerprint and can certify {scope}:")
    elif known.authority is None:
        click.echo(f"  make an authority in {wish.data / Settings.AUTHORITY} that can certify {scope}:")
    else:
        click.echo(f"  trust the authority with the SHA-256 fingerprint {known.authority.fingerprint},")
        click.echo(f"  which ends on {known.authority.ends_at:%Y-%m-%d} and can certify {scope}:")
    for name in _permitted(known):
        click.echo(f"    {name}")
    if known.authority and known.lacks_certificate:
        click.echo(f"  have it certify {', '.join(known.names)}")
    for change in changes:
        click.echo(f"  write {change.path} ({change.why})")
    for store, _ in in_stores(change.path for change in changes):
        click.echo(f"  run {' '.join(store.command)}")
    if any(is_wildcard(name) for name in wish.names):
        click.echo("  A wildcard cannot stand in a hosts file: it needs a DNS record.")


def _permitted(known: Known) -> tuple[str, ...]:
    """Return what the authority may certify: of one that there is, what it says of itself counts, not what was asked for."""
    return known.authority.permitted if known.authority else known.names


def _fetched(server: str, names: tuple[str, ...]) -> Known:
    """Return the authority of a server; raises ClickException for one that is of no use for these names."""
    url = server.rstrip("/") + AUTHORITY_PATH
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--server must be a URL such as http://registry.example:4510, not {server!r}")
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_SECONDS) as answer:  # noqa: S310 - the scheme was looked at above
            pem = answer.read(_MOST_BYTES)
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"{url} answered {error.code}: has `moorage trust` been run there?") from None
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            raise click.ClickException(
                f"{url} is not trusted yet: name its http:// address, and compare the fingerprint"
            ) from None
        raise click.ClickException(f"{url} cannot be reached: {str(reason).strip()}") from None
    try:
        authority = describe(pem)
    except ValueError as error:
        raise click.ClickException(f"{url} {error}") from None
    problem = objection(authority, names, datetime.now(UTC))
    if problem:
        raise click.ClickException(f"the authority of {server} {problem}")
    return Known(authority, authority.key, names)


@contextmanager
def _told(data: Path) -> Iterator[None]:
    """Say what went wrong on the machine, and how to go on."""
    try:
        yield
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        how = _TAKE_BACK
        if isinstance(error, PermissionError) and os.geteuid() != 0:
            # Root has another home, and so another data folder, and sudo another PATH.
            how = f'As root it can be done, with the same words: sudo "$(command -v moorage)" trust --data {data}'
        raise click.ClickException(f"{said}. {how}") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip()
        raise click.ClickException(
            f"{error.cmd[0]} failed with status {error.returncode}: {said}\n{_TAKE_BACK}"
        ) from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
