"""What the registry door answers where neither the specification nor ECR says more than HTTP does."""

from collections.abc import Iterator

import pytest

from tests.clients.registry import OCI_MANIFEST
from tests.hostile.inside import MANIFEST, Inside
from tests.hostile.place import APP, oci_error


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    made = Inside(tmp_path_factory.mktemp("door")).fill()
    yield made
    made.close()


def test_a_layer_that_has_lost_its_bytes_is_said_to(inside: Inside, caplog: pytest.LogCaptureFixture) -> None:
    lost = inside.push_blob(APP, b"a layer that is to be lost")
    [file] = [path for path in inside.settings.blobs.rglob("*") if path.is_file() and path.stat().st_size == 26]
    content = file.read_bytes()
    file.unlink()

    answer = inside.v2("GET", f"/v2/{APP}/blobs/{lost}")

    assert oci_error(answer) == (500, "UNKNOWN")
    assert b"moorage check" in answer.body
    [said] = [record for record in caplog.records if record.name == "moorage.web.oci"]
    assert (said.getMessage().startswith(str(file)), said.exc_info) == (True, None)
    file.write_bytes(content)


@pytest.mark.parametrize(("path", "methods"), [("/v2/", "GET, HEAD"), (f"/v2/{APP}/tags/list", "GET")])
def test_who_asks_with_another_method_is_told_which_there_are(inside: Inside, path: str, methods: str) -> None:
    answer = inside.v2("PUT", path)

    assert (oci_error(answer), answer.headers["allow"]) == ((405, "UNSUPPORTED"), methods)


def test_a_media_type_has_no_case(inside: Inside) -> None:
    assert inside.v2("PUT", f"/v2/{APP}/manifests/upper", MANIFEST, kind=OCI_MANIFEST.upper()).status == 201
