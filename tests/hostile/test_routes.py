"""Every route of the registry with its address, its query or its headers wrong; the registry's own refusal, nothing done."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.clients.registry import digest_of
from tests.engines.server import ACCOUNT
from tests.hostile.place import ABSENT, APP, CONTENT, OTHER_ACCOUNT, Place, oci_error
from tests.hostile.wire import Answer, Wire, head

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unchanged")]

UPLOAD = "6f1c2b1e-0000-4000-8000-000000000001"
# Method, path below the repository, and what says that there is no such thing in a repository that there is.
ROUTES: list[tuple[str, str, tuple[int, str]]] = [
    ("GET", "/manifests/gone", (404, "MANIFEST_UNKNOWN")),
    ("HEAD", "/manifests/gone", (404, "")),
    ("GET", f"/manifests/{ABSENT}", (404, "MANIFEST_UNKNOWN")),
    ("DELETE", "/manifests/gone", (404, "MANIFEST_UNKNOWN")),
    ("DELETE", f"/manifests/{ABSENT}", (404, "MANIFEST_UNKNOWN")),
    ("PUT", "/manifests/new", (405, "UNSUPPORTED")),
    ("GET", f"/blobs/{ABSENT}", (404, "BLOB_UNKNOWN")),
    ("HEAD", f"/blobs/{ABSENT}", (404, "")),
    ("DELETE", f"/blobs/{ABSENT}", (404, "BLOB_UNKNOWN")),
    ("POST", f"/blobs/uploads/?digest={ABSENT}", (400, "BLOB_UPLOAD_INVALID")),
    ("GET", f"/blobs/uploads/{UPLOAD}", (404, "BLOB_UPLOAD_UNKNOWN")),
    ("PATCH", f"/blobs/uploads/{UPLOAD}", (404, "BLOB_UPLOAD_UNKNOWN")),
    ("PUT", f"/blobs/uploads/{UPLOAD}?digest={ABSENT}", (404, "BLOB_UPLOAD_UNKNOWN")),
    ("DELETE", f"/blobs/uploads/{UPLOAD}", (404, "BLOB_UPLOAD_UNKNOWN")),
]
READS = [("GET", "/tags/list"), ("GET", f"/referrers/{ABSENT}")]
EVERY = [(method, below) for method, below, _ in ROUTES] + READS


def status_of(method: str, refusal: tuple[int, str]) -> tuple[int, str]:
    return (refusal[0], "") if method == "HEAD" else refusal


@pytest.mark.parametrize(("method", "below", "refusal"), ROUTES)
def test_what_a_repository_does_not_hold_is_said_to_be_missing(
    place: Place, method: str, below: str, refusal: tuple[int, str]
) -> None:
    assert oci_error(place.v2(method, f"/v2/{APP}{below}", b"bytes"), method) == refusal


@pytest.mark.parametrize(("method", "below"), EVERY)
def test_an_absent_repository_is_named_as_such(place: Place, method: str, below: str) -> None:
    answer = place.v2(method, f"/v2/never/made{below}", b"bytes")

    assert oci_error(answer, method) == status_of(method, (404, "NAME_UNKNOWN"))


@pytest.mark.parametrize(("method", "below"), [*EVERY, ("GET", "/manifests/v1"), ("PATCH", "open upload")])
def test_the_registry_of_another_account_is_closed(place: Place, method: str, below: str) -> None:
    path = place.upload if below == "open upload" else f"/v2/{APP}{below}"

    answer = place.v2(method, path, b"bytes", host=f"{OTHER_ACCOUNT}.dkr.ecr.us-east-1.example.test")

    assert oci_error(answer, method) == status_of(method, (403, "DENIED"))


@pytest.mark.parametrize(("method", "below"), EVERY)
def test_a_token_opens_no_registry_of_another_region(place: Place, method: str, below: str) -> None:
    answer = place.v2(method, f"/v2/{APP}{below}", b"bytes", host=f"{ACCOUNT}.dkr.ecr.eu-west-1.example.test")

    assert (answer.status, answer.headers["docker-distribution-api-version"]) == (401, "registry/2.0")


NAMES = [
    "A/b", "a", "a..b", "team/../team/app", "team/%2e%2e/app", "team//app", "/team/app", "team/app/", "team/./app",
    "team%5capp", "..%5c..%5capp", "team%00/app", "t%C3%A9am", "%E2%80%AE", "team/app%20", "-a/b",
    "a" * 257, "a/" * 200 + "a", "%zz/a", "team:app", "team@app", "~root/app", "$HOME/x", "team/app;x", "con/%c2%85x",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_repository_has_is_refused_by_every_route(place: Place, name: str) -> None:
    for method, below in EVERY:
        refusal = (400, "") if method == "HEAD" else (405, "UNSUPPORTED")
        assert oci_error(place.v2(method, f"/v2/{name}{below}", b"bytes"), method) == refusal, (method, below)


# An escaped slash is none, broken UTF-8 is no path, and what only looks like the registry is not.
NOWHERE = [
    "/v2/team%2fapp/tags/list", "/v2/team%2Fapp/manifests/v1", "/v2/..%2f..%2fetc/passwd", "/v2/../etc/passwd", "/v2/team/app%0d%0a/tags/list",
    "/v2/%ff/tags/list", "/v2/%c0%ae%c0%ae/tags/list", "/v2/%ed%a0%80a/tags/list", "/v2//", "/v2/_catalog/",
    f"/v2/{APP}/blobs/uploads/../../../x", f"/v2/{APP}/manifests/", f"/v2/{APP}/blobs//x", f"/v2/{APP}/tags/list/",
    f"/v2/{APP}/manifests/a/b", f"/v2/{APP}/blobs/uploads//", f"/v2/{APP}\\tags\\list", f"/v2/{APP}/tags/list%00",
    "/v2/manifests/v1", "/v2/blobs/uploads/", "/v2/tags/list", f"/v2/{APP}", f"/v2/{APP}/tags%2flist", "/v2/" + "a" * 50_000,
]  # fmt: skip


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE", "BREW"])
def test_a_path_that_is_none_of_the_registrys_is_not_found(place: Place, method: str, path: str) -> None:
    assert oci_error(place.v2(method, path, b"bytes")) == (404, "no route")


@pytest.mark.parametrize(
    "path",
    [
        "//v2/",
        "/./v2/",
        "/x/../v2/",
        "/V2/",
        "/%76%32/",
        "/v1/",
        "/%2fv2/",
        "/v2x",
        "/v2%2f",
        "/moorage/layers/../../etc/passwd",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_path_that_only_resembles_the_registrys_leads_to_no_door_of_rows(
    place: Place, method: str, path: str
) -> None:
    answer = place.v2(method, path)

    assert answer.status in (403, 404)
    assert len(answer.headers["x-amzn-requestid"]) == 36


@pytest.mark.parametrize(
    "target",
    [b"/v2/\xff\xfe/tags/list", b"/v2/te am/tags/list", b"/v2/a\0b/tags/list", b"v2/", b"", b"/v2/" + b"a" * 70_000],
)
def test_a_target_that_http_does_not_allow_is_refused_before_the_doors(place: Place, target: bytes) -> None:
    assert place.v2("GET", target).status in (400, 414)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/manifests/v1"), ("POST", f"/blobs/{ABSENT}"), ("PUT", "/tags/list"), ("GET", "/blobs/uploads/")]
    + [(method, f"/blobs/uploads/{UPLOAD}") for method in ("HEAD", "POST", "OPTIONS", "TRACE", "BREW", "x" * 500)],
)
def test_a_method_that_a_route_has_not_is_unsupported(place: Place, method: str, path: str) -> None:
    assert oci_error(place.v2(method, f"/v2/{APP}{path}"), method) == status_of(method, (405, "UNSUPPORTED"))


def test_methods_that_strangers_make_up_are_counted_as_one(place: Place) -> None:
    for number in range(20):
        place.v2(f"BREW{number}", "/v2/")

    assert b"BREW" not in place.v2("GET", "/metrics").body


# --- queries and headers ------------------------------------------------------------------------------------------------

SIZES = ["-1", "", "ten", "1.5", "1e3", "+5", "%205", "%D9%A1", "0x10", "1001", "9" * 30, "9" * 6000, "%00", "1%0d%0a"]
PAGES = [f"/v2/{APP}/tags/list", "/v2/_catalog"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_size_that_is_none_is_refused(place: Place, path: str, size: str) -> None:
    answer = place.v2("GET", f"{path}?n={size}")

    assert oci_error(answer) == (405, "UNSUPPORTED")
    if size.isdigit():
        assert "less than or equal to 1000" in str(json.loads(answer.body))


@pytest.mark.parametrize("query", ["last=%00", "&".join(f"n{at}=1" for at in range(200))])
@pytest.mark.parametrize("path", [*PAGES, f"/v2/{APP}/referrers/{ABSENT}"])
def test_a_query_that_no_listing_takes_is_refused(place: Place, path: str, query: str) -> None:
    assert oci_error(place.v2("GET", f"{path}?{query}")) == (405, "UNSUPPORTED")


@pytest.mark.parametrize("last", ["~", "%ff%fe", "%ed%a0%80", "z" * 20_000, "%F0%9F%9A%A2"])
@pytest.mark.parametrize("path", PAGES)
def test_a_listing_goes_on_after_whatever_text_it_is_given(place: Place, path: str, last: str) -> None:
    answer = place.v2("GET", f"{path}?last={last}")

    assert answer.status == 200
    assert [] in json.loads(answer.body).values()


@pytest.mark.parametrize("last", ["x", "-1", "%D9%A1%00", "9" * 19, "1.0", "%ff"])
def test_referrers_go_on_only_after_what_a_link_said(place: Place, last: str) -> None:
    assert oci_error(place.v2("GET", f"/v2/{APP}/referrers/{ABSENT}?last={last}")) == (405, "UNSUPPORTED")


@pytest.mark.parametrize(
    "digest", ["sha256:0", "sha384:" + "0" * 96, "v1", "sha256:" + "G" * 64, "a" * 5000, "..", ":"]
)
def test_what_is_no_digest_is_refused_where_one_is_needed(place: Place, digest: str) -> None:
    unknown = (400, "DIGEST_INVALID")
    assert oci_error(place.v2("GET", f"/v2/{APP}/referrers/{digest}")) == unknown
    assert oci_error(place.v2("PUT", f"{place.upload}?digest={digest}")) == unknown
    assert oci_error(place.v2("POST", f"/v2/{APP}/blobs/uploads/?digest={digest}", b"bytes")) == unknown
    assert oci_error(place.v2("GET", f"/v2/{APP}/blobs/{digest}"))[0] in (400, 404)
    assert oci_error(place.v2("HEAD", f"/v2/{APP}/blobs/{digest}"), "HEAD")[0] in (400, 404)
    assert oci_error(place.v2("DELETE", f"/v2/{APP}/blobs/{digest}"))[0] in (400, 404)
    assert oci_error(place.v2("POST", f"/v2/{APP}/blobs/uploads/?digest-algorithm={digest}")) == unknown


@pytest.mark.parametrize(
    "upload", ["..", "%2e%2e", "x", UPLOAD.upper(), UPLOAD + "%00", "a" * 5000, "%C3%A9", UPLOAD.replace("-", "")]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_an_upload_id_that_is_none_is_unknown(place: Place, method: str, upload: str) -> None:
    answer = place.v2(method, f"/v2/{APP}/blobs/uploads/{upload}?digest={ABSENT}", b"bytes")

    assert oci_error(answer) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_belongs_to_its_repository_alone(place: Place) -> None:
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = place.v2(method, f"/v2/team/other/blobs/uploads/{place.upload_id}?digest={ABSENT}", b"bytes")
        assert oci_error(answer) == (404, "BLOB_UPLOAD_UNKNOWN")


START = len(CONTENT)
PLACES: list[tuple[str, tuple[int, str]]] = [
    *[(text, (416, "BLOB_UPLOAD_INVALID")) for text in ("0-4", "27-31", "29-33", "28-33", "28-31", "28-28", "bytes 0-4/5")],
    *[(text, (405, "UNSUPPORTED")) for text in ("32-28", "-", "28-", "-5", "abc", "", "\xff", "bytes */5", "28-9" + "9" * 30, "28-32,33-34")],
]  # fmt: skip


@pytest.mark.parametrize(("place_of_chunk", "refusal"), PLACES)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_chunk_that_lies_about_its_place_is_refused(
    place: Place, method: str, place_of_chunk: str, refusal: tuple[int, str]
) -> None:
    query = f"?digest={digest_of(CONTENT + b'bytes')}" if method == "PUT" else ""

    answer = place.v2(method, place.upload + query, b"bytes", content_range=place_of_chunk)

    assert oci_error(answer) == refusal


@pytest.mark.parametrize("digest", [ABSENT, digest_of(b"bytes"), digest_of(CONTENT)])
def test_an_upload_is_not_completed_under_a_digest_that_is_not_its_own(place: Place, digest: str) -> None:
    assert oci_error(place.v2("PUT", f"{place.upload}?digest={digest}", b"bytes")) == (400, "BLOB_UPLOAD_INVALID")


RANGES = [
    "bytes=-",
    "bytes=0-,0-1",
    "bytes=0-1,x",
    "bits=0-1",
    "bytes=a-b",
    "\xff",
    "bytes 0-1",
    "bytes=0-" + "9" * 300,
]


@pytest.mark.parametrize("wanted", RANGES)
def test_a_range_that_means_nothing_is_answered_with_the_whole(place: Place, wanted: str) -> None:
    answer = place.v2("GET", f"/v2/{APP}/blobs/{digest_of(place.layer)}", range=wanted)

    assert (answer.status, answer.body) == (200, place.layer)


@pytest.mark.parametrize("wanted", ["bytes=14-", "bytes=5-2", "bytes=99-100", "bytes=-0", "bytes=" + "9" * 18 + "-"])
def test_a_range_beyond_the_end_is_answered_with_the_length(place: Place, wanted: str) -> None:
    answer = place.v2("GET", f"/v2/{APP}/blobs/{digest_of(place.layer)}", range=wanted)

    assert (answer.status, answer.headers["content-range"], answer.body) == (416, "bytes */14", b"")


@pytest.mark.parametrize(
    "mount", ["mount=x&from=team/app", f"mount={ABSENT}", f"mount={ABSENT}&from=../x", "mount=%00&from=%ff"]
)
def test_a_mount_of_rubbish_is_refused_in_a_repository_that_is_not_there(place: Place, mount: str) -> None:
    answer = place.v2("POST", f"/v2/never/made/blobs/uploads/?{mount}")

    assert oci_error(answer) in [(404, "NAME_UNKNOWN"), (405, "UNSUPPORTED")]


# --- who asks -----------------------------------------------------------------------------------------------------------


def credentials(place: Place) -> Iterator[tuple[str, int]]:
    yield from (
        (text, 401) for text in ("Basic", "Basic ", "Basic !!!", "Basic QQ==", "Basic QVdTOg==", "Basic gIA6gA==")
    )
    yield from (
        (text, 401) for text in ("Bearer x", "Basic " + "Q" * 40_000, "\xff\xfe", "", "AWS4-HMAC-SHA256 Credential=x")
    )
    password = place.registry.password or ""
    forged = password[:60] + ("A" if password[60] != "A" else "B") + password[61:]
    yield replace(place.registry, password=forged).authorization()["Authorization"], 401
    yield replace(place.registry, user="root").authorization()["Authorization"], 401
    yield "Basic QVdTOgA=", 400


def test_credentials_that_prove_nothing_open_no_route(place: Place) -> None:
    for text, status in credentials(place):
        for method, below in [*EVERY, ("GET", "/manifests/v1")]:
            answer = ask_as(place, text, method, f"/v2/{APP}{below}")
            assert (answer.status, answer.headers["docker-distribution-api-version"]) == (status, "registry/2.0"), text


def ask_as(place: Place, authorization: str, method: str, path: str) -> Answer:
    with Wire(place.server.port) as wire:
        wire.send(head(method, path, {"host": place.server.host, "authorization": authorization}))
        answer = wire.final(method)
    assert answer is not None
    return answer
