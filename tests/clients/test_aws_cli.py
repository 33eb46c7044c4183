"""Both AWS CLIs log in, upload bytes, turn pages and report errors; what they do under AWS's names is in the walk-through."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.registry import Registry, digest_of
from tests.engines.clients import aws_environment
from tests.engines.programs import CACHE, found, run
from tests.engines.server import ACCOUNT, Server

pytestmark = pytest.mark.slow

PLACES = {"1": CACHE / "awscli" / "bin", "2": Path("/usr/bin")}
REMEDIES = {"1": "make slow-tests installs it in .cache/awscli", "2": "apt-get install awscli"}

Aws = Callable[..., str]


def command(version: str, server: Server) -> list[str]:
    """Return the words that every command begins with; CLIs before 2.13 must be told the endpoint there."""
    path = found("aws", remedy=REMEDIES[version], also_in=[PLACES[version]])
    return [str(path), "--endpoint-url", server.url, "--output", "json"]


@pytest.fixture(
    params=[
        pytest.param("1", marks=pytest.mark.client("aws 1")),
        pytest.param("2", marks=pytest.mark.client("aws 2")),
    ]
)
def words(request: pytest.FixtureRequest, server: Server) -> list[str]:
    """What the commands of one CLI begin with."""
    return command(request.param, server)


@pytest.fixture
def aws(words: list[str], server: Server) -> Aws:
    """One CLI as the administrator; returns what it printed."""
    return lambda *args: run([*words, *args], env=aws_environment(server)).stdout.strip()


def test_the_password_that_the_cli_prints_logs_in(aws: Aws, server: Server) -> None:
    password = aws("ecr", "get-login-password")

    Registry(server.port, password).must(200, "GET", "/v2/")


def test_the_cli_uploads_a_layer_from_a_file_as_it_is(aws: Aws, repository: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "layer").write_bytes(content)
    to = ("--repository-name", repository)

    upload = json.loads(aws("ecr", "initiate-layer-upload", *to))["uploadId"]
    part = ("--part-first-byte", "0", "--part-last-byte", str(len(content) - 1))
    blob = ("--layer-part-blob", f"fileb://{tmp_path / 'layer'}")
    aws("ecr", "upload-layer-part", *to, "--upload-id", upload, *part, *blob)
    wanted = ("--layer-digests", digest_of(content))
    completed = json.loads(aws("ecr", "complete-layer-upload", *to, "--upload-id", upload, *wanted))

    assert completed["layerDigest"] == digest_of(content)
    checked = json.loads(aws("ecr", "batch-check-layer-availability", *to, *wanted))
    assert [each["layerAvailability"] for each in checked["layers"]] == ["AVAILABLE"]


def test_the_cli_turns_pages_until_it_has_all(aws: Aws, registry: Registry, repository: str) -> None:
    for tag in ("one", "two", "three"):
        registry.push(repository, tag, seed=tag)
    asked = ("--repository-name", repository, "--page-size", "1", "--query", "imageDetails[].imageTags[]")

    assert sorted(json.loads(aws("ecr", "describe-images", *asked))) == ["one", "three", "two"]


def test_the_cli_stops_after_as_many_items_as_it_is_told_and_goes_on_from_there(
    aws: Aws, registry: Registry, repository: str
) -> None:
    for tag in ("one", "two", "three"):
        registry.push(repository, tag, seed=tag)
    asked = ("ecr", "list-images", "--repository-name", repository)

    first = json.loads(aws(*asked, "--max-items", "2"))
    rest = json.loads(aws(*asked, "--starting-token", first["NextToken"]))

    assert len(first["imageIds"]) == 2
    assert sorted(each["imageTag"] for each in first["imageIds"] + rest["imageIds"]) == ["one", "three", "two"]


def test_the_cli_reports_an_error_by_its_code(words: list[str], server: Server) -> None:
    asked = ("ecr", "describe-repositories", "--repository-names", "clients/never-made")

    refused = run([*words, *asked], env=aws_environment(server), check=False)

    assert refused.returncode in (254, 255)
    assert "(RepositoryNotFoundException) when calling the DescribeRepositories operation" in refused.stderr


def test_the_cli_tells_whose_key_it_uses(aws: Aws) -> None:
    assert json.loads(aws("sts", "get-caller-identity"))["Account"] == ACCOUNT
    assert "admin" in [each["UserName"] for each in json.loads(aws("iam", "list-users"))["Users"]]


@pytest.mark.client("aws 1")
def test_the_first_cli_prints_a_whole_docker_login(server: Server) -> None:
    printed = run(
        [*command("1", server), "ecr", "get-login", "--no-include-email"], env=aws_environment(server)
    ).stdout.split()

    assert printed[:5] == ["docker", "login", "-u", "AWS", "-p"]
    Registry(server.port, printed[5]).must(200, "GET", "/v2/")
