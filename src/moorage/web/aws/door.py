"""The AWS door: one request of the AWS API in, one answer out.

A request goes through the same steps whatever its protocol: who signed it, which operation it names, whether its input is
well formed; then the operation's handler. The scope of the signature, not the host name, says which service and which
region are meant. Sources: IAM User Guide, "AWS Signature Version 4 for API requests"; Smithy, "AWS JSON 1.1 protocol" and
"AWS query protocol".
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from moorage.core.calls import Call, Caller
from moorage.core.errors import CredentialsInvalid, Refused, ScopeInvalid, SignatureError, SignatureMissing
from moorage.core.identities import AccessKey, KeyUse
from moorage.core.names import AccountId, Region, Registry, parse_region
from moorage.core.sessions import Credential, refused_with
from moorage.web.audit import Recorder
from moorage.web.aws import json11, query, sigv4
from moorage.web.aws.check import common_words, compile_check, ecr_words
from moorage.web.aws.errors import AWS_ERRORS, INTERNAL, Malformed, NotPosted, UnknownOperation
from moorage.web.aws.model import OWN, Operation, Service, service
from moorage.web.aws.refused import REFUSED
from moorage.web.http import MAX_USER_AGENT, Answer
from moorage.web.throttle import Throttle

Handler = Callable[[Call, dict[str, Any]], Mapping[str, Any] | None]
"""Carries one operation out: its input has been checked, the caller is known but not yet authorised."""

_log = logging.getLogger("moorage.web.aws")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRequest:
    """One request as it came in: names of headers in lower case, path and query undecoded, ``client`` an address."""

    method: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    client: str
    secure: bool
    request_id: str

    def header(self, name: bytes) -> str:
        """Return the first value of a header, or an empty text."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")


