"""containerd 2 fetches the pieces of a layer side by side; crictl asks it in kubelet's words."""

import base64
import json
import random
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients.figures import counted
from tests.clients.images import layer_archive, push_of_layer, unpacked_layers
from tests.clients.registry import Registry, digest_of
from tests.engines.apart import Apart
from tests.engines.containerd import PIECE, Containerd2
from tests.engines.server import Server

pytestmark = pytest.mark.on_request

LARGE = random.Random(0).randbytes(12 * PIECE)


@pytest.fixture(scope="module")
def containerd() -> Iterator[Containerd2]:
    with Apart("/run", "/var/lib", "/etc/containerd", "/etc/cni", "/opt") as apart:
        engine = Containerd2(apart.folder, apart.inside())
        try:
            yield engine.start()
        finally:
            engine.stop()


@pytest.fixture
def name(server: Server, registry: Registry, repository: str) -> str:
    """The full name of a repository, without a tag; an image of one large layer is in it as ``v1``."""
    push_of_layer(registry, repository, layer_archive({"large": LARGE}))
    return f"{server.host}/{repository}"


@pytest.fixture
def tell(containerd: Containerd2, server: Server, password: str) -> Iterator[Callable[[str], None]]:
    """Say in a hosts.toml that images of a host are to be had at the server, and who asks for them."""

    def say(host: str) -> None:
        own = base64.b64encode(f"AWS:{password}".encode()).decode()
        at = f'host."http://{server.host}"'
        (containerd.hosts / host).mkdir(parents=True)
        (containerd.hosts / host / "hosts.toml").write_text(
            f'[{at}]\n  capabilities = ["pull", "resolve"]\n[{at}.header]\n  authorization = "Basic {own}"\n'
        )

    yield say
    shutil.rmtree(containerd.hosts)


CONTAINERD = pytest.mark.client("containerd 2")
CRICTL = pytest.mark.client("crictl")


@pytest.fixture
def plain(password: str) -> tuple[str, ...]:
    """What ctr is told to log in at a registry without TLS."""
    return ("--plain-http", "--user", f"AWS:{password}")


@pytest.fixture
def digest(ecr: Any, name: str) -> str:
    """The digest of the image that is in the repository."""
    described = ecr.describe_images(repositoryName=name.partition("/")[2])["imageDetails"]
    return str(described[0]["imageDigest"])


def held(containerd: Containerd2) -> str:
    return containerd.ctr("images", "list", "--quiet").stdout


@CONTAINERD
def test_containerd_fetches_a_layer_in_pieces_side_by_side(
    containerd: Containerd2, plain: tuple[str, ...], name: str, server: Server
) -> None:
    """The layer it stores in the end has been held to its digest."""
    wanted = {"operation": "GET blob", "status": "206"}
    before = counted(server, "moorage_requests_total", **wanted)

    containerd.ctr("images", "pull", *plain, f"{name}:v1")

    assert f"{name}:v1" in held(containerd).split()
    assert counted(server, "moorage_requests_total", **wanted) - before >= len(LARGE) / PIECE


@CONTAINERD
def test_the_registry_holds_every_byte_that_containerd_pushed_to_another_repository(
    containerd: Containerd2, plain: tuple[str, ...], name: str, server: Server, registry: Registry, ecr: Any
) -> None:
    other = f"{name.removeprefix(f'{server.host}/')}/other"
    ecr.create_repository(repositoryName=other)
    containerd.ctr("images", "pull", *plain, f"{name}:v1")
    containerd.ctr("images", "tag", f"{name}:v1", f"{server.host}/{other}:v2")

    containerd.ctr("images", "push", *plain, f"{server.host}/{other}:v2")

    assert unpacked_layers(registry, other, "v2") == [digest_of(layer_archive({"large": LARGE}))]


@CONTAINERD
def test_an_image_of_another_host_comes_from_its_mirror(
    containerd: Containerd2, name: str, tell: Callable[[str], None]
) -> None:
    image = f"docker.io/{name.partition('/')[2]}:v1"
    tell("docker.io")

    containerd.ctr("images", "pull", "--hosts-dir", str(containerd.hosts), image)

    assert image in held(containerd).split()


@CONTAINERD
def test_containerd_hears_that_a_tag_does_not_exist(containerd: Containerd2, plain: tuple[str, ...], name: str) -> None:
    refused = containerd.ctr("images", "pull", *plain, f"{name}:never", check=False)

    assert refused.returncode != 0
    assert refused.stderr.rstrip().endswith(f"{name}:never: not found")


@CRICTL
def test_crictl_pulls_with_a_password_of_its_own(
    containerd: Containerd2, name: str, digest: str, password: str
) -> None:
    containerd.crictl("pull", "--creds", f"AWS:{password}", f"{name}:v1")

    shown = json.loads(containerd.crictl("inspecti", "--output", "json", f"{name}:v1").stdout)["status"]
    assert shown["repoTags"] == [f"{name}:v1"]
    assert shown["repoDigests"] == [f"{name}@{digest}"]


@CRICTL
def test_crictl_pulls_with_the_login_that_hosts_toml_holds(
    containerd: Containerd2, name: str, digest: str, server: Server, tell: Callable[[str], None]
) -> None:
    tell(server.host)

    containerd.crictl("pull", f"{name}@{digest}")

    assert f"{name}@{digest}" in held_by_digest(containerd)


def held_by_digest(containerd: Containerd2) -> list[str]:
    images = json.loads(containerd.crictl("images", "--output", "json").stdout)["images"]
    return [digest for image in images for digest in image["repoDigests"]]


@CRICTL
def test_crictl_pulls_an_image_of_another_host_from_its_mirror(
    containerd: Containerd2, name: str, digest: str, tell: Callable[[str], None]
) -> None:
    path = name.partition("/")[2]
    tell("docker.io")

    containerd.crictl("pull", f"docker.io/{path}:v1")

    assert f"docker.io/{path}@{digest}" in held_by_digest(containerd)


@CRICTL
def test_crictl_hears_that_a_tag_does_not_exist(containerd: Containerd2, name: str, password: str) -> None:
    refused = containerd.crictl("pull", "--creds", f"AWS:{password}", f"{name}:never", check=False)

    assert refused.returncode != 0
    assert f"{name}:never: not found" in refused.stderr


@CRICTL
def test_a_wrong_password_pulls_nothing(containerd: Containerd2, name: str) -> None:
    refused = containerd.crictl("pull", "--creds", "AWS:wrong", f"{name}:v1", check=False)

    assert refused.returncode != 0
    assert "401 Unauthorized" in refused.stderr
    assert f"{name}:v1" not in containerd.crictl("images").stdout
