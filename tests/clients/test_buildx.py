"""buildx builds in a buildkit elsewhere: images for several platforms, what it attests of itself, and a cache in the registry."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.building import RANDOM, manifest_of
from tests.clients.images import unpacked_layers
from tests.clients.registry import Registry
from tests.clients.tools import program, write_login
from tests.engines.buildkit import BuildKit
from tests.engines.server import Server

pytestmark = [pytest.mark.on_request, pytest.mark.client("buildx")]

Buildx = Callable[..., str]


@pytest.fixture(scope="module")
def buildkit(server: Server, password: str) -> Iterator[BuildKit]:
    """buildkitd, and a buildx beside it that knows it and is logged in as the administrator."""
    with BuildKit() as made:
        write_login(made.home, server, password)
        made.beside([program("buildx", "clients"), "create", "--driver", "remote", "--use", made.address])
        yield made


@pytest.fixture
def run(buildkit: BuildKit) -> Buildx:
    """Run buildx and return what it said."""

    def buildx(*words: str | Path) -> str:
        done = buildkit.beside([program("buildx", "clients"), *words])
        return done.stdout + done.stderr

    return buildx


@pytest.fixture
def context(buildkit: BuildKit, tmp_path: Path) -> Path:
    return buildkit.context(tmp_path / "context", RANDOM)


@pytest.fixture
def name(server: Server, repository: str) -> str:
    """The full name of this test's repository, without a tag."""
    return f"{server.host}/{repository}"


def test_buildx_pushes_an_image_for_each_platform_and_the_provenance_of_each(
    run: Buildx, context: Path, name: str, registry: Registry, repository: str
) -> None:
    run("build", "--push", "--platform=linux/amd64,linux/arm64", "--tag", f"{name}:many", context)

    entries = manifest_of(registry, repository, "many")["manifests"]
    assert [each["platform"]["architecture"] for each in entries] == ["amd64", "arm64", "unknown", "unknown"]
    for each in entries[:2]:
        assert len(unpacked_layers(registry, repository, each["digest"])) == 2


def test_buildx_goes_on_from_the_cache_that_it_left_in_the_registry(
    buildkit: BuildKit, run: Buildx, context: Path, name: str, registry: Registry, repository: str
) -> None:
    words = ("build", "--push", "--provenance=false", "--progress=plain")
    cache = f"type=registry,ref={name}:cache"
    run(*words, f"--cache-to={cache},mode=max", "--tag", f"{name}:v1", context)
    buildkit.forget()

    said = run(*words, f"--cache-from={cache}", "--tag", f"{name}:v2", context)

    assert said.count("CACHED") == 2
    assert unpacked_layers(registry, repository, "v2") == unpacked_layers(registry, repository, "v1")


def test_buildx_makes_an_index_of_images_that_are_in_the_registry(
    run: Buildx, context: Path, name: str, registry: Registry, repository: str
) -> None:
    for architecture in ("amd64", "arm64"):
        words = ("build", "--push", "--provenance=false", f"--platform=linux/{architecture}")
        run(*words, "--tag", f"{name}:{architecture}", context)

    run("imagetools", "create", "--tag", f"{name}:many", f"{name}:amd64", f"{name}:arm64")

    entries = manifest_of(registry, repository, "many")["manifests"]
    assert [each["platform"]["architecture"] for each in entries] == ["amd64", "arm64"]
    shown = run("imagetools", "inspect", f"{name}:many")
    assert all(each["digest"] in shown for each in entries)
