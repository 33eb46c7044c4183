"""The registry door: the OCI distribution specification in ECR's words.

Where the two disagree the specification wins: 202 for PATCH, a Range that advances, Docker-Content-Digest everywhere, a
Location for a manifest, plain tag names in ``last``, empty blobs.
"""

import base64
import binascii
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import ParamSpec, TypeVar

from moorage.actions.identities import Identities
from moorage.actions.images import Images
from moorage.actions.layers import Layers
from moorage.actions.repositories import Repositories
from moorage.actions.uploads import Uploads
from moorage.core.calls import Call
from moorage.core.errors import InvalidParameter, Refused, TokenInvalid
from moorage.core.names import Registry, registry_of_host
from moorage.core.operations import ROUTES
from moorage.core.tokens import Token, verify
from moorage.web.audit import Recorder
from moorage.web.http import MAX_USER_AGENT, Answer, BodyTooLarge, ClientGone, Receive, Room
from moorage.web.oci.audited import done, parameters
from moorage.web.oci.blobs import Blobs
from moorage.web.oci.errors import API_VERSION, error_answer, not_found, refusal, unauthorized
from moorage.web.oci.listings import Listings
from moorage.web.oci.manifests import Manifests
from moorage.web.oci.requests import Query, Route, route
from moorage.web.oci.sessions import Sessions
from moorage.web.pools import Pools
from moorage.web.throttle import Throttle

log = logging.getLogger("moorage.web.oci")

KNOWN_TOKENS = 10_000
"""Tokens whose signature is not computed again; whether they are over, and what they allow, is asked every time."""


P = ParamSpec("P")
T = TypeVar("T")


