"""``moorage audit`` and ``moorage access``, on a store without a server."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moorage.adapters.audit_log import AuditFiles, AuditLog
from moorage.adapters.sql.database import SqlDatabase
from moorage.cli.audit import Indexer
from moorage.cli.main import main
from moorage.config import Settings, gather, read_settings
from moorage.core.audit import Failure, Wanted, record
from moorage.core.calls import Call, Caller
from moorage.core.usage import Used
from tests.contracts.rows import HERE
from tests.engines.programs import wait_until

ANN = "arn:aws:iam::111122223333:user/ops/ann"
APP = HERE.repository_arn("team/app")
NOW = datetime.now(UTC).replace(microsecond=0)
CALL = Call(
    caller=Caller(ANN, HERE.account, "AIDAANN", "ann", "AKIAANN"),
    registry=HERE,
    at=NOW,
    request_id="request-1",
    context={"aws:sourceip": "192.0.2.7"},
)
DENIED = Failure("AccessDeniedException", "User is not authorized")


def moorage(command: str, data: Path, *options: str) -> Result:
    return CliRunner().invoke(main, [command, "--data", str(data), *options])


def write(
    data: Path, name: str, failure: Failure | None = None, *, ago: timedelta = timedelta(), days: int = 0
) -> None:
    log = AuditLog(data / "audit", clock=(NOW - timedelta(days=days)).timestamp)
    call = replace(CALL, at=NOW - ago - timedelta(days=days))
    log.append(record(call, "ecr", name, {"repositoryName": "team/app"}, failure, "event"))
    log.close()


WHO = ":".join(ANN.split(":")[4:])


@contextmanager
def rows(data: Path) -> Iterator[SqlDatabase]:
    database = SqlDatabase(f"sqlite:///{data / 'moorage.db'}", connections=2)
    yield database
    database.close()


# --- audit --------------------------------------------------------------------------------------------------------------


def test_the_newest_comes_first_and_a_line_says_who_did_what_from_where(store: Path) -> None:
    write(store, "PutImage")
    write(store, "DeleteRepository", DENIED)

    assert moorage("audit", store).output.splitlines() == [
        f"{NOW:%F %T}Z  AccessDeniedException  {WHO}  DeleteRepository  repository/team/app  from 192.0.2.7  request-1",
        f"{NOW:%F %T}Z  ok  {WHO}  PutImage  repository/team/app  from 192.0.2.7  request-1",
    ]


def test_no_terminal_is_told_what_to_do(store: Path) -> None:
    log = AuditLog(store / "audit")
    arn = "arn:aws:ecr:us-east-1:1:\x1b[2Jx\u202ey\n"
    log.append(record(CALL, "ecr", "TagResource", {"resourceArn": arn}, DENIED, "event"))
    log.close()

    assert "  TagResource  ?[2Jx?y?  from " in moorage("audit", store).output


def names(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [json.loads(line)["eventName"] for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), ["C", "B", "A"]),
        (("--denied",), ["B"]),
        (("--action", "C"), ["C"]),
        (("--since", "2h"), ["C", "B"]),
        (("--principal", ANN, "--account", "111122223333", "--request", "request-1"), ["C", "B", "A"]),
        (("--account", "444455556666"), []),
        (("--request", "request-2"), []),
        (("--limit", "2"), ["C", "B"]),
    ],
)
def test_programs_get_cloudtrails_records_of_what_they_ask_for(
    store: Path, options: tuple[str, ...], found: list[str]
) -> None:
    write(store, "A", ago=timedelta(hours=3))
    write(store, "B", DENIED)
    write(store, "C")

    assert names(moorage("audit", store, "--json", *options)) == found


def test_the_next_page_begins_where_the_last_one_said(store: Path) -> None:
    for number in range(5):
        write(store, f"N{number}")
    first = moorage("audit", store, "--json", "--limit", "2")
    before = first.stderr.split()[-1]
    rest = moorage("audit", store, "--json", "--before", before)

    assert first.stderr == f"There are more: --before {before}\n"
    assert (names(first), names(rest)) == (["N4", "N3"], ["N2", "N1", "N0"])
    assert rest.stderr == ""


def test_nobody_but_the_owner_reads_the_log(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: store.stat().st_uid + 1)

    for command, *options in (("audit",), ("access", "--principal", ANN)):
        refused = moorage(command, store, *options)
        assert refused.exit_code == 1
        assert "belongs to the user" in refused.output


@pytest.mark.parametrize("command", [("audit",), ("access", "--principal", ANN)])
def test_a_folder_without_a_store_is_left_alone(command: tuple[str, ...], tmp_path: Path) -> None:
    refused = moorage(command[0], tmp_path, *command[1:])

    assert refused.exit_code == 1
    assert "has no store" in refused.output
    assert list(tmp_path.iterdir()) == []


# --- beside a server ----------------------------------------------------------------------------------------------------


def settings(data: Path) -> Settings:
    return read_settings(gather({"data": str(data)}, {}, None), data)


def found(data: Path) -> list[str]:
    with rows(data) as database, database.read() as tx:
        return [entry.name for _, entry in tx.audit.page(Wanted(), None, 100)]


@pytest.mark.slow
def test_the_log_is_followed_and_what_is_old_goes(store: Path) -> None:
    write(store, "Old", days=91)
    write(store, "Young", days=89)
    indexer = Indexer(settings(store))
    indexer.start()
    try:
        assert wait_until(lambda: found(store) == ["Young"], seconds=10)
        # Rows go first.
        assert wait_until(lambda: len(AuditFiles(store / "audit").sizes()) == 1, seconds=10)
        write(store, "New")
        assert wait_until(lambda: found(store) == ["New", "Young"], seconds=10)
        write(store, "Last")
    finally:
        indexer.stop()

    assert found(store) == ["Last", "New", "Young"]


@pytest.mark.slow
def test_a_log_that_cannot_be_followed_is_followed_again_later(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage.cli.audit.AGAIN", 0.1)
    (store / "blobs").rename(store / "away")
    write(store, "A")
    indexer = Indexer(settings(store))
    indexer.start()
    try:
        assert not wait_until(lambda: found(store) == ["A"], seconds=1)
        (store / "away").rename(store / "blobs")
        assert wait_until(lambda: found(store) == ["A"], seconds=10)
    finally:
        indexer.stop()


@pytest.mark.parametrize(
    ("text", "accepted"), [("1d", True), ("48h", True), ("23h", False), ("0s", False), ("x", False)]
)
def test_the_log_is_kept_a_day_at_least(store: Path, text: str, accepted: bool) -> None:  # noqa: FBT001 - a table's column
    result = moorage("config", store, "--audit-keep", text)

    assert (result.exit_code == 0) is accepted


# --- access -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def used(store: Path) -> Path:
    """A store in which somebody has pushed, tried to delete, and long ago pulled."""
    with rows(store) as database, database.write() as tx:
        for action, resource, allowed, denied in (
            ("ecr:GetAuthorizationToken", "*", NOW, None),
            ("ecr:PutImage", APP, NOW, None),
            ("ecr:DeleteRepository", APP, None, NOW),
            ("ecr:BatchGetImage", APP, NOW - timedelta(days=91), None),
        ):
            one = Used(principal=ANN, resource=resource, action=action, allowed_at=allowed, denied_at=denied)
            tx.usage.note([one])
    return store


def test_what_a_principal_used_is_shown_with_its_last_times(used: Path) -> None:
    lines = [line.split() for line in moorage("access", used, "--principal", ANN).output.splitlines()]
    at = [f"{NOW:%F}", f"{NOW:%T}Z"]

    assert lines == [
        ["ACTION", "RESOURCE", "LAST", "ALLOWED", "LAST", "DENIED"],
        ["ecr:GetAuthorizationToken", "*", *at, "-"],
        ["ecr:DeleteRepository", APP, "-", *at],
        ["ecr:PutImage", APP, *at, "-"],
    ]


def test_programs_get_what_was_used_and_how_far_back_is_an_option(used: Path) -> None:
    found = moorage("access", used, "--principal", ANN, "--days", "100", "--json").output.splitlines()

    assert [json.loads(line)["action"] for line in found] == [
        "ecr:GetAuthorizationToken",
        "ecr:BatchGetImage",
        "ecr:DeleteRepository",
        "ecr:PutImage",
    ]
    assert json.loads(found[-1]) == {
        "principal": ANN,
        "action": "ecr:PutImage",
        "resource": APP,
        "lastAllowed": NOW.isoformat(),
        "lastDenied": None,
    }


def test_the_least_policy_is_proposed(used: Path) -> None:
    proposed = json.loads(moorage("access", used, "--principal", ANN, "--propose").stdout)

    assert [(one["Action"], one["Resource"]) for one in proposed["Statement"]] == [
        (["ecr:GetAuthorizationToken"], ["*"]),
        (["ecr:PutImage"], [APP]),
    ]


def test_where_nothing_was_allowed_nothing_is_proposed(store: Path) -> None:
    refused = moorage("access", store, "--principal", ANN, "--propose")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"Nothing was allowed to {ANN} in 90 days" in refused.stderr


def test_a_policy_that_iam_would_find_too_long_is_told_of(store: Path) -> None:
    with rows(store) as database, database.write() as tx:
        tx.usage.note(
            [
                Used(principal=ANN, resource=f"{APP}-{number}", action="ecr:PutImage", allowed_at=NOW, denied_at=None)
                for number in range(100)
            ]
        )

    assert "may have 2048 together" in moorage("access", store, "--principal", ANN, "--propose").stderr
