"""Running other people's programs: found or said to be missing, bounded in time, loud when they fail."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"


class Missing(Exception):
    """A program or a right that the tests need is not there; the sentence says how to get it."""


def found(program: str, *, remedy: str, also_in: Sequence[Path] = ()) -> Path:
    """Return where ``program`` is; folders in ``also_in`` go before PATH."""
    places = [*map(str, also_in), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]
    path = shutil.which(program, path=os.pathsep.join(places))
    if path is None:
        raise Missing(f"{program} is missing: {remedy}")
    return Path(path)


def run(
    args: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    cwd: Path | None = None,
    check: bool = True,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; unless ``check`` is false, an exit status other than 0 is an AssertionError with its output."""
    ran = subprocess.run(
        [str(arg) for arg in args],
        input=stdin.encode() if isinstance(stdin, str) else stdin or b"",
        env=None if env is None else dict(env),
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=timeout,
    )
    done = subprocess.CompletedProcess(
        ran.args, ran.returncode, ran.stdout.decode(errors="replace"), ran.stderr.decode(errors="replace")
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(done.args)}\nexit status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def plain_environment(**more: str) -> dict[str, str]:
    """Return an environment without any setting of the developer's own: PATH, HOME and what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | more


def free_port() -> int:
    """Return a port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    ready: Callable[[], bool], *, seconds: float, alive: Callable[[], bool] = lambda: True, pause: float = 0.01
) -> bool:
    """Ask until ``ready``; give up, with False, after ``seconds`` or when what is waited for is no longer ``alive``."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end or not alive():
            return False
        time.sleep(pause)
    return True


def children_of(pid: int) -> list[int]:
    """Return the processes that its first thread started and that are there, oldest first."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def tail(path: Path, lines: int = 60) -> str:
    """Return the last lines of a log, or nothing when there is none."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
