"""The load of the benchmarks is taken by a real server without a failure, and what was pushed can be pulled."""

import json
from pathlib import Path

import pytest

from tests.engines.programs import ROOT, found, plain_environment, run
from tests.engines.server import Server
from tests.server.serving import make_repository, sign_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that puts the load on; it is of Go's standard library alone."""
    go = found("go", remedy="install Go 1.26 or newer")
    program = tmp_path_factory.mktemp("load") / "load"
    environment = plain_environment(CGO_ENABLED="0", GOTOOLCHAIN="local", GOPROXY="off")
    run([go, "build", "-o", program, ROOT / "benchmarks" / "load.go"], env=environment)
    return program


@pytest.mark.parametrize("workload", ["push", "pull", "mixed"])
def test_ten_clients_at_once_are_all_served(server: Server, load: Path, workload: str) -> None:
    repository = f"load/{workload}"
    make_repository(server, repository)
    registry = sign_in(server)
    token = registry.authorization()["Authorization"]

    said = run(
        [
            load,
            "-url",
            server.url,
            "-repository",
            repository,
            "-workload",
            workload,
            "-size",
            "20000",
            "-requests",
            "24",
        ],
        env=plain_environment(LOAD_AUTHORIZATION=token),
    ).stdout

    assert json.loads(said)["requests"] == 24
    tags = json.loads(registry.send("GET", f"/v2/{repository}/tags/list").body)["tags"]
    assert len(tags) == {"push": 24, "pull": 1, "mixed": 6 + 1}[workload]


def test_a_refusal_is_a_failure_of_the_load(server: Server, load: Path) -> None:
    ran = run([load, "-url", server.url, "-requests", "2", "-workers", "1"], env=plain_environment(), check=False)

    assert ran.returncode == 1
    assert "401 instead of 202" in ran.stderr
