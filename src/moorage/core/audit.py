"""What the audit log says of a call, in the shape of CloudTrail's records (AWS CloudTrail User Guide, "CloudTrail record contents").

A record is one line of JSON in ASCII: whatever a client sent, it begins no line of its own and is shown as it is by every
terminal. Its texts are bounded as CloudTrail's are, and nothing in it is a secret.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from moorage.core.calls import Call, Caller
from moorage.core.errors import AccessDenied, CredentialsInvalid
from moorage.core.names import AccountId, Registry, parse_repository

VERSION = "1.11"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""What CloudTrail writes in the place of a secret."""

MOST_TEXT = 1024
MOST_DOCUMENT = 32 * 1024
"""Characters of a policy, which is what its record is about; longer than any that IAM or ECR takes."""
MOST_ITEMS = 100
MOST_LINE = 100 * 1024

DENIALS = ("AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "UnrecognizedClientException")
"""The codes that a denial has, in either protocol of the AWS API."""

_READS = (
    "BatchCheck",
    "BatchGet",
    "Decode",
    "Describe",
    "Explain",
    "Get",
    "List",
    "Simulate",
    "Validate",
    "AssumeRole",
)
_SESSIONS = ("AssumeRole", "GetFederationToken", "GetSessionToken")
_CREDENTIALS = ("GetAuthorizationToken", *_SESSIONS)

_secret = re.compile(r"password|secret|privatekey|assertion|authenticationcode|(?<!next)token", re.IGNORECASE)
_session = re.compile(r"arn:([a-z-]+):sts::([0-9]{12}):assumed-role/([^/]+)/.+", re.DOTALL)

_ascii = json.JSONEncoder(separators=(",", ":")).encode


def _encoded(event: Any) -> bytes:
    """Return JSON in ASCII; the encoder that is ten times as fast escapes nothing beyond it, and has no word for half a character."""
    try:
        quick = msgspec.json.encode(event)
    except ValueError:
        return _ascii(event).encode()
    return quick if quick.isascii() else _ascii(event).encode()


def only_reads(operation: str) -> bool:
    """Tell whether an operation changes nothing: CloudTrail's ``readOnly``."""
    return operation.startswith(_READS)


def is_denial(error: Exception | None) -> bool:
    """Tell whether a call failed for want of a right or of a key that is still good."""
    return isinstance(error, AccessDenied | CredentialsInvalid)


def is_recorded(operation: str, error: Exception | None, *, reads: bool) -> bool:
    """Tell whether a call belongs into the log: what changes something or hands out keys, what was denied, and all on request."""
    return reads or not only_reads(operation) or operation.startswith(_CREDENTIALS) or is_denial(error)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed, as its caller was told; ``resource`` is the ARN of what was denied."""

    code: str
    message: str
    resource: str | None = None


def record(
    call: Call,
    service: str,
    operation: str,
    parameters: Mapping[str, Any] | None,
    failure: Failure | None,
    event_id: str,
    answer: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the line of one call; ``parameters`` are those of the operation, None where they could not be read.

    ``answer`` is what was answered, of which reads are recorded without.
    """
    event = {
        "eventVersion": VERSION,
        "userIdentity": _identity(call.caller),
        "eventTime": _moment(call.at),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": call.registry.region,
        "sourceIPAddress": call.context.get("aws:sourceip", ""),
        "userAgent": _cut(call.context.get("aws:useragent", ""), MOST_TEXT),
        **({"errorCode": failure.code, "errorMessage": _cut(failure.message, MOST_TEXT)} if failure else {}),
        "requestParameters": _shown(parameters),
        "responseElements": _shown(answer) if answer and _has_response(operation) else None,
        "requestID": call.request_id,
        "eventID": event_id,
        "readOnly": only_reads(operation),
        "resources": _resources(call.registry, parameters or {}, failure),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.registry.account,
        "eventCategory": "Management",
    }
    line = _encoded(event)
    for name in ("responseElements", "requestParameters"):
        if len(line) > MOST_LINE:
            size = len(_encoded(event[name]))
            event[name] = {"omitted": True, "originalSize": size, "reason": f"{name} too large"}
            line = _encoded(event)
    return line + b"\n"


def _has_response(operation: str) -> bool:
    """Tell whether CloudTrail records what was answered: of a change, and of credentials that STS gave."""
    return not only_reads(operation) or operation.startswith(_SESSIONS)


def _identity(caller: Caller) -> dict[str, Any]:
    who: dict[str, Any] = {
        "type": "IAMUser",
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    if ":user/" in caller.arn:
        return {**who, "userName": caller.user_name}
    if session := _session.fullmatch(caller.arn):
        partition, account, role = session.groups()
        issuer = {
            "type": "Role",
            "principalId": caller.identity_id,
            "arn": f"arn:{partition}:iam::{account}:role/{role}",
            "accountId": account,
            "userName": role,
        }
        return {**who, "type": "AssumedRole", "sessionContext": {"sessionIssuer": issuer}}
    return {**who, "type": "Root" if caller.arn.endswith(":root") else "FederatedUser"}


def _resources(registry: Registry, parameters: Mapping[str, Any], failure: Failure | None) -> list[dict[str, str]]:
    names = parameters.get("repositoryNames") or [parameters.get("repositoryName")]
    arns = [registry.repository_arn(name) for name in names[:MOST_ITEMS] if name and parse_repository(name)]
    arn = parameters.get("resourceArn") or (failure.resource if failure else None)
    if not arns and arn and arn.startswith("arn:"):
        arns = [_cut(arn, MOST_TEXT)]
    return [{"ARN": each, "accountId": registry.account} for each in arns]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _shown(value: Any, most: int = MOST_TEXT) -> Any:
    """Return parameters as a record may hold them: without bytes, without secrets, bounded."""
    if isinstance(value, str):
        return _cut(value, most)
    if isinstance(value, Mapping):
        return dict(_shown_member(key, each) for key, each in value.items() if not isinstance(each, bytes))
    if isinstance(value, list | tuple):
        more = [f"... ({len(value)} in all)"] if len(value) > MOST_ITEMS else []
        return [_shown(each, most) for each in value[:MOST_ITEMS] if not isinstance(each, bytes)] + more
    return _moment(value) if isinstance(value, datetime) else value


def _moment(at: datetime) -> str:
    return f"{at.isoformat(timespec='seconds')[:19]}Z"


def _shown_member(key: str, value: Any) -> tuple[str, Any]:
    name, most = _member(key)
    return name, _shown(value, most) if most else HIDDEN


@lru_cache(1024)
def _member(key: str) -> tuple[str, int]:
    """Return what CloudTrail calls a member, and how many characters of its texts are shown: none of a secret's."""
    most = 0 if _secret.search(key) else MOST_DOCUMENT if key.lower().endswith(_DOCUMENTS) else MOST_TEXT
    return key[:1].lower() + key[1:], most


_DOCUMENTS = ("policy", "policytext", "policydocument")


# --- read again ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record as a row: what is looked for, and the event itself as JSON."""

    at: datetime
    account: AccountId
    region: str
    source: str
    name: str
    principal: str
    error: str | None
    request_id: str
    resource: str | None
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records are looked for; what is None or false says nothing."""

    account: AccountId | None = None
    principal: str | None = None
    name: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    denied: bool = False


_BEGIN = b'{"eventVersion":'


def read(line: bytes) -> Entry | None:
    """Return the record of a line, or None where it holds none that is whole.

    What a process that was killed, or a full disk, left of a line has no end, so that the next one follows in the same line. No
    text within a record can look like its beginning, for quotes in texts are escaped.
    """
    begin = line.rfind(_BEGIN)
    try:
        event = msgspec.json.decode(line[begin:]) if begin >= 0 else {}
        resources = event["resources"]
        return Entry(
            at=datetime.fromisoformat(event["eventTime"]),
            account=AccountId(_column(event["recipientAccountId"], 12)),
            region=_column(event["awsRegion"], 32),
            source=_column(event["eventSource"], 64),
            name=_column(event["eventName"], 128),
            principal=_column(event["userIdentity"]["arn"], 700),
            error=_column(event["errorCode"], 128) if "errorCode" in event else None,
            request_id=_column(event["requestID"], 64),
            resource=_column(resources[0]["ARN"], 700) if resources else None,
            event=line[begin:].decode("ascii").strip(),
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None


def _column(text: str, most: int) -> str:
    return text.replace("\0", "")[:most]
