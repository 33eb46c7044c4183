"""Bodies that are no documents, documents that are no manifests, and far too much of either."""

import json
from typing import Any

import pytest

from tests.clients.registry import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of
from tests.hostile.place import ABSENT, APP, FORM, Place, aws_error, json_headers, oci_error
from tests.hostile.wire import Wire, chunk, head

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unchanged")]

MIB = 1024 * 1024
TARGET = f"/v2/{APP}/manifests/bad"
DEEP = 100_000

NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and never closed": b'{"repositoryNames":' + b"[" * DEEP,
    "not a number": b'{"maxResults":NaN}',
    "infinity": b'{"maxResults":-Infinity}',
    "beyond a float": b'{"maxResults":1e400}',
    "ten thousand digits": b'{"maxResults":%b}' % (b"9" * 10_000),
    "lone surrogate": rb'{"repositoryNames":["\ud800"]}',
    "lone surrogate in a name": rb'{"\udfff":1}',
    "invalid UTF-8": b'{"nextToken":"\xff\xfe"}',
    "overlong UTF-8": b'{"nextToken":"\xc0\xaf"}',
    "UTF-16": "{}".encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "bare NUL": b"\0",
    "NUL after the end": b"{}\0",
    "two documents": b"{}{}",
    "half a document": b'{"a":',
    "trailing comma": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "a comment": b"{}//",
    "a control character in a text": b'{"a":"\n"}',
    "a form": b"Action=ListUsers&Version=2010-05-08",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
}


@pytest.mark.parametrize("what", NOT_JSON)
def test_a_body_that_is_not_json_is_refused_by_both_doors(place: Place, what: str) -> None:
    api = place.aws("ecr", json_headers("DescribeRepositories"), NOT_JSON[what])
    manifest = place.v2("PUT", TARGET, NOT_JSON[what], content_type=OCI_MANIFEST)

    assert aws_error(api) == (400, "SerializationException")
    assert oci_error(manifest) == (405, "UNSUPPORTED")


@pytest.mark.parametrize("body", [b"null", b"[]", b'""', b"1", b"true", b"[{}]"])
def test_json_that_is_no_object_is_refused_by_both_doors(place: Place, body: bytes) -> None:
    api = place.aws("ecr", json_headers("DescribeRepositories"), body)
    manifest = place.v2("PUT", TARGET, body, content_type=OCI_MANIFEST)

    assert aws_error(api) == (400, "SerializationException")
    assert oci_error(manifest) == (405, "UNSUPPORTED")


def test_of_a_key_that_is_given_twice_the_last_one_is_judged(place: Place) -> None:
    twice = b'{"repositoryName":"team/app","repositoryName":"never/made"}'

    assert aws_error(place.aws("ecr", json_headers("ListImages"), twice)) == (400, "RepositoryNotFoundException")


NOT_FORMS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "InvalidAction"),
    "JSON": (b'{"Action":"ListUsers"}', "InvalidAction"),
    "no such action": (b"Action=Brew", "InvalidAction"),
    "NUL for an action": (b"Action=%00", "InvalidAction"),
    "another version": (b"Action=ListUsers&Version=2099-01-01", "InvalidAction"),
    "an action twice": (b"Action=ListUsers&Action=GetUser", "MalformedInput"),
    "invalid UTF-8": (b"Action=ListUsers&PathPrefix=%ff", "MalformedInput"),
    "raw invalid UTF-8": (b"Action=ListUsers&PathPrefix=\xff", "MalformedInput"),
    "a surrogate": (b"Action=ListUsers&PathPrefix=%ed%a0%80", "MalformedInput"),
    "too many fields": (b"Action=ListUsers" + b"".join(b"&f%d=" % at for at in range(3000)), "MalformedInput"),
    "a text and a structure": (b"Action=ListUsers&a=1&a.b=1", "MalformedInput"),
    "a giant index": (b"Action=TagUser&UserName=a&Tags.member.99999999.Key=a", "MalformedInput"),
    "no number": (b"Action=ListUsers&MaxItems=ten", "MalformedInput"),
    "a giant number": (b"Action=ListUsers&MaxItems=" + b"9" * 5000, "MalformedInput"),
    "other digits": ("Action=ListUsers&MaxItems=٣".encode(), "MalformedInput"),
    "a marker that is none": (b"Action=ListUsers&Marker=%21", "ValidationError"),
    "a marker with NUL in it": (b"Action=ListUsers&Marker=AAA%3D", "ValidationError"),
    "a marker of broken UTF-8": (b"Action=ListUsers&Marker=__8%3D", "ValidationError"),
    "a policy that is not JSON": (b"Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument=x", "MalformedPolicyDocument"),
    "a policy too deep": (
        b"Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument=" + b"[" * 50_000,
        "MalformedPolicyDocument",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NOT_FORMS)
def test_a_form_that_cannot_be_read_is_refused(place: Place, what: str) -> None:
    body, code = NOT_FORMS[what]

    assert aws_error(place.aws("iam", {"content-type": FORM}, body)) == (400, code)


