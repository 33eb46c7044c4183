import json
from typing import Any
from urllib.parse import unquote

import pytest

from moorage.core.errors import IdentityInvalid
from moorage.web.aws import iam, sts
from moorage.web.aws.model import service
from tests.web.asking import ACCOUNT, AT, DOCUMENT, READ_ONLY, Ask


def test_every_handler_is_an_operation_of_its_model() -> None:
    identities: Any = None

    assert set(iam.operations(identities)) <= service("iam").operations
    assert set(sts.operations(identities, identities)) <= service("sts").operations


def test_the_caller_is_told_who_it_is(ask: Ask) -> None:
    identity = ask("GetCallerIdentity")

    assert identity["Account"] == ACCOUNT
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert identity["UserId"] == ask("GetUser")["User"]["UserId"]


def test_a_user_is_answered_in_full(ask: Ask) -> None:
    made = ask("CreateUser", UserName="ada", Path="/ops/")["User"]

    assert made == ask("GetUser", UserName="ADA")["User"]
    assert {**made, "UserId": ""} == {
        "Path": "/ops/",
        "UserName": "ada",
        "UserId": "",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/ops/ada",
        "CreateDate": AT,
    }


def test_the_secret_of_a_key_is_answered_once(ask: Ask) -> None:
    ask("CreateUser", UserName="ada")
    key = ask("CreateAccessKey", UserName="ada")["AccessKey"]
    secret = key.pop("SecretAccessKey")

    assert len(secret) == 40
    assert ask("ListAccessKeys", UserName="ada") == {"AccessKeyMetadata": [key], "IsTruncated": False}


def test_a_key_is_switched_off_and_deleted(ask: Ask) -> None:
    ask("CreateUser", UserName="ada")
    key_id = ask("CreateAccessKey", UserName="ada")["AccessKey"]["AccessKeyId"]
    ask("UpdateAccessKey", UserName="ada", AccessKeyId=key_id, Status="Inactive")

    assert [key["Status"] for key in ask("ListAccessKeys", UserName="ada")["AccessKeyMetadata"]] == ["Inactive"]
    with pytest.raises(IdentityInvalid):
        ask("UpdateAccessKey", UserName="ada", AccessKeyId=key_id, Status="Expired")
    ask("DeleteAccessKey", UserName="ada", AccessKeyId=key_id)
    ask("DeleteUser", UserName="ada")
    assert [user["UserName"] for user in ask("ListUsers")["Users"]] == ["admin"]


def test_the_alias_of_an_account_is_listed(ask: Ask) -> None:
    ask("CreateAccountAlias", AccountAlias="harbour")

    assert ask("ListAccountAliases") == {"AccountAliases": ["harbour"], "IsTruncated": False}
    ask("DeleteAccountAlias", AccountAlias="harbour")
    assert ask("ListAccountAliases")["AccountAliases"] == []


def test_managed_policies_are_attached_and_detached(ask: Ask) -> None:
    ask("AttachUserPolicy", UserName="admin", PolicyArn=READ_ONLY)

    assert ask("ListAttachedUserPolicies", UserName="admin")["AttachedPolicies"] == [
        {"PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        {"PolicyName": "AmazonEC2ContainerRegistryReadOnly", "PolicyArn": READ_ONLY},
    ]
    ask("DetachUserPolicy", UserName="admin", PolicyArn=READ_ONLY)
    assert len(ask("ListAttachedUserPolicies", UserName="admin")["AttachedPolicies"]) == 1


def test_a_managed_policy_is_found_as_terraform_looks_for_it(ask: Ask) -> None:
    listed = ask("ListPolicies", Scope="AWS")["Policies"]
    policy = ask("GetPolicy", PolicyArn=READ_ONLY)["Policy"]
    version = ask("GetPolicyVersion", PolicyArn=READ_ONLY, VersionId=policy["DefaultVersionId"])["PolicyVersion"]

    assert policy["Description"]
    assert {key: value for key, value in policy.items() if key != "Description"} in listed
    assert json.loads(unquote(version["Document"]))["Statement"][0]["Resource"] == "*"
    assert "{" not in version["Document"]


@pytest.mark.parametrize(
    "given", [{"Scope": "Local"}, {"PolicyUsageFilter": "PermissionsBoundary"}, {"PathPrefix": "/a/"}]
)
def test_there_are_no_policies_of_other_kinds(ask: Ask, given: dict[str, Any]) -> None:
    assert ask("ListPolicies", **given)["Policies"] == []


def test_an_inline_policy_is_answered_url_encoded(ask: Ask) -> None:
    ask("PutUserPolicy", UserName="admin", PolicyName="push", PolicyDocument=DOCUMENT)
    answer = ask("GetUserPolicy", UserName="ADMIN", PolicyName="Push")

    assert (answer["UserName"], answer["PolicyName"], unquote(answer["PolicyDocument"])) == ("admin", "push", DOCUMENT)
    assert "%0A" in answer["PolicyDocument"]
    assert ask("ListUserPolicies", UserName="admin") == {"PolicyNames": ["push"], "IsTruncated": False}
    ask("DeleteUserPolicy", UserName="admin", PolicyName="push")
    assert ask("ListUserPolicies", UserName="admin")["PolicyNames"] == []


@pytest.mark.parametrize(
    ("operation", "member", "given"),
    [
        ("ListUsers", "Users", {}),
        ("ListPolicies", "Policies", {}),
        ("ListUserPolicies", "PolicyNames", {"UserName": "admin"}),
        ("ListAccessKeys", "AccessKeyMetadata", {}),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_pages_hold_everything_once_and_in_order(
    ask: Ask, operation: str, member: str, given: dict[str, str], size: int
) -> None:
    for name in ("b", "C", "d"):
        ask("CreateUser", UserName=name)
        ask("PutUserPolicy", UserName="admin", PolicyName=name, PolicyDocument=DOCUMENT)
    ask("CreateAccessKey")
    whole = ask(operation, **given)[member]
    pages = [ask(operation, **given, MaxItems=size)]
    while pages[-1]["IsTruncated"]:
        pages.append(ask(operation, **given, MaxItems=size, Marker=pages[-1]["Marker"]))

    assert [item for page in pages for item in page[member]] == whole
    assert all(len(page[member]) == size for page in pages[:-1])
    assert all(pages[-1][member] for _ in pages)


@pytest.mark.parametrize("marker", ["*", "AA==", "/w==", "a", "\u00e9"])
def test_a_marker_of_nobodys_is_refused(ask: Ask, marker: str) -> None:
    with pytest.raises(IdentityInvalid, match=r"^Invalid Marker\.$"):
        ask("ListUsers", Marker=marker)


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("CreateRole", {"RoleName": "ci", "AssumeRolePolicyDocument": "{}", "MaxSigninSessionDuration": 3600}),
        ("UpdateRole", {"RoleName": "ci", "ResetMaxSigninSessionDuration": True}),
    ],
)
def test_what_is_not_kept_is_refused_rather_than_ignored(ask: Ask, operation: str, given: dict[str, Any]) -> None:
    with pytest.raises(IdentityInvalid, match="is not supported by Moorage"):
        ask(operation, **given)
