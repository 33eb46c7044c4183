"""A PostgreSQL of the tests' own: on a free port of the loopback, its folder thrown away with it."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import psycopg

from tests.engines.programs import Missing, free_port, plain_environment, tail, wait_until

START_SECONDS = 30
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "timezone=UTC")


class Postgres:
    """One PostgreSQL server; ``create`` makes a fresh database in it and returns its URL."""

    def __init__(self) -> None:
        self._bin = _programs()
        self.folder = Path(tempfile.mkdtemp(prefix="moorage-pg-"))
        self._log = self.folder / "log"
        self._port = free_port()
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Make its folder, start it and return once it takes connections."""
        user = _unprivileged()
        os.chown(self.folder, -1 if user is None else user.pw_uid, -1 if user is None else user.pw_gid)
        data = str(self.folder / "data")
        initdb = ["initdb", "-D", data, "-U", "moorage", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        self._start(user, *initdb).wait()
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        where = ["-D", data, "-h", "127.0.0.1", "-p", str(self._port), "-k", str(self.folder)]
        self._process = self._start(user, "postgres", *where, *settings)
        if not wait_until(self._ready, seconds=START_SECONDS, alive=self._alive, pause=0.05):
            log = tail(self._log)
            self.stop()
            raise AssertionError(f"PostgreSQL did not start; its log ends with\n{log}")
        return self

    def create(self) -> str:
        """Create an empty database and return its URL."""
        name = next(self._names)
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://moorage@127.0.0.1:{self._port}/{name}"

    def stop(self) -> None:
        """End it, connections or not, and remove its folder."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast": connections are ended
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, user: pwd.struct_passwd | None, program: str, *args: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self._bin / program, *args],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=plain_environment(HOME=str(self.folder)),
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self._port, user="moorage", dbname="postgres", autocommit=True, connect_timeout=5
        )

    def _ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


def _programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs; Debian keeps them off PATH."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not folders:
        raise Missing("PostgreSQL is missing: apt-get install postgresql")
    return max(folders, key=lambda folder: int(folder.parent.name))


def _unprivileged() -> pwd.struct_passwd | None:
    """Return whom to run it as: PostgreSQL refuses root; anybody else may run it as themselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody")
