"""What trusting authorities changes on a machine, as values: shown first, then carried out, and taken back byte for byte."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from moorage.core.hosts import aws_hosts, is_wildcard, may_be_registry, with_block
from moorage.core.names import Registry

AUTHORITY_FILE = "authority.pem"
"""The authority's certificate, in the authority's folder."""
SERVER_FILE = "server.pem"
"""The server's certificate and key, there too."""
AUTHORITY_PATH = f"/moorage/{AUTHORITY_FILE}"
"""Where a server shows its authority to other machines."""

HERE = "127.0.0.1"
HOSTS = "/etc/hosts"
DOCKER = "/etc/docker"
CONTAINERD = "/etc/containerd"


SOON = timedelta(days=14)
"""How long before its end one is told of a certificate that nobody renews by itself."""


@dataclass(frozen=True, slots=True)
class Store:
    """How a system keeps the authorities that all its programs trust: a folder, and the command that reads it.

    ``listed`` is where Debian lists certificates and can be told which to remove.
    """

    folder: str
    command: tuple[str, ...]
    listed: str | None = None


STORES = (
    Store("/usr/local/share/ca-certificates", ("update-ca-certificates", "--fresh"), "/etc/ca-certificates.conf"),
    Store("/etc/pki/ca-trust/source/anchors", ("update-ca-trust", "extract")),
)
"""Debian's and its relatives'; Fedora's and its relatives'."""

_paths = re.compile(
    "|".join(
        [
            re.escape(HOSTS),
            rf"(?:{DOCKER}|{CONTAINERD})/certs\.d/[a-z0-9][a-z0-9.:-]*/(?:ca\.crt|hosts\.toml)",
            *(rf"{re.escape(store.folder)}/moorage(?:-[0-9]+)?\.crt" for store in STORES),
        ]
    )
)


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority: its certificate in PEM, the SHA-256 of its DER form, which key it has, and what it may certify until when."""

    certificate: bytes
    fingerprint: str
    key: str
    permitted: tuple[str, ...]
    ends_at: datetime

    def permits(self, name: str) -> bool:
        """Tell whether it may certify a name: one that is permitted or below such a one (RFC 5280, section 4.2.1.10)."""
        return any(f".{name.removeprefix('*.')}".endswith(f".{one}") for one in self.permitted)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name is reached: the address that the hosts file gives it, None where it is in DNS, and the registry's port."""

    address: str | None
    port: int


@dataclass(frozen=True, slots=True)
class Trusted:
    """An authority that a machine trusts, told apart by its key, and the names that this was asked for."""

    key: str
    certificate: bytes
    places: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Change:
    """One file as it is to be, and in a few words why."""

    path: str
    content: bytes
    why: str


def wanted(hosts: Sequence[str], registries: Iterable[Registry]) -> tuple[str, ...]:
    """Return the names to trust: those that were given, else AWS's names of the registries."""
    return tuple(dict.fromkeys(hosts or [host for registry in registries for host in aws_hosts(registry)]))


def address_of(given: str | None, *, elsewhere: bool, in_dns: bool) -> str | None:
    """Return where the hosts file puts the names: this machine, unless told, and nowhere for names that DNS knows or a server elsewhere."""
    if in_dns:
        return None
    return given or (None if elsewhere else HERE)


def objection(authority: Authority, names: Sequence[str], now: datetime) -> str | None:
    """Return why an authority is of no use for these names, or None."""
    if authority.ends_at <= now:
        return f"ended on {authority.ends_at:%Y-%m-%d}"
    refused = [name for name in names if not authority.permits(name)]
    return f"cannot certify {', '.join(refused)}, only {', '.join(authority.permitted)}" if refused else None


def nearing_end(what: str, ends_at: datetime, now: datetime, *, mend: str) -> str | None:
    """Return the sentence on a certificate that has ended or soon will, or None."""
    if ends_at - now >= SOON:
        return None
    return f"{what} {'ended' if ends_at <= now else 'ends'} on {ends_at:%Y-%m-%d}: {mend}"


def added(known: Sequence[Trusted], new: Trusted) -> list[Trusted]:
    """Return what is trusted with ``new`` besides.

    The names of before stay, but for those that another authority is now asked for. An authority that was widened takes the
    place of the same one before; one that has lost all names keeps its place, for the machine goes on trusting it.
    """
    others = [replace(one, places=_without(one.places, new.places)) if one.key != new.key else one for one in known]
    if all(one.key != new.key for one in others):
        return [*others, new]
    return [replace(new, places={**one.places, **new.places}) if one.key == new.key else one for one in others]


def _without(places: Mapping[str, Place], taken: Iterable[str]) -> dict[str, Place]:
    return {name: place for name, place in places.items() if name not in taken}


def planned(*, trusted: Sequence[Trusted], hosts: bytes, engines: Sequence[str], store: Store | None) -> list[Change]:
    """Return the files of a machine that trusts these authorities.

    ``hosts`` is the hosts file as it is; ``engines`` are the folders of the container engines there are.
    """
    changes = []
    lines = [
        (place.address, name)
        for one in trusted
        for name, place in one.places.items()
        if place.address and not is_wildcard(name)
    ]
    known = with_block(hosts, lines)
    if known != hosts:
        at = ", ".join(dict.fromkeys(address for address, _ in lines))
        changes.append(Change(HOSTS, known, f"the names, at {at}" if at else "without the names"))
    for one in trusted:
        for name, place in one.places.items():
            if may_be_registry(name) and not is_wildcard(name):
                changes += _for_engines(one.certificate, name, place.port, engines)
    if store:
        for number, one in enumerate(trusted, 1):
            file = "moorage.crt" if number == 1 else f"moorage-{number}.crt"
            changes.append(Change(f"{store.folder}/{file}", one.certificate, "for all programs of this machine"))
    return changes


def _for_engines(authority: bytes, name: str, port: int, engines: Sequence[str]) -> list[Change]:
    changes = []
    host = name if port == 443 else f"{name}:{port}"  # noqa: PLR2004 - what https means where no port is named
    if DOCKER in engines:
        changes.append(Change(f"{DOCKER}/certs.d/{host}/ca.crt", authority, "for Docker"))
    if CONTAINERD in engines:
        folder = f"{CONTAINERD}/certs.d/{host}"
        # Said twice: after a refusal of the host containerd asks the server, which it takes for another one.
        known = f'ca = "{folder}/ca.crt"\n'
        mirror = f'server = "https://{host}"\n{known}\n[host."https://{host}"]\n  {known}'
        changes.append(Change(f"{folder}/ca.crt", authority, "for containerd"))
        changes.append(Change(f"{folder}/hosts.toml", mirror.encode(), "for containerd"))
    return changes


def may_change(path: str) -> bool:
    """Tell whether a plan can hold that path: a file that says what to take back is not believed any other."""
    return _paths.fullmatch(path) is not None


def in_stores(paths: Iterable[str]) -> list[tuple[Store, list[str]]]:
    """Return the trust stores that these files are in, with the files' names."""
    split = [path.rpartition("/") for path in paths]
    held = [(store, [name for folder, _, name in split if folder == store.folder]) for store in STORES]
    return [(store, names) for store, names in held if names]


def removing(listed: bytes, names: Iterable[str]) -> bytes:
    """Return Debian's list with these certificates to be removed: otherwise Java, for one, would not learn that they are gone."""
    return b"".join([listed.rstrip(b"\n"), b"\n", *(f"!{name}\n".encode() for name in names)])
