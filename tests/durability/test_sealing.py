"""The start that seals an older store's secrets, ended after every call that changes the disk: the next one ends it well."""

import shutil
from pathlib import Path

import pytest

from tests.clients.people import admin, client
from tests.durability.mortal import MortalServer
from tests.server.secrets_at_rest import database_files, make_older

pytestmark = pytest.mark.slow

MOST_CALLS = 40


@pytest.mark.parametrize("end", ["crash", "power cut"])
def test_a_start_that_seals_may_end_at_any_moment(end: str, tmp_path: Path) -> None:
    server = MortalServer(tmp_path)
    server.start()
    with client(server, "iam", admin(server)) as iam:
        iam.create_user(UserName="ada")
        iam.create_access_key(UserName="ada")
    server.stop()
    clear = make_older(server.data)
    older = tmp_path / "older"
    shutil.copytree(server.data, older)

    died_after = []
    for calls in range(MOST_CALLS):
        shutil.rmtree(server.data)
        shutil.copytree(older, server.data)
        server.die_after(calls, end)
        try:
            server.start()
        except AssertionError:
            died_after.append(server.last_call())
        finally:
            server.kill()
            server.live_on()
        server.start()
        with client(server, "sts", admin(server)) as sts:
            assert sts.get_caller_identity()["Arn"].endswith(":user/admin")
        server.kill()
        assert [secret for secret in clear if secret.encode() in database_files(server.data)] == []
        if len(died_after) <= calls:
            break

    assert {"open", "fsync", "commit"} <= set(died_after)
    assert len(died_after) < MOST_CALLS
