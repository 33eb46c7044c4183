"""buildkit builds and pushes: indexes of several platforms with attestations, and its cache, which it also fetches."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.building import RANDOM, manifest_of
from tests.clients.images import unpacked_layers
from tests.clients.registry import OCI_INDEX, OCI_MANIFEST, Registry
from tests.clients.tools import write_login
from tests.engines.buildkit import BuildKit
from tests.engines.server import Server

pytestmark = [pytest.mark.on_request, pytest.mark.client("buildkit")]

ATTESTATION = "application/vnd.in-toto+json"
SPDX = "https://spdx.dev/Document"
SCAN = f"""
/bin/busybox cat > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json" <<END
{{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "{SPDX}",
  "predicate": {{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "harbour"}}}}
END
"""
CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


@pytest.fixture(scope="module")
def buildkit(server: Server, password: str) -> Iterator[BuildKit]:
    """buildkitd, whose clients are logged in as the administrator."""
    with BuildKit() as made:
        write_login(made.home, server, password)
        yield made


@pytest.fixture
def name(server: Server, repository: str) -> str:
    """The full name of this test's repository, without a tag."""
    return f"{server.host}/{repository}"


@pytest.fixture
def context(buildkit: BuildKit, tmp_path: Path) -> Path:
    return buildkit.context(tmp_path / "context", RANDOM)


def build(buildkit: BuildKit, context: Path, *words: str, check: bool = True) -> str:
    """Build from a Dockerfile, and return all that buildctl said."""
    local = ("--local", f"context={context}", "--local", f"dockerfile={context}", "--progress=plain")
    done = buildkit.buildctl("build", "--frontend=dockerfile.v0", *local, *words, check=check)
    return done.stdout + done.stderr


def pushing(name: str, *more: str) -> str:
    return ",".join([f"--output=type=image,name={name},push=true", *more])


def test_the_registry_holds_every_byte_that_buildkit_pushed(
    buildkit: BuildKit, context: Path, name: str, registry: Registry, repository: str
) -> None:
    build(buildkit, context, pushing(f"{name}:v1"))

    assert len(unpacked_layers(registry, repository, "v1")) == 2


def test_buildkit_pushes_an_index_of_platforms_with_the_provenance_of_each(
    buildkit: BuildKit, context: Path, name: str, ecr: Any, registry: Registry, repository: str
) -> None:
    platforms = ("--opt=platform=linux/amd64,linux/arm64", "--opt=attest:provenance=mode=max")

    build(buildkit, context, *platforms, pushing(f"{name}:many"))

    entries = manifest_of(registry, repository, "many")["manifests"]
    images, attestations = entries[:2], entries[2:]
    assert [each["platform"]["architecture"] for each in entries] == ["amd64", "arm64", "unknown", "unknown"]
    assert [each["annotations"]["vnd.docker.reference.digest"] for each in attestations] == [
        each["digest"] for each in images
    ]
    for each in images:
        assert len(unpacked_layers(registry, repository, each["digest"])) == 2
    for each in attestations:
        (statement,) = manifest_of(registry, repository, each["digest"])["layers"]
        assert statement["mediaType"] == ATTESTATION
        told = json.loads(registry.must(200, "GET", f"/v2/{repository}/blobs/{statement['digest']}").body)
        assert "slsa.dev/provenance" in told["predicateType"]
    described = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "many"}])["imageDetails"]
    assert [each["imageManifestMediaType"] for each in described] == [OCI_INDEX]


def test_buildkit_attaches_attestations_as_artifacts(
    buildkit: BuildKit, context: Path, name: str, registry: Registry, repository: str
) -> None:
    build(buildkit, context, "--opt=attest:provenance=", pushing(f"{name}:v1", "oci-artifact=true"))

    image, attestation = manifest_of(registry, repository, "v1")["manifests"]
    attached = manifest_of(registry, repository, attestation["digest"])
    assert attached["subject"]["digest"] == image["digest"]
    referrers = json.loads(registry.must(200, "GET", f"/v2/{repository}/referrers/{image['digest']}").body)
    assert [each["digest"] for each in referrers["manifests"]] == [attestation["digest"]]


