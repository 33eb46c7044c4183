"""Properties are given the time they take: the first example of one may load a service model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.parsers import create_parser
from hypothesis import settings

from moorage.actions.access import Guard
from moorage.actions.identities import Identities
from moorage.actions.sessions import Sessions
from moorage.adapters.sql.database import SqlDatabase
from moorage.core.calls import Call, Caller
from moorage.core.names import Region, Registry
from moorage.web.aws import iam, sts
from moorage.web.aws.check import common_words, compile_check
from moorage.web.aws.model import service
from moorage.web.aws.query import write
from tests.contracts.rows import VAULT
from tests.web.asking import ACCOUNT, AT, Ask

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Ask as an administrator, checked by the model on the way in and read by botocore on the way out."""
    database = SqlDatabase(f"sqlite:///{tmp_path / 'moorage.db'}", vault=VAULT)
    database.migrate()
    guard = Guard()
    identities = Identities(database, guard)
    key = identities.bootstrap(ACCOUNT, AT, keep=lambda _: None)
    assert key
    caller = Caller(key.user.arn, ACCOUNT, key.user.id, key.user.name, key.id)
    call = Call(caller=caller, registry=Registry(ACCOUNT, Region("us-east-1")), at=AT, request_id="1")
    handlers = {"iam": iam.operations(identities), "sts": sts.operations(identities, Sessions(database, guard))}

    def ask(operation: str, **given: Any) -> Any:
        meant = service("sts" if operation in handlers["sts"] else "iam")
        found = meant.operation(operation)
        assert found
        result = handlers[meant.name][operation](call, compile_check(found.input, common_words)(given))
        if found.output is None:
            assert result is None
            return None
        answer = {"status_code": 200, "headers": {}, "body": write(meant, found, result, "1")}
        parsed = create_parser("query").parse(answer, found.output)
        del parsed["ResponseMetadata"]
        assert set(found.output.required_members) <= set(parsed)
        return parsed

    yield ask
    database.close()
