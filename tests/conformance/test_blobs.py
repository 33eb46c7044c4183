"""What the conformance suite asks about blobs, in each algorithm: every way to push them, to read them, to be refused, to delete."""

import os
from collections.abc import Callable

import pytest

from tests.clients.registry import digest_of
from tests.hostile.inside import Inside
from tests.hostile.place import APP, oci_error

OTHER = "team/other"
ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])


def start(registry: Inside, hint: str = "") -> str:
    answer = registry.v2("POST", f"/v2/{APP}/blobs/uploads/{hint}")
    assert answer.status == 202
    return answer.headers["location"]


def chunks(content: bytes) -> list[tuple[int, bytes]]:
    """Return content in three chunks, each with its first byte."""
    size = len(content) // 3 + 1
    return [(first, content[first : first + size]) for first in range(0, len(content), size)]


def send(registry: Inside, upload: str, first: int, chunk: bytes, method: str = "PATCH") -> int:
    return registry.v2(method, upload, chunk, place=f"{first}-{first + len(chunk) - 1}").status


# Each pushes content under a digest, and returns the last answer's status and headers.
Push = Callable[[Inside, bytes, str], tuple[int, dict[str, str]]]


def in_the_post(registry: Inside, content: bytes, digest: str) -> tuple[int, dict[str, str]]:
    answer = registry.v2("POST", f"/v2/{APP}/blobs/uploads/?digest={digest}", content)
    return answer.status, dict(answer.headers)


def in_a_put(registry: Inside, content: bytes, digest: str) -> tuple[int, dict[str, str]]:
    answer = registry.v2("PUT", f"{start(registry)}?digest={digest}", content)
    return answer.status, dict(answer.headers)


def streamed(registry: Inside, content: bytes, digest: str) -> tuple[int, dict[str, str]]:
    upload = start(registry)
    assert registry.v2("PATCH", upload, content[:7], content[7:]).status == 202
    answer = registry.v2("PUT", f"{upload}?digest={digest}")
    return answer.status, dict(answer.headers)


def chunked(registry: Inside, content: bytes, digest: str) -> tuple[int, dict[str, str]]:
    upload = start(registry)
    assert [send(registry, upload, *each) for each in chunks(content)] == [202, 202, 202]
    answer = registry.v2("PUT", f"{upload}?digest={digest}")
    return answer.status, dict(answer.headers)


def chunked_with_a_hint(registry: Inside, content: bytes, digest: str) -> tuple[int, dict[str, str]]:
    upload = start(registry, f"?digest-algorithm={digest.partition(':')[0]}")
    assert [send(registry, upload, *each) for each in chunks(content)] == [202, 202, 202]
    answer = registry.v2("PUT", f"{upload}?digest={digest}")
    return answer.status, dict(answer.headers)


def chunked_with_the_last_in_the_put(registry: Inside, content: bytes, digest: str) -> tuple[int, dict[str, str]]:
    upload, (*first, (at, last)) = start(registry), chunks(content)
    assert [send(registry, upload, *each) for each in first] == [202, 202]
    answer = registry.v2("PUT", f"{upload}?digest={digest}", last, place=f"{at}-{at + len(last) - 1}")
    return answer.status, dict(answer.headers)


WAYS = [
    in_the_post,
    in_a_put,
    streamed,
    chunked,
    chunked_with_a_hint,
    chunked_with_the_last_in_the_put,
]


@ALGORITHMS
@pytest.mark.parametrize("push", WAYS)
def test_a_blob_is_pushed_in_every_way_read_back_and_deleted(registry: Inside, push: Push, algorithm: str) -> None:
    content = os.urandom(3000)
    digest = digest_of(content, algorithm)

    status, headers = push(registry, content, digest)
    assert (status, headers["docker-content-digest"]) == (201, digest)
    assert registry.v2("GET", headers["location"]).body == content

    path = f"/v2/{APP}/blobs/{digest}"
    head = registry.v2("HEAD", path)
    assert (head.status, head.headers["content-length"], head.headers["docker-content-digest"]) == (200, "3000", digest)
    assert registry.v2("DELETE", path).status == 202
    assert [registry.v2(method, path).status for method in ("HEAD", "GET", "DELETE")] == [404, 404, 404]


@ALGORITHMS
@pytest.mark.parametrize("push", WAYS)
def test_bytes_that_have_another_digest_are_refused_in_every_way(registry: Inside, push: Push, algorithm: str) -> None:
    content = os.urandom(3000)
    digest = digest_of(content, algorithm)

    assert push(registry, content + b"oh no", digest)[0] == 400
    assert registry.v2("HEAD", f"/v2/{APP}/blobs/{digest}").status == 404


