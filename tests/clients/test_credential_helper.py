"""Amazon's credential helper, which knows only AWS's names, logs clients in there."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.machines import REGISTRY, must, serve_in
from tests.clients.registry import Registry
from tests.clients.tools import program, tool
from tests.engines.box import Box
from tests.engines.clients import aws_environment
from tests.engines.server import ACCOUNT, Server

pytestmark = [pytest.mark.slow, pytest.mark.client("docker-credential-ecr-login")]

HELPER = "docker-credential-ecr-login"
NAME = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture
def named(start_server: Callable[..., Server]) -> Server:
    """A server that says that its registries have AWS's names."""
    return start_server("--domain", "amazonaws.com")


def test_the_helper_gets_a_password_that_logs_in(named: Server, tmp_path: Path) -> None:
    told = json.loads(tool(program(HELPER), "get", home=tmp_path, stdin=NAME, more=aws_environment(named)).stdout)

    assert (told["ServerURL"], told["Username"]) == (NAME, "AWS")
    Registry(named.port, told["Secret"]).must(200, "GET", "/v2/")


def test_the_helper_gets_nothing_with_a_wrong_key(named: Server, tmp_path: Path) -> None:
    wrong = aws_environment(named) | {"AWS_SECRET_ACCESS_KEY": "wrong"}

    refused = tool(program(HELPER), "get", home=tmp_path, stdin=NAME, more=wrong, check=False)

    assert refused.returncode != 0
    assert "credentials not found" in refused.stdout + refused.stderr


@dataclass(frozen=True)
class Machine:
    """A machine on which Moorage has AWS's names, and no client was ever logged in by a password."""

    box: Box
    environment: tuple[str, ...]

    def run(self, command: Path | str, *words: str) -> str:
        return must(self.box, "env", *self.environment, str(command), *words)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Box() as box:
        keys = serve_in(box, box.folder / "data", "--tls-listen", "127.0.0.1:443")
        keys.aws(box, "ecr", "create-repository", "--repository-name", "app")
        docker = box.start_docker()
        config = Path(docker["DOCKER_CONFIG"])
        config.mkdir(exist_ok=True)
        (config / "config.json").write_text(json.dumps({"credHelpers": {REGISTRY: "ecr-login"}}))
        path = f"{program(HELPER).parent}:/usr/bin:/bin"
        own = (f"PATH={path}", f"HOME={box.folder}", *(f"{name}={value}" for name, value in docker.items()))
        yield Machine(box, (*own, *keys.variables))


def test_docker_pushes_and_pulls_by_awss_name_without_a_login(machine: Machine) -> None:
    context = machine.box.folder / "context"
    context.mkdir()
    (context / "file").write_bytes(b"content")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    image = f"{REGISTRY}/app:docker"

    machine.run("docker", "build", "--quiet", "--tag", image, str(context))
    machine.run("docker", "push", image)
    machine.run("docker", "rmi", image)
    machine.run("docker", "pull", image)

    assert REGISTRY in machine.run("docker", "images", "--format", "{{.Repository}}")
    assert "auths" not in json.loads((machine.box.folder / "config" / "config.json").read_text())


def test_crane_and_oras_work_by_awss_name_without_a_login(machine: Machine) -> None:
    layer = machine.box.folder / "layer.tar"
    must(machine.box, "tar", "--create", "--file", str(layer), "--directory", "/etc", "hostname")

    machine.run(program("crane"), "append", "--new_layer", str(layer), "--new_tag", f"{REGISTRY}/app:crane")
    machine.run(program("oras"), "tag", f"{REGISTRY}/app:crane", "oras")

    assert {"crane", "oras"} <= set(machine.run(program("crane"), "ls", f"{REGISTRY}/app").splitlines())


def test_the_helper_lists_the_registry_that_it_logged_in_at(machine: Machine) -> None:
    machine.run("sh", "-c", f"echo {REGISTRY} | {HELPER} get")

    assert json.loads(machine.run(HELPER, "list")) == {f"https://{REGISTRY}": "AWS"}
