"""``moorage trust --server``: a second machine, a cable away, trusts the first one's authority and pulls from it by AWS's name."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.machines import ACCOUNT, API, REGISTRY, Keys, must, serve_in, trust, trusted, trusted_before
from tests.clients.tools import program
from tests.engines.box import Box
from tests.engines.cable import cable
from tests.engines.server import moorage

pytestmark = pytest.mark.slow

PORT = 4510


@dataclass(frozen=True)
class Machines:
    """The one that serves, which has AWS's names at its own loopback, and the one that is to trust it."""

    serving: Box
    data: Path
    keys: Keys
    other: Box
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}:{PORT}"


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with ExitStack() as stack:
        serving, other = stack.enter_context(Box()), stack.enter_context(Box())
        address, _ = cable(serving, other)
        data = serving.folder / "data"
        plain = ("--listen", f"{address}:{PORT}", "--insecure-listen")
        keys = serve_in(serving, data, *plain, "--tls-listen", "0.0.0.0:443")
        keys.aws(serving, "ecr", "create-repository", "--repository-name", "app")
        yield Machines(serving, data, keys, other, address)


def fingerprint(shown: str) -> str:
    told = re.search(r"SHA-256 fingerprint ([0-9A-Fa-f:]+)", shown)
    assert told, shown
    return told[1]


def crane(box: Box, *words: str) -> str:
    return must(box, "env", f"DOCKER_CONFIG={box.folder}", str(program("crane")), *words)


@contextmanager
def trusting(machines: Machines, data: Path) -> Iterator[str]:
    """Let the other machine trust the server for as long as this lasts; gives the registry's password."""
    where = ("--server", machines.url, REGISTRY, API, "--address", machines.address)
    trust(machines.other, data, *where, "--yes")
    try:
        yield machines.keys.password(machines.other)
    finally:
        trust(machines.other, data, "--undo")


def test_another_machine_trusts_the_server_uses_it_by_name_and_forgets_it_again(machines: Machines) -> None:
    other, data = machines.other, machines.other.folder / "for-crane"
    before = trusted_before(other)
    layer = other.folder / "layer.tar"
    must(other, "tar", "--create", "--file", str(layer), "--directory", "/etc", "hostname")

    with trusting(machines, data) as password:
        crane(other, "auth", "login", "--username", "AWS", "--password", password, REGISTRY)
        crane(other, "append", "--new_layer", str(layer), "--new_tag", f"{REGISTRY}/app:v1")
        crane(other, "pull", f"{REGISTRY}/app:v1", str(other.folder / "pulled.tar"))
        listed = machines.keys.aws(other, "ecr", "list-images", "--repository-name", "app", "--output", "text")

    assert "v1" in listed
    assert other.run("curl", "--silent", f"https://{REGISTRY}/readyz").returncode != 0
    assert trusted(other) == before
    assert not data.exists()


def test_docker_of_another_machine_pulls_by_name(machines: Machines) -> None:
    other = machines.other
    context = other.folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    image = f"{REGISTRY}/app:docker"

    with trusting(machines, other.folder / "for-docker") as password:
        # Started after, for an engine believes for five seconds what it has read of a hosts file.
        environment = [f"{name}={value}" for name, value in other.start_docker().items()]

        def docker(*words: str) -> str:
            return must(other, "env", *environment, "/usr/bin/docker", *words)

        docker("login", "--username", "AWS", "--password", password, REGISTRY)
        docker("build", "--quiet", "--tag", image, str(context))
        docker("push", "--quiet", image)
        docker("rmi", image)
        assert "Downloaded newer image" in docker("pull", image)


def test_both_machines_show_the_same_fingerprint_and_showing_changes_nothing(machines: Machines) -> None:
    other, data = machines.other, machines.other.folder / "shown"
    before = trusted(other)

    shown = trust(other, data, "--server", machines.url, REGISTRY, "--address", machines.address, "--print")
    at_home = trust(machines.serving, machines.data, "--account", ACCOUNT, "--print")

    assert at_home.startswith("Everything is trusted already: ")
    assert fingerprint(shown) == fingerprint(at_home)
    assert trusted(other) == before


def test_without_a_word_of_yes_nothing_is_changed(machines: Machines) -> None:
    other = machines.other
    before = trusted(other)

    asked = other.run(moorage(), "trust", "--data", f"{other.folder}/asked", "--server", machines.url, REGISTRY)

    assert f"write /etc/docker/certs.d/{REGISTRY}/ca.crt" in asked.stdout
    assert "Do this? [y/N]: " in asked.stdout
    assert asked.returncode == 1
    assert trusted(other) == before


def test_a_hosts_file_that_is_mounted_on_its_own_is_changed_and_taken_back(machines: Machines) -> None:
    other, data = machines.other, machines.other.folder / "mounted"
    must(other, "sh", "-c", "cp /etc/hosts /run/hosts && mount --bind /run/hosts /etc/hosts")
    try:
        before = trusted(other)
        trust(other, data, REGISTRY, "--yes")
        assert REGISTRY in must(other, "cat", "/etc/hosts")
        trust(other, data, "--undo")
        assert trusted(other) == before
    finally:
        must(other, "umount", "/etc/hosts")


@pytest.mark.parametrize("words", [(REGISTRY, "--yes"), ("--undo",)], ids=["trust", "undo"])
def test_what_the_systems_own_command_says_when_it_fails_is_shown(machines: Machines, words: tuple[str, ...]) -> None:
    other, data = machines.other, machines.other.folder / "failing"
    before = trusted(other)
    command = other.folder / "failing-bin" / "update-ca-certificates"
    command.parent.mkdir(exist_ok=True)
    command.write_text("#!/bin/sh\necho cannot link >&2; exit 3\n")
    command.chmod(0o755)
    if "--undo" in words:
        trust(other, data, REGISTRY, "--yes")

    path = f"PATH={command.parent}:/usr/bin:/bin"
    failed = other.run("env", path, moorage(), "trust", "--data", str(data), *words)

    assert failed.returncode == 1
    assert failed.stderr.splitlines() == [
        f"Error: {command} failed with status 3: cannot link",
        "`moorage trust --undo` takes back whatever was done.",
    ]
    trust(other, data, "--undo")
    assert trusted(other) == before


def test_a_server_is_not_believed_over_tls_before_it_is_trusted(machines: Machines) -> None:
    other, url = machines.other, f"https://{machines.address}"

    refused = other.run(moorage(), "trust", "--data", f"{other.folder}/early", "--server", url, REGISTRY, "--yes")

    assert refused.returncode != 0
    assert f"{url}/moorage/authority.pem is not trusted yet" in refused.stderr
