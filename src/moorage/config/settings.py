"""One frozen value out of the text that was given."""

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, TypeVar
from urllib.parse import quote

from moorage.config import values
from moorage.config.certificates import Unusable, usable_pair
from moorage.config.sources import Given, InvalidSettings
from moorage.core.names import AccountId, RegistryNames, parse_account
from moorage.core.proxies import Proxies
from moorage.core.quotas import MIB, Quotas
from moorage.core.trust import SERVER_FILE

T = TypeVar("T")
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

HERE = "moorage-data"


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
    SECRETS_KEY: ClassVar = "secrets.key"

    data: Path
    host: str
    port: int
    account: AccountId | None
    """The account that was named or that the data folder has; None where the first start may choose."""
    names: RegistryNames
    database: str
    secrets_key: Path
    """The file with the key of the secrets, which the first start makes."""
    keep_unused: timedelta
    collect_every: timedelta
    workers: int
    json_logs: bool
    log_requests: str
    audit_reads: bool
    audit_keep: timedelta
    sparse: bool
    quotas: Quotas
    throttle: bool
    tls: Tls | None
    proxies: Proxies

    @property
    def blobs(self) -> Path:
        """The folder of the bytes."""
        return self.data / "blobs"

    @property
    def audit(self) -> Path:
        """The folder of the audit log."""
        return self.data / "audit"

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
        """The file that says where the server of this folder is reached, or was."""
        return self.data / self.ENDPOINT

    @property
    def url(self) -> str:
        """Where clients on this machine reach the server."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"


def read_settings(given: Mapping[str, Given], home: Path) -> Settings:
    """Return the settings of a server; raises InvalidSettings, which names each setting as its giver did."""
    data = data_folder(given, home)
    host, port = _read(given["listen"], values.address)
    if not _read(given["insecure-listen"], values.switch) and not ipaddress.ip_address(host).is_loopback:
        raise InvalidSettings(
            f"{given['listen'].name} {given['listen'].text} is beyond loopback and without TLS: secrets would cross the network in the clear. "
            "Use --tls-listen for other machines, or add --insecure-listen to do it anyway."
        )
    tls = _tls(given, data)
    if tls is not None and _meet((host, port), (tls.host, tls.port)):
        raise InvalidSettings(
            f"{given['tls-listen'].name} {given['tls-listen'].text} and {given['listen'].name} {given['listen'].text} "
            "are the same address: each needs a port of its own"
        )
    domain, database = _read_if(given["domain"], values.domain), _read_if(given["database"], values.database)
    return Settings(
        data=data,
        host=host,
        port=port,
        account=account_for(given, data),
        names=RegistryNames(f"{_shown(host)}:{port}", domain),
        database=database or f"sqlite:///{quote(str(data / 'moorage.db'))}",
        secrets_key=_secrets_key(given, data),
        keep_unused=_read(given["keep-unused"], values.keep),
        collect_every=_read(given["collect-every"], values.time),
        workers=_read(given["workers"], values.workers),
        json_logs=_read(given["log-format"], values.one_of("plain", "json")) == "json",
        log_requests=_read(given["log-requests"], values.one_of("all", "changes", "none")),
        audit_reads=_read(given["audit-reads"], values.switch),
        audit_keep=_read(given["audit-keep"], values.days),
        sparse=_read(given["sparse-manifests"], values.switch),
        quotas=_quotas(given),
        throttle=_read(given["throttle"], values.one_of("off", "ecr")) == "ecr",
        tls=tls,
        proxies=_read_if(given["trust-proxy"], values.proxies) or Proxies(),
    )


def data_folder(given: Mapping[str, Given], home: Path) -> Path:
    """Return the data folder, absolute: the one given, else ``moorage-data`` where the current folder has one, else the user's."""
    named = _read_if(given["data"], values.folder)
    if named is None:
        named = Path(HERE) if _has(HERE) else home / ".local" / "share" / "moorage"
    return named.absolute()


