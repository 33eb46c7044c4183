"""``moorage trust``: show what would change on this machine, ask, change it, and take it back."""

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from moorage.adapters.authority import AuthorityFolder, describe
from moorage.adapters.machine import Machine
from moorage.config import Settings
from moorage.core.hosts import aws_hosts, is_wildcard, parse_host
from moorage.core.names import Registry, parse_account, parse_region
from moorage.core.trust import AUTHORITY_PATH, Change, planned

JOURNAL = "trust.json"
_FETCH_SECONDS = 10
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; ``address`` is None where the hosts file is to be left alone."""

    data: Path
    names: tuple[str, ...]
    address: str | None
    port: int
    root: Path


def wanted_names(data: Path, names: Sequence[str], account: str | None, regions: Sequence[str]) -> tuple[str, ...]:
    """Return the host names to trust: those given, or AWS's names of the account; raises UsageError."""
    if names:
        hosts = []
        for name in names:
            host = parse_host(name)
            if host is None:
                raise click.UsageError(f"{name!r} is not a host name")
            hosts.append(host)
        return tuple(hosts)
    parsed = parse_account(account or _first_account(data))
    if parsed is None:
        raise click.UsageError(f"--account must be twelve digits, not {account!r}")
    all_names: list[str] = []
    for region in regions:
        place = parse_region(region)
        if place is None:
            raise click.UsageError(f"--region {region!r} is not a region")
        all_names += aws_hosts(Registry(parsed, place))
    return tuple(dict.fromkeys(all_names))


def trust(wish: Wish, *, server: str | None, sure: bool, only_show: bool) -> None:
    """Carry a wish out, after showing it and asking; raises ClickException."""
    machine = Machine(wish.data / JOURNAL, wish.root)
    known = _fetched(server) if server else _own_authority(wish)

    def pending(authority: bytes) -> list[Change]:
        engines, store = machine.engines(), machine.store()
        return machine.pending(
            planned(
                authority=authority,
                names=wish.names,
                address=wish.address,
                port=wish.port,
                hosts=machine.hosts(),
                engines=engines,
                store=store,
            )
        )

    changes = pending(known or b"")
    if not changes:
        said = f": the authority with the SHA-256 fingerprint {describe(known).fingerprint}" if known else ""
        click.echo(f"Everything is trusted already{said}.")
        return
    _show(wish, changes, known)
    if only_show:
        return
    if not sure and not click.confirm("Do this?"):
        raise click.ClickException("Nothing was changed.")
    store = machine.store()
    try:
        machine.apply(pending(known or _make(wish)), [store.command] if store else [])
    except PermissionError as error:
        raise click.ClickException(
            f"{error.filename} can be changed by root only: run the same with sudo. `moorage trust --undo` takes back what was done."
        ) from None
    except subprocess.CalledProcessError as error:
        raise click.ClickException(f"{error.cmd[0]} failed with status {error.returncode}.") from None
    _give_back(wish.data)
    click.echo("Done. `moorage trust --undo` takes all of it back.")


def undo(data: Path, root: Path) -> None:
    """Take back what was done, and the authority with it."""
    try:
        undone = Machine(data / JOURNAL, root).undo()
    except PermissionError as error:
        raise click.ClickException(f"{error.filename} can be changed by root only: run the same with sudo.") from None
    for path in undone.restored:
        click.echo(f"put back {path}")
    for path in undone.left:
        click.echo(f"left {path} alone: it was changed by somebody else since")
    AuthorityFolder(data / Settings.AUTHORITY).remove()


def _own_authority(wish: Wish) -> bytes | None:
    """Return the certificate of this server's authority, or None where it has yet to be made or widened."""
    folder = AuthorityFolder(wish.data / Settings.AUTHORITY)
    known = folder.read()
    return known.certificate if known is not None and set(wish.names) <= set(folder.names()) else None


def _make(wish: Wish) -> bytes:
    made = AuthorityFolder(wish.data / Settings.AUTHORITY).ensure(wish.names, datetime.now(UTC)).certificate
    _give_back(wish.data)
    return made


def _give_back(data: Path) -> None:
    """Let the data folder's owner have what root made in it, for the server may run as that user."""
    owner = data.stat()
    for path in (data / JOURNAL, data / Settings.AUTHORITY, *(data / Settings.AUTHORITY).glob("*")):
        if path.exists() and path.stat().st_uid != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid)


def _show(wish: Wish, changes: Sequence[Change], authority: bytes | None) -> None:
    click.echo("Moorage would")
    if authority is None:
        click.echo(
            f"  make an authority in {wish.data / Settings.AUTHORITY} that can certify these names and no other:"
        )
    else:
        known = describe(authority)
        click.echo(f"  trust the authority with the SHA-256 fingerprint {known.fingerprint},")
        click.echo(
            f"  which ends on {known.ends_at:%Y-%m-%d} and can certify these names, those below them, and no other:"
        )
    # Of an authority that there is, what it says of itself counts, not what was asked for.
    for name in wish.names if authority is None else describe(authority).permitted:
        click.echo(f"    {name}")
    for change in changes:
        click.echo(f"  write {change.path} ({change.why})")
    if any(is_wildcard(name) for name in wish.names):
        click.echo("  A wildcard cannot stand in a hosts file: it needs a DNS record.")


def _fetched(server: str) -> bytes:
    """Return the authority of a server; raises ClickException."""
    url = server.rstrip("/") + AUTHORITY_PATH
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--server must be a URL such as http://registry.example:4510, not {server!r}")
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_SECONDS) as answer:  # noqa: S310 - the scheme was looked at above
            pem = answer.read(_MOST_BYTES)
        describe(pem)
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"{url} answered {error.code}: has `moorage trust` been run there?") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            raise click.ClickException(
                f"{url} is not trusted yet: name its http:// address, and compare the fingerprint"
            ) from None
        raise click.ClickException(f"{url} cannot be reached: {error.reason}") from None
    except OSError as error:
        raise click.ClickException(f"{url} cannot be reached: {error}") from None
    except ValueError:
        raise click.ClickException(f"{url} is not a certificate of an authority") from None
    return bytes(pem)


def _first_account(data: Path) -> str:
    try:
        account: str = json.loads((data / Settings.CREDENTIALS).read_text())["Account"]
    except FileNotFoundError:
        raise click.UsageError(
            f"{data} has no {Settings.CREDENTIALS} to read the account from: start `moorage serve` once, or say --account"
        ) from None
    return account