class Record:
    """What the audit log is told of a request that was carried out, once: by ``tell``, in a thread; None where nothing is told."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[int], None] | None) -> None:
        self._tell = tell

    def __bool__(self) -> bool:
        return self._tell is not None

    def __call__(self, status: int) -> None:
        """Tell it, with the status of the answer, where that was not done."""
        tell, self._tell = self._tell, None
        if tell:
            tell(status)


@dataclass(frozen=True, slots=True, kw_only=True)
class OciRequest:
    """One request at the registry door; header names are lower-case."""

    method: str
    raw_path: bytes
    query: Query
    headers: dict[bytes, bytes]
    receive: Receive
    client: str
    secure: bool
    request_id: str
    at: datetime
    record: Record = field(default_factory=lambda: Record(None))

    def recording(self, status: int, work: Callable[P, T]) -> Callable[P, T]:
        """Return ``work`` with its record in the audit log, for a thread to do both; an answer with ``status`` follows."""

        def both(*args: P.args, **kwargs: P.kwargs) -> T:
            result = work(*args, **kwargs)
            self.record(status)
            return result

        return both

    @property
    def host(self) -> str:
        """The Host header."""
        return self.headers.get(b"host", b"").decode("latin-1")


Handler = Callable[[OciRequest, Call, Route], Awaitable[Answer]]


class OciDoor:
    """Answers requests below /v2/."""

    def __init__(
        self,
        identities: Identities,
        images: Images,
        layers: Layers,
        uploads: Uploads,
        repositories: Repositories,
        pools: Pools,
        room: Room,
        token_secret: bytes,
        *,
        sparse: bool,
        throttle: Throttle | None = None,
        audit: Recorder | None = None,
    ) -> None:
        self._throttle = throttle
        self._audit = audit
        # Looked up before anything else is done about it: a pull that is allowed and not recorded is not to wait.
        self._recorded = {key for key, use in ROUTES.items() if audit and audit.wants(use.operation)}
        self._secret = token_secret
        self._identities = identities
        self._pools = pools
        self._tokens: dict[bytes, Token] = {}
        manifests = Manifests(images, pools, room, sparse=sparse)
        blobs = Blobs(layers, pools)
        sessions = Sessions(uploads, pools)
        listings = Listings(images, repositories, pools)
        self._handlers: dict[tuple[str, str], Handler] = {
            ("base", "GET"): self._base,
            ("base", "HEAD"): self._base,
            ("catalog", "GET"): listings.catalog,
            ("tags", "GET"): listings.tags,
            ("referrers", "GET"): listings.referrers,
            ("manifest", "GET"): manifests.get,
            ("manifest", "HEAD"): manifests.get,
            ("manifest", "PUT"): manifests.put,
            ("manifest", "DELETE"): manifests.delete,
            ("blob", "GET"): blobs.get,
            ("blob", "HEAD"): blobs.head,
            ("blob", "DELETE"): blobs.delete,
            ("uploads", "POST"): sessions.start,
            ("upload", "GET"): sessions.status,
            ("upload", "PATCH"): sessions.append,
            ("upload", "PUT"): sessions.complete,
            ("upload", "DELETE"): sessions.cancel,
        }

    async def answer(self, request: OciRequest) -> Answer:
        """Answer one request; nothing but ClientGone is raised."""
        where = route(request.raw_path)
        answer = await self._dressed(request, where)
        if where is None or (where.kind, request.method) not in self._handlers:
            return answer
        return replace(answer, operation=f"{request.method} {where.kind}")

    async def _dressed(self, request: OciRequest, where: Route | None) -> Answer:
        try:
            return await self._answer(request, where)
        except TokenInvalid:
            return unauthorized(request.host, secure=request.secure)
        except InvalidParameter as error:
            # ECR answers a HEAD of an impossible tag with 400, everything else that is impossible with 405.
            return Answer(status=400, headers=[API_VERSION]) if request.method == "HEAD" else refusal(error)
        except Refused as error:
            return refusal(error)
        except BodyTooLarge:
            return error_answer(413, "SIZE_INVALID", "The body is larger than this request may have")
        except ClientGone:
            raise
        except Exception:
            log.exception("unexpected failure", extra={"request_id": request.request_id})
            return error_answer(
                500, "UNKNOWN", "An unexpected failure; the operator's log has it under this request's id"
            )

    def _methods(self, kind: str) -> Iterator[str]:
        return (method for each, method in self._handlers if each == kind)

    async def _answer(self, request: OciRequest, where: Route | None) -> Answer:
        authorization = request.headers.get(b"authorization")
        if authorization is None:
            raise TokenInvalid
        call = self._call(request, authorization)
        if call is None:
            return error_answer(400, "UNSUPPORTED", "The Authorization header is malformed")
        if where is None:
            return not_found()
        asked = (where.kind, request.method)
        handler = self._handlers.get(asked)
        if handler is None:
            refused = error_answer(405, "UNSUPPORTED", "The operation is unsupported.")
            refused.headers.append((b"allow", ", ".join(sorted(self._methods(where.kind))).encode()))
            return refused
        operation = ROUTES[asked].operation
        try:
            if self._throttle:
                self._throttle.admit(call, operation)
            if asked in self._recorded:
                request = replace(request, record=Record(partial(self._record_done, request, call, where, operation)))
            answer = await handler(request, call, where)
        except Exception as error:
            if self._audit and self._audit.wants(operation, error):
                await self._pools.rows(self._record, request, call, where, operation, error)
            raise
        if request.record:
            await self._pools.rows(request.record, answer.status)
        return answer

    def _record_done(self, request: OciRequest, call: Call, where: Route, operation: str, status: int) -> None:
        self._record(request, call, where, done(operation, request.query, status))

    def _record(
        self, request: OciRequest, call: Call, where: Route, operation: str, error: Exception | None = None
    ) -> None:
        """Record a call. In a thread: a disk that is busy may keep it waiting, and nobody else."""
        if self._audit:
            told = parameters(where, call, operation, request.query)
            self._audit.record(call, "ecr", operation, told, error)

    async def _base(self, _request: OciRequest, call: Call, _route: Route) -> Answer:
        """Tell the holder of a token that it is good, its key and user being so."""
        await self._pools.rows(self._identities.caller, call)
        return Answer(status=200, headers=[API_VERSION])

    def _call(self, request: OciRequest, authorization: bytes) -> Call | None:
        """Return who asks; None for a header that cannot be read, TokenInvalid for one that proves nothing."""
        # The digest stands in for the header: how long a look-up takes tells nothing about tokens that are known.
        known = hashlib.sha256(authorization).digest()
        token = self._tokens.get(known)
        if token is None:
            password = _password(authorization)
            if not password.isprintable():
                return None
            token = verify(self._secret, password)
            if len(self._tokens) >= KNOWN_TOKENS:
                self._tokens.clear()
            self._tokens[known] = token
        addressed = registry_of_host(request.host)
        token.admit(addressed.region if addressed else None, request.at)
        return Call(
            caller=token.caller,
            registry=addressed or Registry(token.caller.account, token.region),
            at=request.at,
            request_id=request.request_id,
            context={
                "aws:sourceip": request.client,
                "aws:securetransport": "true" if request.secure else "false",
                "aws:useragent": request.headers.get(b"user-agent", b"")[:MAX_USER_AGENT].decode("latin-1"),
            },
        )


def _password(authorization: bytes) -> str:
    """Return the password of ECR's one user; raises TokenInvalid."""
    scheme, _, encoded = authorization.partition(b" ")
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise TokenInvalid from None
    if scheme.lower() != b"basic" or user != "AWS":
        raise TokenInvalid
    return password
