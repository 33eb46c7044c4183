"""A server that dies after any call that changes the disk keeps what it promised, half of nothing, and goes on."""

import itertools
import json
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.clients.registry import OCI_MANIFEST, Reply, digest_of, image_manifest
from tests.durability.conftest import Mortal
from tests.durability.mortal import DIED

pytestmark = pytest.mark.slow

NUMBERS = itertools.count(1)
END = pytest.mark.parametrize("end", ["crash", "power cut"])


class Story:
    """What is done in one repository: ``prepare`` in peace, then ``act``; both may be done again at any time."""

    calls: tuple[str, ...] = ()
    """The calls of ``act`` that change the disk."""

    def __init__(self, mortal: Mortal) -> None:
        number = next(NUMBERS)
        self.mortal = mortal
        self.memory = mortal.client()
        self.name = f"story/{number}"
        self.layer = f"layer of story {number} ".encode() * 1000
        self.config = json.dumps({"story": number}).encode()
        self.manifest = image_manifest(self.config, self.layer)

    def prepare(self) -> None:
        with suppress(self.mortal.ecr.exceptions.RepositoryAlreadyExistsException):
            self.mortal.ecr.create_repository(repositoryName=self.name)

    def act(self) -> None:
        raise NotImplementedError

    def go_on(self, end: str) -> None:
        """Go on where a death interrupted ``act``, if the protocol knows a way to."""

    def blob(self, content: bytes) -> str:
        return f"/v2/{self.name}/blobs/{digest_of(content)}"

    def image(self, reference: str | bytes) -> str:
        shown = digest_of(reference) if isinstance(reference, bytes) else reference
        return f"/v2/{self.name}/manifests/{shown}"

    def push_blob(self, content: bytes) -> None:
        where = f"/v2/{self.name}/blobs/uploads/?digest={digest_of(content)}"
        self.memory.send({self.blob(content): content}, 201, "POST", where, content)

    def put(self, manifest: bytes, tag: str) -> Reply:
        changes: dict[str, bytes | None] = {self.image(manifest): manifest, self.image(tag): manifest}
        return self.memory.send(changes, 201, "PUT", self.image(tag), manifest, Content_Type=OCI_MANIFEST)


class WholeBlob(Story):
    calls: tuple[str, ...] = ("mkdir", "fsync", "open", "pwritev", "fdatasync", "fsync", "commit")

    def act(self) -> None:
        self.push_blob(self.layer)


class BlobInChunks(Story):
    calls: tuple[str, ...] = (
        *("commit", "mkdir", "fsync", "open", "pwritev", "commit"),
        *("pwritev", "commit"),
        *("pwritev", "fdatasync", "fsync", "commit"),
    )
    acknowledged = 0
    where = ""

    def act(self) -> None:
        self.acknowledged, self.where = 0, ""
        self.where = self.mortal.registry.start_upload(self.name)
        for start, end in ((0, 5000), (5000, 9000)):
            self.mortal.registry.must(202, "PATCH", self.where, self.layer[start:end])
            self.acknowledged = end
        self.finish(9000)

    def finish(self, size: int) -> None:
        closing = f"{self.where}?digest={digest_of(self.layer)}"
        self.memory.send({self.blob(self.layer): self.layer}, 201, "PUT", closing, self.layer[size:])

    def go_on(self, end: str) -> None:
        if not self.where:
            return
        status = self.mortal.registry.send("GET", self.where)
        if status.status == 404:
            done = self.mortal.registry.send("HEAD", self.blob(self.layer)).status == 200
            assert done or end == "power cut"
            return
        last = int(status.headers["range"].removeprefix("0-"))
        size = last + 1 if last else 0
        assert size >= self.acknowledged
        self.finish(size)


class BlobThatIsThere(Story):
    """The same content once more: what arrives is dropped in favour of what is there."""

    calls: tuple[str, ...] = (*WholeBlob.calls, "unlink")

    def prepare(self) -> None:
        super().prepare()
        self.push_blob(self.layer)

    def act(self) -> None:
        self.push_blob(self.layer)


