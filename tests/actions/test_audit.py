"""The lines of the audit log become rows, each once; which access was used is noted at each decision."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from moorage.actions.audit import PIECE, AuditTrail
from moorage.actions.usage import MOST_NOTES, Usage, UsageNotes
from moorage.adapters.audit_log import DAY, AuditFiles, AuditLog
from moorage.adapters.sql.database import SqlDatabase
from moorage.core.audit import Wanted, record
from moorage.core.calls import Call
from moorage.core.errors import AccessDenied
from moorage.core.names import RepositoryName
from moorage.core.usage import Used, least_policy
from tests.actions.desk import Desk
from tests.contracts.rows import AT, HERE

APP = HERE.repository_arn("team/app")


class Log:
    """The log and its rows."""

    def __init__(self, folder: Path, database: SqlDatabase, call: Call) -> None:
        self.folder = folder
        self.now = AT
        self.log = AuditLog(folder, most=20_000, clock=self._seconds)
        self.files = AuditFiles(folder)
        self.trail = AuditTrail(database, self.files)
        self.database = database
        self._call = call

    def _seconds(self) -> float:
        return self.now.timestamp()

    def line(self, name: str) -> bytes:
        return record(replace(self._call, at=self.now), "ecr", name, {"repositoryName": "team/app"}, None, name)

    def write(self, *names: str) -> None:
        for name in names:
            self.log.append(self.line(name))

    def rows(self, trail: AuditTrail | None = None) -> list[str]:
        return [entry.name for _, entry in (trail or self.trail).entries(Wanted(), None, 1000)]


@pytest.fixture
def log(desk: Desk, tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path / "audit", desk.database, desk.admin)
    yield made
    made.log.close()


def test_lines_become_rows_once(log: Log) -> None:
    log.trail.catch_up()
    log.write("A", "B")
    log.trail.catch_up()
    log.trail.catch_up()
    log.write("C")
    log.trail.catch_up()

    assert log.rows() == ["C", "B", "A"]


def test_another_reader_goes_on_where_the_first_one_ended(log: Log) -> None:
    log.write("A")
    log.trail.catch_up()
    log.write("B")
    AuditTrail(log.database, log.files).catch_up()
    log.write("C")
    log.trail.catch_up()

    assert log.rows() == ["C", "B", "A"]


def test_two_readers_at_once_add_each_line_once(log: Log) -> None:
    log.write("A", "B", "C")
    other = AuditTrail(log.database, log.files)

    class Slow(AuditFiles):
        """Files whose reader is overtaken."""

        def read(self, name: str, offset: int, most: int) -> bytes:
            content = super().read(name, offset, most)
            other.catch_up()
            return content

    AuditTrail(log.database, Slow(log.folder)).catch_up()

    assert log.rows() == ["C", "B", "A"]


def test_a_reader_that_ends_before_its_transaction_has_added_nothing(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write("A", "B")
    with monkeypatch.context() as patched:
        patched.setattr("moorage.adapters.sql.audit.SqlAuditRows.add", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            log.trail.catch_up()
    assert log.rows() == []
    log.trail.catch_up()

    assert log.rows() == ["B", "A"]


def test_a_line_that_has_no_end_yet_is_waited_for_and_a_torn_one_is_left_out(log: Log) -> None:
    log.write("A")
    [file] = log.folder.iterdir()
    torn = log.line("Torn")
    with file.open("ab") as writer:
        writer.write(torn[:100])
    log.trail.catch_up()
    assert log.rows() == ["A"]
    log.write("B")
    with file.open("ab") as writer:
        writer.write(b"rubbish\n\n")
    log.trail.catch_up()

    assert log.rows() == ["B", "A"]


def test_very_many_lines_are_added_in_pieces(log: Log) -> None:
    lines = log.line("A") * (2 * PIECE // len(log.line("A")) + 10)
    log.write("B")
    [file] = log.folder.iterdir()
    file.write_bytes(lines)
    log.trail.catch_up()

    assert len(log.rows()) == lines.count(b"\n")
    assert [name for _, name in zip(range(3), log.rows(), strict=False)] == ["A"] * 3


def test_a_file_that_was_made_anew_is_read_from_its_beginning(log: Log) -> None:
    log.write("A", "B", "C")
    log.trail.catch_up()
    [file] = log.folder.iterdir()
    file.write_bytes(log.line("D"))
    log.trail.catch_up()

    assert log.rows() == ["D", "C", "B", "A"]


def test_what_is_old_goes_with_its_files(log: Log) -> None:
    log.write("A", *["B"] * 50)
    old = log.now.replace(microsecond=0)
    log.trail.catch_up()
    log.now += timedelta(seconds=DAY)
    log.write("C")
    log.trail.catch_up()
    log.trail.forget(old)
    assert len(log.rows()) == 52
    log.trail.forget(old + timedelta(hours=20))

    assert log.rows() == ["C"]
    assert {log.files.day(name) for name in log.files.sizes()} == {date(2026, 3, 5)}
    with log.database.read() as tx:
        assert set(tx.audit.offsets()) == set(log.files.sizes())


# --- which access was used ----------------------------------------------------------------------------------------------


@pytest.fixture
def notes(desk: Desk) -> UsageNotes:
    made = UsageNotes()
    desk.guard._note = made.note  # noqa: SLF001 - the desk's guard was made without one
    return made


def test_every_decision_is_noted_allowed_or_not(desk: Desk, notes: UsageNotes) -> None:
    name = desk.repository("team/app")
    desk.push(name, "one", "v1")
    reader = desk.someone("ecr:BatchGetImage")
    notes.take()
    desk.images.pull(reader, name, desk.push(name, "one", "v1").digest)
    with pytest.raises(AccessDenied):
        desk.repositories.delete(reader, name, force=True)
    found = {(one.principal, one.action): one for one in notes.take()}

    pulled, deleted = (found[reader.caller.arn, action] for action in ("ecr:BatchGetImage", "ecr:DeleteRepository"))
    assert (pulled.resource, pulled.allowed_at, pulled.denied_at) == (APP, AT, None)
    assert (deleted.resource, deleted.allowed_at, deleted.denied_at) == (APP, None, AT)
    assert notes.take() == []


def test_a_pull_by_what_was_remembered_is_noted_as_well(desk: Desk, notes: UsageNotes) -> None:
    name = desk.repository("team/app")
    digest = desk.push(name, "one", "v1").digest
    desk.images.pull(desk.admin, name, digest)
    notes.take()

    assert desk.images.pull_at_once(desk.admin, name, digest)
    assert [one.action for one in notes.take()] == ["ecr:BatchGetImage"]


def test_what_was_noted_is_written_and_the_newest_stays(desk: Desk) -> None:
    notes, usage = UsageNotes(), Usage(desk.database)
    for seconds, allowed in ((1, True), (2, False), (3, True)):
        notes.note("ann", APP, "ecr:PutImage", AT + timedelta(seconds=seconds), allowed=allowed)
    usage.write(notes)
    notes.note("ann", APP, "ecr:PutImage", AT, allowed=False)
    usage.write(notes)
    usage.write(notes)

    later = [AT + timedelta(seconds=seconds) for seconds in (3, 2)]
    assert list(usage.of("ann")) == [
        Used(principal="ann", resource=APP, action="ecr:PutImage", allowed_at=later[0], denied_at=later[1])
    ]
    usage.forget(AT + timedelta(days=1))
    assert list(usage.of("ann")) == []


def test_whoever_tries_out_names_fills_only_what_is_theirs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage.actions.usage.MOST_ROWS", 600)
    notes, usage = UsageNotes(), Usage(desk.database)
    notes.note("ben", "used", "ecr:PutImage", AT, allowed=True)
    for number in range(MOST_NOTES + 100):
        notes.note("ben", f"name-{number}", "ecr:PutImage", AT, allowed=False)
    notes.note("ann", APP, "ecr:PutImage", AT, allowed=True)
    usage.write(notes)

    assert len(list(usage.of("ben"))) == 600
    assert [one.allowed_at for one in usage.of("ben") if one.resource == "used"] == [AT]
    assert len(list(usage.of("ann"))) == 1


def test_the_proposed_policy_lets_its_user_do_again_what_it_did_and_nothing_else(desk: Desk, notes: UsageNotes) -> None:
    name = desk.repository("team/app")
    builder = desk.someone("*")
    push(desk, builder, name)
    desk.tokens.issue(builder)
    desk.repositories.page(builder, "", 10)
    usage = Usage(desk.database)
    usage.write(notes)
    proposed = least_policy(usage.of(builder.caller.arn), AT)
    assert proposed
    desk.identities.put_inline(desk.admin, builder.caller.user_name, "some", proposed)

    push(desk, builder, name)
    desk.tokens.issue(builder)
    desk.repositories.page(builder, "", 10)
    with pytest.raises(AccessDenied):
        desk.repositories.delete(builder, name, force=True)
    with pytest.raises(AccessDenied):
        desk.uploads.start(builder, desk.repository("team/other"))


def push(desk: Desk, builder: Call, name: RepositoryName) -> None:
    session = desk.uploads.start_at_once(builder, name)
    session.write([b"layer"])
    desk.complete(session, b"layer", builder)
    desk.put(name, desk.parts(name, "one"), "v1", call=builder)
