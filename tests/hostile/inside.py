"""The whole application in this process, with a real database and real files, asked as an ASGI server asks it."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import MutableMapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from moorage.adapters.sql.schema import metadata
from moorage.config import Settings, gather, read_settings
from moorage.core.identities import AccessKey, User
from moorage.core.names import AccountId
from moorage.web.http import ROOM, Room
from moorage.wiring import build, prepare
from tests.clients.registry import OCI_MANIFEST, digest_of, image_manifest
from tests.engines.server import ACCOUNT
from tests.hostile.place import APP, FORM, JSON, POLICY, aws_error, form, json_headers, oci_error
from tests.hostile.wire import Answer
from tests.web.signing import signed, unsigned

HOST = b"localhost:4510"
CONFIG, LAYER = b'{"seed": "image"}', b"layer of image"
MANIFEST = image_manifest(CONFIG, LAYER)
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Request:
    """One request as an ASGI server hands it over; the client is gone after the body where ``gone``."""

    method: str
    path: bytes
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: Sequence[bytes] = (b"",)
    gone: bool = False


class Inside:
    """An application of its own, with one repository, an image and a user."""

    def __init__(self, folder: Path, **more: str) -> None:
        given = gather({"data": str(folder), "account": ACCOUNT, **more}, {}, None)
        self.settings: Settings = read_settings(given, folder)
        made = prepare(self.settings).key
        assert made is not None
        moment = datetime.now(UTC)
        user = User(account=AccountId(ACCOUNT), name="admin", id="AIDA", created_at=moment)
        self.key = AccessKey(id=made.id, secret=made.secret, user=user, created_at=moment)
        self.upload = ""
        self._runner = asyncio.Runner()
        self._app = build(self.settings)
        self.room: Room = self._app._room  # noqa: SLF001 - whatever was asked, all of it must be given back
        token = json.loads(self.ecr("GetAuthorizationToken", {}).body)["authorizationData"][0]["authorizationToken"]
        self.token = (b"authorization", b"Basic " + token.encode())

    def close(self) -> None:
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> MutableMapping[str, Any]:
            return next(messages)

        async def send(_message: MutableMapping[str, Any]) -> None:
            pass

        self._runner.run(self._app({"type": "lifespan"}, receive, send))
        self._runner.close()

    def fill(self) -> Self:
        """Put in what is not there, or is there no longer: repositories, an image, an open upload, a user."""
        for name in (APP, "team/other"):
            self.ask(
                self.signed("ecr", json_headers("CreateRepository"), json.dumps({"repositoryName": name}).encode())
            )
        for blob in (CONFIG, LAYER):
            self.push_blob(APP, blob)
        self.v2("PUT", f"/v2/{APP}/manifests/v1", MANIFEST, kind=OCI_MANIFEST)
        if not self.upload or self.v2("GET", self.upload).status != 204:
            self.upload = self.v2("POST", f"/v2/{APP}/blobs/uploads/").headers["location"]
        for operation, fields in (
            ("CreateUser", {"UserName": "ann"}),
            ("PutUserPolicy", {"UserName": "ann", "PolicyName": "some", "PolicyDocument": POLICY}),
        ):
            self.ask(self.signed("iam", {"content-type": FORM}, form(operation, fields)))
        return self

    # --- asking -----------------------------------------------------------------------------------------------------------

    def ask(self, request: Request) -> Answer:
        """Return the answer, after looking at what every answer must have."""
        return self._runner.run(self._asked(request))

    async def _asked(self, request: Request) -> Answer:
        parts = [{"type": "http.request", "body": part, "more_body": True} for part in request.body]
        if not request.gone:
            parts.append({"type": "http.request", "body": b"", "more_body": False})
        incoming = iter(parts)
        sent: list[MutableMapping[str, Any]] = []
        ended = asyncio.Event()

        async def receive() -> MutableMapping[str, Any]:
            part = next(incoming, None)
            if part is None and not request.gone:
                await ended.wait()
            return part or {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self._app(_scope(request), receive, send)
        ended.set()
        assert self.room.left == ROOM, request
        headers = sent[0]["headers"]
        body = b"".join(each.get("body", b"") for each in sent[1:])
        _well_formed(headers)
        if request.method == "HEAD":
            assert body == b""
        elif not request.gone:
            assert int(dict(headers)[b"content-length"]) == len(body)
        return Answer(sent[0]["status"], {name.decode(): value.decode("latin-1") for name, value in headers}, body)

    def signed(self, name: str, headers: dict[str, str], body: bytes, host: bytes = HOST) -> Request:
        plain = [(b"host", host), *((key.encode(), value.encode()) for key, value in headers.items())]
        made = signed(unsigned(headers=plain, body=body), key=self.key, service=name, at=datetime.now(UTC))
        return Request("POST", b"/", headers=made.headers, body=[body])

    def ecr(self, operation: str, document: Any) -> Answer:
        answer = self.ask(self.signed("ecr", json_headers(operation), json.dumps(document).encode()))
        assert answer.status == 200, answer
        return answer

    def v2(
        self,
        method: str,
        target: str,
        *body: bytes,
        kind: str = "",
        gone: bool = False,
        place: str = "",
        wanted: str = "",
    ) -> Answer:
        """Ask the registry with the administrator's token; ``place`` is a Content-Range, ``wanted`` a Range."""
        path, _, query = target.partition("?")
        headers: Headers = [(b"host", HOST), self.token]
        headers += [(b"content-type", kind.encode())] if kind else []
        headers += [(b"content-range", place.encode())] if place else []
        headers += [(b"range", wanted.encode())] if wanted else []
        return self.ask(Request(method, path.encode(), query.encode(), headers, body, gone=gone))

    def push_blob(self, repository: str, content: bytes) -> str:
        answer = self.v2("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}", content)
        assert answer.status == 201, answer
        return digest_of(content)

    # --- what must always be so -------------------------------------------------------------------------------------------

    def sound(self) -> None:
        """Insist that everything that is kept is what it is said to be, and that nothing points at nothing."""
        with closing(sqlite3.connect(f"file:{self.settings.data / 'moorage.db'}?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
            for digest, key, size in database.execute("SELECT digest, key, size FROM contents"):
                content = (self.settings.blobs / key[:2] / key).read_bytes()
                assert (digest_of(content, digest.partition(":")[0]), len(content)) == (digest, size)
            for digest, content in database.execute("SELECT digest, content FROM images"):
                assert digest_of(content, digest.partition(":")[0]) == digest
            for key, size in database.execute("SELECT id, size FROM uploads"):
                file = self.settings.blobs / key[:2] / key
                assert size == 0 or file.stat().st_size >= size
            assert database.execute(_TAGS_ELSEWHERE).fetchall() == []
            for table in metadata.sorted_tables:
                for column in table.columns:
                    if longest := getattr(column.type, "length", None):
                        # SQLite keeps longer texts too; PostgreSQL would have failed.
                        (found,) = database.execute(f"SELECT max(length({column.name})) FROM {table.name}").fetchone()
                        assert (found or 0) <= longest, (table.name, column.name)


_TAGS_ELSEWHERE = """
    SELECT tags.name FROM tags JOIN images ON images.id = tags.image_id WHERE images.repository_id != tags.repository_id
"""


def _scope(request: Request) -> MutableMapping[str, Any]:
    return {
        "type": "http",
        "method": request.method,
        "raw_path": request.path,
        "path": unquote(request.path.decode("latin-1")),
        "query_string": request.query,
        "headers": list(request.headers),
        "scheme": "http",
        "client": ("127.0.0.1", 50_000),
    }


def _well_formed(headers: Headers) -> None:
    """Insist on headers that HTTP can carry, each once, and an id."""
    names = Counter(name for name, _ in headers)
    assert all(count == 1 for count in names.values()), headers
    for name, value in headers:
        assert name == name.lower()
        assert not set(value) & {0, 10, 13}, (name, value)
    assert len(dict(headers)[b"x-amzn-requestid"]) == 36
    assert dict(headers)[b"x-content-type-options"] == b"nosniff"


def looked_at(request: Request, answer: Answer) -> Answer:
    """Return an answer of one of the doors, after looking at all that an answer of that door must have."""
    assert answer.status < 500, (request, answer)
    if request.path == b"/v2" or request.path.startswith(b"/v2/"):
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
        if answer.status == 401:
            assert answer.headers["www-authenticate"].startswith("Basic realm=")
        elif answer.status >= 400 and not (answer.status == 416 and "content-range" in answer.headers):
            oci_error(answer, request.method)
    elif request.path != b"/" or request.method == "GET":
        assert answer.headers["content-type"].startswith("text/plain")
    elif answer.status >= 400:
        code = aws_error(answer)[1]
        assert code not in ("no refusal", "ServerException", "InternalFailure")
    else:
        assert answer.headers["content-type"] in (JSON, "text/xml")
    return answer
