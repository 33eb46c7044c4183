"""Which settings there are, and where each of them was given: command line, environment, ``moorage.toml`` or nowhere."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

FILE = "moorage.toml"
PREFIX = "MOORAGE_"
ACCOUNT = "123456789012"
"""The account that the first start makes, unless told."""
CONFIG = "MOORAGE_CONFIG"

# What `moorage run` tells its command, what Docker sets for a container named moorage, and Kubernetes for each service of
# the namespace whose name begins with it, such as moorage-postgresql.
_NOT_SETTINGS = re.compile(r"MOORAGE_(CONFIG|REGISTRY|NAME|ENV_.*|(\w+_)?(SERVICE_(HOST|PORT)|PORT)(_.*)?)")

_HINT = ". Texts are in quotes, and so is a number that begins with 0."


class InvalidSettings(Exception):
    """A setting that cannot be; the sentence says which and what would be right."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    ``name`` is its key in the file; the option and the variable are made of it. ``form`` is None for a switch. ``otherwise`` says
    what holds where there is no ``default``.
    """

    name: str
    form: str | None
    sentence: str
    default: str | None = None
    otherwise: str = "none"

    @property
    def option(self) -> str:
        """Return its name on the command line."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """Return its name in the environment."""
        return PREFIX + self.name.upper().replace("-", "_")

    @property
    def is_path(self) -> bool:
        """Say whether it names a file or a folder."""
        return self.form in ("DIR", "FILE")


KNOWN = (
    Setting(
        "data",
        "DIR",
        "The data folder.",
        otherwise="moorage-data in the current folder where there is one, else ~/.local/share/moorage",
    ),
    Setting(
        "listen", "HOST:PORT", "Where to listen: an IP address or localhost, and a port.", default="127.0.0.1:4510"
    ),
    Setting("account", "ID", "The account that the first start makes: twelve digits.", default=ACCOUNT),
    Setting("domain", "NAME[:PORT]", "Show registries as <account>.dkr.ecr.<region>.NAME instead of the address."),
    Setting(
        "database",
        "URL",
        "PostgreSQL 15 or newer instead of SQLite: postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME.",
        otherwise="SQLite in the data folder",
    ),
    Setting(
        "secrets-key",
        "FILE",
        "The key with which secrets in the database are sealed; the first start makes it.",
        otherwise="secrets.key in the data folder",
    ),
    Setting(
        "keep-unused",
        "TIME",
        "How long unused bytes stay after a client was last told of them: a number with s, m, h or d.",
        default="24h",
    ),
    Setting(
        "collect-every",
        "TIME",
        "How often unused bytes are collected: a number with s, m, h or d; 0s for never.",
        default="1h",
    ),
    Setting("workers", "N", "Server processes: 1 to 64.", default="1"),
    Setting("log-format", "plain|json", "Lines for people or for programs.", default="plain"),
    Setting(
        "log-requests",
        "all|changes|none",
        "Which requests get a line: all, all but successful reads, none.",
        default="changes",
    ),
    Setting(
        "audit-reads",
        None,
        "Record pulls and other reads in the audit log, too; changes and denials always are.",
        default="false",
    ),
    Setting(
        "audit-keep",
        "TIME",
        "How long the audit log is kept: a number with s, m, h or d, 1d at least.",
        default="90d",
    ),
    Setting(
        "sparse-manifests",
        None,
        "The registry takes manifests of layers and images that are not there; ECR refuses them.",
        default="false",
    ),
    Setting(
        "throttle",
        "off|ecr",
        "Refuse requests beyond ECR's own rates, which clients then have to repeat; or take all.",
        default="off",
    ),
    Setting("max-repositories", "N", "Repositories that a registry may have.", default="100000"),
    Setting("max-images", "N", "Images that a repository may have.", default="100000"),
    Setting("max-tags", "N", "Tags that an image may have.", default="1000"),
    Setting("max-layer-size", "MIB", "How large a layer may be, in MiB.", default="52000"),
    Setting("max-layer-parts", "N", "Parts in which a layer may come by the AWS API.", default="4200"),
    Setting("max-uploads", "N", "Uploads that a user may have open at once.", default="10000"),
    Setting("insecure-listen", None, "Listen beyond loopback although there is no TLS.", default="false"),
    Setting("tls-listen", "HOST:PORT", "Where to listen with TLS, besides."),
    Setting("tls-certificate", "FILE", "The certificate with its chain, PEM.", otherwise="that of `moorage trust`"),
    Setting("tls-key", "FILE", "The certificate's key, PEM.", otherwise="in the certificate's file"),
    Setting(
        "trust-proxy",
        "ADDRESS[,...]",
        "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: IP addresses or networks.",
    ),
)


@dataclass(frozen=True, slots=True)
class Given:
    """What a setting was given, as text, or None; ``name`` is what it is called there, and ``source`` is where, None for the default."""

    text: str | None
    name: str
    source: str | None = None

    @property
    def is_default(self) -> bool:
        """Say whether nobody gave it."""
        return self.source is None


def gather(options: Mapping[str, str | None], environment: Mapping[str, str], config: Path | None) -> dict[str, Given]:
    """Return every known setting as it was given; the command line wins over the environment, and that over the file.

    ``options`` has the settings' own names. The file is ``config``, or what ``MOORAGE_CONFIG`` names, or ``moorage.toml`` in the
    current folder where there is one; paths in it are relative to its folder. Raises InvalidSettings for a file that cannot be
    read and for a name that nobody knows.
    """
    in_file, where = _read_file(config, environment.get(CONFIG))
    ours = {name for name in environment if name.startswith(PREFIX) and not _NOT_SETTINGS.fullmatch(name)}
    _refuse_unknown(ours, [setting.variable for setting in KNOWN], "in the environment")
    return {setting.name: _given(setting, options, environment, in_file, where) for setting in KNOWN}


def _given(
    setting: Setting,
    options: Mapping[str, str | None],
    environment: Mapping[str, str],
    in_file: Mapping[str, str],
    where: Path,
) -> Given:
    option = options.get(setting.name)
    if option is not None:
        return Given(option, setting.option, setting.option)
    # A variable that is set to nothing is how one takes it back in many a composed environment.
    if environment.get(setting.variable):
        return Given(environment[setting.variable], setting.variable, setting.variable)
    if setting.name in in_file:
        text = in_file[setting.name]
        if setting.is_path and text:
            text = str(where.absolute().parent / Path(text).expanduser())
        return Given(text, f"{setting.name} in {where}", str(where))
    return Given(setting.default, setting.option)


def _read_file(config: Path | None, variable: str | None) -> tuple[dict[str, str], Path]:
    """Return the settings in the file as text, and the file's path."""
    path, name = (config, "--config") if config else (Path(variable), CONFIG) if variable else (Path(FILE), None)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        # A current folder that may not be entered, as with sudo -u, has no file for us.
        if name is None and isinstance(error, FileNotFoundError | PermissionError):
            return {}, path
        if isinstance(error, FileNotFoundError):
            raise InvalidSettings(f"{name} {path} is not there") from None
        raise InvalidSettings(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        hint = _HINT if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise InvalidSettings(f"{path} cannot be understood: {error}{hint}") from None
    _refuse_unknown(document, [setting.name for setting in KNOWN], f"in {path}")
    for key, value in document.items():
        if not isinstance(value, str | int | float):
            raise InvalidSettings(f"{key} in {path} must be a text, a number, true or false")
    return {key: _text(value) for key, value in document.items()}, path


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refuse_unknown(names: Iterable[str], known: list[str], where: str) -> None:
    for name in sorted(set(names) - set(known)):
        bare = {one.removeprefix(PREFIX): one for one in known}
        nearest = get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.5)
        hint = f"Did you mean {bare[nearest[0]]}?" if nearest else f"There are {', '.join(known)}."
        raise InvalidSettings(f"{name} {where} is not a setting. {hint}")
