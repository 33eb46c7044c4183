import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.digests import digest_of
from moorage.core.errors import InvalidParameter, ManifestTooLarge, RegistryError
from moorage.core.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA_1,
    DOCKER_SIGNED,
    MAX_MANIFEST,
    MAX_REFERENCES,
    OCI_INDEX,
    OCI_MANIFEST,
    parse_manifest,
    referrer_entry,
)

CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "c" * 64, "size": 2}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + "1" * 64, "size": 3}
CHILD = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + "2" * 64, "size": 4}
SUBJECT = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + "3" * 64, "size": 5}


def image(**members: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER], **members}


def index(**members: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [CHILD], **members}


def written(document: Any) -> bytes:
    return json.dumps(document).encode()


def refused(content: bytes, stated: str | None = None) -> bool:
    try:
        parse_manifest(content, stated)
    except InvalidParameter as refusal:
        return str(refusal) == (
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
        )
    return False


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_an_image_refers_to_its_config_and_layers(media_type: str) -> None:
    content = written(image(mediaType=media_type))

    manifest = parse_manifest(content, None)

    assert (manifest.content, manifest.digest, manifest.media_type) == (content, digest_of(content), media_type)
    assert [(part.digest, part.size, part.media_type, part.foreign) for part in manifest.blobs] == [
        (CONFIG["digest"], 2, CONFIG["mediaType"], False),
        (LAYER["digest"], 3, LAYER["mediaType"], False),
    ]
    assert manifest.images == ()


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_an_index_refers_to_images(media_type: str) -> None:
    manifest = parse_manifest(written(index(mediaType=media_type)), None)

    assert [part.digest for part in manifest.images] == [CHILD["digest"]]
    assert (manifest.blobs, manifest.artifact_type) == ((), None)


@pytest.mark.parametrize("media_type", [DOCKER_SCHEMA_1, DOCKER_SIGNED])
def test_a_legacy_manifest_refers_to_its_layers(media_type: str) -> None:
    document = {"schemaVersion": 1, "fsLayers": [{"blobSum": LAYER["digest"]}, {"blobSum": CONFIG["digest"]}]}

    manifest = parse_manifest(written(document), media_type)

    assert [part.digest for part in manifest.blobs] == [LAYER["digest"], CONFIG["digest"]]


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersion": 2},
        {"fsLayers": None},
        {"fsLayers": [{}]},
        {"fsLayers": ["sha256:" + "0" * 64]},
        {"fsLayers": [{"blobSum": 1}]},
        {"fsLayers": [{"blobSum": LAYER["digest"]}] * (MAX_REFERENCES + 1)},
    ],
)
def test_a_broken_legacy_manifest_is_refused(change: dict[str, Any]) -> None:
    document = {"schemaVersion": 1, "fsLayers": [{"blobSum": LAYER["digest"]}], **change}

    assert refused(written(document), DOCKER_SCHEMA_1)


# --- artefacts --------------------------------------------------------------------------------------------------------


def test_an_artefact_is_of_its_own_type_before_that_of_its_config() -> None:
    assert parse_manifest(written(image(artifactType="a/own")), None).artifact_type == "a/own"
    assert parse_manifest(written(image()), None).artifact_type == CONFIG["mediaType"]
    assert parse_manifest(written(index(artifactType="a/own")), None).artifact_type == "a/own"


def test_an_artefact_of_no_layers_is_an_image() -> None:
    assert len(parse_manifest(written(image(layers=[])), None).blobs) == 1


@pytest.mark.parametrize("document", [image(subject=SUBJECT), index(subject=SUBJECT)])
def test_a_subject_is_kept_apart_from_the_references(document: dict[str, Any]) -> None:
    manifest = parse_manifest(written(document), None)

    assert manifest.subject == SUBJECT["digest"]
    assert SUBJECT["digest"] not in [part.digest for part in (*manifest.blobs, *manifest.images)]


def test_a_null_subject_is_none() -> None:
    assert parse_manifest(written(image(subject=None)), None).subject is None


