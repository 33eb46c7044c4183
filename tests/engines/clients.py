"""Real clients pointed at a server: the AWS CLI, crane, skopeo."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.engines.programs import CACHE, found, plain_environment, run
from tests.engines.server import Server

NOWHERE = "/dev/null"


def aws_environment(server: Server) -> dict[str, str]:
    """Return the server's own environment for AWS clients, with nothing of the developer's configuration in it."""
    return plain_environment(
        AWS_CONFIG_FILE=NOWHERE,
        AWS_SHARED_CREDENTIALS_FILE=NOWHERE,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_PAGER="",
        **server.env(),
    )


def aws(
    server: Server, *args: str, stdin: str | bytes | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the AWS CLI as the server's admin."""
    command = found("aws", remedy="make slow-tests installs it in .cache/awscli", also_in=[CACHE / "awscli" / "bin"])
    return run([command, *args], env=aws_environment(server), stdin=stdin, check=check)


def crane(
    *args: str,
    config: Path,
    stdin: str | bytes | None = None,
    check: bool = True,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run crane; its logins are kept in the folder ``config``, ``more`` is added to its environment."""
    remedy = "make slow-tests builds it with Go 1.25 or newer; install Go first"
    command = found("crane", remedy=remedy, also_in=[CACHE / "bin"])
    environment = plain_environment(DOCKER_CONFIG=str(config), **(more or {}))
    return run([command, *args], env=environment, stdin=stdin, check=check)


def skopeo(
    *args: str, config: Path, stdin: str | bytes | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run skopeo; its logins are kept in the folder ``config``."""
    command = found("skopeo", remedy="apt-get install skopeo")
    env = plain_environment(REGISTRY_AUTH_FILE=str(config / "config.json"), TMPDIR=str(config))
    return run([command, "--insecure-policy", *args], env=env, stdin=stdin, check=check)