class NewImage(Story):
    calls: tuple[str, ...] = ("commit",)

    def prepare(self) -> None:
        super().prepare()
        self.push_blob(self.layer)
        self.push_blob(self.config)

    def act(self) -> None:
        self.put(self.manifest, "v1")


class MovedTag(NewImage):
    calls: tuple[str, ...] = ("commit",)

    def prepare(self) -> None:
        super().prepare()
        self.put(self.manifest, "v1")

    def act(self) -> None:
        self.put(image_manifest(self.config, self.layer, annotations={"a": "moved"}), "v1")


class Deleted(MovedTag):
    calls: tuple[str, ...] = ("commit", "commit")

    def act(self) -> None:
        gone = {self.image(self.manifest): None, self.image("v1"): None}
        self.memory.change(gone, lambda: self.mortal.registry.send("DELETE", self.image(self.manifest)))
        self.memory.change(
            {self.blob(self.layer): None, self.blob(self.config): None},
            lambda: self.mortal.ecr.delete_repository(repositoryName=self.name, force=True),
        )


def completes(act: Callable[[], object]) -> bool:
    try:
        act()
    except DIED:
        return False
    return True


@END
@pytest.mark.parametrize("kind", [WholeBlob, BlobInChunks, BlobThatIsThere, NewImage, MovedTag, Deleted])
def test_after_every_single_call_it_may_die(mortal: Mortal, kind: type[Story], end: str) -> None:
    last_calls = []
    for calls in itertools.count():
        story = kind(mortal)
        story.prepare()
        mortal.server.die_after(calls, end)
        if completes(story.act):
            break
        last_calls.append(mortal.server.last_call())
        mortal.restart()
        mortal.look(story.memory)
        story.go_on(end)
        story.prepare()
        story.act()
        mortal.look(story.memory)

    assert last_calls == [f"nothing before {kind.calls[0]}", *kind.calls]
    # The last one was acknowledged as a whole; now the server dies before it changes anything else.
    mortal.server.die_after(0, end)
    assert not completes(lambda: mortal.ecr.create_repository(repositoryName=f"{story.name}/next"))
    mortal.restart()
    mortal.look(story.memory)


def test_an_upload_whose_bytes_a_power_cut_took_is_never_completed_as_if_it_had_them(mortal: Mortal) -> None:
    story = WholeBlob(mortal)
    story.prepare()
    where = mortal.registry.start_upload(story.name)
    mortal.registry.must(202, "PATCH", where, story.layer[:9000])
    mortal.ecr.create_repository(repositoryName=f"{story.name}/other")  # waits for the disk, and takes the row along
    mortal.server.die_after(0, "power cut")
    assert not completes(lambda: mortal.registry.send("PATCH", where, story.layer[9000:]))
    mortal.restart()

    assert mortal.registry.must(204, "GET", where).headers["range"] == "0-8999"
    mortal.registry.must(400, "PUT", f"{where}?digest={digest_of(story.layer)}", story.layer[9000:])

    mortal.registry.must(404, "GET", story.blob(story.layer))
    story.act()
    mortal.look(story.memory)


def test_what_was_acknowledged_a_moment_ago_outlives_a_server_with_postgresql(mortal_on_postgresql: Mortal) -> None:
    story = NewImage(mortal_on_postgresql)
    for step in (story.prepare, story.act):
        step()
        mortal_on_postgresql.restart()
        mortal_on_postgresql.look(story.memory)

    moved = MovedTag(mortal_on_postgresql)
    moved.prepare()
    mortal_on_postgresql.server.die_after(1, "crash")
    assert not completes(moved.act)
    mortal_on_postgresql.restart()
    moved.act()
    mortal_on_postgresql.look(story.memory, moved.memory)


def test_after_all_these_deaths_everything_is_still_as_it_was_promised(mortal: Mortal) -> None:
    mortal.look(*mortal.memories)
