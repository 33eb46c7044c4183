"""One server with a little in it, asked at both doors, and a picture of all that it keeps."""

import base64
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode

from botocore.parsers import create_parser

from moorage.core.identities import AccessKey, User
from moorage.core.names import AccountId
from moorage.web.aws.model import service
from tests.clients.people import Person, admin
from tests.clients.registry import OCI_INDEX, Registry, digest_of, index_manifest
from tests.engines.server import ACCOUNT, Server
from tests.hostile.wire import Answer, Wire, head
from tests.web.signing import signed, unsigned

APP = "team/app"
OTHER_ACCOUNT = "999988887777"
ABSENT = "sha256:" + "0" * 64
JSON = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded"
CONTENT = b"an open upload's first bytes"


class Place:
    """A server with one repository of some images, an open upload and a second user."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.person: Person = admin(server)
        moment = datetime.now(UTC)
        user = User(account=AccountId(ACCOUNT), name="admin", id="AIDA", created_at=moment)
        self.key = AccessKey(id=self.person.key_id, secret=self.person.secret, user=user, created_at=moment)
        self.registry = Registry(server.port, self._password())

    def fill(self) -> Self:
        for name in (APP, "team/other"):
            self.ecr("CreateRepository", {"repositoryName": name, "tags": [{"Key": "team", "Value": "a"}]})
        self.manifest = self.registry.push(APP, "v1")
        self.config, self.layer = b'{"seed": "image"}', b"layer of image"
        index = index_manifest(self.manifest)
        assert self.registry.put_manifest(APP, "many", index, OCI_INDEX).status == 201
        self.upload = self.registry.start_upload(APP)
        self.registry.must(202, "PATCH", self.upload, CONTENT)
        self.iam("CreateUser", UserName="ann")
        self.iam("PutUserPolicy", UserName="ann", PolicyName="some", PolicyDocument=POLICY)
        self.iam("CreateAccessKey", UserName="ann")
        self.iam("CreateAccountAlias", AccountAlias="harbour")
        return self

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def upload_id(self) -> str:
        return self.upload.rpartition("/")[2]

    # --- the AWS door ---------------------------------------------------------------------------------------------------

    def ecr(self, operation: str, document: Any) -> Answer:
        answer = self.aws("ecr", json_headers(operation), json.dumps(document).encode())
        assert answer.status == 200, (operation, answer)
        return answer

    def iam(self, operation: str, **fields: str) -> Answer:
        answer = self.aws("iam", {"content-type": FORM}, form(operation, fields))
        assert answer.status == 200, (operation, answer)
        return answer

    def sign(self, name: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Return the headers with those of a good signature."""
        plain = [
            (b"host", self.server.host.encode()),
            *((key.encode(), value.encode()) for key, value in headers.items()),
        ]
        made = signed(unsigned(headers=plain, body=body), key=self.key, service=name, at=datetime.now(UTC))
        return {key.decode(): value.decode() for key, value in made.headers}

    def aws(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one signed request and return its answer, which there must be."""
        with Wire(self.server.port) as wire:
            sizes = {"content-length": str(len(body))}
            wire.send(head("POST", "/", self.sign(name, headers, body) | sizes), body)
            answer = wire.final("POST")
        assert answer is not None, headers
        return answer

    def _password(self) -> str:
        data = json.loads(self.ecr("GetAuthorizationToken", {}).body)["authorizationData"][0]
        return base64.b64decode(data["authorizationToken"]).decode().removeprefix("AWS:")

    # --- the registry door ----------------------------------------------------------------------------------------------

    def v2(self, method: str, target: bytes | str, body: bytes = b"", **headers: str) -> Answer:
        """Send one request with the administrator's token and return its answer, which there must be."""
        with Wire(self.server.port) as wire:
            wire.send(self.v2_head(method, target, content_length=str(len(body)), **headers), body)
            answer = wire.final(method)
        assert answer is not None, (method, target)
        return answer

    def v2_head(self, method: str, target: bytes | str, **headers: str) -> bytes:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return head(method, target, {"host": self.server.host, **self.registry.authorization()} | named)

    # --- everything -----------------------------------------------------------------------------------------------------

    def kept(self) -> dict[str, Any]:
        """Return every row but for the times of pulls, of the last bytes and of the use of keys and what the audit log has, every file of bytes with its size, and what both doors show of them."""
        with closing(sqlite3.connect(f"file:{self.server.data / 'moorage.db'}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            named = (row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
            tables = [name for name in named if name not in TOLD]
            # How far their rows are counted is a row of SQLite's own, by the name of the table.
            rows = {table: [row for row in _rows(database, table) if row[0] not in TOLD] for table in tables}
            acknowledged = dict(database.execute("SELECT id, size FROM uploads").fetchall())
        sizes = {path.name: path.stat().st_size for path in self.server.data.glob("blobs/*/*")}
        # Bytes of an open upload that were never acknowledged are nobody's, and the next writer's first act is to drop them.
        files = {name: min(size, acknowledged.get(name, size)) for name, size in sizes.items()}
        return {"rows": rows, "files": files, "shown": self.shown()}

    def stored(self, upload: str) -> int:
        """Return how many bytes of an upload are in its file, acknowledged or not."""
        key = upload.rpartition("/")[2]
        return (self.server.data / "blobs" / key[:2] / key).stat().st_size

    def shown(self) -> dict[str, Any]:
        """Return what a client sees: repositories, tags, images, how far the open upload is."""
        listed = json.loads(self.ecr("DescribeRepositories", {}).body)["repositories"]
        images = {each["repositoryName"]: self._images(each["repositoryName"]) for each in listed}
        status = self.registry.must(204, "GET", self.upload).headers["range"]
        return {"repositories": listed, "images": images, "upload": status}

    def _images(self, name: str) -> Any:
        found = json.loads(self.ecr("DescribeImages", {"repositoryName": name}).body)["imageDetails"]
        tags = json.loads(self.registry.must(200, "GET", f"/v2/{name}/tags/list").body)
        return [{key: value for key, value in each.items() if key != "lastRecordedPullTime"} for each in found], tags


TOLD = {"audit_events", "audit_files", "access_used"}
"""Tables of what was asked, which grow whatever became of it."""
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}'


def _rows(database: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    columns = (row[1] for row in database.execute(f"PRAGMA table_info({table})"))
    names = [name for name in columns if name not in ("pulled_at", "touched_at", "used_at", "used_in", "used_for")]
    return sorted(map(tuple, database.execute(f"SELECT {', '.join(names)} FROM {table}")), key=repr)


def json_headers(operation: str) -> dict[str, str]:
    return {"content-type": JSON, "x-amz-target": f"{service('ecr').target_prefix}.{operation}"}


def form(operation: str, fields: Mapping[str, str], version: str = "2010-05-08") -> bytes:
    return urlencode({"Action": operation, "Version": version, **fields}).encode()


# --- what a refusal must look like --------------------------------------------------------------------------------------


def aws_error(answer: Answer) -> tuple[int, str]:
    """Return status and code of a refusal by the AWS door, after looking at all else that it must have."""
    kind = {JSON: "json", "text/xml": "query"}[answer.headers["content-type"]]
    request_id = answer.headers["x-amzn-requestid"]
    assert len(request_id) == 36, answer
    parsed = create_parser(kind).parse(
        {"status_code": answer.status, "headers": answer.headers, "body": answer.body}, None
    )
    if "Error" not in parsed:
        return answer.status, "no refusal"
    assert parsed["Error"]["Message"], answer
    if kind == "query":
        assert parsed["ResponseMetadata"]["RequestId"] == request_id
    return answer.status, str(parsed["Error"]["Code"])


def oci_error(answer: Answer, method: str = "GET") -> tuple[int, str]:
    """Return status and code of a refusal by the registry door, after looking at all else that it must have."""
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0", answer
    assert len(answer.headers["x-amzn-requestid"]) == 36, answer
    if method == "HEAD":
        assert answer.body == b""
        return answer.status, ""
    if answer.body == b"404 page not found\n":
        return answer.status, "no route"
    assert answer.headers["content-type"] == "application/json; charset=utf-8", answer
    (error,) = json.loads(answer.body)["errors"]
    assert set(error) == {"code", "message"}
    assert error["message"], answer
    return answer.status, str(error["code"])
