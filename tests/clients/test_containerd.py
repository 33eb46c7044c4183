"""containerd's own client pulls and pushes: in plain HTTP, and with TLS under AWS's name as ``moorage trust`` has set it up."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients.images import push_of_layer, unpacked_layers
from tests.clients.machines import REGISTRY, must, serve_in
from tests.clients.registry import Registry, digest_of
from tests.clients.tools import program
from tests.engines.apart import Apart
from tests.engines.box import Box
from tests.engines.containerd import Containerd
from tests.engines.programs import found
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("containerd")]

SAID = "said by the image\n"


@pytest.fixture(scope="module")
def containerd() -> Iterator[Containerd]:
    with Apart("/run", "/var/lib") as apart:
        engine = Containerd(apart.folder, apart.inside())
        try:
            yield engine.start()
        finally:
            engine.stop()


def busybox_layer() -> bytes:
    """Return the tar archive of a layer that has a busybox and a file in it."""
    busybox = found("busybox", remedy="apt-get install busybox-static").read_bytes()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in (("bin/busybox", busybox), ("said", SAID.encode())):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture
def name(server: Server, registry: Registry, repository: str) -> str:
    """The full name of a repository, without a tag; an image that runs is in it as ``v1``."""
    push_of_layer(registry, repository, busybox_layer())
    return f"{server.host}/{repository}"


@pytest.fixture
def plain(password: str) -> tuple[str, ...]:
    """What ctr is told to log in at a registry without TLS."""
    return ("--plain-http", "--user", f"AWS:{password}")


def test_an_image_that_containerd_pulled_runs(containerd: Containerd, plain: tuple[str, ...], name: str) -> None:
    containerd.ctr("images", "pull", *plain, f"{name}:v1")

    ran = containerd.ctr("run", "--rm", f"{name}:v1", "pulled", "/bin/busybox", "cat", "/said")

    assert ran.stdout == SAID


def test_containerd_pulls_by_digest(
    containerd: Containerd, plain: tuple[str, ...], name: str, ecr: Any, repository: str
) -> None:
    found_there = ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imageDigest"]

    containerd.ctr("images", "pull", *plain, f"{name}@{found_there}")

    assert f"{name}@{found_there}" in containerd.ctr("images", "list", "--quiet").stdout.split()


def test_the_registry_holds_every_byte_that_containerd_pushed_to_another_repository(
    containerd: Containerd, plain: tuple[str, ...], name: str, server: Server, registry: Registry, ecr: Any
) -> None:
    other = f"{name.removeprefix(f'{server.host}/')}/other"
    ecr.create_repository(repositoryName=other)
    containerd.ctr("images", "pull", *plain, f"{name}:v1")
    containerd.ctr("images", "tag", f"{name}:v1", f"{server.host}/{other}:v2")

    containerd.ctr("images", "push", *plain, f"{server.host}/{other}:v2")

    assert unpacked_layers(registry, other, "v2") == [digest_of(busybox_layer())]


def test_containerd_hears_that_a_tag_does_not_exist(containerd: Containerd, plain: tuple[str, ...], name: str) -> None:
    refused = containerd.ctr("images", "pull", *plain, f"{name}:never", check=False)

    assert refused.returncode != 0
    assert refused.stderr.rstrip().endswith(f"{name}:never: not found")


def test_a_wrong_password_pulls_nothing(containerd: Containerd, name: str) -> None:
    refused = containerd.ctr("images", "pull", "--plain-http", "--user", "AWS:wrong", f"{name}:v1", check=False)

    assert refused.returncode != 0
    assert "401 Unauthorized" in refused.stderr


@dataclass(frozen=True)
class Trusting:
    """A containerd in a box where AWS's name is trusted, and what ctr is told there."""

    engine: Containerd
    words: tuple[str, ...]


@pytest.fixture(scope="module")
def trusting() -> Iterator[Trusting]:
    with Box() as box:
        must(box, "mkdir", "-p", "/etc/containerd")
        keys = serve_in(box, box.folder / "data", "--tls-listen", "127.0.0.1:443")
        keys.aws(box, "ecr", "create-repository", "--repository-name", "app")
        password = keys.password(box)
        push_with_crane(box, password)
        engine = Containerd(box.folder, box.inside())
        try:
            words = ("--hosts-dir", "/etc/containerd/certs.d", "--user", f"AWS:{password}")
            yield Trusting(engine.start(), words)
        finally:
            engine.stop()


def push_with_crane(box: Box, password: str) -> None:
    """Put an image for this machine's platform into the registry, as ``app:v1``."""
    logged_in = ("env", f"DOCKER_CONFIG={box.folder}", str(program("crane")))
    layer = box.folder / "layer.tar"
    layer.write_bytes(busybox_layer())
    must(box, *logged_in, "auth", "login", "--username", "AWS", "--password", password, REGISTRY)
    must(box, *logged_in, "append", "--new_layer", str(layer), "--new_tag", f"{REGISTRY}/app:v1")
    must(
        box, *logged_in, "mutate", "--set-platform", "linux/amd64", "--tag", f"{REGISTRY}/app:v1", f"{REGISTRY}/app:v1"
    )


def test_containerd_pulls_and_pushes_with_tls_under_the_name_that_is_trusted(trusting: Trusting) -> None:
    ctr, words = trusting.engine.ctr, trusting.words

    ctr("images", "pull", *words, f"{REGISTRY}/app:v1")
    ctr("images", "tag", f"{REGISTRY}/app:v1", f"{REGISTRY}/app:v2")
    ctr("images", "push", *words, f"{REGISTRY}/app:v2")
    ctr("images", "remove", f"{REGISTRY}/app:v2")
    ctr("images", "pull", *words, f"{REGISTRY}/app:v2")

    ran = ctr("run", "--rm", f"{REGISTRY}/app:v2", "trusted", "/bin/busybox", "cat", "/said")
    assert ran.stdout == SAID


def test_a_missing_tag_is_not_taken_for_a_wrong_certificate(trusting: Trusting) -> None:
    missing = f"{REGISTRY}/app:never"

    refused = trusting.engine.ctr("images", "pull", *trusting.words, missing, check=False)

    assert refused.returncode != 0
    assert refused.stderr.rstrip().endswith(f"{missing}: not found")
    assert "x509" not in refused.stderr


def test_what_is_written_for_containerd_is_enough_without_the_systems_store(trusting: Trusting) -> None:
    """As for a containerd that was running before: a Go program reads the system's store once."""
    store = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/nowhere"}

    trusting.engine.ctr("images", "pull", *trusting.words, f"{REGISTRY}/app:v1", more=store)


def test_a_missing_tag_is_not_found_without_the_systems_store_either(trusting: Trusting) -> None:
    store = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/nowhere"}

    refused = trusting.engine.ctr("images", "pull", *trusting.words, f"{REGISTRY}/app:never", check=False, more=store)

    assert refused.stderr.rstrip().endswith(f"{REGISTRY}/app:never: not found")
