"""Clients that Go builds: a folder of the test's own is their home, so that they find no login or setting of the developer's."""

import base64
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.engines.programs import CACHE, found, plain_environment, run
from tests.engines.server import Server


def program(name: str, target: str = "slow-tests") -> Path:
    """Return where a program is; one that is missing is a failure that names the target that builds it."""
    remedy = f"make {target} builds it with Go 1.26 or newer; install Go first"
    return found(name, remedy=remedy, also_in=[CACHE / "bin"])


def tool(
    command: Path,
    *args: str | Path,
    home: Path,
    stdin: str | bytes | None = None,
    check: bool = True,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program at home in that folder; ``more`` is added to its environment."""
    environment = plain_environment(**(dict(more or {}) | {"HOME": str(home), "DOCKER_CONFIG": str(home / ".docker")}))
    return run([command, *args], env=environment, stdin=stdin, check=check, cwd=home)


def write_login(folder: Path, server: Server, password: str) -> None:
    """Put a login at a server where a folder of Docker's settings has it, for clients that only read it."""
    own = base64.b64encode(f"AWS:{password}".encode()).decode()
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": own}}}))
