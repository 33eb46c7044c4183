"""Someone who stands in a fresh checkout beside a running server and types what a page says."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engines.clients import aws_environment
from tests.engines.docker import DockerEngine
from tests.engines.programs import CACHE, ROOT
from tests.engines.server import Server, moorage

END = "=== end of step "
SET_BY_MOORAGE = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
)


@dataclass(frozen=True)
class Reader:
    """The folder that the reader stands in, and an environment that knows nothing of Moorage."""

    folder: Path
    environment: dict[str, str]


def make_reader(folder: Path, server: Server, docker: DockerEngine) -> Reader:
    """Make what the reader sees of a checkout: README, .venv/bin and moorage-data."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "moorage").symlink_to(moorage())
    (folder / "moorage-data").symlink_to(server.data)
    shutil.copy(ROOT / "README.md", folder)
    path = f"{CACHE / 'awscli' / 'bin'}:/usr/bin:{os.environ['PATH']}"
    known = {name: value for name, value in aws_environment(server).items() if name not in SET_BY_MOORAGE}
    own = {
        "AWS_CONFIG_FILE": str(folder / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws-credentials"),
    }
    return Reader(folder, {**known, **own, **docker.env(), "PATH": path})


def blocks(page: str, *languages: str) -> list[str]:
    """Return the blocks of a page in ``docs/`` that are fenced with one of these words, or with none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE)
    return [block for word, block in fenced if word in (languages or ("",))]


@dataclass(frozen=True)
class Step:
    """One line of the quick start, what it printed and how it ended."""

    line: str
    output: str
    status: int


def run_lines(lines: list[str], folder: Path, environment: dict[str, str], within: Sequence[str] = ()) -> list[Step]:
    """Run the lines in one bash, as someone who types them would, and return a step for each; ``within`` starts it elsewhere."""
    script = folder / "lines.sh"
    # Another namespace of mounts begins at its own root.
    script.write_text(f"cd '{folder}'\n" + "".join(f"{line}\nprintf '\\n{END}%d\\n' $?\n" for line in lines))
    ran = subprocess.run(
        [*within, "bash", script],
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    pieces = re.findall(rf"(.*?)\n{END}(\d+)\n", ran.stdout, re.DOTALL)
    assert len(pieces) == len(lines), ran.stdout
    return [Step(line, output, int(status)) for line, (output, status) in zip(lines, pieces, strict=True)]
