"""What the log says of each request, and what it must never hold."""

import base64
import json
import re
import sqlite3
import urllib.request
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients.people import Person, admin, client, make_person, refused
from tests.clients.registry import Registry, Reply
from tests.engines.clients import aws
from tests.engines.server import Server
from tests.hostile.wire import Wire, head
from tests.server.serving import APP, TRACEBACK, eventually, lines_of, make_repository, outside, sign_in

pytestmark = pytest.mark.slow

every_form = pytest.mark.parametrize("form", ["plain", "json"])
ACCESS = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO moorage\.access 127\.0\.0\.1 (?P<what>.*) \d+\.\d+ms "
    r"in=\d+ out=(?P<sent>\d+) id=[0-9a-f-]{36}"
)


def line_of(server: Server, reply: Reply) -> str:
    """Return the one line of the log about a reply."""
    assert eventually(lambda: len(lines_of(server, reply)), 1) == 1
    return lines_of(server, reply)[0]


# --- the form of a line -------------------------------------------------------------------------------------------------


def test_the_id_of_an_answer_is_in_its_line_of_the_plain_log(own_server: Server) -> None:
    make_repository(own_server)
    registry = sign_in(own_server)

    for reply, what in [
        (registry.send("POST", f"/v2/{APP}/blobs/uploads/"), f"POST /v2/{APP}/blobs/uploads/ 202"),
        (registry.send("GET", f"/v2/{APP}/manifests/none"), f"GET /v2/{APP}/manifests/none 404"),
        (outside(own_server).send("GET", "/nothing?secret=x"), "GET /nothing 404"),
        (outside(own_server).send("POST", "/", b"{}"), "POST / 403"),
    ]:
        parsed = ACCESS.fullmatch(line_of(own_server, reply))
        assert parsed, line_of(own_server, reply)
        assert parsed["what"] == what
        assert int(parsed["sent"]) == len(reply.body)


def test_every_line_of_the_json_log_parses_and_names_its_request(start_server: Callable[..., Server]) -> None:
    server = start_server("--log-format", "json")
    make_repository(server)
    reply = sign_in(server).send("POST", f"/v2/{APP}/blobs/uploads/")

    line = json.loads(line_of(server, reply))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert re.fullmatch(rf"127\.0\.0\.1 POST /v2/{APP}/blobs/uploads/ 202 \d+\.\d+ms in=0 out=0", line.pop("message"))
    assert line == {
        "level": "INFO",
        "logger": "moorage.access",
        "request_id": reply.headers["x-amzn-requestid"],
        "operation": "POST uploads",
    }
    server.stop()
    # The first three lines are for the terminal, before anything is served.
    lines = server.log.read_text().splitlines()[3:]
    assert [set(json.loads(each)) & {"time", "level", "logger", "message"} for each in lines] == [
        {"time", "level", "logger", "message"}
    ] * len(lines)


@every_form
def test_no_request_can_forge_a_line(form: str, start_server: Callable[..., Server]) -> None:
    server = start_server("--log-format", form)
    with Wire(server.port) as wire:
        wire.send(head("GET", b"/%0aforged\xc2\x85forged\xe2\x80\xa8forged", {"host": "\x85forged"}))
        answer = wire.final("GET")

    assert answer is not None
    line = line_of(server, Reply(answer.status, answer.headers, answer.body))
    assert "/%0aforged" in line
    assert [each for each in server.log.read_text().splitlines() if each.startswith("forged")] == []


# --- which requests get one ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("all", {"read": 1, "refused read": 1, "change": 1, "refused change": 1, "aws read": 1, "aws change": 1}),
        ("changes", {"read": 0, "refused read": 1, "change": 1, "refused change": 1, "aws read": 0, "aws change": 1}),
        ("none", {"read": 0, "refused read": 0, "change": 0, "refused change": 0, "aws read": 0, "aws change": 0}),
    ],
)
def test_the_setting_says_which_requests_get_a_line(
    setting: str, expected: dict[str, int], start_server: Callable[..., Server]
) -> None:
    server = start_server("--log-requests", setting)
    with client(server, "ecr", admin(server)) as ecr:
        change = as_reply(ecr.create_repository(repositoryName=APP))
        read = as_reply(ecr.describe_repositories())
    registry = sign_in(server)
    registry.push(APP, "v1")
    replies = {
        "read": registry.must(200, "GET", f"/v2/{APP}/manifests/v1"),
        "refused read": registry.must(404, "GET", f"/v2/{APP}/manifests/v2"),
        "change": registry.must(202, "POST", f"/v2/{APP}/blobs/uploads/"),
        "refused change": registry.must(404, "POST", "/v2/none/blobs/uploads/"),
        "aws read": read,
        "aws change": change,
    }

    def seen() -> dict[str, int]:
        return {name: len(lines_of(server, reply)) for name, reply in replies.items()}

    assert eventually(seen, expected) == expected


def as_reply(answer: dict[str, Any]) -> Reply:
    metadata = answer["ResponseMetadata"]
    return Reply(metadata["HTTPStatusCode"], metadata["HTTPHeaders"], b"")


# --- what it never holds ------------------------------------------------------------------------------------------------


