"""Any request at all, at both doors: never a failure of the server's own, always the door's form, and the store stays sound."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.clients.registry import OCI_MANIFEST, digest_of, image_manifest
from tests.hostile.inside import Inside, Request, looked_at
from tests.hostile.pieces import api_requests, registry_requests

EVERY_TIME = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
]
# The quick runs are the same each time: whoever changes a line is not stopped by what somebody else left.
QUICK = pytest.param(True, id="quick")
LONG = pytest.param(False, id="long", marks=pytest.mark.slow)


def runs(quick: bool, examples: tuple[int, int], steps: int = 50) -> settings:  # noqa: FBT001 - a table's column
    return settings(
        max_examples=examples[0] if quick else examples[1],
        stateful_step_count=steps,
        derandomize=quick,
        database=None,
        deadline=None,
        suppress_health_check=EVERY_TIME,
    )


@pytest.fixture
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    made = Inside(tmp_path_factory.mktemp("inside")).fill()
    yield made
    made.close()


@pytest.mark.parametrize("quick", [QUICK, LONG])
@pytest.mark.parametrize("requests", [api_requests, registry_requests])
def test_whatever_is_asked_is_answered_in_the_doors_form(
    inside: Inside,
    requests: Callable[[Inside], st.SearchStrategy[Request]],
    quick: bool,  # noqa: FBT001 - a table's column
) -> None:
    asked = count()

    @runs(quick, (500, 3000))
    @given(requests(inside))
    def ask(request: Request) -> None:
        looked_at(request, inside.ask(request))
        if next(asked) % 10 == 0:
            inside.fill()

    ask()
    inside.sound()


@pytest.mark.parametrize("quick", [QUICK, LONG])
def test_pushes_succeed_and_bad_ones_change_nothing_in_the_middle_of_noise(inside: Inside, quick: bool) -> None:  # noqa: FBT001 - a table's column
    noise = st.one_of(api_requests(inside), registry_requests(inside))
    inside.ecr("CreateRepository", {"repositoryName": REPOSITORY})

    class Here(Pushes):
        def __init__(self) -> None:
            super().__init__(inside)

        @rule(request=noise)
        def make_noise(self, request: Request) -> None:
            looked_at(request, self.inside.ask(request))

    run_state_machine_as_test(Here, settings=runs(quick, (12, 100), steps=30))
    inside.sound()


REPOSITORY = "quiet/app"
CHUNKS = st.binary(min_size=1, max_size=40)
ALGORITHMS = st.sampled_from(["sha256", "sha512"])


class Pushes(RuleBasedStateMachine):
    """Uploads and images of one repository that no noise reaches, and what they must be by now."""

    def __init__(self, inside: Inside) -> None:
        super().__init__()
        self.inside = inside
        self.uploads: dict[str, bytes] = {}
        self.tags: dict[str, bytes] = {}

    @initialize()
    def begin(self) -> None:
        self.inside.fill()
        for tag in ("one", "two"):
            self.inside.v2("DELETE", f"/v2/{REPOSITORY}/manifests/{tag}")

    @rule(hint=st.sampled_from(["", "?digest-algorithm=sha256", "?digest-algorithm=sha512"]))
    def start(self, hint: str) -> None:
        answer = self.inside.v2("POST", f"/v2/{REPOSITORY}/blobs/uploads/{hint}")
        assert answer.status == 202
        self.uploads[answer.headers["location"]] = b""

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), chunk=CHUNKS)
    def append(self, data: st.DataObject, chunk: bytes) -> None:
        upload = data.draw(st.sampled_from(sorted(self.uploads)))
        first = len(self.uploads[upload]) + data.draw(st.sampled_from([0, 0, 1, -1, 1000]))
        last = first + len(chunk) - 1 + data.draw(st.sampled_from([0, 0, 0, 1]))
        true = (first, last) == (len(self.uploads[upload]), len(self.uploads[upload]) + len(chunk) - 1)

        answer = self.inside.v2("PATCH", upload, chunk, place=f"{first}-{last}")

        assert answer.status in ((202,) if true else (405, 416))
        if true:
            self.uploads[upload] += chunk

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), chunk=CHUNKS)
    def leave_in_the_middle(self, data: st.DataObject, chunk: bytes) -> None:
        upload = data.draw(st.sampled_from(sorted(self.uploads)))
        query = data.draw(st.sampled_from(["", f"?digest={digest_of(self.uploads[upload] + chunk)}"]))

        assert self.inside.v2("PUT" if query else "PATCH", upload + query, chunk, gone=True).status == 400

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), chunk=CHUNKS, algorithm=ALGORITHMS)
    def complete_under_another_digest(self, data: st.DataObject, chunk: bytes, algorithm: str) -> None:
        upload = data.draw(st.sampled_from(sorted(self.uploads)))

        assert self.inside.v2("PUT", f"{upload}?digest={digest_of(b'other' + chunk, algorithm)}", chunk).status == 400

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), chunk=CHUNKS, tag=st.sampled_from(["one", "two"]), algorithm=ALGORITHMS)
    def complete_and_tag(self, data: st.DataObject, chunk: bytes, tag: str, algorithm: str) -> None:
        upload = data.draw(st.sampled_from(sorted(self.uploads)))
        content = self.uploads.pop(upload) + chunk
        digest = digest_of(content, algorithm)
        manifest = image_manifest(content, content).replace(digest_of(content).encode(), digest.encode())

        assert self.inside.v2("PUT", f"{upload}?digest={digest}", chunk).status == 201
        assert self.inside.v2("GET", f"/v2/{REPOSITORY}/blobs/{digest}").body == content
        assert self.inside.v2("PUT", f"/v2/{REPOSITORY}/manifests/{tag}", manifest, kind=OCI_MANIFEST).status == 201
        self.tags[tag] = manifest

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        upload = data.draw(st.sampled_from(sorted(self.uploads)))
        del self.uploads[upload]

        assert self.inside.v2("DELETE", upload).status == 204
        assert self.inside.v2("GET", upload).status == 404

    @invariant()
    def uploads_stand_where_they_were_left(self) -> None:
        for upload, content in self.uploads.items():
            assert self.inside.v2("GET", upload).headers["range"] == f"0-{max(len(content) - 1, 0)}"

    @invariant()
    def tags_are_pulled_as_they_were_pushed(self) -> None:
        for tag, manifest in self.tags.items():
            assert self.inside.v2("GET", f"/v2/{REPOSITORY}/manifests/{tag}").body == manifest
