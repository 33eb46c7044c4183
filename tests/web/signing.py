"""Requests signed by botocore, as a client would."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from moorage.core.identities import AccessKey, User
from moorage.core.names import AccountId
from moorage.web.aws.door import AwsRequest

NOW = datetime(2026, 8, 3, 12, 0, 0, tzinfo=UTC)
USER = User(account=AccountId("111122223333"), name="ann", id="AIDAEXAMPLEEXAMPLE22", created_at=NOW)
KEY = AccessKey(id="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", user=USER, created_at=NOW)


def unsigned(**parts: Any) -> AwsRequest:
    plain = {
        "method": "POST",
        "raw_path": b"/",
        "query": b"",
        "headers": [(b"host", b"api.ecr.us-east-1.example")],
        "body": b"{}",
        "client": "192.0.2.7",
        "secure": True,
        "request_id": "6f1c2b1e-0000-4000-8000-000000000001",
    }
    return AwsRequest(**{**plain, **parts})


def signed(
    request: AwsRequest,
    *,
    key: AccessKey = KEY,
    region: str = "us-east-1",
    service: str = "ecr",
    at: datetime = NOW,
) -> AwsRequest:
    """Return the request with the headers that botocore adds when it signs."""
    headers = {name.decode(): value.decode() for name, value in request.headers}
    query = "?" + request.query.decode() if request.query else ""
    theirs = AWSRequest(
        method=request.method, url=f"http://unused{request.raw_path.decode()}{query}", data=request.body
    )
    for name, value in request.headers:
        theirs.headers[name.decode()] = value.decode()
    with patch("botocore.auth.get_current_datetime", lambda: at):
        SigV4Auth(Credentials(key.id, key.secret), service, region).add_auth(theirs)
    added = [
        (name.lower().encode(), value.encode())
        for name, value in theirs.headers.items()
        if name.lower() not in headers or name.lower() == "date"
    ]
    kept = [(name, value) for name, value in request.headers if name != b"date"]
    return AwsRequest(**{name: getattr(request, name) for name in FIELDS} | {"headers": [*kept, *added]})


FIELDS = ("method", "raw_path", "query", "body", "client", "secure", "request_id")
