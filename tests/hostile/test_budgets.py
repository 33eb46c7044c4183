"""What a request may take of the server's memory, whatever it asks for and however many ask at once."""

import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from moorage.actions.uploads import Session
from moorage.web.app import MAX_AWS_BODY
from moorage.web.http import ROOM
from moorage.web.oci import sessions
from tests.clients.registry import OCI_MANIFEST, descriptor, digest_of, image_manifest
from tests.engines.programs import wait_until
from tests.engines.server import Server
from tests.hostile.inside import CONFIG, LAYER, MANIFEST, Inside
from tests.hostile.place import APP, Place, aws_error, json_headers, oci_error
from tests.hostile.wire import Answer, Wire, head

MIB = 1024 * 1024
LARGE = b" " * (2 * MIB)
TARGET = f"/v2/{APP}/manifests/bad"


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    made = Inside(tmp_path_factory.mktemp("budgets")).fill()
    yield made
    made.close()


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of what is handed over to be written, as it will be."""
    sizes: list[int] = []
    write = Session.write

    def noted(session: Session, chunks: Sequence[bytes]) -> None:
        sizes.append(sum(map(len, chunks)))
        write(session, chunks)

    monkeypatch.setattr(Session, "write", noted)
    return sizes


# --- bodies that are received -------------------------------------------------------------------------------------------


def put_image(place: Place, body: bytes) -> Answer:
    return place.aws("ecr", json_headers("PutImage"), body)


@pytest.mark.slow
def test_bodies_of_all_requests_together_have_so_much_room_and_small_ones_always_have_some(
    start_server: Callable[..., Server],
) -> None:
    place = Place(start_server()).fill()
    begun = [Wire(place.server.port) for _ in range(ROOM // MAX_AWS_BODY)]
    start = head("POST", "/", place.sign("ecr", json_headers("PutImage"), b"") | {"content-length": str(MAX_AWS_BODY)})
    for wire in begun:
        # One byte less than all: they are kept until the last one has come.
        wire.send(start, bytes(MAX_AWS_BODY - 1))

    assert wait_until(lambda: put_image(place, LARGE).status == 503, seconds=20)
    refused = put_image(place, LARGE)
    assert aws_error(refused) == (503, "ServiceUnavailable")
    assert refused.headers["retry-after"] == "1"
    registry = place.v2("PUT", TARGET, LARGE)
    assert oci_error(registry) == (429, "TOOMANYREQUESTS")
    assert registry.headers["retry-after"] == "1"
    assert place.v2("PUT", f"/v2/{APP}/manifests/v1", place.manifest).status == 201
    assert place.ecr("DescribeRepositories", {}).status == 200
    assert place.registry.push_blob(APP, LARGE)

    for wire in begun:
        wire.close()
    assert wait_until(lambda: oci_error(place.v2("PUT", TARGET, LARGE)) == (405, "UNSUPPORTED"), seconds=20)


def test_what_is_gathered_of_a_layer_is_written_when_the_share_of_its_upload_is_used_up(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "GATHERED", 1000)
    sizes, layer = recorded(monkeypatch), b"a" * 100

    answer = inside.v2("POST", f"/v2/{APP}/blobs/uploads/?digest={digest_of(layer * 35)}", *[layer] * 35)

    assert answer.status == 201
    assert sizes == [1000, 1000, 1000, 500]


# --- documents that are read --------------------------------------------------------------------------------------------

MANY = b'{"repositoryNames":[' + b"[]," * 600_000 + b"[]]}"


def test_a_document_of_very_many_values_is_refused_unread_by_both_doors(inside: Inside) -> None:
    assert aws_error(inside.ask(inside.signed("ecr", json_headers("DescribeRepositories"), MANY))) == (
        400,
        "SerializationException",
    )
    assert oci_error(inside.v2("PUT", TARGET, MANY, kind=OCI_MANIFEST)) == (405, "UNSUPPORTED")


# --- answers ------------------------------------------------------------------------------------------------------------


def put_large(inside: Inside, reference: str, subject: bytes | None = None) -> str:
    """Put an image whose manifest has a little over a mebibyte, and return its digest."""
    about = descriptor(OCI_MANIFEST, subject) if subject else None
    manifest = image_manifest(CONFIG, LAYER, annotations={"of": reference, "a": "b" * MIB}, subject=about)
    assert inside.v2("PUT", f"/v2/{APP}/manifests/{reference}", manifest, kind=OCI_MANIFEST).status == 201
    return digest_of(manifest)


def test_a_batch_beyond_its_budget_is_told_to_ask_for_less(inside: Inside) -> None:
    ids = [{"imageDigest": put_large(inside, f"large-{number}")} for number in range(16)]

    def got(wanted: list[dict[str, str]]) -> Answer:
        body = json.dumps({"repositoryName": APP, "imageIds": wanted}).encode()
        return inside.ask(inside.signed("ecr", json_headers("BatchGetImage"), body))

    assert aws_error(got(ids)) == (400, "LimitExceededException")
    assert "ask for fewer images at once" in json.loads(got(ids).body)["message"]
    assert len(json.loads(got(ids[:15]).body)["images"]) == 15


def test_referrers_come_in_pages_that_clients_take_and_none_is_left_out(inside: Inside) -> None:
    pushed = {put_large(inside, f"referrer-{number}", MANIFEST) for number in range(5)}

    found, path = [], f"/v2/{APP}/referrers/{digest_of(MANIFEST)}"
    while path:
        page = inside.v2("GET", path)
        assert len(page.body) <= 4 * MIB
        found += [each["digest"] for each in json.loads(page.body)["manifests"]]
        path = page.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert (len(found), set(found)) == (5, pushed)
