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


def forwarded(request: Any, **_: object) -> None:
    """Add the proxy's headers to a request that is signed already."""
    for name, value in FORWARDED.items():
        request.headers[name.replace("_", "-")] = value
