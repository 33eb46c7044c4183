"""What the text of a setting means, or what is wrong with it."""

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from moorage.core.accounts import is_alias
from moorage.core.hosts import is_wildcard, parse_host
from moorage.core.names import AccountId, Region, parse_account, parse_region
from moorage.core.proxies import Proxies

MOST_WORKERS = 64
_PORTS = range(1, 65536)
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class Wrong(Exception):
    """What is wrong with a text, as a sentence that begins after the setting's name."""


def folder(text: str) -> Path:
    """Return a folder, which need not be there yet."""
    if not text:
        raise Wrong("must name a folder")
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise Wrong(f"{text} is a file, not a folder")
    return path


def file(text: str) -> Path:
    """Return a file that is there."""
    if not text:
        raise Wrong("must name a file")
    path = Path(text)
    if not path.is_file():
        raise Wrong(f"{text} is not a file")
    return path


def new_file(text: str) -> Path:
    """Return a file that need not be there yet, in a folder that is."""
    path = Path(text)
    if not text or path.is_dir():
        raise Wrong("must name a file")
    if not path.parent.is_dir():
        raise Wrong(f"{text} would be in a folder that is not there")
    return path


def address(text: str) -> tuple[str, int]:
    """Return an IP address and a port."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not _is_port(port):
        raise Wrong(f"must be of the form HOST:PORT, not {text!r}")
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)), int(port)
    except ValueError:
        raise Wrong(f"needs an IP address or localhost, not {host!r}") from None


def account(text: str) -> AccountId:
    """Return an account."""
    parsed = parse_account(text)
    if parsed is None:
        raise Wrong(f"must be twelve digits, not {text!r}")
    return parsed


def region(text: str) -> Region:
    """Return a region."""
    parsed = parse_region(text)
    if parsed is None:
        raise Wrong(f"must be a region such as us-east-1, not {text!r}")
    return parsed


def domain(text: str) -> str:
    """Return a host name with or without a port."""
    name, colon, port = text.partition(":")
    host = parse_host(name)
    if host is None or is_wildcard(host) or (colon and not _is_port(port)):
        raise Wrong(f"must be a host name with or without a port, not {text!r}")
    return host + colon + port


def proxies(text: str) -> Proxies:
    """Return the proxies that are trusted."""
    try:
        return Proxies(tuple(ipaddress.ip_network(part.strip()) for part in text.split(",")))
    except ValueError:
        raise Wrong(f"must be IP addresses or networks with commas between them, not {text!r}") from None


def alias(text: str) -> str:
    """Return a name for an account."""
    if not is_alias(text):
        raise Wrong(f"must be 3 to 63 lower-case letters, digits and single hyphens between them, not {text!r}")
    return text


def user_name(text: str) -> str:
    """Return the name of a user of IAM."""
    if not re.fullmatch(r"[\w+=,.@-]{1,64}", text, re.ASCII):
        raise Wrong(f"must be 1 to 64 letters, digits and any of _+=,.@-, not {text!r}")
    return text


def workers(text: str) -> int:
    """Return a number of processes."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MOST_WORKERS:
        raise Wrong(f"must be a number from 1 to {MOST_WORKERS}, not {text!r}")
    return int(text)


def count(text: str) -> int:
    """Return how many of something there may be."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise Wrong(f"must be a number from 1 to 999999999, not {text!r}")
    return int(text)


def time(text: str) -> timedelta:
    """Return how long something lasts."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not match:
        raise Wrong(
            f"must be a number with s, m, h or d for seconds, minutes, hours or days, such as 90m, not {text!r}"
        )
    return int(match[1]) * _UNITS[match[2]]


def keep(text: str) -> timedelta:
    """Return how long something is kept, which is not no time at all."""
    lasting = time(text)
    if not lasting:
        raise Wrong("must be 1s at least: a push tells of its layers before it says what they are for")
    return lasting


def days(text: str) -> timedelta:
    """Return how long something is kept of which a file holds a day."""
    lasting = time(text)
    if lasting < timedelta(days=1):
        raise Wrong(f"must be 1d at least, not {text!r}: the audit log has a file a day")
    return lasting


def switch(text: str) -> bool:
    """Return whether it is on."""
    known = _SWITCH.get(text.lower())
    if known is None:
        raise Wrong(f"must be true or false, not {text!r}")
    return known


def one_of(*words: str) -> Callable[[str], str]:
    """Return a function that takes one of the words."""

    def parse(text: str) -> str:
        if text not in words:
            raise Wrong(f"must be {', '.join(words[:-1])} or {words[-1]}, not {text!r}")
        return text

    return parse


def database(url: str) -> str:
    """Return the URL of a PostgreSQL database."""
    from sqlalchemy import make_url  # noqa: PLC0415 - takes a moment; nobody waits for it without --database
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - see above

    try:
        known = make_url(url).drivername in ("postgresql", "postgresql+psycopg")
    except (ArgumentError, ValueError):
        known = False
    if not known:
        # The URL itself is not shown, for it may hold a password.
        raise Wrong("must be of the form postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME")
    if find_spec("psycopg") is None:
        raise Wrong('needs psycopg: pip install ".[postgresql]"')
    return url


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and int(text) in _PORTS