@pytest.mark.parametrize("coding", ["declared", "chunked"])
@pytest.mark.parametrize("door", ["api", "manifest"])
def test_a_body_of_a_hundred_megabytes_is_refused_before_it_has_come(place: Place, door: str, coding: str) -> None:
    piece, pieces = b"a" * 1_000_000, 100
    sizes = {"content-length": str(len(piece) * pieces)} if coding == "declared" else {"transfer-encoding": "chunked"}
    headers = place.sign("ecr", json_headers("DescribeRegistry"), b"{}")
    start = head("POST", "/", headers | sizes) if door == "api" else place.v2_head("PUT", TARGET, **sizes)

    with Wire(place.server.port) as wire:
        # The last megabyte never comes: who waits for it hangs.
        wire.send(start, *[piece if coding == "declared" else chunk(piece) for _ in range(pieces - 1)])
        answer = wire.final("POST")

    assert answer is not None
    if door == "api":
        assert aws_error(answer) == (413, "RequestEntityTooLargeException")
    else:
        assert oci_error(answer) == (413, "MANIFEST_INVALID")


def test_a_manifest_of_four_mebibytes_and_one_byte_is_too_large_for_both_doors(place: Place) -> None:
    over = " " * (4 * MIB + 1)

    api = place.aws(
        "ecr", json_headers("PutImage"), json.dumps({"repositoryName": APP, "imageManifest": over}).encode()
    )

    assert aws_error(api) == (400, "InvalidParameterException")
    assert oci_error(place.v2("PUT", TARGET, over.encode())) == (413, "MANIFEST_INVALID")


def test_a_manifest_of_four_mebibytes_is_judged_by_what_it_says(place: Place) -> None:
    assert oci_error(place.v2("PUT", TARGET, b" " * (4 * MIB))) == (405, "UNSUPPORTED")


def changed(place: Place, **members: Any) -> bytes:
    """Return the manifest of the image with members put in, or left out where they are None."""
    document = {**json.loads(place.manifest), **members}
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


_LAYER = descriptor("application/vnd.oci.image.layer.v1.tar", b"layer of image")
MANIFESTS: dict[str, dict[str, Any]] = {
    "image and index at once": {"manifests": []},
    "no layers": {"layers": None},
    "no config": {"config": None},
    "layers that are no list": {"layers": {}},
    "a layer that is no object": {"layers": ["sha256"]},
    "a layer without a digest": {"layers": [{**_LAYER, "digest": None}]},
    "a layer of another algorithm": {"layers": [{**_LAYER, "digest": "sha384:" + "0" * 96}]},
    "a layer whose digest is a path": {"layers": [{**_LAYER, "digest": "../../etc/passwd"}]},
    "a layer of a negative size": {"layers": [{**_LAYER, "size": -1}]},
    "a layer of a giant size": {"layers": [{**_LAYER, "size": 2**63}]},
    "a layer of half a byte": {"layers": [{**_LAYER, "size": 0.5}]},
    "a layer whose size is true": {"layers": [{**_LAYER, "size": True}]},
    "a layer whose type ends a line": {"layers": [{**_LAYER, "mediaType": "a/b\r\nx: y"}]},
    "a layer without a type": {"layers": [{**_LAYER, "mediaType": None}]},
    "too many layers": {"layers": [_LAYER] * 10_001},
    "another schema": {"schemaVersion": 3},
    "a schema that is a text": {"schemaVersion": "2"},
    "a type that is a number": {"mediaType": 5},
    "a type that is none of ours": {"mediaType": "application/vnd.oci.artifact.manifest.v1+json"},
    "the type of an index": {"mediaType": OCI_INDEX},
    "a subject that is a text": {"subject": ABSENT},
    "an artifact type that is a list": {"artifactType": ["a/b"]},
    "an artifact type that ends a line": {"artifactType": "a/b\nc"},
}  # fmt: skip


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_document_that_is_no_manifest_is_refused_by_both_doors(place: Place, what: str) -> None:
    body = changed(place, **MANIFESTS[what])

    api = place.aws(
        "ecr", json_headers("PutImage"), json.dumps({"repositoryName": APP, "imageManifest": body.decode()}).encode()
    )

    assert oci_error(place.v2("PUT", TARGET, body)) == (405, "UNSUPPORTED")
    assert aws_error(api) == (400, "InvalidParameterException")


@pytest.mark.parametrize(
    ("reference", "members", "refusal"),
    [
        (ABSENT, {}, (400, "MANIFEST_INVALID")),
        ("sha512:" + "0" * 128, {}, (400, "MANIFEST_INVALID")),
        ("sha384:" + "0" * 96, {}, (400, "DIGEST_INVALID")),
        ("sha256:ABC", {}, (400, "DIGEST_INVALID")),
        ("bad", {"layers": [{**_LAYER, "digest": ABSENT}]}, (400, "MANIFEST_BLOB_UNKNOWN")),
        ("a" * 301, {}, (405, "UNSUPPORTED")),
        ("a+b", {}, (405, "UNSUPPORTED")),
        ("a%00b", {}, (405, "UNSUPPORTED")),
        ("a%0d%0ab", {}, (405, "UNSUPPORTED")),
        ("a%20b", {}, (405, "UNSUPPORTED")),
    ],
)
def test_a_manifest_is_not_put_under_what_is_not_its_own(
    place: Place, reference: str, members: dict[str, Any], refusal: tuple[int, str]
) -> None:
    body = changed(place, annotations={"other": "bytes"}, **members)

    assert digest_of(body) != place.digest
    assert oci_error(place.v2("PUT", f"/v2/{APP}/manifests/{reference}", body, content_type=OCI_MANIFEST)) == refusal


@pytest.mark.parametrize(
    "kind", [OCI_INDEX, "text/plain", "\xff", "a" * 5000, "application/vnd.docker.distribution.manifest.v1+json"]
)
def test_a_content_type_that_belies_the_manifest_is_refused(place: Place, kind: str) -> None:
    assert oci_error(place.v2("PUT", TARGET, place.manifest, content_type=kind)) == (405, "UNSUPPORTED")