def test_a_layer_with_urls_is_foreign() -> None:
    layers = [{**LAYER, "urls": ["https://example.org/layer"]}, {**LAYER, "urls": []}, {**LAYER, "urls": "x"}]
    manifest = parse_manifest(written(image(layers=layers)), None)

    assert [part.foreign for part in manifest.blobs] == [False, True, False, False]


# --- two readings of one document -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Layers", "LAYERS", "layer\u017f", "Config", "MediaType", "mediatype", "Manifests", "SUBJECT"]
)
@pytest.mark.parametrize("document", [image(), index()])
def test_a_member_whose_name_others_read_as_another_is_refused(document: dict[str, Any], name: str) -> None:
    assert refused(written({**document, name: []}))
    assert refused(written({name: [], **document}))


@pytest.mark.parametrize("document", [image(), index()])
def test_layers_of_two_generations_in_one_document_are_refused(document: dict[str, Any]) -> None:
    assert refused(written({**document, "fsLayers": [{"blobSum": LAYER["digest"]}]}))


@pytest.mark.parametrize("more", [{"layers": [LAYER]}, {"config": CONFIG}, {"manifests": [CHILD]}])
def test_a_legacy_manifest_is_nothing_else_besides(more: dict[str, Any]) -> None:
    document = {"schemaVersion": 1, "fsLayers": [{"blobSum": LAYER["digest"]}], **more}

    assert refused(written(document), DOCKER_SCHEMA_1)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        image(manifests=[CHILD]),
        index(layers=[LAYER]),
        index(config=CONFIG),
        image(mediaType=OCI_INDEX),
        index(mediaType=OCI_MANIFEST),
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST},
        image(schemaVersion=1),
        image(schemaVersion="2"),
        image(schemaVersion=None),
        image(config=None),
        image(layers=None),
        image(layers={}),
        image(layers=[LAYER] * (MAX_REFERENCES + 1)),
        index(manifests={}),
        image(subject="sha256:" + "3" * 64),
        image(subject={}),
        image(artifactType=1),
        image(artifactType=""),
        image(artifactType="no slash"),
        image(mediaType=1),
        image(mediaType=["a/b"]),
        image(mediaType="application/vnd.oci.artifact.manifest.v1+json"),
        [],
        "manifest",
        None,
        1,
    ],
)
def test_a_document_that_is_no_manifest_is_refused_in_ecrs_words(document: Any) -> None:
    assert refused(written(document))


BROKEN = [
    *({"digest": bad} for bad in (None, 1, "", "sha256:", "sha384:" + "0" * 96, "sha256:" + "A" * 64, "latest")),
    *({"size": bad} for bad in (None, -1, "3", 1.5, True, 2**63, 2**200)),
    *({"mediaType": bad} for bad in (None, 1, "", "a", "a/", "/b", "a/b c", "a/b;c", "a/" + "b" * 128, "a/b\n")),
]


@pytest.mark.parametrize("change", BROKEN)
def test_a_broken_descriptor_is_refused_wherever_it_stands(change: dict[str, Any]) -> None:
    assert refused(written(image(config={**CONFIG, **change})))
    assert refused(written(image(layers=[LAYER, {**LAYER, **change}])))
    assert refused(written(index(manifests=[{**CHILD, **change}])))
    assert refused(written(image(subject={**SUBJECT, **change})))


@pytest.mark.parametrize("member", ["digest", "size", "mediaType"])
def test_a_descriptor_without_one_of_its_members_is_refused(member: str) -> None:
    assert refused(written(image(layers=[{key: value for key, value in LAYER.items() if key != member}])))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"a":"\xff"}', b"\xef\xbb\xbf{}", b'{"a":"\\ud800"}', b"[" * 100_000, b"NaN"]
)
def test_text_that_is_not_json_is_refused(content: bytes) -> None:
    assert refused(content, OCI_MANIFEST)


@pytest.mark.parametrize("member", [b'"layers":1', b'"schemaVersion":2', b'"mediaType":"' + OCI_INDEX.encode() + b'"'])
def test_a_member_that_is_given_twice_is_refused_for_readers_take_either(member: bytes) -> None:
    assert refused(b"{" + member + b"," + written(image())[1:])
    assert refused(written(image())[:-1] + b"," + member + b"}")


