"""One frozen value out of the text that was given."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, TypeVar
from urllib.parse import quote

from moorage.config.sources import Given, InvalidSettings
from moorage.core.names import AccountId, RegistryNames, parse_account
from moorage.core.quotas import MIB, Quotas

T = TypeVar("T")

HERE = "moorage-data"
MOST_WORKERS = 64
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


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
    keep_unused: timedelta
    collect_every: timedelta
    workers: int
    json_logs: bool
    log_requests: str
    sparse: bool
    quotas: Quotas
    throttle: bool
    tls: Tls | None

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


def read_settings(given: Mapping[str, Given], home: Path) -> Settings:
    """Return the settings of a server; raises InvalidSettings, which names each setting as its giver did."""
    data = data_folder(given, home)
    host, port = _read(given["listen"], _listen)
    if not _read(given["insecure-listen"], _switch) and not ipaddress.ip_address(host).is_loopback:
        raise InvalidSettings(
            f"{given['listen'].name} {given['listen'].text} is beyond loopback and without TLS: secrets would cross the network in the clear. "
            "Use --tls-listen for other machines, or add --insecure-listen to do it anyway."
        )
    domain, database = _read_if(given["domain"], _domain), _read_if(given["database"], _database)
    return Settings(
        data=data,
        host=host,
        port=port,
        account=_read(given["account"], _account),
        names=RegistryNames(f"{_shown(host)}:{port}", domain),
        database=database or f"sqlite:///{quote(str(data / 'moorage.db'))}",
        keep_unused=_read(given["keep-unused"], _keep),
        collect_every=_read(given["collect-every"], _time),
        workers=_read(given["workers"], _workers),
        json_logs=_read(given["log-format"], _one_of("plain", "json")) == "json",
        log_requests=_read(given["log-requests"], _one_of("all", "changes", "none")),
        sparse=_read(given["sparse-manifests"], _switch),
        quotas=_quotas(given),
        throttle=_read(given["throttle"], _one_of("off", "ecr")) == "ecr",
        tls=_tls(given, data),
    )


def data_folder(given: Mapping[str, Given], home: Path) -> Path:
    """Return the data folder, absolute: the one given, else ``moorage-data`` where the current folder has one, else the user's."""
    named = _read_if(given["data"], _folder)
    if named is None:
        named = Path(HERE) if _has(HERE) else home / ".local" / "share" / "moorage"
    return named.absolute()


def _has(folder: str) -> bool:
    """Tell whether the current folder has that one; one that may not be entered has none."""
    try:
        return Path(folder).is_dir()
    except PermissionError:
        return False


class _Wrong(Exception):
    """What is wrong with a text, as a sentence that begins after the setting's name."""


def _read(value: Given, parse: Callable[[str], T]) -> T:
    """Return what a text means; raises InvalidSettings, which names the setting."""
    try:
        return parse(value.text or "")
    except _Wrong as wrong:
        raise InvalidSettings(f"{value.name} {wrong}") from None


def _read_if(value: Given, parse: Callable[[str], T]) -> T | None:
    return None if value.text is None else _read(value, parse)


def _quotas(given: Mapping[str, Given]) -> Quotas:
    return Quotas(
        repositories=_read(given["max-repositories"], _count),
        images=_read(given["max-images"], _count),
        tags=_read(given["max-tags"], _count),
        layer=_read(given["max-layer-size"], _count) * MIB,
        parts=_read(given["max-layer-parts"], _count),
        uploads=_read(given["max-uploads"], _count),
    )


def _tls(given: Mapping[str, Given], data: Path) -> Tls | None:
    at = _read_if(given["tls-listen"], _listen)
    certificate, key = _read_if(given["tls-certificate"], _file), _read_if(given["tls-key"], _file)
    if key is not None and certificate is None:
        raise InvalidSettings(f"{given['tls-key'].name} needs --tls-certificate, the certificate that it belongs to")
    if at is None:
        return None
    certificate = certificate or data / Settings.AUTHORITY / "server.pem"
    if not certificate.exists():
        raise InvalidSettings(
            f"{given['tls-listen'].name} needs a certificate: "
            "name one's own with --tls-certificate and --tls-key, or make one with `moorage trust`"
        )
    return Tls(*at, certificate, key or certificate)


def _folder(text: str) -> Path:
    if not text:
        raise _Wrong("must name a folder")
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise _Wrong(f"{text} is a file, not a folder")
    return path


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise _Wrong(f"{text} is not a file")
    return path


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 - the ports that there are
        raise _Wrong(f"must be of the form HOST:PORT, not {text!r}")
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)), int(port)
    except ValueError:
        raise _Wrong(f"needs an IP address or localhost, not {host!r}") from None


def _account(text: str) -> AccountId:
    account = parse_account(text)
    if account is None:
        raise _Wrong(f"must be twelve digits, not {text!r}")
    return account


def _domain(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", text):
        raise _Wrong(f"must be a host name with or without a port, not {text!r}")
    return text


def _workers(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MOST_WORKERS:
        raise _Wrong(f"must be a number from 1 to {MOST_WORKERS}, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise _Wrong(f"must be a number from 1 to 999999999, not {text!r}")
    return int(text)


def _time(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not match:
        raise _Wrong(
            f"must be a number with s, m, h or d for seconds, minutes, hours or days, such as 90m, not {text!r}"
        )
    return int(match[1]) * _UNITS[match[2]]


def _keep(text: str) -> timedelta:
    time = _time(text)
    if not time:
        raise _Wrong("must be 1s at least: a push tells of its layers before it says what they are for")
    return time


def _switch(text: str) -> bool:
    known = _SWITCH.get(text.lower())
    if known is None:
        raise _Wrong(f"must be true or false, not {text!r}")
    return known


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise _Wrong(f"must be {', '.join(words[:-1])} or {words[-1]}, not {text!r}")
        return text

    return parse


def _database(url: str) -> str:
    from sqlalchemy import make_url  # noqa: PLC0415 - takes a moment; nobody waits for it without --database
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - see above

    try:
        known = make_url(url).drivername in ("postgresql", "postgresql+psycopg")
    except (ArgumentError, ValueError):
        known = False
    if not known:
        # The URL itself is not shown, for it may hold a password.
        raise _Wrong("must be of the form postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME")
    if find_spec("psycopg") is None:
        raise _Wrong('needs psycopg: pip install ".[postgresql]"')
    return url


def _shown(host: str) -> str:
    """Return the host as clients name it; all addresses at once have no name but this machine's own."""
    address = ipaddress.ip_address(host)
    if address.is_loopback or address.is_unspecified:
        return "localhost"
    return f"[{host}]" if address.version == 6 else host  # noqa: PLR2004 - the version of IP
