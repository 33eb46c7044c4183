"""What trusting an authority changes on a machine, as values: shown first, then carried out, and taken back byte for byte."""

from collections.abc import Sequence
from dataclasses import dataclass

from moorage.core.hosts import is_wildcard, with_block
from moorage.core.names import registry_of_host

AUTHORITY_PATH = "/moorage/authority.pem"
"""Where a server shows its authority to other machines."""

HOSTS = "/etc/hosts"
DOCKER = "/etc/docker"
CONTAINERD = "/etc/containerd"


@dataclass(frozen=True, slots=True)
class Store:
    """How a system keeps the authorities that all its programs trust: a folder, and the command that reads it."""

    folder: str
    command: tuple[str, ...]


STORES = (
    Store("/usr/local/share/ca-certificates", ("update-ca-certificates", "--fresh")),
    Store("/etc/pki/ca-trust/source/anchors", ("update-ca-trust", "extract")),
)
"""Debian's and its relatives'; Fedora's and its relatives'."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file as it is to be, and in a few words why."""

    path: str
    content: bytes
    why: str


def planned(
    *,
    authority: bytes,
    names: Sequence[str],
    address: str | None,
    port: int,
    hosts: str,
    engines: Sequence[str],
    store: Store | None,
) -> list[Change]:
    """Return what trusting ``authority`` (PEM) for the registries called ``names`` changes.

    ``hosts`` is the hosts file's text, which gets the names at ``address`` where one is given; ``engines`` are the folders of the
    container engines there are.
    """
    changes = []
    if address is not None:
        changes.append(Change(HOSTS, with_block(hosts, address, names).encode(), f"the names, at {address}"))
    # Of AWS's names only some are registries; of one's own any may be.
    registries = [name for name in names if registry_of_host(name)] or names
    for name in registries:
        if is_wildcard(name):
            continue
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
    if store:
        changes.append(Change(f"{store.folder}/moorage.crt", authority, "for all programs of this machine"))
    return changes