@pytest.mark.parametrize("name", ["Digest", "SIZE", "mediatype", "URLs"])
def test_a_descriptor_has_no_member_that_others_read_as_another(name: str) -> None:
    assert refused(written(image(layers=[{**LAYER, name: LAYER["digest"]}])))


def test_nor_may_one_be_given_twice_further_down() -> None:
    layer = written(LAYER)

    assert refused(written(image()).replace(layer, b'{"size":3,' + layer[1:]))
    assert refused(written(image())[:-1] + b',"annotations":{"a":"1","a":"2"}}')


def test_a_manifest_may_have_four_mebibytes_and_not_a_byte_more() -> None:
    content = written(image())
    padded = content + b" " * (MAX_MANIFEST - len(content))

    assert parse_manifest(padded, None).content == padded
    with pytest.raises(ManifestTooLarge, match="4194304"):
        parse_manifest(padded + b" ", None)


# --- the stated media type --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stated", [None, "", "application/json", "application/octet-stream", OCI_MANIFEST])
def test_the_documents_own_media_type_stands_where_nothing_else_is_stated(stated: str | None) -> None:
    assert parse_manifest(written(image()), stated).media_type == OCI_MANIFEST


def test_the_stated_media_type_stands_where_the_document_has_none() -> None:
    document = {key: value for key, value in image().items() if key != "mediaType"}

    assert parse_manifest(written(document), DOCKER_MANIFEST).media_type == DOCKER_MANIFEST
    assert refused(written(document), None)
    assert refused(written(document), "application/json")


def test_two_media_types_must_agree() -> None:
    assert refused(written(image()), DOCKER_MANIFEST)


# --- anything at all --------------------------------------------------------------------------------------------------

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
digests = st.sampled_from([CONFIG["digest"], LAYER["digest"], "sha256:x"])
leaves = st.none() | st.booleans() | numbers | st.text(max_size=8) | digests | st.sampled_from([OCI_INDEX, "a/b"])
keys = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "digest", "size", "urls", "artifactType"]
)
documents = st.recursive(
    leaves | st.sampled_from([CONFIG, LAYER, CHILD]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=12,
)
near = st.builds(
    lambda base, change: {**base, **change},
    st.sampled_from([image(), index()]),
    st.dictionaries(keys, documents, max_size=3),
)
stated_types = st.none() | st.sampled_from([OCI_MANIFEST, OCI_INDEX, DOCKER_SCHEMA_1, "", "x"]) | st.text(max_size=8)


@given(st.binary(max_size=200) | (documents | near).map(written), stated_types)
def test_whatever_comes_is_parsed_or_refused(content: bytes, stated: str | None) -> None:
    try:
        manifest = parse_manifest(content, stated)
    except RegistryError:
        return
    assert manifest.content == content
    assert manifest.digest == digest_of(content)


@given(near.map(written))
def test_an_accepted_manifest_can_be_listed_as_a_referrer(content: bytes) -> None:
    try:
        manifest = parse_manifest(content, None)
    except RegistryError:
        return
    entry = referrer_entry(content, manifest.media_type, manifest.digest, manifest.artifact_type)
    assert entry["size"] == len(content)


def test_a_referrer_is_listed_with_its_annotations() -> None:
    content = written(image(subject=SUBJECT, annotations={"a": "b"}))

    assert referrer_entry(content, OCI_MANIFEST, digest_of(content), "a/own") == {
        "mediaType": OCI_MANIFEST,
        "digest": digest_of(content),
        "size": len(content),
        "artifactType": "a/own",
        "annotations": {"a": "b"},
    }


@pytest.mark.parametrize("annotations", [None, [], "a", 1])
def test_annotations_that_are_no_object_are_left_out(annotations: Any) -> None:
    content = written(image(annotations=annotations))

    assert set(referrer_entry(content, OCI_MANIFEST, digest_of(content), None)) == {"mediaType", "digest", "size"}


def test_a_referrer_is_listed_however_deep_its_manifest_is() -> None:
    content = written(image())[:-1] + b',"deep":' + b"[" * 5_000 + b"]" * 5_000 + b"}"

    assert set(referrer_entry(content, OCI_MANIFEST, digest_of(content), None)) == {"mediaType", "digest", "size"}
