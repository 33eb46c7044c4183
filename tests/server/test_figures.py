"""Health, and the figures that operators read."""

import json
import shutil
from collections.abc import Callable

import psycopg
import pytest

from tests.clients.people import Person, admin, client, refused
from tests.clients.registry import OCI_MANIFEST, Registry, image_manifest
from tests.engines.programs import wait_until
from tests.engines.server import Server
from tests.server.serving import APP, Figures, eventually, make_repository, outside, sign_in

pytestmark = pytest.mark.slow

LAYER = bytes(3_000_000)
CONFIG = b"{}"


def counts(server: Server) -> dict[tuple[str, str, str], float]:
    """Return the requests by door, operation and status, without those that look at the server itself."""
    samples = Figures(server).samples_of("moorage_requests_total")
    return {(one["door"], one["operation"], one["status"]): n for one, n in samples if one["door"] != "operator"}


# --- health -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "body"), [("/livez", b"live\n"), ("/readyz", b"ready\n")])
def test_a_server_says_that_it_lives_and_is_ready_to_whoever_asks(path: str, body: bytes, server: Server) -> None:
    reply = outside(server).must(200, "GET", path)

    assert (reply.body, reply.headers["content-type"]) == (body, "text/plain; charset=utf-8")
    assert outside(server).must(200, "HEAD", path).body == b""
    assert outside(server).send("POST", path).status == 404


def test_a_server_whose_bytes_have_no_place_is_alive_and_not_ready(own_server: Server) -> None:
    blobs = own_server.data / "blobs"
    away = blobs.rename(own_server.data / "away")

    assert outside(own_server).must(503, "GET", "/readyz").body == b"not ready\n"
    assert outside(own_server).must(200, "GET", "/livez").body == b"live\n"

    shutil.move(away, blobs)
    assert outside(own_server).must(200, "GET", "/readyz").body == b"ready\n"


def test_a_server_whose_rows_are_gone_is_alive_and_not_ready(
    start_server: Callable[..., Server], postgres: Callable[[], str]
) -> None:
    url = postgres()
    server = start_server("--database", url)

    with_rows(url, "ALTER TABLE access_keys RENAME TO away")
    assert outside(server).must(503, "GET", "/readyz").body == b"not ready\n"
    assert outside(server).must(200, "GET", "/livez").status == 200

    with_rows(url, "ALTER TABLE away RENAME TO access_keys")
    assert wait_until(server.ready, seconds=10)


