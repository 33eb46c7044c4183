import json
from contextlib import suppress
from pathlib import Path

import pytest

from moorage.adapters.files import replace_file
from moorage.adapters.machine import Machine, Undone
from moorage.core.trust import Change, planned

NAMES = ["180789647333.dkr.ecr.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com"]
BEFORE = "127.0.0.1 localhost\n# mine"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("etc/docker", "etc/containerd", "usr/local/share/ca-certificates"):
        (root / folder).mkdir(parents=True)
    (root / "etc/hosts").write_text(BEFORE)
    return root


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "trust.json", root)


def changes(machine: Machine, authority: bytes = b"authority", names: list[str] = NAMES) -> list[Change]:
    return planned(
        authority=authority,
        names=names,
        address="127.0.0.1",
        port=443,
        hosts=machine.hosts(),
        engines=machine.engines(),
        store=machine.store(),
    )


def everything(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


def test_what_is_made_is_what_was_planned_and_is_taken_back_byte_for_byte(machine: Machine, root: Path) -> None:
    before = everything(root)
    wanted = changes(machine)

    machine.apply(wanted, [])

    assert {change.path: change.content for change in wanted} == {
        f"/{path}": content for path, content in everything(root).items() if content is not None
    }
    assert machine.pending(changes(machine)) == []
    undone = machine.undo()
    assert everything(root) == before
    assert (sorted(undone.restored), undone.left) == (sorted(change.path for change in wanted), [])


def test_only_registries_get_the_folders_of_the_engines(machine: Machine) -> None:
    paths = [change.path for change in changes(machine)]

    assert f"/etc/docker/certs.d/{NAMES[0]}/ca.crt" in paths
    assert f"/etc/containerd/certs.d/{NAMES[0]}/hosts.toml" in paths
    assert not [path for path in paths if NAMES[1] in path]


def test_what_others_have_changed_meanwhile_is_kept(machine: Machine, root: Path) -> None:
    machine.apply(changes(machine), [])
    hosts, theirs = root / "etc/hosts", root / f"etc/docker/certs.d/{NAMES[0]}/ca.crt"
    hosts.write_text("10.0.0.9 new\n" + hosts.read_text() + "10.0.0.8 later\n")
    theirs.write_bytes(b"another authority")
    (root / "etc/docker/certs.d/other").mkdir()

    undone = machine.undo()

    assert hosts.read_text() == f"10.0.0.9 new\n{BEFORE}\n10.0.0.8 later\n"
    assert theirs.read_bytes() == b"another authority"
    assert undone.left == [f"/etc/docker/certs.d/{NAMES[0]}/ca.crt"]
    assert (root / "etc/docker/certs.d/other").is_dir()


def test_trusting_again_and_again_is_taken_back_to_the_beginning(machine: Machine, root: Path) -> None:
    before = everything(root)
    machine.apply(changes(machine), [])
    machine.apply(changes(machine, b"wider", [*NAMES, "180789647333.dkr.ecr.eu-west-1.amazonaws.com"]), [])

    machine.undo()

    assert everything(root) == before


def test_a_file_that_was_there_before_comes_back(machine: Machine, root: Path) -> None:
    old = root / f"etc/docker/certs.d/{NAMES[0]}/ca.crt"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old authority")
    before = everything(root)

    machine.apply(changes(machine), [])
    assert old.read_bytes() == b"authority"
    machine.undo()

    assert everything(root) == before


@pytest.mark.parametrize("step", range(1, 14))
def test_an_interrupted_change_is_taken_back_and_can_be_made_again(
    machine: Machine, root: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, wanted = everything(root), changes(machine)
    calls = iter(range(1, 1000))

    def dying(path: Path, content: bytes, mode: int) -> None:
        if next(calls) == step:
            raise KeyboardInterrupt
        replace_file(path, content, mode)

    monkeypatch.setattr("moorage.adapters.machine.replace_file", dying)
    with suppress(KeyboardInterrupt):
        machine.apply(wanted, [])
    monkeypatch.undo()

    machine.apply(machine.pending(changes(machine)), [])
    assert machine.pending(wanted) == []
    machine.undo()
    assert everything(root) == before


def test_undoing_where_nothing_was_done_does_nothing(machine: Machine, root: Path) -> None:
    before = everything(root)

    assert machine.undo() == Undone([], [])
    assert everything(root) == before


def test_the_journal_is_forgotten_when_all_is_undone(machine: Machine, tmp_path: Path) -> None:
    machine.apply(changes(machine), [["true"]])
    assert json.loads((tmp_path / "trust.json").read_text())["commands"] == [["true"]]

    machine.undo()

    assert not (tmp_path / "trust.json").exists()


def test_without_an_address_the_hosts_file_is_left_alone() -> None:
    made = planned(
        authority=b"a", names=["r.example"], address=None, port=8443, hosts="", engines=["/etc/docker"], store=None
    )

    assert [change.path for change in made] == ["/etc/docker/certs.d/r.example:8443/ca.crt"]
