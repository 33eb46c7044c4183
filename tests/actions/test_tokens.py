from dataclasses import replace
from datetime import timedelta

import pytest

from moorage.core.errors import AccessDenied, CredentialsInvalid, TokenExpired, TokenInvalid
from moorage.core.names import Region, Registry
from tests.actions.desk import SECRET, Desk
from tests.contracts.rows import AT, HERE
from tests.tokens import read


def test_a_token_is_its_callers_for_twelve_hours_in_its_region(desk: Desk) -> None:
    password, expires = desk.tokens.issue(desk.admin)
    held = read(SECRET, password, HERE.region, AT + timedelta(hours=12) - timedelta(seconds=1))

    assert held == (desk.admin.caller, HERE.region)
    assert expires == AT + timedelta(hours=12)
    with pytest.raises(TokenExpired):
        read(SECRET, password, HERE.region, expires)
    with pytest.raises(TokenInvalid):
        read(SECRET, password, Region("us-west-2"), AT)
    with pytest.raises(TokenInvalid):
        read(b"another installation's", password, HERE.region, AT)


def test_a_token_needs_a_right_that_no_repository_gives(desk: Desk) -> None:
    tokener = desk.someone("ecr:GetAuthorizationToken")
    not_everywhere = desk.someone("ecr:GetAuthorizationToken", resource=HERE.repository_arn("*"))

    assert desk.tokens.issue(tokener)[0]
    with pytest.raises(AccessDenied, match=r"ecr:GetAuthorizationToken on resource: \* because"):
        desk.tokens.issue(not_everywhere)


def test_a_key_that_was_switched_off_gets_no_token(desk: Desk) -> None:
    someone = desk.someone("ecr:*")
    desk.tokens.issue(someone)
    desk.identities.set_key(desk.admin, someone.caller.user_name, someone.caller.access_key_id, active=False)

    with pytest.raises(CredentialsInvalid):
        desk.tokens.issue(someone)


def test_a_token_is_of_the_region_that_was_asked(desk: Desk) -> None:
    west = Registry(HERE.account, Region("us-west-2"))
    password, _ = desk.tokens.issue(replace(desk.admin, registry=west))

    assert read(SECRET, password, None, AT)[1] == "us-west-2"
