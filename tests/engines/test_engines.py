"""The engines that other tests rely on are real, are apart from one another, and leave nothing behind."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.engines.docker import DockerEngine
from tests.engines.postgres import Postgres

pytestmark = pytest.mark.slow


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def processes_naming(word: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if word in line]


def mounts_naming(word: str) -> list[str]:
    return [line for line in Path("/proc/self/mounts").read_text().splitlines() if word in line]


def test_each_database_is_a_fresh_one(postgres: Callable[[], str]) -> None:
    first, second = postgres(), postgres()
    with psycopg.connect(plain(first)) as connection:
        connection.execute("CREATE TABLE only_here (id int)")

    with psycopg.connect(plain(second)) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'").fetchone()

    assert tables == (0,)


def test_postgresql_leaves_no_process_and_no_folder() -> None:
    engine = Postgres().start()

    engine.stop()

    assert not processes_naming(str(engine.folder))
    assert not engine.folder.exists()


def test_the_docker_engine_builds_and_runs_an_image(docker: DockerEngine, tmp_path: Path) -> None:
    docker.import_busybox("busybox:test")
    (tmp_path / "Dockerfile").write_text('FROM busybox:test\nRUN echo built > /made\nCMD ["cat", "/made"]\n')

    docker.run("build", "--network", "none", "--tag", "made:test", tmp_path)

    assert docker.run("run", "--rm", "--network", "none", "made:test").stdout == "built\n"


def test_the_docker_engine_builds_an_image_from_scratch(docker: DockerEngine, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("hello")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY hello /hello\n")

    docker.run("build", "--tag", "scratch:test", tmp_path)

    assert "sha256:" in docker.run("image", "inspect", "--format", "{{.RootFS.Layers}}", "scratch:test").stdout


def test_the_docker_engine_takes_its_containers_along_and_leaves_nothing() -> None:
    engine = DockerEngine().start()
    folder = str(engine.folder)
    engine.import_busybox("busybox:test")
    engine.run("run", "--detach", "--network", "none", "busybox:test", "sleep", "4321")
    assert processes_naming("sleep 4321")

    engine.stop()

    assert not processes_naming("sleep 4321")
    assert not processes_naming(folder)
    assert not mounts_naming(folder)
    assert not engine.folder.exists()
