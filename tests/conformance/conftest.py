"""A registry in this process, as the conformance suite finds one: two repositories, and an account that has mounting switched on."""

from collections.abc import Iterator

import pytest

from tests.hostile.inside import Inside

MOUNTING = {"name": "BLOB_MOUNTING", "value": "ENABLED"}


@pytest.fixture(scope="module", params=["false"])
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """An application; its parameter says whether it takes sparse manifests. Tests use bytes of their own."""
    more = {"sparse-manifests": request.param}
    made = Inside(tmp_path_factory.mktemp("registry"), **more).fill()
    made.ecr("PutAccountSetting", MOUNTING)
    yield made
    made.sound()
    made.close()
