import errno
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from moorage.adapters.files import replace_file
from moorage.adapters.machine import JOURNAL, Machine, Undone
from moorage.core.trust import Place, Trusted, added

AWS = "180789647333.dkr.ecr.us-east-1.amazonaws.com"
NAMES = [AWS, "api.ecr.us-east-1.amazonaws.com"]
BEFORE = b"127.0.0.1 localhost\n# mine"
CA = f"/etc/docker/certs.d/{AWS}/ca.crt"
STORE = "/usr/local/share/ca-certificates"
NOBODY = 65534


def make_root(root: Path) -> Path:
    for folder in ("etc/docker", "etc/containerd", STORE[1:], "var/lib"):
        (root / folder).mkdir(parents=True)
    (root / "etc/hosts").write_bytes(BEFORE)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


@pytest.fixture
def machine(root: Path) -> Machine:
    return Machine(root)


def trusted(*names: str, certificate: bytes = b"authority", key: str = "a") -> Trusted:
    return Trusted(key, certificate, dict.fromkeys(names, Place("127.0.0.1", 443)))


def trust(machine: Machine, new: Trusted) -> None:
    machine.begin()
    machine.apply(added(machine.journal().trusted, new))


def undo(machine: Machine) -> Undone:
    undone = machine.undo()
    machine.forget()
    return undone


def everything(root: Path) -> dict[str, object]:
    """Return what is below a folder: kinds, modes, owners and contents."""
    return {str(path.relative_to(root)): _described(path) for path in sorted(root.rglob("*"))}


def _described(path: Path) -> object:
    if path.is_symlink():
        return path.readlink()
    known = path.stat()
    return known.st_mode, known.st_uid, known.st_gid, path.read_bytes() if path.is_file() else None


FIRST, WIDER = trusted(*NAMES), trusted("180789647333.dkr.ecr.eu-west-1.amazonaws.com", certificate=b"wider")


def test_what_is_made_is_what_was_pending_and_is_taken_back_byte_for_byte(machine: Machine, root: Path) -> None:
    before = everything(root)
    wanted = {change.path: change.content for change in machine.pending([FIRST])}

    trust(machine, FIRST)

    assert {path: (root / path[1:]).read_bytes() for path in wanted} == wanted
    assert {f"/{path}" for path in set(everything(root)) - set(before) if (root / path).is_file()} == {
        JOURNAL,
        *(path for path in wanted if path != "/etc/hosts"),
    }
    assert machine.pending([FIRST]) == []
    assert undo(machine) == Undone(list(reversed(wanted)), [])
    assert everything(root) == before


def test_what_others_have_changed_meanwhile_is_kept(machine: Machine, root: Path) -> None:
    trust(machine, FIRST)
    hosts, theirs = root / "etc/hosts", root / CA[1:]
    hosts.write_bytes(b"10.0.0.9 new\n" + hosts.read_bytes() + b"10.0.0.8 later\n")
    theirs.write_bytes(b"another authority")
    (root / "etc/docker/certs.d/other").mkdir()

    undone = undo(machine)

    assert hosts.read_bytes() == b"10.0.0.9 new\n" + BEFORE + b"\n10.0.0.8 later\n"
    assert theirs.read_bytes() == b"another authority"
    assert undone.left == [CA]
    assert (root / "etc/docker/certs.d/other").is_dir()


@pytest.mark.parametrize("mark", [b"# moorage: begin\n", b"# moorage: end\n"])
def test_a_hosts_file_that_has_lost_a_mark_is_left_and_said_to_be(machine: Machine, root: Path, mark: bytes) -> None:
    trust(machine, FIRST)
    hosts = root / "etc/hosts"
    hosts.write_bytes(hosts.read_bytes().replace(mark, b""))
    changed = hosts.read_bytes()

    assert undo(machine).left == ["/etc/hosts"]
    assert hosts.read_bytes() == changed


def test_further_names_come_besides_those_of_before(machine: Machine, root: Path) -> None:
    trust(machine, FIRST)
    trust(machine, WIDER)

    hosts = (root / "etc/hosts").read_text()
    assert [name for name in (*FIRST.places, *WIDER.places) if f"127.0.0.1 {name}\n" not in hosts] == []
    assert (root / CA[1:]).read_bytes() == b"wider"


def test_trusting_again_and_again_is_taken_back_to_the_beginning(machine: Machine, root: Path) -> None:
    before = everything(root)
    for new in (FIRST, WIDER, trusted(AWS, certificate=b"other", key="b")):
        trust(machine, new)

    undo(machine)

    assert everything(root) == before


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_file_that_was_there_before_comes_back_with_its_mode(machine: Machine, root: Path, mode: int) -> None:
    old = root / CA[1:]
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old authority")
    old.chmod(mode)
    before = everything(root)

    trust(machine, FIRST)
    assert (old.read_bytes(), stat.S_IMODE(old.stat().st_mode)) == (b"authority", mode)
    undo(machine)

    assert everything(root) == before


def test_a_file_that_somebody_has_put_there_between_two_runs_comes_back(machine: Machine, root: Path) -> None:
    trust(machine, FIRST)
    (root / CA[1:]).write_bytes(b"theirs")
    trust(machine, WIDER)

    undo(machine)

    assert (root / CA[1:]).read_bytes() == b"theirs"


def test_a_link_stays_one_and_what_it_points_to_is_taken_back(machine: Machine, root: Path) -> None:
    (root / "etc/hosts").rename(root / "etc/hosts.real")
    (root / "etc/hosts").symlink_to("hosts.real")
    before = everything(root)

    trust(machine, FIRST)
    assert AWS in (root / "etc/hosts.real").read_text()
    undo(machine)

    assert everything(root) == before


