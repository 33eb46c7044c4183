"""Several processes on one data folder are one server."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from tests.clients.people import admin, client, make_person
from tests.clients.registry import Registry, digest_of
from tests.engines.programs import children_of, wait_until
from tests.engines.server import Server
from tests.server.serving import APP, Figures, eventually, make_repository, sign_in

pytestmark = pytest.mark.slow

CHUNK = 10_000
MANY = 24
"""Connections; that chance leads all of them to one of two processes happens once in eight million times."""


@pytest.fixture
def counters(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def pair(start_server: Callable[..., Server], counters: Path) -> Server:
    """A server of two processes."""
    server = start_server("--workers", "2", environment={"TMPDIR": str(counters)})
    make_repository(server)
    return server


def took(counters: Path, operation: str) -> dict[str, float]:
    """Return how many requests of an operation each process answered."""
    taken: Counter[str] = Counter()
    for path in counters.glob("moorage-metrics-*/counter_*.db"):
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped
            if "moorage_requests_total" in key and f'"{operation}"' in key:
                taken[path.name] += value
    return dict(taken)


def push_in_chunks(registry: Registry, content: bytes) -> str:
    where = registry.start_upload(APP)
    for start in range(0, len(content), CHUNK):
        chunk = content[start : start + CHUNK]
        stated = f"{start}-{start + len(chunk) - 1}"
        reply = registry.must(202, "PATCH", where, chunk, Content_Range=stated)
        assert reply.headers["range"] == f"0-{start + len(chunk) - 1}"
        where = reply.headers["location"]
    digest = digest_of(content)
    registry.must(201, "PUT", f"{where}?digest={digest}")
    return digest


def test_chunks_of_one_upload_may_reach_different_processes(pair: Server, counters: Path) -> None:
    registry = sign_in(pair)
    content = b"".join(bytes([number]) * CHUNK for number in range(MANY))

    digest = push_in_chunks(registry, content)

    assert registry.must(200, "GET", f"/v2/{APP}/blobs/{digest}").body == content
    assert eventually(lambda: sum(took(counters, "PATCH upload").values()), float(MANY)) == MANY
    assert len(took(counters, "PATCH upload")) == 2


def test_every_process_takes_the_token_and_serves_what_any_of_them_stored(pair: Server, counters: Path) -> None:
    registry = sign_in(pair)
    manifest = registry.push(APP, "v1")

    for _ in range(MANY):
        assert registry.must(200, "GET", f"/v2/{APP}/manifests/v1").body == manifest

    assert eventually(lambda: sum(took(counters, "GET manifest").values()), float(MANY)) == MANY
    assert len(took(counters, "GET manifest")) == 2


def test_a_right_that_is_taken_away_in_one_process_is_gone_in_all(pair: Server, counters: Path) -> None:
    with client(pair, "iam", admin(pair)) as iam:
        person = make_person(iam, "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly")
        sign_in(pair).push(APP, "v1")
        with client(pair, "ecr", person) as ecr:
            token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        reader = Registry(pair.port, None)
        path = f"/v2/{APP}/manifests/v1"

        # Both processes learn that it is allowed.
        assert {reader.send("GET", path, Authorization=f"Basic {token}").status for _ in range(MANY)} == {200}
        iam.detach_user_policy(
            UserName=person.name, PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
        )

        assert {reader.send("GET", path, Authorization=f"Basic {token}").status for _ in range(MANY)} == {403}


def test_the_figures_of_all_processes_are_added_up(pair: Server) -> None:
    registry = sign_in(pair)
    for _ in range(MANY):
        registry.must(404, "GET", f"/v2/{APP}/manifests/none")
    content = bytes(CHUNK)
    for number in range(MANY):
        registry.push_blob(APP, content + bytes([number]))

    def seen() -> tuple[float, float]:
        figures = Figures(pair)
        return (
            figures.requests(operation="PUT upload", status="201"),
            figures.total("moorage_received_bytes_total", door="registry"),
        )

    expected = (float(MANY), float(MANY * (CHUNK + 1)))
    assert [eventually(seen, expected) for _ in range(8)] == [expected] * 8
    assert Figures(pair).requests(door="registry", status="404") == MANY


def test_a_server_of_two_processes_stops_and_leaves_nothing_behind(pair: Server, counters: Path) -> None:
    assert [path.name for path in counters.iterdir()] != []

    assert pair.stop() == 0

    assert list(counters.iterdir()) == []


def test_the_process_that_forks_workers_has_no_other_work(pair: Server) -> None:
    # A worker that is forked while another thread holds a lock, of SQLite's or of an import, would wait for it for ever.
    def files(pid: int) -> set[Path]:
        return {path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir()}

    upkeep, *workers = children_of(pair.pid)
    store = pair.data / "moorage.db"
    assert wait_until(lambda: store in files(upkeep), seconds=20)
    assert len(workers) == 2
    assert not any(pair.data in file.parents for file in files(pair.pid))


def test_a_server_does_not_go_on_without_its_upkeep(pair: Server) -> None:
    os.kill(children_of(pair.pid)[0], signal.SIGKILL)

    assert wait_until(
        lambda: os.waitid(os.P_PID, pair.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None, seconds=20
    )
    assert pair.stop() == 1
