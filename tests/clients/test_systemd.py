"""docs/systemd.md on a machine of its own: a user, an installation, a unit that systemd understands, and what it starts.

No systemd runs there, so what the unit starts is started as the unit says: as that user, with no right that it does not have.
"""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from moorage.adapters.authority import AuthorityFolder
from tests.clients.deploying import (
    NAMES,
    at_a_terminal,
    checkout,
    commands,
    is_up,
    split_certificate,
    typed,
    unit_command,
    wheels,
)
from tests.clients.reader import blocks
from tests.engines.box import Box
from tests.engines.programs import ROOT, found, tail, wait_until

pytestmark = pytest.mark.slow

UNIT = ROOT / "deploy" / "moorage.service"
DATA = "/var/lib/moorage"
PID = f"{DATA}/pid"
ANALYZE = "apt-get install systemd"
OVERRIDES = "/etc/systemd/system/moorage.service.d"


def words(line: str) -> str:
    """Return what root types instead of a line with sudo."""
    return line.replace("sudo -u moorage ", "runuser -u moorage -- ").replace("sudo ", "")


def as_the_unit(command: list[str], *capabilities: str) -> list[str]:
    """Return the words that start a command as the unit's user, with these capabilities and no others."""
    kept = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    who = ["setpriv", "--reuid=moorage", "--regid=moorage", "--init-groups", "--no-new-privs", "--reset-env"]
    rights = [f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"]
    return [*who, *rights, "sh", "-c", f"cd / && umask 077 && echo $$ > {PID} && exec {shlex.join(command)}"]


@contextmanager
def service(box: Box, command: list[str], ask: list[str]) -> Iterator[None]:
    """Run the service until the block ends, then stop it as the unit says: SIGTERM to its first process."""
    box.start(command, at_a_terminal())
    assert wait_until(lambda: box.run(*ask).returncode == 0, seconds=30), tail(box.log)
    yield
    box.run("sh", "-c", f"kill $(cat {PID})")
    assert wait_until(lambda: box.run("sh", "-c", f"kill -0 $(cat {PID})").returncode != 0, seconds=10)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A machine on which the page's first block was typed, and the folder made that systemd makes."""
    with Box() as box:
        environment = at_a_terminal(PATH="/usr/bin", **wheels())
        folder = tmp_path_factory.mktemp("systemd") / "moorage"
        made = box.run(
            "sh", "-ec", "mount -t tmpfs opt /opt; mount -t tmpfs lib /var/lib; mkdir -p /etc/systemd/system"
        )
        assert made.returncode == 0, made.stderr
        typed(box, [words(line) for line in commands("systemd.md")[0]], checkout(folder), environment)
        box.run("install", "-d", "-m", "0700", "-o", "moorage", "-g", "moorage", DATA)
        yield box


def test_the_service_runs_as_its_own_user_and_tells_the_first_key_to_nobody_else(
    installed: Box, tmp_path: Path
) -> None:
    command = unit_command(UNIT.read_text())
    assert command[command.index("--data") + 1] == DATA
    found("systemd-analyze", remedy=ANALYZE)
    verified = installed.run("systemd-analyze", "verify", "/etc/systemd/system/moorage.service")
    assert (verified.returncode, verified.stderr) == (0, "")

    with service(installed, as_the_unit(command), is_up("http://127.0.0.1:4510/readyz")):
        listed = installed.run("stat", "--format=%U %a", DATA, f"{DATA}/moorage.db", f"{DATA}/credentials.json").stdout
        assert listed.splitlines() == ["moorage 700", "moorage 600", "moorage 600"]

        key = [words(line) for line in commands("systemd.md")[1]]
        steps = typed(installed, [*key, "aws sts get-caller-identity"], tmp_path, at_a_terminal())
        assert json.loads(steps[-1].output)["Arn"] == "arn:aws:iam::123456789012:user/admin"
        read = installed.run("runuser", "-u", "nobody", "--", "cat", f"{DATA}/credentials.json")
        assert "Permission denied" in read.stderr


def test_the_service_listens_on_port_443_with_one_capability(installed: Box, tmp_path: Path) -> None:
    authority = AuthorityFolder(tmp_path / "authority")
    authority.ensure(NAMES, datetime.now(UTC))
    split_certificate(authority.server, tmp_path / "registry.pem", tmp_path / "registry.key")
    typed(installed, [words(line) for line in commands("systemd.md")[2]], tmp_path, at_a_terminal())
    (drop_in,) = blocks("systemd.md", "override")
    (tmp_path / "override.conf").write_text(drop_in)
    shown = installed.run("install", "-D", "-m", "0644", str(tmp_path / "override.conf"), f"{OVERRIDES}/override.conf")
    assert shown.returncode == 0, shown.stderr
    verified = installed.run("systemd-analyze", "verify", "/etc/systemd/system/moorage.service")
    assert (verified.returncode, verified.stderr) == (0, "")

    known = ["--cacert", str(authority.folder / "authority.pem"), "--resolve", "api.example.org:443:127.0.0.1"]
    ask = [*is_up("https://api.example.org/readyz"), *known]
    with service(installed, as_the_unit(unit_command(drop_in), "net_bind_service"), ask):
        pass


def test_an_upgrade_is_installed_over_the_release_before(installed: Box, tmp_path: Path) -> None:
    upgrade = [words(line) for line in commands("systemd.md")[3]]
    typed(installed, upgrade, checkout(tmp_path / "moorage"), at_a_terminal(PATH="/usr/bin", **wheels()))

    assert installed.run("/opt/moorage/bin/moorage", "version").returncode == 0