class AwsDoor:
    """Answers requests of the AWS API; ``services`` holds the handlers of each service by its signing name.

    ``key`` finds an access key by its id; ``note_use`` is told of every request that one has signed. Every answer, also to what cannot be read at all, is in the protocol of the
    caller. A defect of a handler is logged with the request's id and answered without detail.
    """

    def __init__(
        self,
        services: Mapping[str, Mapping[str, Handler]],
        key: Callable[[str], Credential | None],
        now: Callable[[], datetime],
        throttle: Throttle | None = None,
        note_use: Callable[[AccessKey, KeyUse], None] = lambda _key, _use: None,
        audit: Recorder | None = None,
    ) -> None:
        self._audit = audit
        self._services = services
        self._key = key
        self._now = now
        self._throttle = throttle
        self._note_use = note_use

    def answer(self, request: AwsRequest) -> Answer:
        """Return the answer to ``request``; never raises."""
        return replace(self._answer(request), operation=self._operation(request))

    def stranger(self, request: AwsRequest) -> Answer | None:
        """Return the refusal of a request whose headers alone say that nobody known has signed it, or None."""
        try:
            signature = sigv4.parse(request.headers)
            key = self._key(signature.access_key_id)
        except Refused:
            return self.answer(request)
        is_good = key is not None and refused_with(key, signature.token, self._now()) is None
        return None if is_good else self.answer(request)

    def elsewhere(self, request: AwsRequest) -> Answer | None:
        """Return the refusal of a request that was signed for a service that is not there, wherever it went; None for others."""
        try:
            name = sigv4.parse(request.headers).service
        except Refused:
            return None
        return None if name in self._services else refuse(request, self._not_there(name))

    def _operation(self, request: AwsRequest) -> str:
        """Return the operation that a request names, whatever becomes of it, or nothing where there is no such."""
        if target := request.header(b"x-amz-target"):
            name = target.rpartition(".")[2]
        else:
            name = found[1].decode() if (found := _ACTION.search(request.body, 0, _ACTION_WITHIN)) else ""
        return name if any(service(each).operation(name) for each in self._services) else ""

    def _answer(self, request: AwsRequest) -> Answer:
        try:
            return self._served(request)
        except Refused as refusal:
            if type(refusal) in AWS_ERRORS:
                return refuse(request, refusal)
            _log.exception("request %s: a refusal that this door does not know", request.request_id)
        except Exception:  # noqa: BLE001 - the last line of the door: a defect is logged and answered, never raised
            _log.exception("request %s failed", request.request_id)
        return _error(
            request, *INTERNAL.dress(_protocol(request)), "The request failed for a reason of the server's own."
        )

    def _served(self, request: AwsRequest) -> Answer:
        if request.method != "POST":
            raise NotPosted
        at = self._now()
        try:
            caller, region, meant, refusal = self._authenticated(request, at)
        except SignatureMissing:
            raise self._unsigned(request) from None
        if request.raw_path != b"/":
            raise UnknownOperation("The operations of this API are all at the path /")
        operation, document = (_json_steps if meant.protocol == "json" else _query_steps)(request, meant)
        call = Call(
            caller=caller,
            registry=Registry(caller.account, region),
            at=at,
            request_id=request.request_id,
            context=_context(request, at),
        )
        result = self._carried_out(call, meant, operation, document, refusal)
        if meant.protocol == "json":
            return _answer(request, 200, json11.MEDIA_TYPE, json11.write(result))
        return _answer(request, 200, query.MEDIA_TYPE, query.write(meant, operation, result, request.request_id))

    def _carried_out(
        self, call: Call, meant: Service, operation: Operation, document: Callable[[], Any], refusal: Refused | None
    ) -> Mapping[str, Any] | None:
        """Have an operation carried out for a caller that is known, if its key still is good, and record what became of it."""
        given: dict[str, Any] | None = None
        result: Mapping[str, Any] | None = None
        failed: Exception | None = None
        try:
            _raise(refusal)
            handler = self._handler(meant, operation)
            given = _checker(meant.name, operation.name)(document())
            if meant.name == "ecr" and "registryId" in given:
                call = replace(call, registry=Registry(AccountId(given["registryId"]), call.registry.region))
            if self._throttle:
                self._throttle.admit(call, operation.name)
            result = handler(call, given)
        except Exception as error:
            failed = error
            raise
        finally:
            if self._audit and self._audit.wants(operation.name, failed):
                self._audit.record(call, meant.name, operation.name, given, failed, result)
        return result

    def _handler(self, meant: Service, operation: Operation) -> Handler:
        handler = self._services[meant.name].get(operation.name)
        if handler is None:
            raise UnknownOperation(_not_yet(meant, operation))
        return handler

    def _authenticated(self, request: AwsRequest, at: datetime) -> tuple[Caller, Region, Service, Refused | None]:
        """Return who signed, for which region and service, and what is to be said of a key that is no longer good."""
        signature = sigv4.parse(request.headers)
        if signature.service not in self._services:
            if not self._expected(request):
                raise self._not_there(signature.service)
            raise ScopeInvalid(f"Credential should be scoped to correct service: {self._expected(request)}.")
        # IAM and STS are global, but clients with an endpoint of their own sign them for the region they are set to.
        region = parse_region(signature.region)
        if region is None:
            raise ScopeInvalid(f"Credential should be scoped to a valid region, not '{signature.region[:64]}'.")
        credential = self._key(signature.access_key_id)
        if credential is None:
            raise CredentialsInvalid
        refusal = refused_with(credential, signature.token, at)
        try:
            sigv4.verify(signature, request, credential.secret, at)
        except SignatureError as error:
            # Only who knows the secret of a key that is switched off is told of it by anything else, and recorded.
            raise refusal or error from None
        if isinstance(credential, AccessKey):
            self._note_use(credential, KeyUse(at, region, signature.service))
        return credential.caller, region, service(signature.service), refusal

    def _unsigned(self, request: AwsRequest) -> Refused:
        """Return what is to be said of a request that nobody signed: who is vouched for from elsewhere has no key to sign with."""
        meant, name = service("sts"), self._operation(request)
        operation = meant.operation(name) if name in _VOUCHED_FOR else None
        return UnknownOperation(_not_yet(meant, operation)) if operation else SignatureMissing()

    def _expected(self, request: AwsRequest) -> str:
        return " or ".join(f"'{name}'" for name in self._services if _is_target_of(request, service(name)))

    def _not_there(self, name: str) -> UnknownOperation:
        there = ", ".join(each for each in self._services if each != OWN)
        return UnknownOperation(f"The service '{name[:64]}' is not there: of AWS's services Moorage has {there}")


def _raise(refusal: Refused | None) -> None:
    if refusal:
        raise refusal


def _is_target_of(request: AwsRequest, candidate: Service) -> bool:
    prefix = candidate.target_prefix
    return bool(prefix) and request.header(b"x-amz-target").startswith(prefix + ".")


