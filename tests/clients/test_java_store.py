"""The store of Debian's Java, which the system's own command keeps: it comes to trust the authority, and forgets it again."""

import pytest

from tests.clients.machines import must, trust
from tests.engines.box import Box
from tests.engines.programs import found

pytestmark = pytest.mark.slow

STORE = "/etc/ssl/certs/java/cacerts"


def known(box: Box) -> int:
    """Return how many authorities of Moorage's Java trusts."""
    keytool = found("keytool", remedy="apt-get install default-jre-headless")
    return must(box, str(keytool), "-list", "-keystore", STORE, "-storepass", "changeit").count("debian:moorage")


def test_java_trusts_the_authority_until_it_is_taken_back() -> None:
    with Box() as box:
        before = must(box, "ls", "-l", "/etc/ssl/certs")
        data = box.folder / "data"
        trust(box, data, "registry.example.org", "--yes")
        assert known(box) == 1
        trust(box, data, "other.example.org", "--yes")
        assert known(box) == 1

        trust(box, data, "--undo")

        assert known(box) == 0
        assert "moorage" not in must(box, "ls", "-l", "/etc/ssl/certs")
        assert len(must(box, "ls", "-l", "/etc/ssl/certs").splitlines()) == len(before.splitlines())
