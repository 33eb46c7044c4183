"""What has been done to other registries, in this process: stored pages, hosts that lead elsewhere, things of the past, deep trees."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.registry import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of, image_manifest
from tests.hostile.inside import CONFIG, HOST, LAYER, MANIFEST, Inside, Request
from tests.hostile.place import APP, json_headers, oci_error
from tests.hostile.wire import Answer

PAGE = b"<!doctype html><script>alert(document.domain)</script>"
EVIL = b"evil.example"


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    made = Inside(tmp_path_factory.mktemp("tricks")).fill()
    yield made
    made.close()


def ecr(inside: Inside, operation: str, **given: Any) -> Any:
    answer = inside.ask(inside.signed("ecr", json_headers(operation), json.dumps(given).encode()))
    assert answer.status == 200, answer
    return json.loads(answer.body)


def new_repository(inside: Inside, name: str, *seeds: str) -> list[str]:
    """Make a repository with an image for each seed, and return their digests."""
    ecr(inside, "CreateRepository", repositoryName=name)
    return [push(inside, name, seed) for seed in seeds]


def push(inside: Inside, name: str, seed: str, **more: Any) -> str:
    config = json.dumps({"seed": seed}).encode()
    for blob in (config, LAYER):
        inside.push_blob(name, blob)
    manifest = image_manifest(config, LAYER, **more)
    assert inside.v2("PUT", f"/v2/{name}/manifests/{seed}", manifest, kind=OCI_MANIFEST).status == 201
    return digest_of(manifest)


def download(inside: Inside, url: str) -> Answer:
    path, _, query = url.removeprefix("http://localhost:4510").partition("?")
    return inside.ask(Request("GET", path.encode(), query.encode(), [(b"host", HOST)]))


# --- what was pushed, in a browser --------------------------------------------------------------------------------------


def test_what_was_pushed_is_never_shown_as_a_page(inside: Inside) -> None:
    new_repository(inside, "team/pages")
    inside.push_blob("team/pages", PAGE), inside.push_blob("team/pages", CONFIG)
    about = descriptor(OCI_MANIFEST, MANIFEST)
    manifest = image_manifest(CONFIG, PAGE, annotations={"a": PAGE.decode()}, subject=about)
    inside.v2("PUT", "/v2/team/pages/manifests/v1", manifest, kind=OCI_MANIFEST)
    layer = digest_of(PAGE)
    url = ecr(inside, "GetDownloadUrlForLayer", repositoryName="team/pages", layerDigest=layer)["downloadUrl"]

    for answer in (
        inside.v2("GET", f"/v2/team/pages/blobs/{layer}"),
        inside.v2("GET", f"/v2/team/pages/blobs/{layer}", wanted="bytes=0-40"),
        inside.v2("GET", "/v2/team/pages/manifests/v1"),
        inside.v2("GET", f"/v2/team/pages/referrers/{digest_of(MANIFEST)}"),
        download(inside, url),
    ):
        assert b"script" in answer.body
        assert answer.headers["content-type"] in ("application/octet-stream", OCI_MANIFEST, OCI_INDEX)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_what_a_refusal_repeats_is_no_page_either(inside: Inside) -> None:
    for path in (f"/v2/{APP}/blobs/sha256:<script>", "/v2/<script>/tags/list", "/v2/<script>", "/<script>"):
        answer = inside.v2("GET", path)
        assert answer.headers["content-type"].partition(";")[0] in ("application/json", "text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"


# --- hosts that lead elsewhere ------------------------------------------------------------------------------------------


def test_a_host_that_a_request_names_is_never_where_an_answer_leads(inside: Inside) -> None:
    image = new_repository(inside, "team/led", "v1", "v2")[0]
    upload = inside.v2("POST", "/v2/team/led/blobs/uploads/").headers["location"]
    layer = digest_of(LAYER)
    manifest = json.loads(inside.v2("GET", "/v2/team/led/manifests/v1").body)
    requests = [
        ("POST", "/v2/team/led/blobs/uploads/", b""),
        ("POST", f"/v2/team/led/blobs/uploads/?digest={layer}", LAYER),
        ("POST", f"/v2/team/led/blobs/uploads/?mount={layer}&from={APP}", b""),
        ("GET", upload, b""),
        ("PATCH", upload, LAYER),
        ("PUT", f"{upload}?digest={layer}", b""),
        ("PUT", f"/v2/team/led/manifests/{image}", json.dumps(manifest).encode()),
        ("GET", "/v2/team/led/tags/list?n=1", b""),
        ("GET", "/v2/_catalog?n=1", b""),
    ]
    leads = []
    for method, target, body in requests:
        path, _, query = target.partition("?")
        headers = [(b"host", EVIL), (b"x-forwarded-host", EVIL), inside.token]
        answer = inside.ask(Request(method, path.encode(), query.encode(), headers, [body]))
        assert EVIL.decode() not in repr(answer)
        leads += [answer.headers[name] for name in ("location", "link") if name in answer.headers]

    assert len(leads) == len(requests)
    assert all(lead.removeprefix("<").startswith("/v2/") for lead in leads)


def test_no_path_makes_a_location_that_leads_to_another_host(inside: Inside) -> None:
    for path in (
        "//evil.example/v2/a/blobs/uploads/",
        "/v2//evil.example/blobs/uploads/",
        "/v2/../evil.example/blobs/uploads/",
    ):
        assert (
            "location" not in inside.ask(Request("POST", path.encode(), b"", [(b"host", HOST), inside.token])).headers
        )


@pytest.mark.parametrize("host", [b'x",realm="y', b"x y", b"x\\", b"x@y", b"x/y", b""])
def test_the_challenge_names_a_host_and_nothing_more(inside: Inside, host: bytes) -> None:
    answer = inside.ask(Request("GET", b"/v2/", b"", [(b"host", host)]))

    assert answer.headers["www-authenticate"] == 'Basic realm="http://localhost/",service="ecr.amazonaws.com"'


def test_the_api_shows_the_servers_own_address_whatever_host_was_signed(inside: Inside) -> None:
    for operation, given in (
        ("DescribeRepositories", {}),
        ("GetAuthorizationToken", {}),
        ("GetDownloadUrlForLayer", {"repositoryName": APP, "layerDigest": digest_of(LAYER)}),
    ):
        asked = inside.signed("ecr", json_headers(operation), json.dumps(given).encode(), host=EVIL)
        answer = inside.ask(asked)
        assert answer.status == 200
        assert b"localhost:4510" in answer.body
        assert EVIL not in answer.body


# --- things of the past -------------------------------------------------------------------------------------------------


def test_a_layer_that_was_deleted_is_served_by_no_way_that_was_known_before(inside: Inside) -> None:
    image = new_repository(inside, "team/past", "v1")[0]
    layer = digest_of(LAYER)
    url = ecr(inside, "GetDownloadUrlForLayer", repositoryName="team/past", layerDigest=layer)["downloadUrl"]
    assert download(inside, url).body == LAYER

    assert inside.v2("DELETE", f"/v2/team/past/manifests/{image}").status == 202
    assert inside.v2("DELETE", f"/v2/team/past/blobs/{layer}").status == 202

    # It is stored still, for other repositories hold it.
    assert inside.v2("GET", f"/v2/{APP}/blobs/{layer}").body == LAYER
    assert oci_error(inside.v2("GET", f"/v2/team/past/blobs/{layer}")) == (404, "BLOB_UNKNOWN")
    assert oci_error(download(inside, url)) == (404, "BLOB_UNKNOWN")
    assert oci_error(inside.v2("GET", f"/v2/team/past/manifests/{image}")) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(("operation", "member"), [("ListImages", "imageIds"), ("DescribeImages", "imageDetails")])
def test_a_page_token_of_an_earlier_namesake_shows_nothing_of_it(inside: Inside, operation: str, member: str) -> None:
    name = f"team/{operation.lower()}"
    old = new_repository(inside, name, "one", "two", "three")
    token = ecr(inside, operation, repositoryName=name, maxResults=1)["nextToken"]
    ecr(inside, "DeleteRepository", repositoryName=name, force=True)
    new = new_repository(inside, name, "four", "five")

    shown = ecr(inside, operation, repositoryName=name, nextToken=token)[member]

    assert {each["imageDigest"] for each in shown} == set(new)
    assert set(old).isdisjoint(new)


def test_an_upload_of_an_earlier_namesake_is_unknown(inside: Inside) -> None:
    new_repository(inside, "team/uploads")
    upload = inside.v2("POST", "/v2/team/uploads/blobs/uploads/").headers["location"]
    inside.v2("PATCH", upload, PAGE)
    ecr(inside, "DeleteRepository", repositoryName="team/uploads", force=True)
    new_repository(inside, "team/uploads")

    for method, target in (
        ("GET", upload),
        ("PATCH", upload),
        ("PUT", f"{upload}?digest={digest_of(PAGE)}"),
        ("DELETE", upload),
    ):
        assert oci_error(inside.v2(method, target)) == (404, "BLOB_UPLOAD_UNKNOWN")


# --- deep trees ---------------------------------------------------------------------------------------------------------

LEVELS = 60


def index_of(level: int, which: str, *children: bytes) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_INDEX, each) for each in children],
        "annotations": {"at": f"{level}{which}"},
    }
    return json.dumps(document).encode()


def test_indexes_of_indexes_are_never_walked_through(inside: Inside) -> None:
    # Each of two indexes of a level lists both of the level below: 2 to the 60th ways down.
    new_repository(inside, "team/tower")
    pushed: list[bytes] = []
    level: tuple[bytes, ...] = (MANIFEST,)
    inside.push_blob("team/tower", CONFIG), inside.push_blob("team/tower", LAYER)
    inside.v2("PUT", "/v2/team/tower/manifests/v1", MANIFEST, kind=OCI_MANIFEST)
    for number in range(LEVELS):
        level = tuple(index_of(number, which, *level) for which in "ab")
        pushed += level
        for index in level:
            assert inside.v2("PUT", f"/v2/team/tower/manifests/{digest_of(index)}", index, kind=OCI_INDEX).status == 201

    top = {"imageDigest": digest_of(level[0])}
    assert len(ecr(inside, "DescribeImages", repositoryName="team/tower", imageIds=[top])["imageDetails"]) == 1
    assert inside.v2("GET", f"/v2/team/tower/manifests/{top['imageDigest']}").body == level[0]
    for batch in (pushed[60:], pushed[:60]):
        gone = ecr(
            inside,
            "BatchDeleteImage",
            repositoryName="team/tower",
            imageIds=[{"imageDigest": digest_of(each)} for each in batch],
        )
        assert gone["failures"] == []
