"""helm pushes charts as artifacts of a registry and uses them from there."""

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.registry import Registry, digest_of
from tests.clients.tools import program, tool
from tests.engines.server import Server

pytestmark = [pytest.mark.on_request, pytest.mark.client("helm")]

PLAIN = "--plain-http"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

Helm = Callable[..., str]


@pytest.fixture
def run(server: Server, password: str, tmp_path: Path) -> Helm:
    """helm as the administrator, in the test's folder; returns what it printed."""
    command = program("helm", "clients")
    words = ("registry", "login", PLAIN, "--username", "AWS", "--password-stdin", server.host)
    tool(command, *words, home=tmp_path, stdin=password)
    return lambda *args: tool(command, *args, home=tmp_path).stdout


@pytest.fixture
def folder(ecr: Any) -> str:
    """What comes before the chart's name in the name of a repository of this test's own; helm adds the chart's."""
    name = f"charts/{uuid.uuid4().hex[:16]}"
    ecr.create_repository(repositoryName=f"{name}/harbour", imageTagMutability="IMMUTABLE")
    return name


@pytest.fixture
def archive(run: Helm, tmp_path: Path) -> Path:
    run("create", "harbour")
    run("package", "harbour", "--version", "1.2.3")
    return tmp_path / "harbour-1.2.3.tgz"


@pytest.fixture
def chart(run: Helm, server: Server, folder: str, archive: Path) -> str:
    """The name of a chart that helm has pushed."""
    run("push", PLAIN, str(archive), f"oci://{server.host}/{folder}")
    return f"oci://{server.host}/{folder}/harbour"


def test_the_registry_holds_the_chart_that_helm_pushed(
    chart: str, folder: str, archive: Path, registry: Registry
) -> None:
    manifest = json.loads(registry.must(200, "GET", f"/v2/{folder}/harbour/manifests/1.2.3").body)

    assert manifest["config"]["mediaType"] == CHART_CONFIG
    layers = [(layer["mediaType"], layer["digest"]) for layer in manifest["layers"]]
    assert layers == [(CHART_LAYER, digest_of(archive.read_bytes()))]


def test_the_api_describes_a_chart_as_one(chart: str, folder: str, ecr: Any) -> None:
    described = ecr.describe_images(repositoryName=f"{folder}/harbour")["imageDetails"]

    assert [(each["imageTags"], each["artifactMediaType"]) for each in described] == [(["1.2.3"], CHART_CONFIG)]


def test_helm_pulls_the_chart_that_it_pushed(run: Helm, chart: str, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "pulled").mkdir()

    run("pull", PLAIN, chart, "--version", "1.2.3", "--destination", "pulled")

    assert (tmp_path / "pulled" / archive.name).read_bytes() == archive.read_bytes()


def test_helm_finds_the_newest_version_that_fits(run: Helm, chart: str, server: Server, folder: str) -> None:
    for version in ("1.3.0", "2.0.0"):
        run("package", "harbour", "--version", version)
        run("push", PLAIN, f"harbour-{version}.tgz", f"oci://{server.host}/{folder}")

    shown = run("show", "chart", PLAIN, chart, "--version", "^1.0.0")

    assert re.search(r"^version: 1\.3\.0$", shown, re.MULTILINE)


def test_helm_renders_a_chart_from_the_registry(run: Helm, chart: str) -> None:
    rendered = run("template", "pier", PLAIN, chart, "--version", "1.2.3")

    assert "kind: Deployment" in rendered
    assert "name: pier-harbour" in rendered


def test_helm_builds_a_chart_upon_one_in_the_registry(
    run: Helm, chart: str, server: Server, folder: str, archive: Path, tmp_path: Path
) -> None:
    run("create", "coast")
    needed = f"dependencies:\n- name: harbour\n  version: 1.2.3\n  repository: oci://{server.host}/{folder}\n"
    with (tmp_path / "coast" / "Chart.yaml").open("a") as file:
        file.write(needed)

    run("dependency", "update", PLAIN, "coast")

    assert (tmp_path / "coast" / "charts" / archive.name).read_bytes() == archive.read_bytes()


def test_helm_hears_that_an_immutable_version_is_taken(
    run: Helm, chart: str, server: Server, folder: str, tmp_path: Path
) -> None:
    (tmp_path / "harbour" / "templates" / "NOTES.txt").write_text("another one\n")
    run("package", "harbour", "--version", "1.2.3")

    words = ("push", PLAIN, "harbour-1.2.3.tgz", f"oci://{server.host}/{folder}")
    refused = tool(program("helm", "clients"), *words, home=tmp_path, check=False)

    assert refused.returncode != 0
    assert f"The image tag '1.2.3' already exists in the '{folder}/harbour' repository" in refused.stderr