def named_account(given: Mapping[str, Given]) -> AccountId | None:
    """Return the account, or None where nobody named one; raises InvalidSettings."""
    return None if given["account"].is_default else _read(given["account"], values.account)


def _account_of_folder(data: Path) -> AccountId | None:
    """Return the account whose first key a data folder holds, or None where it holds none that can be read."""
    try:
        return parse_account(json.loads((data / Settings.CREDENTIALS).read_text())["Account"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def account_for(given: Mapping[str, Given], data: Path) -> AccountId | None:
    """Return the account that was named, else that of the data folder; raises InvalidSettings where they are not the same."""
    named, known = named_account(given), _account_of_folder(data)
    if named and known and named != known:
        raise InvalidSettings(f"{given['account'].name} {named} is not the account of {data}, which is {known}")
    return named or known


def _has(folder: str) -> bool:
    """Tell whether the current folder has that one; one that may not be entered has none."""
    try:
        return Path(folder).is_dir()
    except PermissionError:
        return False


def _read(value: Given, parse: Callable[[str], T]) -> T:
    """Return what a text means; raises InvalidSettings, which names the setting."""
    try:
        return parse(value.text or "")
    except values.Wrong as wrong:
        raise InvalidSettings(f"{value.name} {wrong}") from None


def _read_if(value: Given, parse: Callable[[str], T]) -> T | None:
    return None if value.text is None else _read(value, parse)


def _quotas(given: Mapping[str, Given]) -> Quotas:
    return Quotas(
        repositories=_read(given["max-repositories"], values.count),
        images=_read(given["max-images"], values.count),
        tags=_read(given["max-tags"], values.count),
        layer=_read(given["max-layer-size"], values.count) * MIB,
        parts=_read(given["max-layer-parts"], values.count),
        uploads=_read(given["max-uploads"], values.count),
    )


def _tls(given: Mapping[str, Given], data: Path) -> Tls | None:
    at = _read_if(given["tls-listen"], values.address)
    certificate, key = _read_if(given["tls-certificate"], values.file), _read_if(given["tls-key"], values.file)
    if key is not None and certificate is None:
        raise InvalidSettings(f"{given['tls-key'].name} needs --tls-certificate, the certificate that it belongs to")
    if at is None:
        return None
    certificate = certificate or data / Settings.AUTHORITY / SERVER_FILE
    if not certificate.exists():
        raise InvalidSettings(
            f"{given['tls-listen'].name} needs a certificate: "
            "name one's own with --tls-certificate and --tls-key, or make one with `moorage trust`"
        )
    try:
        usable_pair(certificate, key or certificate)
    except Unusable as why:
        raise InvalidSettings(f"{given['tls-listen'].name} has no certificate that it can serve: {why}") from None
    return Tls(*at, certificate, key or certificate)


def _secrets_key(given: Mapping[str, Given], data: Path) -> Path:
    named = _read_if(given["secrets-key"], values.new_file)
    return named.absolute() if named else data / Settings.SECRETS_KEY


def _meet(one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Tell whether two listeners would get each other's connections: at one address, or at all of them and one."""
    (host, port), (other_host, other_port) = one, other
    first, second = ipaddress.ip_address(host), ipaddress.ip_address(other_host)
    return port == other_port and (first == second or _covers(first, second) or _covers(second, first))


def _covers(all_of_them: IPAddress, one: IPAddress) -> bool:
    # The address :: takes IPv4 as well.
    return all_of_them.is_unspecified and all_of_them.version >= one.version


def _shown(host: str) -> str:
    """Return the host as clients name it; all addresses at once have no name but this machine's own."""
    address = ipaddress.ip_address(host)
    if address.is_loopback or address.is_unspecified:
        return "localhost"
    return f"[{host}]" if address.version == 6 else host  # noqa: PLR2004 - the version of IP
