"""The fixture ``moorage``, in a pytest of somebody else's."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.engines.programs import ROOT, plain_environment, run

EXAMPLE = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "ci.md").read_text(), re.DOTALL | re.MULTILINE)

AROUND = """
import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def before():
    known = dict(os.environ)
    yield
    changed = {name for name in known | os.environ if known.get(name) != os.environ.get(name)}
    assert changed <= {"PYTEST_CURRENT_TEST"}
"""

WORKERS = """
import os
import time
from pathlib import Path

import boto3
import pytest


@pytest.mark.parametrize("number", range(8))
def test_there(moorage, number):
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(f"{os.environ['PYTEST_XDIST_WORKER']} {moorage.url}\\n")
    boto3.client("ecr").create_repository(repositoryName=f"app-{number}")
    time.sleep(0.2)
"""


def said_by_pytest(folder: Path, *args: str, **environment: str) -> str:
    """Run pytest in a folder, with every warning an error, and return what it printed."""
    temporary = folder / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *args]
    done = run(command, cwd=folder, env=plain_environment(**environment) | {"TMPDIR": str(temporary)})
    assert list(temporary.glob("moorage-run-*")) == []
    return done.stdout


@pytest.mark.slow
def test_the_example_on_the_page_passes_and_the_environment_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text("\n".join(EXAMPLE))
    (tmp_path / "conftest.py").write_text(AROUND)

    assert "1 passed" in said_by_pytest(tmp_path, AWS_SESSION_TOKEN="of-another-session", AWS_PROFILE="nobody")


@pytest.mark.slow
def test_each_worker_of_xdist_has_a_server_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_workers.py").write_text(WORKERS)
    seen = tmp_path / "seen"

    assert "8 passed" in said_by_pytest(tmp_path, "-n", "2", SEEN=str(seen))
    lines = {tuple(line.split()) for line in seen.read_text().splitlines()}
    assert {worker for worker, _ in lines} == {"gw0", "gw1"}
    assert len({url for _, url in lines}) == len(lines) == 2


def test_a_run_of_pytest_that_does_not_ask_for_it_imports_next_to_nothing() -> None:
    script = (
        "import pytest, sys; before = set(sys.modules); import moorage.pytest_plugin; print(*set(sys.modules) - before)"
    )

    imported = set(run([sys.executable, "-c", script], env=dict(os.environ)).stdout.split())

    assert imported == {"moorage", "moorage.pytest_plugin"}
