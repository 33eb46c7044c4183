"""A server behind a proxy: what the proxy says of its clients, where it is trusted and where it is not."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.people import admin, client, login_password, make_person, refused
from tests.clients.registry import Registry, Reply
from tests.engines.server import Server
from tests.server.serving import APP, eventually, lines_of, make_repository, outside

pytestmark = pytest.mark.slow

FORWARDED = {"X_Forwarded_For": "192.0.2.1, 203.0.113.9", "X_Forwarded_Proto": "https"}


@pytest.fixture
def behind(start_server: Callable[..., Server]) -> Server:
    """A server that trusts the proxy which these tests are."""
    return start_server("--log-requests", "all", "--trust-proxy", "10.1.0.0/16, 127.0.0.1")


def realm(reply: Reply) -> str:
    return reply.headers["www-authenticate"].split('"')[1]


def logged(server: Server, reply: Reply) -> list[str]:
    """Return the clients that the log names for a reply."""

    def read() -> list[str]:
        return [line.split()[3] for line in lines_of(server, reply)]

    eventually(lambda: len(read()), 1)
    return read()


# Reads at both doors, from one network and by TLS alone; a token from anywhere.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "ecr:*",
            "Resource": "*",
            "Condition": {
                "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
                "Bool": {"aws:SecureTransport": "true"},
            },
        },
    ],
}


def test_a_trusted_proxy_is_believed_in_the_log_and_the_challenge(behind: Server) -> None:
    reply = outside(behind).send("GET", "/v2/", b"", **FORWARDED)

    assert realm(reply) == f"https://127.0.0.1:{behind.port}/"
    assert logged(behind, reply) == ["203.0.113.9"]


def test_a_proxy_that_says_nothing_is_the_client(behind: Server) -> None:
    reply = outside(behind).send("GET", "/v2/")

    assert realm(reply) == f"http://127.0.0.1:{behind.port}/"
    assert logged(behind, reply) == ["127.0.0.1"]


@pytest.mark.parametrize("trusted", [(), ("--trust-proxy", "10.1.0.0/16,::1")])
def test_nobody_else_is_believed(trusted: tuple[str, ...], start_server: Callable[..., Server]) -> None:
    server = start_server("--log-requests", "all", *trusted)

    reply = outside(server).send("GET", "/v2/", b"", **FORWARDED)

    assert realm(reply) == f"http://127.0.0.1:{server.port}/"
    assert logged(server, reply) == ["127.0.0.1"]


def test_policies_see_the_client_at_both_doors(behind: Server) -> None:
    make_repository(behind)
    with client(behind, "iam", admin(behind)) as iam:
        person = make_person(iam, None)
        iam.put_user_policy(UserName=person.name, PolicyName="near", PolicyDocument=json.dumps(POLICY))
    with client(behind, "ecr", person) as ecr:
        registry = Registry(behind.port, login_password(ecr))
        assert refused(ecr.describe_registry)[0] == "AccessDeniedException"

        ecr.meta.events.register("before-send.ecr", forwarded)
        assert ecr.describe_registry()["registryId"] == "123456789012"

    assert registry.send("GET", f"/v2/{APP}/tags/list").status == 403
    assert registry.send("GET", f"/v2/{APP}/tags/list", b"", **FORWARDED).status == 200
    for other in ({"X_Forwarded_For": "203.0.113.9, 192.0.2.1"}, {"X_Forwarded_Proto": "https, http"}):
        assert registry.send("GET", f"/v2/{APP}/tags/list", b"", **(FORWARDED | other)).status == 403


@pytest.mark.parametrize(
    ("trusted", "status"), [("127.0.0.1", 200), ("10.1.0.0/16", 403), (None, 403)], ids=["trusted", "another", "none"]
)
def test_a_repositorys_policy_decides_by_a_forwarded_address_only_where_the_proxy_is_trusted(
    trusted: str | None, status: int, start_server: Callable[..., Server]
) -> None:
    """A proxy in front of many clients: what one of them says of itself is not what the proxy says of it."""
    server = start_server(*(("--trust-proxy", trusted) if trusted else ()))
    make_repository(server)
    near = {"IpAddress": {"aws:SourceIp": "203.0.113.9/32"}}
    with client(server, "iam", admin(server)) as iam, client(server, "ecr", admin(server)) as ecr:
        person = make_person(iam, None)
        own = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
        iam.put_user_policy(UserName=person.name, PolicyName="login", PolicyDocument=_document(own))
        shared = {"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "ecr:ListImages", "Condition": near}
        ecr.set_repository_policy(repositoryName=APP, policyText=_document(shared))
    with client(server, "ecr", person) as theirs:
        registry = Registry(server.port, login_password(theirs))
        theirs.meta.events.register("before-send.ecr", forwarded)

        if status == 200:
            assert theirs.list_images(repositoryName=APP)["imageIds"] == []
        else:
            assert refused(lambda: theirs.list_images(repositoryName=APP))[0] == "AccessDeniedException"
    path = f"/v2/{APP}/tags/list"
    assert registry.send("GET", path, b"", **FORWARDED).status == status
    # Without a word of the proxy it is the proxy who asks; what its client put in front of its word counts for nothing.
    assert registry.send("GET", path).status == 403
    lied = {"X_Forwarded_For": "203.0.113.9, 192.0.2.1"}
    assert registry.send("GET", path, b"", **lied).status == 403


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def forwarded(request: Any, **_: object) -> None:
    """Add the proxy's headers to a request that is signed already."""
    for name, value in FORWARDED.items():
        request.headers[name.replace("_", "-")] = value