@pytest.mark.parametrize("content", [b"127.0.0.1 localhost\r\n", b"127.0.0.1 gr\xfc\xdfe\n", b"", None])
def test_any_hosts_file_comes_back_as_it_was(machine: Machine, root: Path, content: bytes | None) -> None:
    hosts = root / "etc/hosts"
    hosts.unlink()
    if content is not None:
        hosts.write_bytes(content)
    before = everything(root)

    trust(machine, FIRST)
    assert hosts.read_bytes().startswith(content or b"# moorage: begin")
    trust(machine, WIDER)
    undo(machine)

    assert everything(root) == before


def test_a_hosts_file_that_is_mounted_is_written_in_place_and_nothing_is_left_beside_it(
    machine: Machine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def busy(new: Path, place: Path) -> Path:
        if place.name == "hosts":
            raise OSError(errno.EBUSY, "Device or resource busy", str(new))
        return replace(new, place)

    before, node = everything(root), (root / "etc/hosts").stat().st_ino
    monkeypatch.setattr(Path, "replace", busy)

    trust(machine, FIRST)
    assert AWS in (root / "etc/hosts").read_text()
    undo(machine)

    assert everything(root) == before
    assert (root / "etc/hosts").stat().st_ino == node


def dying(monkeypatch: pytest.MonkeyPatch, step: int) -> Callable[[], bool]:
    """Have the process end before its so-manieth write; returns what tells whether it came to that."""
    calls = count(1)
    died = False

    def replace(path: Path, content: bytes, mode: int, owner: os.stat_result | None = None) -> None:
        nonlocal died
        if next(calls) == step:
            died = True
            raise KeyboardInterrupt
        replace_file(path, content, mode, owner)

    for module in ("machine", "journal"):
        monkeypatch.setattr(f"moorage.adapters.{module}.replace_file", replace)
    return lambda: died


@pytest.mark.parametrize("earlier", [[], [FIRST]], ids=["a first", "a second"])
@pytest.mark.parametrize("finish", [True, False], ids=["finished after all", "given up"])
def test_an_interrupted_change_is_taken_back_at_whatever_step(
    tmp_path: Path, earlier: list[Trusted], *, finish: bool
) -> None:
    for step in count(1):
        root = make_root(tmp_path / str(step))
        before, machine = everything(root), Machine(root)
        for one in earlier:
            trust(machine, one)
        with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
            died = dying(patch, step)
            trust(machine, WIDER)
        if finish:
            assert machine.journal().finished == (not died() or step == 1)
            trust(machine, WIDER)
            assert machine.pending([*added(earlier, WIDER)]) == []
        assert undo(machine).left == []
        assert everything(root) == before
        if not died():
            break
    assert step > 5


def test_an_interrupted_undoing_can_be_finished(tmp_path: Path) -> None:
    for step in count(1):
        root = make_root(tmp_path / str(step))
        theirs = root / CA[1:]
        theirs.parent.mkdir(parents=True)
        theirs.write_bytes(b"theirs")
        before, machine = everything(root), Machine(root)
        trust(machine, FIRST)
        with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
            died = dying(patch, step)
            machine.undo()
        undo(machine)
        assert everything(root) == before
        if not died():
            break
    assert step > 2


def test_what_stands_in_the_way_is_named_and_nothing_is_changed(machine: Machine, root: Path) -> None:
    in_the_way = root / "etc/containerd/certs.d" / AWS / "hosts.toml"
    in_the_way.mkdir(parents=True)
    before = everything(root)

    with pytest.raises(IsADirectoryError) as failure:
        trust(machine, FIRST)

    assert failure.value.filename == str(in_the_way)
    machine.forget()
    assert everything(root) == before


def test_undoing_where_nothing_was_done_does_nothing(machine: Machine, root: Path) -> None:
    before = everything(root)

    assert undo(machine) == Undone([], [])
    assert everything(root) == before


def test_the_journal_is_for_its_owner_only_and_not_in_any_data_folder(machine: Machine, root: Path) -> None:
    trust(machine, FIRST)

    assert stat.S_IMODE((root / JOURNAL[1:]).stat().st_mode) == 0o600
    assert Path(JOURNAL).parent == Path("/var/lib")


@pytest.mark.slow
def test_a_journal_that_another_user_wrote_is_not_believed(machine: Machine, root: Path) -> None:
    assert os.geteuid() == 0, "only root can give files away: run the tests as root"
    trust(machine, FIRST)
    before = everything(root)
    os.chown(root / JOURNAL[1:], NOBODY, NOBODY)

    with pytest.raises(ValueError, match="belongs to another user"):
        machine.undo()

    os.chown(root / JOURNAL[1:], 0, 0)
    assert everything(root) == before


def test_a_journal_that_names_another_file_is_not_followed(machine: Machine, root: Path) -> None:
    trust(machine, FIRST)
    (root / "etc/shadow").write_bytes(b"untouched")
    journal = json.loads((root / JOURNAL[1:]).read_text())
    journal["files"]["/etc/shadow"] = {"before": "", "ours": []}
    (root / JOURNAL[1:]).write_text(json.dumps(journal))

    with pytest.raises(ValueError, match="no file that Moorage changes"):
        machine.undo()

    assert (root / "etc/shadow").read_bytes() == b"untouched"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": 1}', '{"files": {"/etc/hosts": {}}}'])
def test_a_journal_that_is_broken_is_named(machine: Machine, root: Path, text: str) -> None:
    (root / JOURNAL[1:]).write_text(text)

    with pytest.raises(ValueError, match=r"moorage-trust\.json cannot be understood"):
        machine.journal()