class Secrets:
    """What was secret in the requests and answers of a test."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def add(self, *texts: str) -> None:
        self.known.update(texts)

    def add_person(self, person: Person) -> None:
        self.add(person.secret)

    def add_password(self, password: str) -> None:
        """Add a password and what becomes of it in a header."""
        self.add(password, base64.b64encode(f"AWS:{password}".encode()).decode())

    def in_log(self, server: Server) -> set[str]:
        log = server.log.read_text()
        return {text for text in self.known if text in log}


def with_signatures(api: Any, secrets: Secrets) -> Any:
    """Return the client; the headers with which it signs are secrets from now on."""

    def note(request: Any, **_: Any) -> None:
        header = request.headers["Authorization"]
        secrets.add(header if isinstance(header, str) else header.decode())
        secrets.add(re.findall(r"Signature=([0-9a-f]{64})", str(header))[0])

    api.meta.events.register("before-send.*", note)
    return api


def use(server: Server, secrets: Secrets) -> None:
    """Push, pull, download a layer by its URL, make keys."""
    root = admin(server)
    secrets.add_person(root)
    registry = sign_in(server)
    secrets.add_password(registry.password or "")
    registry.push(APP, "v1")
    registry.must(200, "GET", f"/v2/{APP}/manifests/v1")
    layer = registry.push_blob(APP, b"layer of image")
    with client(server, "ecr", root) as made:
        ecr = with_signatures(made, secrets)
        url = ecr.get_download_url_for_layer(repositoryName=APP, layerDigest=layer)["downloadUrl"]
    secrets.add(urlsplit(url).query, *(pair.split("=")[1] for pair in urlsplit(url).query.split("&")))
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"layer of image"
    with client(server, "iam", root) as made:
        iam = with_signatures(made, secrets)
        secrets.add_person(make_person(iam, None))
        iam.create_user(UserName="ann")
        secrets.add(iam.create_access_key(UserName="ann")["AccessKey"]["SecretAccessKey"])
    secrets.add(
        json.loads(aws(server, "iam", "create-access-key", "--user-name", "ann").stdout)["AccessKey"]["SecretAccessKey"]
    )
    secrets.add_password(aws(server, "ecr", "get-login-password").stdout.strip())


def fail(server: Server, secrets: Secrets) -> None:
    """Be refused in as many ways as there are secrets."""
    root = admin(server)
    secret = "open-sesame/0123456789"
    secrets.add(secret)
    secrets.add_password(secret)
    Registry(server.port, secret).must(401, "GET", "/v2/")
    good = sign_in(server).password or ""
    secrets.add_password(good)
    Registry(server.port, good[:-4] + "AAAA").must(401, "GET", "/v2/")
    secrets.add(good[:-4])
    stranger = outside(server)
    for header in (f"Bearer {secret}", f"Basic {secret}", secret, f"AWS4-HMAC-SHA256 Credential={secret}"):
        stranger.send("GET", "/v2/", Authorization=header)
        stranger.send("POST", "/", b"{}", Authorization=header, X_Amz_Security_Token=secret)
    Registry(server.port, good).must(404, "GET", f"/v2/{APP}/manifests/none?token={secret}", Cookie=secret)
    stranger.send("GET", f"/?X-Amz-Signature={secret}&X-Amz-Security-Token={secret}")
    stranger.send("POST", f"/?Action=GetCallerIdentity&X-Amz-Signature={secret}")
    stranger.must(
        403, "GET", f"/moorage/layers/123456789012/us-east-1/sha256:{'0' * 64}/x?expires=1&signature={secret}"
    )
    with client(server, "iam", Person("admin", "", root.key_id, secret)) as made:
        refused(lambda: with_signatures(made, secrets).list_users())
    with client(server, "iam", root) as made:
        refused(lambda: made.create_user(UserName="ann", PermissionsBoundary=secret))
        refused(lambda: made.put_user_policy(UserName="ann", PolicyName="x", PolicyDocument=secret))


@every_form
def test_the_log_holds_no_secret_of_what_was_done_or_refused(form: str, start_server: Callable[..., Server]) -> None:
    server = start_server("--log-format", form, "--log-requests", "all")
    make_repository(server)
    secrets = Secrets()

    use(server, secrets)
    fail(server, secrets)
    server.stop()

    log = server.log.read_text()
    assert TRACEBACK not in log
    assert log.count("/manifests/v1") == 2
    assert len(secrets.known) > 20
    assert secrets.in_log(server) == set()
    assert re.findall(r"(?i)signature|authorization:|credential=|expires=|\?", log) == []


@every_form
def test_the_trace_of_a_defect_holds_no_secret_either(form: str, start_server: Callable[..., Server]) -> None:
    server = start_server("--log-format", form)
    with client(server, "iam", admin(server)) as iam:
        iam.create_user(UserName="ann")
        known = {iam.create_access_key(UserName="ann")["AccessKey"]["SecretAccessKey"], admin(server).secret}
        with closing(sqlite3.connect(server.data / "moorage.db")) as database, database:
            database.execute(
                "CREATE TRIGGER broken BEFORE INSERT ON access_keys BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
        code, _ = refused(lambda: iam.create_access_key(UserName="ann"))

    log = server.log.read_text()
    assert code in {"ServiceFailure", "InternalFailure"}
    assert TRACEBACK in log
    assert "broken" in log
    assert [secret for secret in known if secret in log] == []
    # What would have been the new key's secret has forty letters, as all of them have.
    assert re.findall(r"['\"\s(]([A-Za-z0-9+/]{40})['\"\s,)]", log) == []
