"""The environment in which the AWS CLI and SDKs reach a server as its administrator."""

import json
from collections.abc import Mapping
from pathlib import Path

from moorage.config import Settings
from moorage.core.trust import AUTHORITY_FILE

REGION = "us-east-1"
"""The region, unless told."""

_LOCAL = "127.0.0.1,localhost"

# They would send a client elsewhere, or have it speak as somebody else; those of one service begin with the last one.
_IN_THE_WAY = {
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
}
_OF_ONE_SERVICE = "AWS_ENDPOINT_URL_"
_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}


def in_the_way(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that would keep AWS's clients from a server here."""
    return [name for name in environment if name in _IN_THE_WAY or name.startswith(_OF_ONE_SERVICE)]


def past_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what keeps clients from asking a proxy for this machine's loopback, which it could not reach."""
    known = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if known == "*" or not any(name.lower() in _PROXIES for name in environment):
        return {}
    missing = [host for host in _LOCAL.split(",") if host not in known.split(",")]
    direct = ",".join([*([known] if known else []), *missing])
    return {"NO_PROXY": direct, "no_proxy": direct}


def client_environment(folder: Path, region: str) -> dict[str, str]:
    """Return the variables, from what a server keeps in its data folder; raises OSError where it has none that can be read."""
    key = json.loads((folder / Settings.CREDENTIALS).read_text())
    return {
        **server_environment(folder, region),
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


def server_environment(folder: Path, region: str) -> dict[str, str]:
    """Return those of the variables that say where the server is; raises OSError as ``client_environment`` does."""
    variables = {
        "AWS_ENDPOINT_URL": (folder / Settings.ENDPOINT).read_text(),
        # The CLI and boto3 read the one, the SDKs for JavaScript and Java the other.
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }
    authority = folder / Settings.AUTHORITY / AUTHORITY_FILE
    if authority.exists():
        variables["AWS_CA_BUNDLE"] = str(authority.absolute())
    return variables
