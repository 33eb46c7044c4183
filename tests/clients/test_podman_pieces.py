"""podman pushes layers as zstd:chunked, and then fetches of an image only the files that it has not."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.figures import counted
from tests.clients.registry import OCI_MANIFEST, digest_of
from tests.engines.podman import Podman
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("podman")]

FILES = 300
CHUNKED = "io.containers.zstd-chunked.manifest-checksum"


@pytest.fixture(scope="module")
def podman(server: Server, password: str) -> Iterator[Podman]:
    with Podman(server.host, pieces=True) as made:
        made.podman("login", "--username", "AWS", "--password-stdin", server.host, stdin=password)
        yield made


def push(podman: Podman, name: str, context: Path, changed: range) -> bytes:
    """Build an image of many files of which some are others, push it, forget it, and return all the files' contents."""
    content = [random.Random(number + FILES * (number in changed)).randbytes(3000) for number in range(FILES)]
    (podman.context(context, "") / "data").mkdir()
    for number, each in enumerate(content):
        (context / "data" / f"{number:03}").write_bytes(each)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY busybox /bin/busybox\nCOPY data /data\n")
    podman.podman("build", "--quiet", "--tag", name, context)
    podman.podman("push", "--quiet", "--compression-format", "zstd:chunked", name)
    podman.podman("rmi", "--all", "--force")
    return b"".join(content)


def sent(server: Server) -> float:
    """Return how many bytes the registry has sent by now."""
    return counted(server, "moorage_sent_bytes_total", door="registry")


def said(podman: Podman, name: str) -> str:
    """Return the digest of all the files of an image that was pulled, as busybox in it has them."""
    words = ("/bin/busybox", "sh", "-c", "/bin/busybox cat /data/* | /bin/busybox sha256sum")
    printed = podman.podman("run", "--rm", "--pull=never", "--network=none", name, *words).stdout
    return f"sha256:{printed.split()[0]}"


def test_podman_fetches_of_an_image_only_the_files_that_it_has_not(
    podman: Podman, server: Server, repository: str, tmp_path: Path
) -> None:
    name = f"{server.host}/{repository}"
    first = push(podman, f"{name}:v1", tmp_path / "one", range(0))
    second = push(podman, f"{name}:v2", tmp_path / "two", range(0, FILES, 3))
    before = sent(server)

    podman.podman("pull", "--quiet", f"{name}:v1")
    between = sent(server)
    podman.podman("pull", "--quiet", f"{name}:v2")

    assert said(podman, f"{name}:v1") == digest_of(first)
    assert said(podman, f"{name}:v2") == digest_of(second)
    assert between - before > len(first)
    # A third of the files are others; the lists of files, and the parts' heads, are fetched as well.
    assert len(second) / 3 < sent(server) - between < len(second) / 2


def test_the_api_describes_an_image_whose_layers_can_be_fetched_in_pieces(
    podman: Podman, server: Server, ecr: Any, repository: str, tmp_path: Path
) -> None:
    push(podman, f"{server.host}/{repository}:v1", tmp_path / "one", range(0))

    described = ecr.describe_images(repositoryName=repository)["imageDetails"]
    manifest = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"][0]

    assert [each["imageManifestMediaType"] for each in described] == [OCI_MANIFEST]
    assert manifest["imageManifest"].count(CHUNKED) == 2