_VOUCHED_FOR = frozenset({"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]{1,128})(?:&|$)")
_ACTION_WITHIN = 64 * 1024

Steps = tuple[Operation, Callable[[], Any]]
"""The operation that a request names, and how to read its input."""


def _json_steps(request: AwsRequest, meant: Service) -> Steps:
    prefix, _, name = request.header(b"x-amz-target").partition(".")
    operation = meant.operation(name) if prefix == meant.target_prefix else None
    if operation is None:
        raise UnknownOperation(f"The header X-Amz-Target names no operation of the service '{meant.name}'")
    _must_be(request, json11.MEDIA_TYPE)
    return operation, lambda: json11.read(request.body)


def _query_steps(request: AwsRequest, meant: Service) -> Steps:
    _must_be(request, query.FORM)
    fields = query.read_fields(request.body)
    name, version = fields.pop("Action", ""), fields.pop("Version", meant.version)
    operation = meant.operation(name) if version == meant.version else None
    if operation is None:
        raise UnknownOperation(f"Could not find operation {name[:128]} for version {version[:32]}")
    return operation, lambda: query.read(fields, operation.input)


def _must_be(request: AwsRequest, media_type: str) -> None:
    if request.header(b"content-type").partition(";")[0].strip().lower() != media_type:
        raise Malformed(f"The Content-Type of this service's requests is {media_type}")


@cache
def _checker(name: str, operation: str) -> Callable[[Any], dict[str, Any]]:
    meant = service(name)
    found = meant.operation(operation)
    words = ecr_words if meant.protocol == "json" else common_words
    return compile_check(found.input if found else None, words)


def _not_yet(meant: Service, operation: Operation) -> str:
    reason = REFUSED.get(operation.name) if meant.name == "ecr" else None
    return f"The operation {operation.name} is not implemented in Moorage yet" + (f": {reason}" if reason else "")


def _context(request: AwsRequest, at: datetime) -> dict[str, str]:
    """Return the condition keys that the request itself settles (IAM User Guide, "AWS global condition context keys")."""
    context = {
        "aws:sourceip": request.client,
        "aws:securetransport": "true" if request.secure else "false",
        "aws:useragent": request.header(b"user-agent")[:MAX_USER_AGENT],
        "aws:currenttime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "aws:epochtime": str(int(at.timestamp())),
    }
    return {key: value for key, value in context.items() if value}


def _protocol(request: AwsRequest) -> str:
    return "json" if request.header(b"x-amz-target") else "query"


def code_of(error: Exception, name: str) -> str:
    """Return what the API of a service calls a failure."""
    known = AWS_ERRORS.get(type(error), INTERNAL) if isinstance(error, Refused) else INTERNAL
    return known.dress(service(name).protocol)[0]


def refuse(request: AwsRequest, refusal: Refused) -> Answer:
    """Return the answer that says ``refusal``, which must be one of AWS_ERRORS, in the caller's protocol."""
    error = AWS_ERRORS[type(refusal)]
    members = error.members(refusal) if error.members else {}
    return _error(request, *error.dress(_protocol(request)), str(refusal), members)


def _error(
    request: AwsRequest, code: str, status: int, message: str, members: Mapping[str, Any] | None = None
) -> Answer:
    if _protocol(request) == "json":
        return _answer(request, status, json11.MEDIA_TYPE, json11.write_error(code, message, members or {}))
    body = query.write_error(_namespace(request), code, status, message, request.request_id)
    return _answer(request, status, query.MEDIA_TYPE, body)


def _namespace(request: AwsRequest) -> str:
    """Return that of the service whose version a form names: a refusal can precede the knowledge of which one was meant."""
    sts, iam = service("sts"), service("iam")
    return (sts if f"Version={sts.version}".encode() in request.body[:_ACTION_WITHIN] else iam).namespace


def _answer(request: AwsRequest, status: int, media_type: str, body: bytes) -> Answer:
    headers = [(b"content-type", media_type.encode()), (b"x-amzn-requestid", request.request_id.encode())]
    if status == 405:  # noqa: PLR2004 - HTTP's own figure
        headers.append((b"allow", b"POST"))
    if status == 503:  # noqa: PLR2004 - the same
        headers.append((b"retry-after", b"1"))
    return Answer(status=status, headers=headers, body=body)
