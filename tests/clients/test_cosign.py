"""cosign signs and attests with a key of its own and no log, and verifies: with referrers, as it does of itself, and with tags."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.registry import Registry, digest_of
from tests.clients.tools import program, tool, write_login
from tests.engines.server import Server

pytestmark = [pytest.mark.on_request, pytest.mark.client("cosign")]

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
PREDICATE = {"harbour": "Hamburg"}

Cosign = Callable[..., str]


@dataclass(frozen=True)
class Mode:
    """A way to keep signatures beside an image: what cosign is told to sign, to attest and to verify so."""

    signing: tuple[str, ...]
    attesting: tuple[str, ...]
    verifying: tuple[str, ...]


OLD = ("--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false")
BUNDLES = Mode(("--signing-config", "nothing.json"), ("--signing-config", "nothing.json"), ())
TAGS = Mode(OLD, OLD, ("--new-bundle-format=false",))
OLD_REFERRERS = Mode(
    (*OLD, "--registry-referrers-mode=oci-1-1"), OLD, ("--new-bundle-format=false", "--experimental-oci11")
)


@pytest.fixture
def run(server: Server, password: str, tmp_path: Path) -> Cosign:
    """cosign as the administrator, with a pair of keys in its folder; returns what it said."""
    write_login(tmp_path / ".docker", server, password)
    (tmp_path / "predicate.json").write_text(json.dumps(PREDICATE))
    more = {"COSIGN_PASSWORD": "of the key", "COSIGN_EXPERIMENTAL": "1"}

    def cosign(*args: str, check: bool = True) -> str:
        done = tool(program("cosign", "clients"), *args, home=tmp_path, more=more, check=check)
        return done.stdout if check else done.stderr

    cosign("generate-key-pair")
    # No log and no authority of time: what would ask the network for them is left out.
    cosign("signing-config", "create", "--out", "nothing.json")
    return cosign


@pytest.fixture
def image(server: Server, registry: Registry, repository: str) -> str:
    """The name by digest of an image that is to be signed."""
    return f"{server.host}/{repository}@{digest_of(registry.push(repository, 'v1'))}"


def sign(run: Cosign, image: str, mode: Mode) -> None:
    run("sign", "--yes", "--key", "cosign.key", *mode.signing, image)


def verified(run: Cosign, image: str, mode: Mode, *, check: bool = True) -> str:
    return run("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", *mode.verifying, image, check=check)


def referrers(registry: Registry, repository: str, image: str) -> list[str]:
    """Return the types of what refers to an image."""
    found = registry.must(200, "GET", f"/v2/{repository}/referrers/{image.partition('@')[2]}").body
    return [each["artifactType"] for each in json.loads(found)["manifests"]]


def tags(registry: Registry, repository: str) -> list[str]:
    return list(json.loads(registry.must(200, "GET", f"/v2/{repository}/tags/list").body)["tags"])


@pytest.mark.parametrize("mode", [BUNDLES, TAGS, OLD_REFERRERS], ids=["bundles", "tags", "old referrers"])
def test_cosign_verifies_what_it_signed(run: Cosign, image: str, mode: Mode) -> None:
    sign(run, image, mode)

    (claim,) = json.loads(verified(run, image, mode))
    assert claim["critical"]["image"]["docker-manifest-digest"] == image.partition("@")[2]


@pytest.mark.parametrize("mode", [BUNDLES, TAGS], ids=["bundles", "tags"])
def test_cosign_verifies_what_it_attested(run: Cosign, image: str, mode: Mode) -> None:
    words = ("--yes", "--key", "cosign.key", "--type", "custom", "--predicate", "predicate.json")
    run("attest", *words, *mode.attesting, image)

    shown = run(
        *("verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog", "--type", "custom"),
        *(*mode.verifying, image),
    )

    statement = json.loads(base64.b64decode(json.loads(shown)["payload"]))
    assert json.loads(statement["predicate"]["Data"]) == PREDICATE
    assert statement["subject"][0]["digest"] == {"sha256": image.partition("sha256:")[2]}


def test_a_signature_of_today_refers_to_its_image_and_takes_no_tag(
    run: Cosign, image: str, registry: Registry, repository: str
) -> None:
    sign(run, image, BUNDLES)

    assert referrers(registry, repository, image) == [BUNDLE]
    assert tags(registry, repository) == ["v1"]


def test_a_signature_of_yesterday_is_a_tag_beside_its_image(
    run: Cosign, image: str, registry: Registry, repository: str
) -> None:
    sign(run, image, TAGS)

    assert referrers(registry, repository, image) == []
    assert tags(registry, repository) == [f"{image.partition('@')[2].replace(':', '-')}.sig", "v1"]


def test_an_old_signature_may_refer_to_its_image_as_well(
    run: Cosign, image: str, registry: Registry, repository: str
) -> None:
    sign(run, image, OLD_REFERRERS)

    assert referrers(registry, repository, image) == [SIGNATURE]
    assert tags(registry, repository) == ["v1"]


def test_an_image_that_nobody_signed_is_not_verified(run: Cosign, image: str) -> None:
    assert "no signatures found" in verified(run, image, BUNDLES, check=False)


def test_the_signature_of_another_key_is_not_verified(run: Cosign, image: str) -> None:
    run("generate-key-pair", "--output-key-prefix", "another")
    run("sign", "--yes", "--key", "another.key", *BUNDLES.signing, image)

    assert "could not verify envelope" in verified(run, image, BUNDLES, check=False)


def test_cosign_shows_all_that_belongs_to_an_image(run: Cosign, image: str) -> None:
    sign(run, image, BUNDLES)
    sign(run, image, TAGS)

    tree = run("tree", image)

    assert "artifacts via OCI referrer" in tree
    assert "Signatures for an image tag" in tree


def test_cosign_copies_an_image_with_its_signature(
    run: Cosign, image: str, server: Server, new_repository: Callable[..., str]
) -> None:
    sign(run, image, TAGS)
    copy = f"{server.host}/{new_repository()}"

    run("copy", image, f"{copy}:v1")

    (claim,) = json.loads(verified(run, f"{copy}:v1", TAGS))
    assert claim["critical"]["image"]["docker-manifest-digest"] == image.partition("@")[2]


def test_where_tags_are_immutable_an_image_is_signed_twice_by_referrers_alone(
    run: Cosign, server: Server, registry: Registry, new_repository: Callable[..., str]
) -> None:
    repository = new_repository(imageTagMutability="IMMUTABLE")
    image = f"{server.host}/{repository}@{digest_of(registry.push(repository, 'v1'))}"
    sign(run, image, TAGS)
    run("generate-key-pair", "--output-key-prefix", "another")

    refused = run("sign", "--yes", "--key", "another.key", *TAGS.signing, image, check=False)
    for key in ("cosign.key", "another.key"):
        run("sign", "--yes", "--key", key, *BUNDLES.signing, image)

    assert "cannot be overwritten because the repository is immutable" in refused
    assert referrers(registry, repository, image) == [BUNDLE, BUNDLE]