def with_rows(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(statement.encode())


# --- figures ------------------------------------------------------------------------------------------------------------


def test_every_figure_of_the_page_is_there_with_its_labels(own_server: Server) -> None:
    make_repository(own_server)
    sign_in(own_server).push(APP, "v1")
    figures = Figures(own_server)

    labels = {
        name: {frozenset(has) for has, _ in figures.samples_of(name)}
        for name in ("moorage_requests_total", "moorage_received_bytes_total", "moorage_sent_bytes_total")
    }
    assert labels == {
        "moorage_requests_total": {frozenset({"door", "operation", "status"})},
        "moorage_received_bytes_total": {frozenset({"door"})},
        "moorage_sent_bytes_total": {frozenset({"door"})},
    }
    assert {frozenset(has) for has, _ in figures.samples_of("moorage_request_seconds_bucket")} == {
        frozenset({"door", "operation", "le"})
    }


def test_requests_are_counted_by_operation_and_status(own_server: Server) -> None:
    make_repository(own_server)
    registry = sign_in(own_server)
    layer, config = registry.push_blob(APP, LAYER), registry.push_blob(APP, CONFIG)
    manifest = image_manifest(CONFIG, LAYER)
    assert registry.put_manifest(APP, "v1", manifest).status == 201
    registry.must(200, "HEAD", f"/v2/{APP}/manifests/v1")
    for _ in range(3):
        registry.must(200, "GET", f"/v2/{APP}/manifests/v1", Accept=OCI_MANIFEST)
    registry.must(200, "GET", f"/v2/{APP}/blobs/{layer}")
    registry.must(206, "GET", f"/v2/{APP}/blobs/{config}", Range="bytes=0-0")
    registry.must(404, "GET", f"/v2/{APP}/manifests/v2")
    outside(own_server).must(401, "GET", "/v2/")
    with client(own_server, "ecr", admin(own_server)) as ecr:
        ecr.list_images(repositoryName=APP)
        refused(lambda: ecr.create_repository(repositoryName=APP))
        refused(lambda: ecr.list_images(repositoryName="team/none"))
    with client(own_server, "ecr", Person("admin", "", "AKIANOSUCHKEYATALL00", "x")) as stranger:
        refused(stranger.describe_repositories)

    expected: dict[tuple[str, str, str], float] = {
        ("aws", "CreateRepository", "200"): 1,
        ("aws", "CreateRepository", "400"): 1,
        ("aws", "GetAuthorizationToken", "200"): 1,
        ("aws", "ListImages", "200"): 1,
        ("aws", "ListImages", "400"): 1,
        ("aws", "DescribeRepositories", "400"): 1,
        ("registry", "POST uploads", "202"): 2,
        ("registry", "PUT upload", "201"): 2,
        ("registry", "PUT manifest", "201"): 1,
        ("registry", "HEAD manifest", "200"): 1,
        ("registry", "GET manifest", "200"): 3,
        ("registry", "GET blob", "200"): 1,
        ("registry", "GET blob", "206"): 1,
        ("registry", "GET manifest", "404"): 1,
        ("registry", "GET base", "401"): 1,
    }
    assert eventually(lambda: counts(own_server), expected) == expected
    figures = Figures(own_server)
    # Durations have no status: three that were served and the one that was not.
    assert figures.total("moorage_request_seconds_count", door="registry", operation="GET manifest") == 4
    assert figures.total("moorage_request_seconds_sum", door="registry", operation="GET manifest") > 0


def test_bytes_in_and_out_grow_by_what_was_sent(own_server: Server) -> None:
    make_repository(own_server)
    registry = sign_in(own_server)
    before = Figures(own_server)

    digest = registry.push_blob(APP, LAYER)
    for _ in range(2):
        assert len(registry.must(200, "GET", f"/v2/{APP}/blobs/{digest}").body) == len(LAYER)
    registry.must(206, "GET", f"/v2/{APP}/blobs/{digest}", Range="bytes=10-109")
    registry.must(200, "HEAD", f"/v2/{APP}/blobs/{digest}")

    def grown() -> tuple[float, float]:
        now = Figures(own_server)
        return (
            now.total("moorage_received_bytes_total", door="registry")
            - before.total("moorage_received_bytes_total", door="registry"),
            now.total("moorage_sent_bytes_total", door="registry")
            - before.total("moorage_sent_bytes_total", door="registry"),
        )

    expected = (float(len(LAYER)), 2.0 * len(LAYER) + 100)
    assert eventually(grown, expected) == expected


def test_the_bytes_of_the_aws_door_are_counted_too(own_server: Server) -> None:
    body = json.dumps({"repositoryNames": ["x" * 100]}).encode()

    reply = outside(own_server).send("POST", "/", body, Content_Type="application/x-amz-json-1.1")

    def seen() -> tuple[float, float]:
        now = Figures(own_server)
        return now.total("moorage_received_bytes_total", door="aws"), now.total("moorage_sent_bytes_total", door="aws")

    assert eventually(seen, (float(len(body)), float(len(reply.body)))) == (len(body), len(reply.body))


def test_a_stranger_cannot_make_figures_without_end(own_server: Server) -> None:
    stranger = outside(own_server)
    for number in range(20):
        stranger.send(f"WORD{number}", f"/v2/{number}")
        stranger.send("GET", f"/{number}")
        stranger.send("POST", "/", X_Amz_Target=f"AmazonEC2ContainerRegistry_V20150921.Operation{number}")

    assert len(Figures(own_server).samples_of("moorage_requests_total")) < 20


def test_figures_begin_anew_with_the_process(own_server: Server) -> None:
    registry: Registry = outside(own_server)
    registry.must(401, "GET", "/v2/")
    assert eventually(lambda: Figures(own_server).requests(status="401"), 1.0) == 1

    own_server.stop()
    own_server.start()

    assert Figures(own_server).requests(status="401") == 0
