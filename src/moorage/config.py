"""Settings: text in, one frozen value out."""

import ipaddress
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from moorage.core.names import AccountId, RegistryNames, parse_account


class InvalidSettings(Exception):
    """A setting that cannot be; the sentence says which and what would be right."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Where to listen with TLS, and with what: PEM files, which may be one and the same."""

    host: str
    port: int
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a server is told."""

    AUTHORITY: ClassVar = "authority"
    CREDENTIALS: ClassVar = "credentials.json"
    ENDPOINT: ClassVar = "endpoint"

    data: Path
    host: str
    port: int
    account: AccountId
    names: RegistryNames
    database: str
    workers: int
    tls: Tls | None = None

    @property
    def blobs(self) -> Path:
        """The folder of the bytes."""
        return self.data / "blobs"

    @property
    def authority(self) -> Path:
        """The folder of the authority that ``moorage trust`` makes."""
        return self.data / self.AUTHORITY

    @property
    def credentials(self) -> Path:
        """The file with the first access key."""
        return self.data / self.CREDENTIALS

    @property
    def endpoint(self) -> Path:
        """The file that says where the server of this folder was last reached."""
        return self.data / self.ENDPOINT

    @property
    def url(self) -> str:
        """Where clients on this machine reach the server."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"


def read_settings(
    *,
    data: Path,
    listen: str,
    account: str,
    domain: str | None,
    database: str | None,
    workers: int,
    insecure_listen: bool,
    tls_listen: str | None = None,
    tls_certificate: Path | None = None,
    tls_key: Path | None = None,
) -> Settings:
    """Return the settings; raises InvalidSettings."""
    host, port = _listen("--listen", listen)
    if not insecure_listen and not _is_loopback(host):
        raise InvalidSettings(
            f"--listen {listen} is beyond loopback and without TLS: secrets would cross the network in the clear. "
            "Use --tls-listen for other machines, or add --insecure-listen to do it anyway."
        )
    parsed = parse_account(account)
    if parsed is None:
        raise InvalidSettings(f"--account must be twelve digits, not {account!r}")
    if domain is not None and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", domain):
        raise InvalidSettings(f"--domain must be a host name with or without a port, not {domain!r}")
    return Settings(
        data=data.absolute(),
        host=host,
        port=port,
        account=parsed,
        names=RegistryNames(f"{_shown(host)}:{port}", domain),
        database=_database(database) if database else f"sqlite:///{quote(str(data.absolute() / 'moorage.db'))}",
        workers=workers,
        tls=None if tls_listen is None else _tls(tls_listen, data.absolute(), tls_certificate, tls_key),
    )


def default_data(home: Path) -> Path:
    """Return the data folder: ``moorage-data`` where the current folder has one, else the user's."""
    here = Path("moorage-data")
    return here if here.is_dir() else home / ".local" / "share" / "moorage"


def _tls(listen: str, data: Path, certificate: Path | None, key: Path | None) -> Tls:
    host, port = _listen("--tls-listen", listen)
    if certificate is None:
        if key is not None:
            raise InvalidSettings("--tls-key needs --tls-certificate, the certificate that it belongs to")
        certificate = data / Settings.AUTHORITY / "server.pem"
        if not certificate.exists():
            raise InvalidSettings(
                "--tls-listen needs a certificate: name one's own with --tls-certificate and --tls-key, or make one with `moorage trust`"
            )
    for option, path in (("--tls-certificate", certificate), ("--tls-key", key)):
        if path is not None and not path.is_file():
            raise InvalidSettings(f"{option} {path} is not a file")
    return Tls(host, port, certificate, key or certificate)


def _listen(option: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 - the ports that there are
        raise InvalidSettings(f"{option} must be of the form HOST:PORT, not {text!r}")
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)), int(port)
    except ValueError:
        raise InvalidSettings(f"{option} needs an IP address or localhost, not {host!r}") from None


def _shown(host: str) -> str:
    """Return the host as clients name it; all addresses at once have no name but this machine's own."""
    address = ipaddress.ip_address(host)
    if address.is_loopback or address.is_unspecified:
        return "localhost"
    return f"[{host}]" if address.version == 6 else host  # noqa: PLR2004 - the version of IP


def _database(url: str) -> str:
    from sqlalchemy import make_url  # noqa: PLC0415 - takes a moment; nobody waits for it without --database
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - see above

    try:
        known = make_url(url).drivername in ("postgresql", "postgresql+psycopg")
    except (ArgumentError, ValueError):
        known = False
    if not known:
        # The URL itself is not shown, for it may hold a password.
        raise InvalidSettings("--database must be of the form postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME")
    if find_spec("psycopg") is None:
        raise InvalidSettings('--database needs psycopg: pip install ".[postgresql]"')
    return url


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback
