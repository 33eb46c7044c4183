"""What clients do that are not at hand in each run, or do it too seldom to be caught at it: their requests, in our own words.

Each test is a conversation as that client holds it, on one connection where the client keeps one.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesParser
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.clients.registry import (
    OCI_INDEX,
    OCI_MANIFEST,
    Registry,
    digest_of,
    image_manifest,
    index_manifest,
)
from tests.engines.server import Server
from tests.hostile.wire import Answer, Wire, chunked, head

MIB = 1024 * 1024
BLOB = bytes(number % 251 for number in range(MIB)) * 9 + b"the end"
CONFIG, LAYER = b'{"seed": "sequence"}', b"layer of sequence"
MANIFEST = image_manifest(CONFIG, LAYER)
ACCEPTED = [OCI_MANIFEST, OCI_INDEX, "application/vnd.docker.distribution.manifest.v2+json", "*/*"]

Headers = list[tuple[str, str]]


class Conversation:
    """One connection that is kept, as the holder of a password or of none."""

    def __init__(self, server: Server, registry: Registry | None) -> None:
        self._host = server.host
        self.wire = Wire(server.port)
        self.own: Headers = list(registry.authorization().items()) if registry else []

    def ask(self, method: str, target: str, body: bytes = b"", *more: tuple[str, str]) -> Answer:
        """Send one request of known length and return its answer, which there must be."""
        length = [("content-length", str(len(body)))] if body or method in ("POST", "PUT", "PATCH") else []
        self.wire.send(head(method, target, [("host", self._host), *self.own, *length, *more]), body)
        return self.heard(method)

    def stream(self, method: str, target: str, body: bytes) -> Answer:
        """Send one request whose length is not known before it ends."""
        coding = ("transfer-encoding", "chunked")
        self.wire.send(head(method, target, [("host", self._host), *self.own, coding]), chunked(body))
        return self.heard(method)

    def heard(self, method: str) -> Answer:
        answer = self.wire.final(method)
        assert answer is not None, method
        return answer


@pytest.fixture
def talk(server: Server, registry: Registry) -> Iterator[Conversation]:
    conversation = Conversation(server, registry)
    yield conversation
    conversation.wire.close()


@pytest.fixture
def stranger(server: Server) -> Iterator[Conversation]:
    """A connection on which nobody has said who they are."""
    conversation = Conversation(server, None)
    yield conversation
    conversation.wire.close()


@pytest.fixture
def blob(registry: Registry, repository: str) -> str:
    """The path of a layer of 9 MiB and some bytes."""
    return f"/v2/{repository}/blobs/{registry.push_blob(repository, BLOB)}"


@pytest.fixture
def pushed(registry: Registry, repository: str) -> str:
    """The path of the manifests of a repository that has an image, as ``v1``."""
    for part in (CONFIG, LAYER):
        registry.push_blob(repository, part)
    assert registry.put_manifest(repository, "v1", MANIFEST).status == 201
    return f"/v2/{repository}/manifests"


# --- pushing ----------------------------------------------------------------------------------------------------------


def test_podman_takes_back_the_upload_that_a_refused_mount_has_begun(
    talk: Conversation, repository: str, new_repository: Callable[..., str]
) -> None:
    """containers/image deletes the session and begins another once it knows that it has the bytes."""
    begun = talk.ask("POST", f"/v2/{repository}/blobs/uploads/?mount={digest_of(LAYER)}&from={new_repository()}")
    refused = begun.headers["location"]

    assert (begun.status, talk.ask("DELETE", refused).status) == (202, 204)
    assert talk.ask("GET", refused).status == 404
    own = talk.ask("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    assert own != refused
    assert talk.stream("PATCH", own, LAYER).status == 202
    assert talk.ask("PUT", f"{own}?digest={digest_of(LAYER)}").status == 201
    assert talk.ask("GET", f"/v2/{repository}/blobs/{digest_of(LAYER)}").body == LAYER


def test_docker_with_containerds_store_pushes_each_part_in_one_piece_and_nothing_twice(
    talk: Conversation, repository: str, new_repository: Callable[..., str]
) -> None:
    """It asks for the tag first, then for each part; where it knows another repository it begins with a mount."""
    manifest = f"/v2/{repository}/manifests/v1"
    accepts = ("accept", f"{OCI_MANIFEST}, */*")
    assert talk.ask("HEAD", manifest, b"", accepts).status == 404
    for part, query in ((LAYER, f"?mount={digest_of(LAYER)}&from={new_repository()}"), (CONFIG, "")):
        assert talk.ask("HEAD", f"/v2/{repository}/blobs/{digest_of(part)}", b"", ("accept", "*/*")).status == 404
        begun = talk.ask("POST", f"/v2/{repository}/blobs/uploads/{query}")
        assert begun.status == 202
        kind = ("content-type", "application/octet-stream")
        assert talk.ask("PUT", f"{begun.headers['location']}?digest={digest_of(part)}", part, kind).status == 201
    assert talk.ask("PUT", manifest, MANIFEST, ("content-type", OCI_MANIFEST)).status == 201

    again = talk.ask("HEAD", manifest, b"", accepts)

    assert (again.status, again.headers["docker-content-digest"]) == (200, digest_of(MANIFEST))
    for part in (LAYER, CONFIG):
        assert talk.ask("HEAD", f"/v2/{repository}/blobs/{digest_of(part)}").status == 200


def test_an_uploads_location_is_a_path_to_which_clients_add_what_they_like(talk: Conversation, repository: str) -> None:
    """Some join it to the address that they asked, some add a query of their own or drop the one that was there."""
    start = f"/v2/{repository}/blobs/uploads/"
    location = talk.ask("POST", start).headers["location"]

    assert urlsplit(location)[:2] == ("", "")
    assert urlsplit(location).query == ""
    assert urlsplit(urljoin(f"https://registry.example:8443{start}", location)).path == location
    grown = talk.ask("PATCH", f"{location}?_state=a%3D%3D", LAYER)
    assert (grown.status, grown.headers["location"]) == (202, location)
    assert talk.ask("PUT", f"{location}?_state=a%3D%3D&digest={digest_of(LAYER).replace(':', '%3A')}").status == 201


def test_a_client_that_lost_its_place_asks_for_it_and_goes_on_there(talk: Conversation, repository: str) -> None:
    """As regclient and oras do after 416, on the connection that they have."""
    location = talk.ask("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    assert talk.ask("PATCH", location, LAYER[:5], ("content-range", "0-4")).status == 202
    lost = talk.ask("PATCH", location, LAYER[9:], ("content-range", f"9-{len(LAYER) - 1}"))

    status = talk.ask("GET", lost.headers["location"])
    place = int(status.headers["range"].partition("-")[2]) + 1
    rest = ("content-range", f"{place}-{len(LAYER) - 1}")
    grown = talk.ask("PATCH", status.headers["location"], LAYER[place:], rest)

    assert [lost.status, status.status, grown.status] == [416, 204, 202]
    assert lost.headers["range"] == status.headers["range"] == "0-4"
    assert talk.ask("PUT", f"{grown.headers['location']}?digest={digest_of(LAYER)}").status == 201


def test_a_chunk_that_arrived_before_its_answer_was_lost_is_found_arrived(talk: Conversation, repository: str) -> None:
    """A client that heard nothing sends the chunk again, is told 416, and learns that it may finish."""
    location = talk.ask("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    place = ("content-range", f"0-{len(LAYER) - 1}")
    assert talk.ask("PATCH", location, LAYER, place).status == 202

    again = talk.ask("PATCH", location, LAYER, place)

    assert (again.status, again.headers["range"]) == (416, f"0-{len(LAYER) - 1}")
    assert talk.ask("PUT", f"{location}?digest={digest_of(LAYER)}").status == 201


def test_an_index_of_blobs_is_refused_as_ecr_refuses_it(registry: Registry, repository: str) -> None:
    """buildkit exported its cache so until ``image-manifest=true``; ECR's users know that it does not take it."""
    registry.push_blob(repository, LAYER)
    index = index_manifest(LAYER).replace(OCI_MANIFEST.encode(), b"application/vnd.oci.image.layer.v1.tar")

    assert registry.put_manifest(repository, "cache", index, OCI_INDEX).status == 400


# --- asking -----------------------------------------------------------------------------------------------------------


def test_a_mirror_is_asked_with_the_name_of_whom_it_stands_for(talk: Conversation, repository: str) -> None:
    """containerd adds ``ns`` to every request once its hosts.toml names another host than the image does."""
    location = talk.ask("POST", f"/v2/{repository}/blobs/uploads/?ns=docker.io").headers["location"]
    assert talk.ask("PUT", f"{location}?digest={digest_of(LAYER)}&ns=docker.io", LAYER).status == 201
    config = talk.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(CONFIG)}&ns=docker.io", CONFIG)
    assert config.status == 201
    put = talk.ask("PUT", f"/v2/{repository}/manifests/v1?ns=docker.io", MANIFEST, ("content-type", OCI_MANIFEST))
    assert put.status == 201

    for method in ("HEAD", "GET"):
        assert talk.ask(method, f"/v2/{repository}/manifests/v1?ns=docker.io").status == 200
        assert talk.ask(method, f"/v2/{repository}/blobs/{digest_of(LAYER)}?ns=docker.io").status == 200


@pytest.mark.parametrize(
    "accepts",
    [
        pytest.param([], id="none"),
        pytest.param([("accept", ", ".join(ACCEPTED))], id="one list"),
        pytest.param([("accept", each) for each in ACCEPTED], id="a header each"),
        pytest.param([("accept", "application/vnd.docker.distribution.manifest.v1+json")], id="another type alone"),
        pytest.param([("accept", "application/json;q=0.1, text/html")], id="a browser's"),
    ],
)
def test_a_manifest_is_served_as_it_was_pushed_whatever_is_accepted(
    talk: Conversation, pushed: str, accepts: Headers
) -> None:
    for reference in ("v1", digest_of(MANIFEST)):
        probed = talk.ask("HEAD", f"{pushed}/{reference}", b"", *accepts)
        served = talk.ask("GET", f"{pushed}/{reference}", b"", *accepts)

        assert (served.status, served.body) == (200, MANIFEST)
        for answer in (probed, served):
            assert answer.headers["content-type"] == OCI_MANIFEST
            assert answer.headers["content-length"] == str(len(MANIFEST))
            assert answer.headers["docker-content-digest"] == digest_of(MANIFEST)


def test_a_client_that_only_probes_hears_lengths_and_no_bodies(talk: Conversation, pushed: str, blob: str) -> None:
    """Whatever came after an answer's head would be taken for the next answer."""
    repository = pushed.removesuffix("/manifests")
    absent = digest_of(b"never pushed")
    asked = {
        "/v2/": 200,
        f"{pushed}/v1": 200,
        f"{pushed}/never": 404,
        f"{pushed}/{absent}": 404,
        blob: 200,
        f"{repository}/blobs/{absent}": 404,
        "/v2/never/made/manifests/v1": 404,
        f"{pushed}/+": 400,
        f"{repository}/tags/list": 405,
    }

    answers = {path: talk.ask("HEAD", path) for path in asked}

    assert {path: answer.status for path, answer in answers.items()} == asked
    assert answers[blob].headers["content-length"] == str(len(BLOB))
    assert talk.ask("GET", f"{pushed}/v1").body == MANIFEST


def test_credentials_that_come_only_after_a_challenge_are_taken_on_the_same_connection(
    stranger: Conversation, registry: Registry, repository: str, pushed: str
) -> None:
    own = list(registry.authorization().items())
    asked: list[tuple[str, str, bytes, int]] = [
        ("GET", "/v2/", b"", 200),
        ("HEAD", f"{pushed}/v1", b"", 200),
        ("GET", f"{pushed}/v1", b"", 200),
        ("POST", f"/v2/{repository}/blobs/uploads/", b"", 202),
        ("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(b'late')}", b"late", 201),
        ("PUT", f"{pushed}/v2", MANIFEST, 201),
    ]

    for method, target, body, status in asked:
        challenge = stranger.ask(method, target, body)
        assert (challenge.status, challenge.headers["www-authenticate"][:12]) == (401, "Basic realm="), target
        assert stranger.ask(method, target, body, *own).status == status, target


@pytest.mark.parametrize("speaker", ["stranger", "talk"])
def test_a_client_that_sends_all_of_its_body_before_it_listens_hears_the_refusal_and_goes_on(
    request: pytest.FixtureRequest, speaker: str, server: Server, registry: Registry, repository: str
) -> None:
    """A connection that is closed over bytes that nobody read is reset, and the refusal lost with it."""
    conversation: Conversation = request.getfixturevalue(speaker)
    gone = f"/v2/{repository}/blobs/uploads/00000000-0000-4000-8000-000000000000"
    length = ("content-length", str(len(BLOB)))

    conversation.wire.socket.sendall(head("PATCH", gone, [("host", server.host), *conversation.own, length]) + BLOB)

    assert conversation.heard("PATCH").status == (401 if speaker == "stranger" else 404)
    conversation.own = list(registry.authorization().items())
    assert conversation.ask("GET", "/v2/").status == 200


# --- pulling ----------------------------------------------------------------------------------------------------------


