"""A disk without room: what needs some is refused in so many words, the rest goes on, and afterwards all is well."""

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.registry import OCI_MANIFEST, digest_of
from tests.engines.programs import Missing, found, run
from tests.engines.server import Server
from tests.hostile.place import APP, CONTENT, FORM, Place, aws_error, form, json_headers, oci_error
from tests.hostile.wire import Answer

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
ROOM = 8 * MIB
MORE = bytes(10 * MIB)


class Disk:
    """A file system of a few mebibytes in memory, and a file on it that takes what room is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"
        folder.mkdir(parents=True)
        run([found("mount", remedy="apt-get install mount"), "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder])

    def fill(self) -> None:
        file = os.open(self._ballast, os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(file, bytes(4096))
        except OSError:
            pass
        finally:
            os.close(file)

    def make_room(self) -> None:
        self._ballast.unlink()

    def free(self) -> int:
        room = os.statvfs(self.folder)
        return room.f_bavail * room.f_bsize

    def leave(self) -> None:
        run(["umount", self.folder])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.fail(str(Missing("a disk of one's own needs root: run the tests as root")), pytrace=False)
    disk = Disk(tmp_path / "data")
    yield disk
    disk.leave()


@pytest.fixture
def small(disk: Disk, tmp_path: Path) -> Iterator[Place]:
    """A server whose data folder is that disk."""
    server = Server(tmp_path)
    try:
        yield Place(server.start()).fill()
    finally:
        server.kill()


def part(place: Place) -> bytes:
    given = {"repositoryName": APP, "uploadId": place.upload_id, "partFirstByte": len(CONTENT)}
    last = len(CONTENT) + len(MORE) - 1
    return json.dumps({**given, "partLastByte": last, "layerPartBlob": base64.b64encode(MORE).decode()}).encode()


def large_manifest(place: Place) -> bytes:
    return json.dumps({**json.loads(place.manifest), "annotations": {"a": "z" * 200_000}}).encode()


Ask = Callable[[Place], Answer]
TOO_MUCH: dict[str, Ask] = {
    "a chunk": lambda place: place.v2("PATCH", place.upload, MORE),
    "the last chunk": lambda place: place.v2("PUT", f"{place.upload}?digest={digest_of(CONTENT + MORE)}", MORE),
    "a whole blob": lambda place: place.v2("POST", f"/v2/{APP}/blobs/uploads/?digest={digest_of(MORE)}", MORE),
    "a part": lambda place: place.aws("ecr", json_headers("UploadLayerPart"), part(place)),
}
FULL: dict[str, Ask] = {
    "a chunk": lambda place: place.v2("PATCH", place.upload, bytes(50_000)),
    "a whole blob": lambda place: place.v2("POST", f"/v2/{APP}/blobs/uploads/?digest={digest_of(b'a')}", b"a"),
    "a manifest": lambda place: place.v2(
        "PUT", f"/v2/{APP}/manifests/x", large_manifest(place), content_type=OCI_MANIFEST
    ),
    "a repository": lambda place: place.aws("ecr", json_headers("CreateRepository"), b'{"repositoryName":"n/x"}'),
    "a user": lambda place: place.aws("iam", {"content-type": FORM}, form("CreateUser", {"UserName": "bob"})),
}
WITHOUT_ROOM: dict[str, Ask] = {
    "a manifest": lambda place: place.v2("GET", f"/v2/{APP}/manifests/v1"),
    "a blob": lambda place: place.v2("GET", f"/v2/{APP}/blobs/{digest_of(place.layer)}"),
    "the tags": lambda place: place.v2("GET", f"/v2/{APP}/tags/list"),
    "a token": lambda place: place.aws("ecr", json_headers("GetAuthorizationToken"), b"{}"),
    "the images": lambda place: place.aws("ecr", json_headers("DescribeImages"), b'{"repositoryName":"team/app"}'),
    "the users": lambda place: place.aws("iam", {"content-type": FORM}, form("ListUsers", {})),
}


def refusal(answer: Answer) -> tuple[int, str]:
    return oci_error(answer) if "docker-distribution-api-version" in answer.headers else aws_error(answer)


def no_room(what: str) -> tuple[int, str]:
    """Return how the door that is asked for it says that there is no room."""
    api = {"a part": (400, "LimitExceededException"), "a repository": (400, "LimitExceededException")}
    return {**api, "a user": (409, "LimitExceeded")}.get(what, (507, "DENIED"))


def test_more_than_the_disk_holds_is_refused_and_its_room_given_back(disk: Disk, small: Place) -> None:
    before, free = small.kept(), disk.free()

    for what, ask in TOO_MUCH.items():
        assert refusal(ask(small)) == no_room(what), what
        assert small.kept() == before, what
        assert free - disk.free() < MIB, what

    small.registry.must(201, "PUT", f"{small.upload}?digest={digest_of(CONTENT + b'.')}", b".")
    small.registry.push("team/other", "small", seed="small")


def test_a_full_disk_refuses_every_write_and_serves_every_read(disk: Disk, small: Place) -> None:
    disk.fill()
    before = small.kept()
    for what, ask in FULL.items():
        for _ in range(3):
            assert refusal(ask(small)) == no_room(what), what
    for what, ask in WITHOUT_ROOM.items():
        assert ask(small).status == 200, what
    assert small.kept() == before

    disk.make_room()

    assert small.v2("GET", "/readyz").status == 200
    small.registry.must(202, "PATCH", small.upload, bytes(50_000))
    small.registry.push("team/other", "small", seed="small")
