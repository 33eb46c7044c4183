"""What the pages on deployment need: their commands, a checkout, wheels, and Docker Hub's Python without Docker Hub."""

import io
import re
import shutil
import sys
import sysconfig
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.clients.reader import Step, blocks, run_lines
from tests.engines.box import Box
from tests.engines.clients import NOWHERE
from tests.engines.programs import CACHE, ROOT, found, plain_environment, run, tail

NAMES = ["*.dkr.ecr.us-east-1.example.org", "api.example.org"]
REGISTRY = "123456789012.dkr.ecr.us-east-1.example.org"
NOT_IN_IMAGE = ("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "__pycache__")
BUSYBOX = ("sh", "mkdir", "chown", "ls", "cat")


def commands(page: str) -> list[list[str]]:
    """Return the lines of each block of commands."""
    return [block.splitlines() for block in blocks(page, "console")]


def checkout(folder: Path) -> Path:
    """Copy what a wheel is made of, and the files of a deployment."""
    folder.mkdir()
    for part in ("src", "deploy"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("README.md", "LICENSE", "NOTICE", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / file, folder)
    return folder


def wheels() -> dict[str, str]:
    """Return the environment in which pip installs without a network, from wheels that were fetched before."""
    folder = CACHE / "wheels"
    if not (folder / ".ready").exists():
        pytest.fail("the wheels of requirements.txt are missing: make slow-tests fetches them", pytrace=False)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def at_a_terminal(**more: str) -> dict[str, str]:
    """Return the environment of someone who types commands, without a configuration of AWS's; ``PATH`` comes first."""
    known = {"AWS_CONFIG_FILE": NOWHERE, "AWS_SHARED_CREDENTIALS_FILE": NOWHERE, "AWS_EC2_METADATA_DISABLED": "true"}
    path = ":".join(part for part in (more.pop("PATH", ""), str(CACHE / "awscli" / "bin"), str(CACHE / "bin")) if part)
    system = "/usr/sbin:/usr/bin:/sbin:/bin"
    return plain_environment(AWS_PAGER="", **known, **more) | {"PATH": f"{path}:{system}"}


def typed(box: Box, lines: Sequence[str], folder: Path, environment: dict[str, str]) -> list[Step]:
    """Run lines in the box, each of which must succeed."""
    steps = run_lines(list(lines), folder, environment, box.inside())
    failed = "\n".join(f"{step.line}\n{step.output}" for step in steps if step.status != 0)
    assert not failed, f"{failed}\n{tail(box.log)}"
    return steps


def python_image(archive: Path) -> None:
    """Write the archive of an image that has what the pages use of ``python:3.11-slim``: this Python, and busybox as its system."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program, library = Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))
    modules = [file for file in library.glob("lib-dynload/*.so") if "tkinter" not in file.name]
    # The wheels' own modules need libraries of the system as well.
    modules += Path(sysconfig.get_path("platlib")).glob("granian/*.so")
    loader, libraries = needed([program, *modules])

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid = member.gid = 0
        return None if Path(member.name).name in NOT_IN_IMAGE or "tkinter" in member.name else member

    with tarfile.open(archive, "w") as image:

        def folder(name: str, mode: int = 0o755) -> None:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, mode
            image.addfile(member)

        def link(name: str, target: str) -> None:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            image.addfile(member)

        folder("tmp", 0o1777)
        for name in ("etc", "bin", "usr", "usr/lib", "usr/local", "usr/local/bin", "usr/local/lib"):
            folder(name)
        image.add(found("busybox", remedy="apt-get install busybox-static").resolve(), "bin/busybox")
        for applet in BUSYBOX:
            link(f"bin/{applet}", "busybox")
        image.add(program, f"usr/local/bin/{version}")
        for name in ("python", "python3"):
            link(f"usr/local/bin/{name}", version)
        image.add(library, f"usr/local/lib/{version}", filter=kept)
        image.add(
            Path(sysconfig.get_path("purelib")) / "pip", f"usr/local/lib/{version}/site-packages/pip", filter=kept
        )
        pip = b"#!/usr/local/bin/python3\nimport runpy\nrunpy.run_module('pip', run_name='__main__')\n"
        script = tarfile.TarInfo("usr/local/bin/pip")
        script.mode, script.size = 0o755, len(pip)
        image.addfile(script, io.BytesIO(pip))
        bundled = Path("/usr/share/python-wheels")  # where Debian's Python has pip for its environments
        if bundled.is_dir():
            image.add(bundled, str(bundled)[1:])
        image.add(loader.resolve(), str(loader)[1:])
        for file in libraries:
            image.add(file.resolve(), f"usr/lib/{file.name}")


def needed(programs: Sequence[Path]) -> tuple[Path, set[Path]]:
    """Return the loader of programs, and the libraries of the system that they want of it."""
    listed = run(["ldd", *programs], env=plain_environment()).stdout
    loader = re.search(r"^\s+(/\S*/ld-linux\S+) ", listed, re.MULTILINE)
    assert loader, listed
    return Path(loader[1]), {Path(path) for path in re.findall(r"=> (/\S+) \(", listed)}


def unit_command(text: str) -> list[str]:
    """Return the words that a unit, or a drop-in of one, starts."""
    lines: list[str] = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
    return lines[-1].split()


def split_certificate(both: Path, certificate: Path, key: Path) -> None:
    """Write the two parts of a file that holds a certificate and its key, as one gets them from elsewhere."""
    parts = re.split(r"(?=-----BEGIN )", both.read_text())
    certificate.write_text("".join(part for part in parts if " CERTIFICATE-----" in part))
    key.write_text("".join(part for part in parts if "PRIVATE KEY-----" in part))


def is_up(url: str) -> list[str]:
    """Return the command that ends well once a server answers there."""
    return ["curl", "--silent", "--show-error", "--fail", "--max-time", "2", url]