def ranged(server: Server, registry: Registry, path: str, wanted: str, length: int) -> tuple[int, str, bytes]:
    """Ask for a range, read so many bytes of the answer and hang up; return its status, its place and those bytes."""
    headers = {"Range": f"bytes={wanted}", **registry.authorization()}
    with urlopen(Request(f"{server.url}{path}", headers=headers), timeout=30) as answer:
        return answer.status, answer.headers["content-range"], answer.read(length)


def test_containerd_reads_pieces_side_by_side_and_hangs_up_after_each(
    server: Server, registry: Registry, blob: str
) -> None:
    """Each piece is asked for to the end of the layer, and the connection closed when the next piece would begin."""
    piece = MIB
    starts = range(0, len(BLOB), piece)
    together = threading.Barrier(4)

    def fetch(start: int) -> tuple[int, str, bytes]:
        if start < 4 * piece:
            together.wait(timeout=30)
        return ranged(server, registry, blob, f"{start}-", piece)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(fetch, starts))

    end = f"-{len(BLOB) - 1}/{len(BLOB)}"
    assert [answer[:2] for answer in answers] == [(206, f"bytes {start}{end}") for start in starts]
    assert b"".join(content for *_, content in answers) == BLOB


def test_a_pull_that_was_broken_off_goes_on_where_it_stood(server: Server, registry: Registry, blob: str) -> None:
    """As docker and curl do it."""
    status, place, first = ranged(server, registry, blob, "0-", 3 * MIB)

    again, rest_of, rest = ranged(server, registry, blob, f"{len(first)}-", len(BLOB))

    assert (status, again) == (206, 206)
    assert (place, rest_of) == tuple(f"bytes {at}-{len(BLOB) - 1}/{len(BLOB)}" for at in (0, 3 * MIB))
    assert first + rest == BLOB


def many(talk: Conversation, path: str, spans: list[tuple[int, int]]) -> list[tuple[str, bytes]]:
    """Ask for several ranges at once, and return the place and the bytes of each part of the answer."""
    wanted = ",".join(f"{start}-{end - 1}" for start, end in spans)
    answer = talk.ask("GET", path, b"", ("range", f"bytes={wanted}"))
    assert answer.status == 206
    assert "content-range" not in answer.headers
    message: Any = BytesParser().parsebytes(
        b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n" + answer.body
    )
    assert message.get_content_type() == "multipart/byteranges"
    return [(part["content-range"], part.get_payload(decode=True)) for part in message.get_payload()]


@pytest.mark.parametrize("count", [2, 64, 1024])
def test_podman_fetches_the_missing_pieces_of_a_layer_in_one_request(talk: Conversation, blob: str, count: int) -> None:
    """A part for each, in the order of the request: it counts them, and takes each for the piece of its place in the row."""
    step = len(BLOB) // count
    spans = [(start, start + step // 2) for start in range(0, step * count, step)]

    parts = many(talk, blob, spans)

    expected = [(f"bytes {start}-{end - 1}/{len(BLOB)}", BLOB[start:end]) for start, end in spans]
    assert parts == expected
    assert talk.ask("GET", blob, b"", ("range", "bytes=-7")).body == b"the end"


def test_the_whole_comes_where_pieces_would_come_to_more(talk: Conversation, blob: str) -> None:
    """Which podman takes apart by itself; a request of a few bytes shall not fetch a layer a thousand times."""
    answer = talk.ask("GET", blob, b"", ("range", "bytes=0-,0-"))

    assert (answer.status, answer.body) == (200, BLOB)


def test_a_range_of_a_version_that_nobody_has_been_told_is_the_whole(talk: Conversation, blob: str) -> None:
    answer = talk.ask("GET", blob, b"", ("range", "bytes=0-1"), ("if-range", '"another"'))

    assert (answer.status, answer.body) == (200, BLOB)


@pytest.mark.parametrize("own", [(), ("authorization", "Bearer of-another-place")], ids=["nothing", "another's"])
def test_an_address_that_holds_its_own_right_wants_no_credentials_and_minds_none(
    stranger: Conversation, ecr: Any, registry: Registry, repository: str, pushed: str, own: tuple[str, str] | tuple[()]
) -> None:
    """What follows a redirect or was handed an address either drops the registry's credentials or does not."""
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest_of(LAYER))["downloadUrl"]
    target = urlsplit(url)._replace(scheme="", netloc="").geturl()
    more = [own] if own else []

    assert stranger.ask("GET", target, b"", *more).body == LAYER
    assert [each[1] for each in many_signed(stranger, target)] == [LAYER[:2], LAYER[4:6]]


def many_signed(talk: Conversation, target: str) -> list[tuple[str, bytes]]:
    return many(talk, target, [(0, 2), (4, 6)])
