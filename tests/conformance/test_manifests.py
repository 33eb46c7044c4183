"""What the conformance suite asks about manifests: every kind is pushed, listed, read as it was pushed, found by its subject, deleted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.clients.registry import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, digest_of
from tests.hostile.inside import Inside
from tests.hostile.place import ABSENT, APP, aws_error, json_headers, oci_error

EMPTY = "application/vnd.oci.empty.v1+json"
KIND = "application/vnd.example.v1"
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


@dataclass
class Content:
    """Blobs and manifests to push, in their order, made with digests of one algorithm."""

    algorithm: str = "sha256"
    blobs: list[bytes] = field(default_factory=list)
    manifests: list[bytes] = field(default_factory=list)

    def descriptor(self, kind: str, content: bytes, **more: Any) -> dict[str, Any]:
        return {"mediaType": kind, "digest": digest_of(content, self.algorithm), "size": len(content), **more}

    def blob(self, kind: str, content: bytes, **more: Any) -> dict[str, Any]:
        self.blobs.append(content)
        return self.descriptor(kind, content, **more)

    def image(self, seed: str, *, layers: Sequence[Any] | None = None, **more: Any) -> bytes:
        if layers is None:
            layers = [self.blob(OCI_LAYER, f"{part} of {seed}".encode()) for part in ("layer", "second layer")]
        config = self.blob(OCI_CONFIG, json.dumps({"seed": seed}).encode())
        return self._add({"mediaType": OCI_MANIFEST, "config": config, "layers": layers, **more})

    def artifact(self, seed: str, **more: Any) -> bytes:
        layers = [self.blob(KIND, f"artefact {seed}".encode())]
        config = self.blob(EMPTY, b"{}")
        return self._add({"mediaType": OCI_MANIFEST, "artifactType": KIND, "config": config, "layers": layers, **more})

    def index(self, *children: bytes, **more: Any) -> bytes:
        entries = [self.descriptor(json.loads(each)["mediaType"], each) for each in children]
        return self._add({"mediaType": OCI_INDEX, "manifests": entries, **more})

    def _add(self, document: dict[str, Any]) -> bytes:
        self.manifests.append(json.dumps({"schemaVersion": 2, **document}).encode())
        return self.manifests[-1]

    def push_blobs(self, registry: Inside) -> None:
        for blob in self.blobs:
            digest = digest_of(blob, self.algorithm)
            assert registry.v2("POST", f"/v2/{APP}/blobs/uploads/?digest={digest}", blob).status == 201


def put(registry: Inside, manifest: bytes, reference: str, query: str = "") -> Any:
    kind = json.loads(manifest)["mediaType"]
    return registry.v2("PUT", f"/v2/{APP}/manifests/{reference}{query}", manifest, kind=kind)


def plain_image(content: Content) -> None:
    content.image("plain")


def index_of_two(content: Content) -> None:
    content.index(content.image("one"), content.image("two"))


def index_of_indexes(content: Content) -> None:
    content.index(content.index(content.image("one")), content.index(content.image("two")))


def index_of_nothing(content: Content) -> None:
    content.index()


def artifact(content: Content) -> None:
    content.artifact("alone")


def index_of_artifacts(content: Content) -> None:
    content.index(content.artifact("one"), content.artifact("two"), artifactType=KIND)


def data_in_descriptors(content: Content) -> None:
    content.image("data", layers=[content.blob(OCI_LAYER, b"small", data="c21hbGw=")])


def foreign_layer(content: Content) -> None:
    elsewhere = content.descriptor(FOREIGN, b"elsewhere", urls=["https://store.example.test/layer"])
    content.image("foreign", layers=[elsewhere, content.blob(OCI_LAYER, b"beside it")])


def fields_of_ones_own(content: Content) -> None:
    content.index(content.image("custom", **{"org.example": "one"}), **{"org.example": "two"})


def no_layers(content: Content) -> None:
    content.image("bare", layers=[])


def many_annotations(content: Content) -> None:
    content.image("large", annotations={f"annotation-{number}": "A" * 10_000 for number in range(390)})


KINDS = [
    plain_image,
    index_of_two,
    index_of_indexes,
    index_of_nothing,
    artifact,
    index_of_artifacts,
    data_in_descriptors,
    foreign_layer,
    fields_of_ones_own,
    no_layers,
    many_annotations,
]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("make", KINDS)
def test_every_kind_of_manifest_is_pushed_read_as_it_was_and_deleted(
    registry: Inside, make: Any, algorithm: str
) -> None:
    content = Content(algorithm)
    make(content)
    content.push_blobs(registry)
    for number, manifest in enumerate(content.manifests):
        digest, tag = digest_of(manifest, algorithm), f"t{number}"
        answer = put(registry, manifest, digest, f"?tag={tag}")
        assert (answer.status, answer.headers["docker-content-digest"], answer.headers["oci-tag"]) == (201, digest, tag)
        for reference in (digest, tag):
            head, got = (registry.v2(method, f"/v2/{APP}/manifests/{reference}") for method in ("HEAD", "GET"))
            assert (head.status, got.status, got.body) == (200, 200, manifest)
            assert got.headers["content-type"] == json.loads(manifest)["mediaType"]
            assert head.headers["docker-content-digest"] == got.headers["docker-content-digest"] == digest
            assert head.headers["content-length"] == str(len(manifest))
    tags = json.loads(registry.v2("GET", f"/v2/{APP}/tags/list").body)["tags"]
    assert {f"t{number}" for number in range(len(content.manifests))} <= set(tags)

    references = [f"manifests/{digest_of(each, algorithm)}" for each in reversed(content.manifests)]
    references += [f"blobs/{digest_of(each, algorithm)}" for each in dict.fromkeys(content.blobs)]
    for reference in references:
        assert registry.v2("DELETE", f"/v2/{APP}/{reference}").status == 202
        assert registry.v2("HEAD", f"/v2/{APP}/{reference}").status == 404


def test_a_tag_alone_makes_the_digest_that_ecr_has(registry: Inside) -> None:
    content = Content()
    manifest = content.image("by tag")
    content.push_blobs(registry)

    assert put(registry, manifest, "by-tag").headers["docker-content-digest"] == digest_of(manifest)
    assert registry.v2("DELETE", f"/v2/{APP}/manifests/by-tag").status == 202
    assert registry.v2("HEAD", f"/v2/{APP}/manifests/by-tag").status == 404
    assert registry.v2("HEAD", f"/v2/{APP}/manifests/{digest_of(manifest)}").status == 200


def test_several_tags_are_put_at_once_and_named_in_the_answer(registry: Inside) -> None:
    content = Content()
    manifest = content.image("tagged")
    content.push_blobs(registry)

    by_digest = put(registry, manifest, digest_of(manifest), "?tag=b&tag=a&tag=b")
    by_tag = put(registry, manifest, "c", "?tag=d")

    assert (by_digest.headers["oci-tag"], by_tag.headers["oci-tag"]) == ("b, a", "c, d")
    for tag in "abcd":
        assert registry.v2("GET", f"/v2/{APP}/manifests/{tag}").body == manifest
    assert "oci-tag" not in put(registry, manifest, "e").headers


@pytest.mark.parametrize(
    "query", ["?tag=good&tag=a%2bb", "?tag=", "?tag=" + "a" * 301, "?tag=a%00", "?" + "&".join(["tag=x"] * 101)]
)
def test_one_tag_that_is_none_refuses_them_all(registry: Inside, query: str) -> None:
    content = Content()
    manifest = content.image("never tagged")
    content.push_blobs(registry)

    assert oci_error(put(registry, manifest, digest_of(manifest), query)) == (405, "UNSUPPORTED")
    assert registry.v2("HEAD", f"/v2/{APP}/manifests/{digest_of(manifest)}").status == 404
    assert registry.v2("HEAD", f"/v2/{APP}/manifests/good").status == 404


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_what_refers_to_a_subject_is_listed_with_type_and_annotations(registry: Inside, algorithm: str) -> None:
    content = Content(algorithm)
    subject = content.image(f"subject {algorithm}")
    pointing: dict[str, Any] = {"subject": content.descriptor(OCI_MANIFEST, subject), "annotations": {"hello": "world"}}
    signed, plain = content.artifact("signature", **pointing), content.image("referrer", **pointing)
    indexed = content.index(plain, artifactType="application/vnd.example.v2", **pointing)
    content.push_blobs(registry)
    path = f"/v2/{APP}/referrers/{digest_of(subject, algorithm)}"
    for manifest in content.manifests:
        answer = put(registry, manifest, digest_of(manifest, algorithm))
        assert answer.headers.get("oci-subject") == (None if manifest is subject else path.rpartition("/")[2])

    every = registry.v2("GET", path)
    some = registry.v2("GET", f"{path}?artifactType={KIND.replace('+', '%2b')}")

    listed = {each["digest"]: each for each in json.loads(every.body)["manifests"]}
    assert every.headers["content-type"] == OCI_INDEX
    assert {each["artifactType"] for each in listed.values()} == {KIND, OCI_CONFIG, "application/vnd.example.v2"}
    for manifest in (signed, plain, indexed):
        entry = listed[digest_of(manifest, algorithm)]
        assert (entry["size"], entry["annotations"]) == (len(manifest), {"hello": "world"})
    assert some.headers["oci-filters-applied"] == "artifactType"
    assert [each["digest"] for each in json.loads(some.body)["manifests"]] == [digest_of(signed, algorithm)]


def test_a_subject_need_not_be_there_and_a_digest_that_nothing_refers_to_has_an_empty_list(registry: Inside) -> None:
    content = Content()
    missing = content.descriptor(OCI_MANIFEST, b"missing content")
    manifest = content.artifact("early", subject=missing)
    content.push_blobs(registry)

    assert put(registry, manifest, "early").headers["oci-subject"] == missing["digest"]
    assert len(json.loads(registry.v2("GET", f"/v2/{APP}/referrers/{missing['digest']}").body)["manifests"]) == 1
    assert json.loads(registry.v2("GET", f"/v2/{APP}/referrers/{ABSENT}").body)["manifests"] == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_manifest_under_a_digest_that_is_not_its_own_is_refused(registry: Inside, algorithm: str) -> None:
    content = Content(algorithm)
    manifest = content.image("spoilt")
    content.push_blobs(registry)

    assert oci_error(put(registry, manifest + b"  ", digest_of(manifest, algorithm))) == (400, "MANIFEST_INVALID")
    assert oci_error(put(registry, manifest, "sha256:baddigeststring")) == (400, "DIGEST_INVALID")
    assert registry.v2("GET", f"/v2/{APP}/manifests/sha256:baddigeststring").status == 400


def test_a_layer_of_an_image_is_not_deleted(registry: Inside) -> None:
    content = Content()
    manifest = content.image("whole")
    content.push_blobs(registry)
    assert put(registry, manifest, "whole").status == 201

    for blob in content.blobs:
        assert oci_error(registry.v2("DELETE", f"/v2/{APP}/blobs/{digest_of(blob)}")) == (405, "UNSUPPORTED")
        assert registry.v2("GET", f"/v2/{APP}/blobs/{digest_of(blob)}").body == blob


def sparse(content: Content, seed: str) -> None:
    """Make an image without one of its layers, and an index without its only image."""
    content.image(seed)
    content.blobs.remove(f"layer of {seed}".encode())
    content.index(Content().image(f"what {seed} is without"))


def test_what_refers_to_nothing_is_refused_as_ecr_does(registry: Inside) -> None:
    content = Content()
    sparse(content, "refused")
    content.push_blobs(registry)

    for manifest in content.manifests:
        assert oci_error(put(registry, manifest, "sparse")) == (400, "MANIFEST_BLOB_UNKNOWN")


@pytest.mark.parametrize("registry", ["true"], indirect=True)
def test_sparse_manifests_are_taken_by_a_registry_that_is_told_to_and_never_by_the_api(registry: Inside) -> None:
    content = Content()
    sparse(content, "sparse")
    content.push_blobs(registry)

    for number, manifest in enumerate(content.manifests):
        given = {"repositoryName": APP, "imageManifest": manifest.decode(), "imageTag": "api"}
        refused = registry.ask(registry.signed("ecr", json_headers("PutImage"), json.dumps(given).encode()))
        assert aws_error(refused)[1] in ("LayersNotFoundException", "ReferencedImagesNotFoundException")
        assert put(registry, manifest, f"sparse{number}").status == 201
        assert registry.v2("GET", f"/v2/{APP}/manifests/sparse{number}").body == manifest


def test_the_api_names_images_of_any_algorithm_and_takes_those_of_sha256(registry: Inside) -> None:
    content = Content("sha512")
    manifest = content.image("seen")
    content.push_blobs(registry)
    long = digest_of(manifest, "sha512")
    assert put(registry, manifest, long, "?tag=seen").status == 201

    ids = {"repositoryName": APP, "imageIds": [{"imageDigest": long}]}
    layer = {"repositoryName": APP, "layerDigest": digest_of(content.blobs[0], "sha512")}
    given = {"repositoryName": APP, "imageManifest": manifest.decode(), "imageDigest": long}
    refused = registry.ask(registry.signed("ecr", json_headers("PutImage"), json.dumps(given).encode()))

    assert json.loads(registry.ecr("DescribeImages", ids).body)["imageDetails"][0]["imageTags"] == ["seen"]
    assert json.loads(registry.ecr("BatchGetImage", ids).body)["images"][0]["imageManifest"] == manifest.decode()
    assert layer["layerDigest"] in json.loads(registry.ecr("GetDownloadUrlForLayer", layer).body)["downloadUrl"]
    assert aws_error(refused)[1] == "ImageDigestDoesNotMatchException"
    assert json.loads(registry.ecr("BatchDeleteImage", ids).body)["imageIds"][0]["imageDigest"] == long