@ALGORITHMS
@pytest.mark.parametrize("content", [b"", b"{}"])
def test_a_blob_of_no_bytes_or_hardly_any_is_one_too(registry: Inside, content: bytes, algorithm: str) -> None:
    digest = digest_of(content, algorithm)

    for push in (in_the_post, in_a_put, streamed):
        assert push(registry, content, digest)[0] == 201
    answer = registry.v2("GET", f"/v2/{APP}/blobs/{digest}")
    assert (answer.status, answer.body) == (200, content)
    assert registry.v2("DELETE", f"/v2/{APP}/blobs/{digest}").status == 202


@ALGORITHMS
@pytest.mark.parametrize("last", ["PATCH", "PUT"])
def test_chunks_out_of_order_are_refused_and_the_upload_goes_on_where_it_stands(
    registry: Inside, last: str, algorithm: str
) -> None:
    content = os.urandom(3067)
    digest, upload, parts = digest_of(content, algorithm), start(registry), chunks(content)
    for number, (first, chunk) in enumerate(parts):
        wrong = parts[(number + 2) % 3]
        assert send(registry, upload, *wrong) == 416
        status = registry.v2("GET", upload)
        assert (status.status, status.headers["range"]) == (204, f"0-{max(first - 1, 0)}")
        if number < 2 or last == "PATCH":
            assert send(registry, status.headers["location"], first, chunk) == 202
    at, chunk = parts[2]
    closing = (chunk,) if last == "PUT" else ()
    answer = registry.v2(
        "PUT", f"{upload}?digest={digest}", *closing, place=f"{at}-{len(content) - 1}" if closing else ""
    )

    assert answer.status == 201
    assert registry.v2("GET", answer.headers["location"]).body == content


@ALGORITHMS
@pytest.mark.parametrize("source", [f"&from={OTHER}", ""])
def test_a_blob_is_mounted_with_or_without_a_source(registry: Inside, source: str, algorithm: str) -> None:
    content = os.urandom(512)
    digest = digest_of(content, algorithm)
    assert registry.v2("POST", f"/v2/{OTHER}/blobs/uploads/?digest={digest}", content).status == 201

    mounted = registry.v2("POST", f"/v2/{APP}/blobs/uploads/?mount={digest}{source}")

    assert (mounted.status, mounted.headers["docker-content-digest"]) == (201, digest)
    assert registry.v2("GET", mounted.headers["location"]).body == content
    assert registry.v2("DELETE", f"/v2/{OTHER}/blobs/{digest}").status == 202
    assert registry.v2("GET", f"/v2/{APP}/blobs/{digest}").body == content


@ALGORITHMS
@pytest.mark.parametrize("source", [f"&from={OTHER}", "&from=never/made", "&from=A", "&from=", ""])
def test_a_mount_of_what_is_not_there_becomes_an_upload(registry: Inside, source: str, algorithm: str) -> None:
    content = os.urandom(512)
    digest = digest_of(content, algorithm)

    answer = registry.v2("POST", f"/v2/{APP}/blobs/uploads/?mount={digest}{source}")

    assert answer.status == 202
    assert registry.v2("PUT", f"{answer.headers['location']}?digest={digest}", content).status == 201


def test_an_upload_is_cancelled(registry: Inside) -> None:
    upload = start(registry)

    assert [registry.v2(method, upload).status for method in ("DELETE", "GET", "DELETE")] == [204, 404, 404]


RANGES = [
    ("bytes=500-1499", 206, (500, 1500)),
    ("bytes=500-", 206, (500, 2048)),
    ("bytes=-500", 206, (1548, 2048)),
    ("bytes=2000-5000", 206, (2000, 2048)),
    ("bytes=500-0", 416, (0, 0)),
    ("bytes=5000-10000", 416, (0, 0)),
]


@ALGORITHMS
@pytest.mark.parametrize(("wanted", "status", "part"), RANGES)
def test_a_range_is_served_as_asked_or_refused(
    registry: Inside, wanted: str, status: int, part: tuple[int, int], algorithm: str
) -> None:
    content = os.urandom(2048)
    _, headers = in_the_post(registry, content, digest_of(content, algorithm))
    start_, end = part

    answer = registry.v2("GET", headers["location"], wanted=wanted)

    assert (answer.status, answer.body) == (status, content[start_:end])
    stated = f"bytes {start_}-{end - 1}/2048" if status == 206 else "bytes */2048"
    assert answer.headers["content-range"] == stated


@pytest.mark.parametrize("algorithm", ["sha384", "md5", "SHA256", "", "sha256:"])
def test_an_algorithm_that_is_not_served_is_refused_at_once(registry: Inside, algorithm: str) -> None:
    answer = registry.v2("POST", f"/v2/{APP}/blobs/uploads/?digest-algorithm={algorithm}")

    assert oci_error(answer) == (400, "DIGEST_INVALID")
