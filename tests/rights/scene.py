"""The whole application in this process, and everybody who may ask it something, each by both doors."""

import base64
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import create_parser

from moorage import wiring
from moorage.core import tokens
from moorage.core.calls import Caller
from moorage.core.names import AccountId, Region
from moorage.web.aws.model import service
from tests.clients.registry import OCI_MANIFEST, digest_of
from tests.engines.server import ACCOUNT
from tests.hostile.inside import CONFIG, LAYER, MANIFEST, Inside, Request
from tests.hostile.wire import Answer

REGION = "us-east-1"
THERE = "444455556666"
APP, ABSENT = "team/app", "team/abc"
"""A repository, and the name of one that is not there; as long, so that answers can be compared."""
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.localhost:4510"
EVERYTHING = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
_UNTOLD = {"pulled_at", "touched_at", "used_at", "used_in", "used_for"}
_NOTES = {"access_used", "audit_events", "audit_files"}


def policy(actions: str | Sequence[str], effect: str = "Allow", **more: Any) -> str:
    statement = {"Effect": effect, "Action": actions, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True, kw_only=True)
class Who:
    """Somebody who asks: what signs at the AWS door, and the password that opens the registry's."""

    arn: str
    key: str
    secret: str
    session: str = ""
    password: str = ""


@dataclass(frozen=True)
class Said:
    """What a door said: its status, its code, its sentence; all of the answer, to be compared."""

    status: int
    code: str
    sentence: str
    answer: Answer

    def of(self, name: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return the whole answer but for its id and for the repository that it is about."""
        headers = {key: value for key, value in self.answer.headers.items() if key != "x-amzn-requestid"}
        body = self.answer.body.replace(self.answer.headers["x-amzn-requestid"].encode(), b"<id>")
        return self.status, headers, body.replace(name.encode(), b"<name>")


class Scene:
    """A store with two accounts, a repository of one of them with an image and an upload under way, policies, a role."""

    def __init__(self, folder: Path) -> None:
        self.inside = Inside(folder)
        self.secret: bytes = self.inside._app._secret  # noqa: SLF001 - tokens of yesterday are signed with it
        with wiring.accounts(self.inside.settings, sealing=True) as accounts:
            key = accounts.create(datetime.now(UTC), AccountId(THERE), "partner")
        self.admin = self._with_password(
            Who(arn=f"arn:aws:iam::{ACCOUNT}:user/admin", key=self.inside.key.id, secret=self.inside.key.secret)
        )
        self.partner = self._with_password(Who(arn=key.user.arn, key=key.id, secret=key.secret))
        self.fill()

    def fill(self) -> None:
        """Put in what is not there, or is there no longer."""
        self.ecr(self.admin, "CreateRepository", {"repositoryName": APP, "tags": [{"Key": "team", "Value": "a"}]})
        for blob in (CONFIG, LAYER):
            self.v2(self.admin, "POST", f"/v2/{APP}/blobs/uploads/?digest={digest_of(blob)}", blob)
        self.v2(self.admin, "PUT", f"/v2/{APP}/manifests/v1", MANIFEST, kind=OCI_MANIFEST)
        self.upload = self.new_upload()
        trust = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": ACCOUNT},
                        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
                    }
                ],
            }
        )
        self.iam(self.admin, "CreateRole", RoleName="ci", AssumeRolePolicyDocument=trust)
        self.iam(self.admin, "PutRolePolicy", RoleName="ci", PolicyName="all", PolicyDocument=EVERYTHING)

    def new_upload(self) -> str:
        """Start an upload and return its id."""
        location = self.v2(self.admin, "POST", f"/v2/{APP}/blobs/uploads/").answer.headers["location"]
        return location.rpartition("/")[2]

    # --- people -------------------------------------------------------------------------------------------------------------

    def someone(self, name: str, *policies: str, by: Who | None = None) -> Who:
        """Make a user with these policies, managed ones by their ARNs, with a key and a password."""
        by = by or self.admin
        arn = self.iam(by, "CreateUser", UserName=name)["User"]["Arn"]
        for number, one in enumerate(policies):
            if one.startswith("arn:"):
                self.iam(by, "AttachUserPolicy", UserName=name, PolicyArn=one)
            else:
                self.iam(by, "PutUserPolicy", UserName=name, PolicyName=f"p{number}", PolicyDocument=one)
        key = self.iam(by, "CreateAccessKey", UserName=name)["AccessKey"]
        return self._with_password(Who(arn=arn, key=key["AccessKeyId"], secret=key["SecretAccessKey"]))

    def become(self, by: Who, role: str = "ci", **more: str) -> Who:
        """Assume a role."""
        given = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "RoleSessionName": "build", **more}
        found = self.sts(by, "AssumeRole", **given)
        made = found["Credentials"]
        who = Who(
            arn=found["AssumedRoleUser"]["Arn"],
            key=made["AccessKeyId"],
            secret=made["SecretAccessKey"],
            session=made["SessionToken"],
        )
        return self._with_password(who, user_id=found["AssumedRoleUser"]["AssumedRoleId"])

    def _with_password(self, who: Who, user_id: str = "") -> Who:
        found = {"UserId": user_id} if user_id else self.sts(who, "GetCallerIdentity")
        return replace(who, password=self.password(who, found["UserId"], datetime.now(UTC)))

    def password(self, who: Who, user_id: str, at: datetime, region: str = REGION) -> str:
        """Return the registry token that ``who`` was given at a moment in a region."""
        name = who.arn.rpartition("/")[2] if ":user/" in who.arn else ""
        caller = Caller(who.arn, AccountId(who.arn.split(":")[4]), user_id, name, who.key)
        return tokens.issue(self.secret, caller, Region(region), at)[0]

    def at_another_time_and_place(self, who: Who, ago: timedelta, region: str = REGION) -> Who:
        """Return the holder of a token of then and there."""
        user_id = self.sts(who, "GetCallerIdentity")["UserId"]
        return replace(who, password=self.password(who, user_id, datetime.now(UTC) - ago, region))

    # --- asking -------------------------------------------------------------------------------------------------------------

    def ecr(self, who: Who, operation: str, document: Any) -> Said:
        return self.json(who, "ecr", operation, document)

    def json(self, who: Who, name: str, operation: str, document: Any) -> Said:
        target = f"{service(name).target_prefix}.{operation}"
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
        answer = self._signed(who, name, headers, json.dumps(document).encode())
        said = {} if answer.status == 200 else json.loads(answer.body)
        return Said(answer.status, said.get("__type", ""), said.get("message", ""), answer)

    def ask_sts(self, who: Who, operation: str, fields: Mapping[str, str]) -> Said:
        answer = self._form(who, "sts", operation, fields)
        error = {} if answer.status == 200 else _parsed("sts", operation, answer)["Error"]
        return Said(answer.status, error.get("Code", ""), error.get("Message", ""), answer)

    def sts(self, who: Who, operation: str, **fields: str) -> Any:
        return _parsed("sts", operation, self._form(who, "sts", operation, fields))

    def iam(self, who: Who, operation: str, **fields: str) -> Any:
        return _parsed("iam", operation, self._form(who, "iam", operation, fields))

    def _form(self, who: Who, name: str, operation: str, fields: Mapping[str, str]) -> Answer:
        body = urlencode({"Action": operation, "Version": service(name).version, **fields}).encode()
        return self._signed(who, name, {"content-type": "application/x-www-form-urlencoded"}, body)

    def _signed(self, who: Who, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        theirs = AWSRequest(method="POST", url="http://localhost:4510/", data=body, headers=dict(headers))
        with patch("botocore.auth.get_current_datetime", lambda: datetime.now(UTC)):
            SigV4Auth(Credentials(who.key, who.secret, who.session or None), name, REGION).add_auth(theirs)
        sent = [(key.lower().encode(), value.encode()) for key, value in theirs.headers.items()]
        return self.inside.ask(Request("POST", b"/", headers=[(b"host", b"localhost:4510"), *sent], body=[body]))

    def v2(self, who: Who, method: str, target: str, body: bytes = b"", kind: str = "", host: str = HOST) -> Said:
        path, _, query = target.partition("?")
        token = base64.b64encode(f"AWS:{who.password}".encode())
        headers = [(b"host", host.encode()), (b"authorization", b"Basic " + token)]
        headers += [(b"content-type", kind.encode())] if kind else []
        answer = self.inside.ask(Request(method, path.encode(), query.encode(), headers, [body]))
        refused = answer.status >= 400 and answer.headers.get("content-type", "").startswith("application/json")
        error = json.loads(answer.body)["errors"][0] if refused and answer.body else {}
        sentence = error.get("message", "") if error else answer.body.decode("latin-1") if answer.status == 401 else ""
        return Said(answer.status, error.get("code", ""), sentence, answer)

    # --- what is kept -------------------------------------------------------------------------------------------------------

    def change(self, statement: str, *values: str) -> None:
        """Change a row, where no operation does."""
        with closing(sqlite3.connect(self.inside.settings.data / "moorage.db", timeout=10)) as database:
            changed = database.execute(statement, values).rowcount
            database.commit()
        assert changed == 1

    def kept(self) -> dict[str, Any]:
        """Return every row, but for notes of who has used what, and every file of bytes."""
        rows: dict[str, Any] = {}
        with closing(sqlite3.connect(f"file:{self.inside.settings.data / 'moorage.db'}?mode=ro", uri=True)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in set(tables) - _NOTES:
                columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
                wanted = ", ".join(name for name in columns if name not in _UNTOLD)
                rows[table] = sorted(map(repr, database.execute(f"SELECT {wanted} FROM {table}")))
        files = {path.name: path.stat().st_size for path in self.inside.settings.blobs.glob("*/*")}
        return {"rows": rows, "files": files}


def _parsed(name: str, operation: str, answer: Answer) -> Any:
    meant = service(name).operation(operation)
    assert meant, operation
    given = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    return create_parser("query").parse(given, meant.output)
