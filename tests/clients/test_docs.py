"""The commands on the pages in docs/, run as they stand there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.images import whole_blob
from tests.clients.people import admin, client, login_password
from tests.clients.reader import Reader, blocks
from tests.clients.registry import Registry, digest_of
from tests.engines.programs import ROOT
from tests.engines.server import Server

pytestmark = pytest.mark.slow

ELSEWHERE = {"walkthrough.md"}
PAGES = sorted(
    path.name for path in (ROOT / "docs").glob("*.md") if "```\n" in path.read_text() and path.name not in ELSEWHERE
)


def run_page(page: str, reader: Reader, server: Server) -> str:
    """Run all blocks of a page in one bash that ends at the first failure, and return what they printed.

    The port is replaced, and the environment of .venv found, as by a reader who has done the quick start.
    """
    lines = [block.replace("localhost:4510", server.host) for block in blocks(page)]
    ran = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", "".join(['export PATH="$PWD/.venv/bin:$PATH"\n', *lines])],
        stdin=subprocess.DEVNULL,
        cwd=reader.folder,
        env=reader.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_on_a_page_succeed(page: str, reader: Reader, own_server: Server) -> None:
    assert run_page(page, reader, own_server)


def test_a_backup_made_as_the_page_says_is_a_whole_registry(reader: Reader, own_server: Server, tmp_path: Path) -> None:
    with client(own_server, "ecr", admin(own_server)) as ecr:
        ecr.create_repository(repositoryName="app")
        password = login_password(ecr)
    manifest = Registry(own_server.port, password).push("app", "v1")
    layer = b"layer of image"

    run_page("running.md", reader, own_server)
    restored = Server(tmp_path / "restored")
    restored.data.mkdir(parents=True)
    shutil.copy(reader.folder / "backup" / "moorage.db", restored.data / "moorage.db")
    shutil.copytree(reader.folder / "backup" / "blobs", restored.data / "blobs")
    secret = admin(own_server).secret.encode()
    assert [
        path for path in (reader.folder / "backup").rglob("*") if path.is_file() and secret in path.read_bytes()
    ] == []
    shutil.copy(reader.folder / "backup-of-secrets" / "secrets.key", restored.data / "secrets.key")
    restored.start()
    try:
        registry = Registry(restored.port, password)
        assert registry.must(200, "GET", "/v2/app/manifests/v1").body == manifest
        assert whole_blob(registry, "app", digest_of(layer), len(layer)) == layer
    finally:
        restored.kill()
