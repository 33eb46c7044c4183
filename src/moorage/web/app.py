"""The one address: tells the doors apart, counts and logs every request, and gives it an id."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from moorage.actions.layers import Layers
from moorage.core.audit import only_reads
from moorage.core.downloads import PREFIX, read_path
from moorage.core.errors import Refused, ServerBusy, TokenExpired, TokenInvalid
from moorage.core.proxies import Client, Proxies
from moorage.core.trust import AUTHORITY_PATH
from moorage.web.aws.door import AwsDoor, AwsRequest, refuse
from moorage.web.aws.errors import Malformed, RequestTooLarge
from moorage.web.http import (
    Answer,
    BodyTooLarge,
    ClientGone,
    Incoming,
    Receive,
    Room,
    Scope,
    Send,
    new_id,
    read_body,
    send_answer,
)
from moorage.web.metrics import CONTENT_TYPE, Metrics
from moorage.web.oci.blobs import Blobs
from moorage.web.oci.door import OciDoor, OciRequest
from moorage.web.oci.errors import error_answer, refusal
from moorage.web.oci.requests import Query
from moorage.web.pools import Pools

MAX_AWS_BODY = 32 * 1024 * 1024
"""A part of 20 MiB in base64, or a manifest of 4 MiB in the most wasteful JSON."""
SMALL_AWS_BODY = 2 * 1024 * 1024
"""Every other operation's."""
_LARGE = ("UploadLayerPart", "PutImage")