def test_buildkit_attaches_what_a_scanner_of_the_registry_has_found(
    buildkit: BuildKit, context: Path, name: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    """The scanner is an image like others: buildkit fetches and runs it, and pushes the list of parts that it writes."""
    scanner = buildkit.context(tmp_path / "scanner", "COPY scan /scan", 'ENTRYPOINT ["/bin/busybox", "sh", "/scan"]')
    (scanner / "scan").write_text(SCAN)
    build(buildkit, scanner, pushing(f"{name}:scanner"))

    build(buildkit, context, f"--opt=attest:sbom=generator={name}:scanner", pushing(f"{name}:v1"))

    _, attestation = manifest_of(registry, repository, "v1")["manifests"]
    (statement,) = manifest_of(registry, repository, attestation["digest"])["layers"]
    told = json.loads(registry.must(200, "GET", f"/v2/{repository}/blobs/{statement['digest']}").body)
    assert (told["predicateType"], told["predicate"]["name"]) == (SPDX, "harbour")


@pytest.mark.parametrize("form", [[], ["image-manifest=true", "oci-mediatypes=true"]], ids=["default", "as for ECR"])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_build_goes_on_from_the_cache_that_another_one_left_in_the_registry(
    buildkit: BuildKit,
    context: Path,
    name: str,
    registry: Registry,
    repository: str,
    mode: str,
    form: list[str],
) -> None:
    cache = f"type=registry,ref={name}:cache"
    build(buildkit, context, pushing(f"{name}:v1"), ",".join([f"--export-cache={cache}", f"mode={mode}", *form]))
    buildkit.forget()

    said = build(buildkit, context, pushing(f"{name}:v2"), f"--import-cache={cache}")

    kept = manifest_of(registry, repository, "cache")
    assert (kept["mediaType"], kept["config"]["mediaType"]) == (OCI_MANIFEST, CACHE_CONFIG)
    assert said.count("CACHED") == 2
    assert unpacked_layers(registry, repository, "v2") == unpacked_layers(registry, repository, "v1")


def test_without_the_cache_the_same_step_is_taken_again(
    buildkit: BuildKit, context: Path, name: str, registry: Registry, repository: str
) -> None:
    build(buildkit, context, pushing(f"{name}:v1"))
    buildkit.forget()

    build(buildkit, context, pushing(f"{name}:v2"))

    assert unpacked_layers(registry, repository, "v2") != unpacked_layers(registry, repository, "v1")


def test_an_image_brings_its_cache_along(
    buildkit: BuildKit, context: Path, name: str, registry: Registry, repository: str
) -> None:
    build(buildkit, context, pushing(f"{name}:v1"), "--export-cache=type=inline")
    buildkit.forget()

    said = build(buildkit, context, pushing(f"{name}:v2"), f"--import-cache=type=registry,ref={name}:v1")

    assert "CACHED" in said
    assert unpacked_layers(registry, repository, "v2") == unpacked_layers(registry, repository, "v1")


def test_a_cache_in_the_form_that_ecr_refuses_is_refused(
    buildkit: BuildKit, context: Path, name: str, registry: Registry, repository: str
) -> None:
    cache = f"--export-cache=type=registry,ref={name}:cache,image-manifest=false"

    said = build(buildkit, context, cache, check=False)

    assert "error writing manifest blob" in said
    assert registry.send("GET", f"/v2/{repository}/manifests/cache").code == "MANIFEST_UNKNOWN"


def test_buildkit_builds_upon_an_image_of_the_registry(
    buildkit: BuildKit, context: Path, name: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    build(buildkit, context, pushing(f"{name}:base"))
    buildkit.forget()
    upon = tmp_path / "upon"
    upon.mkdir()
    (upon / "Dockerfile").write_text(f'FROM {name}:base\nRUN ["/bin/busybox", "cp", "/made", "/copied"]\n')

    build(buildkit, upon, pushing(f"{name}:upon"))

    base = unpacked_layers(registry, repository, "base")
    assert unpacked_layers(registry, repository, "upon")[:2] == base


def test_buildkit_squeezes_layers_with_zstd(
    buildkit: BuildKit, context: Path, name: str, registry: Registry, repository: str
) -> None:
    build(buildkit, context, pushing(f"{name}:v1", "compression=zstd", "force-compression=true", "oci-mediatypes=true"))

    layers = manifest_of(registry, repository, "v1")["layers"]
    assert {each["mediaType"] for each in layers} == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    for each in layers:
        content = registry.must(200, "GET", f"/v2/{repository}/blobs/{each['digest']}").body
        assert len(content) == each["size"]
        assert content.startswith(b"\x28\xb5\x2f\xfd")


def test_buildkit_hears_that_an_immutable_tag_is_taken(
    buildkit: BuildKit, context: Path, server: Server, new_repository: Callable[..., str]
) -> None:
    repository = new_repository(imageTagMutability="IMMUTABLE")
    image = f"{server.host}/{repository}:v1"
    build(buildkit, context, pushing(image))
    buildkit.forget()

    said = build(buildkit, context, pushing(image), check=False)

    assert f"The image tag 'v1' already exists in the '{repository}' repository" in said
