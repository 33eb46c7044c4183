"""The audit log of a real server: who did what, whatever becomes of the server afterwards."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.clients.people import POWER_USER, READ_ONLY, admin, client, login_password, make_person, refused
from tests.clients.registry import Registry
from tests.engines.clients import aws
from tests.engines.programs import run, wait_until
from tests.engines.server import Server, moorage
from tests.hostile.wire import Wire, head
from tests.server.serving import APP, make_repository, outside, sign_in
from tests.server.test_logs import Secrets, fail, use

pytestmark = pytest.mark.slow


def lines(server: Server) -> list[dict[str, Any]]:
    """Return what the files hold at this moment."""
    return [
        json.loads(line)
        for file in sorted((server.data / "audit").iterdir())
        for line in file.read_bytes().splitlines()
    ]


def shown(server: Server, *options: str) -> list[dict[str, Any]]:
    """Return what ``moorage audit`` shows, the oldest first."""
    printed = run([moorage(), "audit", "--data", str(server.data), "--json", "--limit", "100000", *options]).stdout
    return [json.loads(line) for line in printed.splitlines()][::-1]


def test_a_push_is_told_as_ecr_tells_it_and_a_pull_is_not(own_server: Server) -> None:
    make_repository(own_server)
    registry = sign_in(own_server)
    registry.push(APP, "v1")
    registry.must(200, "GET", f"/v2/{APP}/manifests/v1")

    pushed = ["InitiateLayerUpload", "CompleteLayerUpload"] * 2
    assert [event["eventName"] for event in shown(own_server)] == [
        "CreateRepository",
        "GetAuthorizationToken",
        *pushed,
        "PutImage",
    ]
    assert shown(own_server) == lines(own_server)


def test_pulls_are_told_on_request(start_server: Callable[..., Server]) -> None:
    server = start_server("--audit-reads")
    make_repository(server)
    registry = sign_in(server)
    registry.push(APP, "v1")
    registry.must(200, "GET", f"/v2/{APP}/manifests/v1")

    assert [event["eventName"] for event in shown(server)][-2:] == ["PutImage", "BatchGetImage"]


def test_what_was_answered_is_in_the_log_when_the_server_is_killed_and_becomes_one_row(own_server: Server) -> None:
    make_repository(own_server)
    registry = sign_in(own_server)
    ids = []
    for number in range(5):
        ids.append(registry.must(202, "POST", f"/v2/{APP}/blobs/uploads/").headers["x-amzn-requestid"])
        own_server.kill()
        assert lines(own_server)[-1]["requestID"] == ids[-1]
        if number % 2:
            shown(own_server)
        own_server.start()
        registry = sign_in(own_server)

    counted = Counter(event["requestID"] for event in shown(own_server, "--action", "InitiateLayerUpload"))
    assert counted == dict.fromkeys(ids, 1)


def test_calls_of_several_processes_are_each_one_line_and_one_row(start_server: Callable[..., Server]) -> None:
    server = start_server("--workers", "2")
    make_repository(server)
    registry = sign_in(server)

    def ask(_: int) -> str:
        return registry.must(202, "POST", f"/v2/{APP}/blobs/uploads/").headers["x-amzn-requestid"]

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(ask, range(200)))
        # Beside the server, and beside the process of it that does the same.
        while_it_runs = shown(server)
    server.stop()

    assert {event["requestID"] for event in while_it_runs} >= set(ids)
    assert Counter(event["requestID"] for event in shown(server, "--action", "InitiateLayerUpload")) == dict.fromkeys(
        ids, 1
    )


def test_denials_of_known_callers_are_told_and_strangers_are_not(own_server: Server) -> None:
    make_repository(own_server)
    with client(own_server, "iam", admin(own_server)) as iam:
        reader = make_person(iam, READ_ONLY)
        with client(own_server, "ecr", reader) as ecr:
            theirs = Registry(own_server.port, login_password(ecr))
            refused(lambda: ecr.delete_repository(repositoryName=APP))
        theirs.must(403, "POST", f"/v2/{APP}/blobs/uploads/")
        iam.delete_access_key(UserName=reader.name, AccessKeyId=reader.key_id)
    theirs.must(403, "GET", f"/v2/{APP}/manifests/v1")
    before = len(lines(own_server))
    for _ in range(10):
        outside(own_server).send(
            "POST", "/", b"{}", X_Amz_Target="AmazonEC2ContainerRegistry_V20150921.CreateRepository"
        )
        Registry(own_server.port, "guessed").must(401, "PUT", f"/v2/{APP}/manifests/v1", b"{}")

    denied = [
        (event["eventName"], event["errorCode"]) for event in shown(own_server, "--denied", "--principal", reader.arn)
    ]
    assert denied == [
        ("DeleteRepository", "AccessDeniedException"),
        ("InitiateLayerUpload", "AccessDeniedException"),
        ("BatchGetImage", "UnrecognizedClientException"),
    ]
    assert len(lines(own_server)) == before


def test_no_secret_is_in_the_log_and_no_request_forges_a_line(start_server: Callable[..., Server]) -> None:
    server = start_server("--audit-reads")
    make_repository(server)
    secrets = Secrets()
    use(server, secrets)
    fail(server, secrets)
    agent = b"\x85forged\xe2\x80\xa8" + b"x" * 20_000
    authorization = sign_in(server).authorization()["Authorization"].encode()
    with Wire(server.port) as wire:
        told = {"host": "localhost", "user-agent": agent.decode("latin-1"), "authorization": authorization.decode()}
        wire.send(head("PUT", b"/v2/%e2%80%a8forged%00/manifests/v1", told))
        assert wire.final("PUT")
    aws(server, "ecr", "get-login-password")

    text = "".join(file.read_text(encoding="ascii") for file in (server.data / "audit").iterdir())
    events = lines(server)
    # A policy is no secret, nor is the ARN of a boundary; what stands in them here was meant to be seen nowhere else.
    meant = ("PutUserPolicy", "CreateUser")
    others = [json.dumps(event) for event in events if "errorCode" not in event or event["eventName"] not in meant]
    assert len(secrets.known) > 20
    assert [secret for secret in secrets.known if any(secret in each for each in others)] == []
    assert events[-2]["userAgent"].startswith("\x85forged")
    assert max(map(len, text.splitlines())) < 20_000
    assert len(text.splitlines()) == len(events) > 20


def test_a_log_that_cannot_be_written_is_counted_and_keeps_nobody_from_their_answer(own_server: Server) -> None:
    make_repository(own_server)
    log = own_server.data / "audit"
    for file in log.iterdir():
        file.unlink()
    log.rmdir()
    log.write_text("a file in its place")
    sign_in(own_server).must(202, "POST", f"/v2/{APP}/blobs/uploads/")

    assert b"moorage_audit_failures_total 2.0" in outside(own_server).must(200, "GET", "/metrics").body
    assert "InitiateLayerUpload could not be recorded" in own_server.log.read_text()


def test_which_access_was_used_is_known_after_a_stop_and_the_proposed_policy_is_enough(own_server: Server) -> None:
    make_repository(own_server)
    with client(own_server, "iam", admin(own_server)) as iam:
        builder = make_person(iam, POWER_USER)
    with client(own_server, "ecr", builder) as ecr:
        Registry(own_server.port, login_password(ecr)).push(APP, "v1")
    own_server.stop()
    data = str(own_server.data)
    proposed = run([moorage(), "access", "--data", data, "--principal", builder.arn, "--propose"]).stdout
    own_server.start()
    (own_server.data / "policy.json").write_text(proposed)
    named = ("--user-name", builder.name, "--policy-name", "least")
    aws(own_server, "iam", "put-user-policy", *named, "--policy-document", f"file://{own_server.data}/policy.json")
    with client(own_server, "iam", admin(own_server)) as iam:
        iam.detach_user_policy(UserName=builder.name, PolicyArn=POWER_USER)

    with client(own_server, "ecr", builder) as ecr:
        registry = Registry(own_server.port, login_password(ecr))
        registry.push(APP, "v2", "another")
        registry.must(403, "GET", f"/v2/{APP}/manifests/v2")
        assert refused(ecr.describe_repositories)[0] == "AccessDeniedException"


def test_the_log_is_a_row_within_seconds_without_being_asked(own_server: Server) -> None:
    from moorage.adapters.sql.database import SqlDatabase  # noqa: PLC0415 - only this test looks behind the commands

    make_repository(own_server)
    database = SqlDatabase(f"sqlite:///{own_server.data / 'moorage.db'}", connections=1)

    def is_there() -> bool:
        with database.read() as tx:
            return bool(tx.audit.offsets())

    assert wait_until(is_there, seconds=10)
    database.close()