READS = ("GET", "HEAD")
_METHODS = frozenset({*READS, "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FIRST_FAILURE = 400

_DOORS = (
    b"Nothing is at this address. There are: the AWS API (POST / with a signature), the container registry (/v2/), "
    b"and for operators /livez, /readyz, /metrics.\n"
)
_PLAIN = [(b"content-type", b"text/plain; charset=utf-8")]

_access = logging.getLogger("moorage.access")
_log = logging.getLogger("moorage.web")


class App:
    """The ASGI application of one server process."""

    def __init__(
        self,
        *,
        aws: AwsDoor,
        oci: OciDoor,
        blobs: Blobs,
        layers: Layers,
        secret: bytes,
        pools: Pools,
        room: Room,
        metrics: Metrics,
        ready: Callable[[], None],
        proxies: Proxies,
        authority: Path,
        close: Sequence[Callable[[], None]],
    ) -> None:
        self._aws = aws
        self._oci = oci
        self._blobs = blobs
        self._layers = layers
        self._secret = secret
        self._pools = pools
        self._room = room
        self._metrics = metrics
        self._ready = ready
        self._proxies = proxies
        self._authority = authority
        self._close = close
        self._pages = {
            "/livez": self._liveness,
            "/readyz": self._readiness,
            "/metrics": self._figures,
            AUTHORITY_PATH: self._certificate,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            incoming = Incoming(receive)
            await self._serve(scope, incoming, send)
            await incoming.drop_rest(scope["headers"])

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self._pools.close)
                for close in self._close:
                    close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, incoming: Incoming, send: Send) -> None:
        started = time.perf_counter()
        request_id = new_id()
        self._see_through_proxies(scope)
        method, raw_path = scope["method"], scope["raw_path"]
        door, answer = "", None
        try:
            if _is_registry(raw_path):
                door, answer = "registry", await self._registry(scope, incoming, request_id)
            elif raw_path == b"/" and method != "GET":
                door, answer = "aws", await self._api(scope, incoming, request_id)
            else:
                door, answer = "operator", await self._other(scope, request_id)
            await send_answer(incoming, send, _named(answer, request_id), head=method == "HEAD")
        except ClientGone:
            _access.info("%s %s client gone", method, _shown(raw_path), extra={"request_id": request_id})
            # Nobody reads this, unless the client closed one half only, or is there still and broke the body's framing.
            await send_answer(incoming, send, _named(_cut_short(scope, request_id), request_id))
        except Exception:
            _log.exception("unexpected failure", extra={"request_id": request_id})
            if answer is None:
                answer = Answer(status=500, headers=[*_PLAIN], body=b"An unexpected failure\n")
                await send_answer(incoming, send, _named(answer, request_id), head=method == "HEAD")
            else:
                raise
        finally:
            self._account(scope, door, answer, time.perf_counter() - started, incoming.received, request_id)

    def _see_through_proxies(self, scope: Scope) -> None:
        """Put the client in the place of the proxy that speaks for it, for whatever reads the scope from here on."""
        if not self._proxies.networks:
            return
        address, port = scope["client"]
        client = self._proxies.client(Client(address, scope["scheme"] == "https"), scope["headers"])
        scope["client"] = (client.address, port)
        scope["scheme"] = "https" if client.secure else "http"

    def _account(
        self, scope: Scope, door: str, answer: Answer | None, seconds: float, received: int, request_id: str
    ) -> None:
        status = answer.status if answer else 499
        sent = _length(answer) if answer and scope["method"] != "HEAD" else 0
        # A method is any word that a stranger likes; each would be kept as a label for good.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        operation = (answer.operation if answer else "") or method
        self._metrics.count(door, operation, status, seconds, received, sent)
        is_read = scope["method"] in READS or only_reads(operation)
        level = logging.DEBUG if is_read and status < FIRST_FAILURE else logging.INFO
        if _access.isEnabledFor(level):
            _access.log(
                level,
                "%s %s %s %d %.1fms in=%d out=%d",
                scope["client"][0],
                scope["method"],
                operation if door == "aws" and operation != method else _shown(scope["raw_path"]),
                status,
                seconds * 1000,
                received,
                sent,
                extra={"request_id": request_id, "operation": operation},
            )

    async def _registry(self, scope: Scope, receive: Receive, request_id: str) -> Answer:
        headers = dict(scope["headers"])
        if len(headers) < len(scope["headers"]) and _has_twice(scope, _ONCE):
            return error_answer(400, "UNSUPPORTED", "Host and Authorization can be given once only")
        request = OciRequest(
            method=scope["method"],
            raw_path=scope["raw_path"],
            query=Query(scope["query_string"]),
            headers=headers,
            receive=receive,
            client=scope["client"][0],
            secure=scope["scheme"] == "https",
            request_id=request_id,
            at=datetime.now(UTC),
        )
        return await self._oci.answer(request)

    async def _api(self, scope: Scope, receive: Receive, request_id: str) -> Answer:
        request = _aws_request(scope, request_id)
        # Of strangers no more is taken in than costs less than to ask who they are.
        stated = request.header(b"content-length")
        if not stated.isdecimal() or len(stated) > 5:  # noqa: PLR2004 - digits, so up to 99,999 bytes
            refused = await self._pools.rows(self._aws.stranger, request)
            if refused:
                return refused
        limit = MAX_AWS_BODY if request.header(b"x-amz-target").endswith(_LARGE) else SMALL_AWS_BODY
        moves_bytes = request.header(b"x-amz-target").endswith(("UploadLayerPart", "CompleteLayerUpload"))
        run = self._pools.bytes if moves_bytes else self._pools.rows
        with self._room.hold() as held:
            try:
                body = await read_body(receive, limit, held)
            except BodyTooLarge:
                return refuse(request, RequestTooLarge(limit))
            except ServerBusy as busy:
                return refuse(request, busy)
            return await run(self._aws.answer, replace(request, body=body))

    async def _other(self, scope: Scope, request_id: str) -> Answer:
        path: str = scope["path"]
        reads = scope["method"] in ("GET", "HEAD")
        if reads and path in self._pages:
            return await self._pages[path]()
        if reads and path.startswith(PREFIX):
            return await self._signed_layer(scope)
        # S3, for one, is asked by other methods and at other paths.
        elsewhere = self._aws.elsewhere(_aws_request(scope, request_id))
        return elsewhere or Answer(status=404, headers=[*_PLAIN], body=_DOORS)

    async def _liveness(self) -> Answer:
        return Answer(status=200, headers=[*_PLAIN], body=b"live\n", operation="livez")

    async def _figures(self) -> Answer:
        text = await self._pools.rows(self._metrics.text)
        return Answer(status=200, headers=[(b"content-type", CONTENT_TYPE)], body=text, operation="metrics")

    async def _certificate(self) -> Answer:
        """Return the authority's certificate, which other machines are told to trust after its fingerprint was looked at."""
        try:
            pem = await self._pools.rows(self._authority.read_bytes)
        except FileNotFoundError:
            return Answer(status=404, headers=[*_PLAIN], body=b"This server has no authority of its own.\n")
        return Answer(
            status=200, headers=[(b"content-type", b"application/x-pem-file")], body=pem, operation="authority"
        )

    async def _readiness(self) -> Answer:
        try:
            await self._pools.rows(self._ready)
        except Exception:  # noqa: BLE001 - whatever it is, the server is not ready
            _log.exception("not ready")
            return Answer(status=503, headers=[*_PLAIN], body=b"not ready\n", operation="readyz")
        return Answer(status=200, headers=[*_PLAIN], body=b"ready\n", operation="readyz")

    async def _signed_layer(self, scope: Scope) -> Answer:
        headers = dict(scope["headers"])
        try:
            query = scope["query_string"].decode("latin-1")
            wanted = read_path(self._secret, scope["path"], query, datetime.now(UTC))
            layer = await self._pools.rows(self._layers.signed, wanted)
        except (TokenInvalid, TokenExpired):
            return error_answer(403, "DENIED", "The URL has expired or was not signed by this registry")
        except Refused as error:
            return refusal(error)
        return await self._blobs.serve(layer, headers)


def _aws_request(scope: Scope, request_id: str) -> AwsRequest:
    """Return the request without its body."""
    return AwsRequest(
        method=scope["method"],
        raw_path=scope["raw_path"],
        query=scope["query_string"],
        headers=[(name.lower(), value) for name, value in scope["headers"]],
        body=b"",
        client=scope["client"][0],
        secure=scope["scheme"] == "https",
        request_id=request_id,
    )


def _cut_short(scope: Scope, request_id: str) -> Answer:
    """Return the answer to a request whose body did not come to its end."""
    if _is_registry(scope["raw_path"]):
        return error_answer(400, "SIZE_INVALID", "The body ended before its end was due")
    return refuse(_aws_request(scope, request_id), Malformed("The request body ended before its end was due"))


_ONCE = (b"host", b"authorization")
"""What somebody in front may have looked at another one of."""


def _has_twice(scope: Scope, headers: Sequence[bytes]) -> bool:
    given = [name for name, _ in scope["headers"]]
    return any(given.count(name) > 1 for name in headers)


def _is_registry(raw_path: bytes) -> bool:
    return raw_path == b"/v2" or raw_path.startswith(b"/v2/")


def _named(answer: Answer, request_id: str) -> Answer:
    """Return the answer with the request's id, once: clients show what is given twice as one doubled id.

    And no browser guesses what an answer is, whosever words are in it.
    """
    answer.headers.append((b"x-content-type-options", b"nosniff"))
    if all(name != b"x-amzn-requestid" for name, _ in answer.headers):
        answer.headers.append((b"x-amzn-requestid", request_id.encode()))
    return answer


def _length(answer: Answer) -> int:
    if isinstance(answer.body, bytes):
        return len(answer.body)
    return next((int(value) for name, value in answer.headers if name == b"content-length"), 0)


def _shown(raw_path: bytes) -> str:
    """Return a path as a log may hold it: no query, which may carry a signature, and nothing that ends a line."""
    return repr(raw_path[:300])[2:-1]
