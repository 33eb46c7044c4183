"""Groups, roles, managed policies, boundaries and tags as the query protocol answers them."""

import json
from typing import Any
from urllib.parse import unquote

import pytest

from moorage.core.errors import IdentityInvalid, NoSuchEntity
from tests.web.asking import ACCOUNT, AT, DOCUMENT, READ_ONLY, Ask

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    },
    indent=1,
)
TAGS = [{"Key": "stage", "Value": ""}, {"Key": "team", "Value": "a"}]
BOUND = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": READ_ONLY}


def role(ask: Ask, name: str = "ci", **more: Any) -> Any:
    return ask("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST, **more)["Role"]


def test_a_user_is_answered_with_its_tags_and_its_boundary_and_listed_without(ask: Ask) -> None:
    made = ask("CreateUser", UserName="ada", Tags=TAGS, PermissionsBoundary=READ_ONLY)["User"]

    assert (made["Tags"], made["PermissionsBoundary"]) == (TAGS, BOUND)
    assert ask("GetUser", UserName="ada")["User"] == made
    listed = ask("ListUsers")["Users"][0]
    assert listed == {key: value for key, value in made.items() if key not in ("Tags", "PermissionsBoundary")}
    ask("UntagUser", UserName="ada", TagKeys=["stage"])
    ask("TagUser", UserName="ada", Tags=[{"Key": "TEAM", "Value": "b"}])
    assert ask("ListUserTags", UserName="ada") == {"Tags": [{"Key": "TEAM", "Value": "b"}], "IsTruncated": False}
    ask("DeleteUserPermissionsBoundary", UserName="ada")
    assert "PermissionsBoundary" not in ask("GetUser", UserName="ada")["User"]
    ask("PutUserPermissionsBoundary", UserName="ada", PermissionsBoundary=READ_ONLY)
    assert ask("GetUser", UserName="ada")["User"]["PermissionsBoundary"] == BOUND


def test_a_role_is_answered_in_full(ask: Ask) -> None:
    made = role(
        ask, Path="/ci/", Description="builds", MaxSessionDuration=7200, Tags=TAGS, PermissionsBoundary=READ_ONLY
    )

    assert made == ask("GetRole", RoleName="CI")["Role"]
    assert unquote(made.pop("AssumeRolePolicyDocument")) == TRUST
    assert {**made, "RoleId": ""} == {
        "Path": "/ci/",
        "RoleName": "ci",
        "RoleId": "",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/ci/ci",
        "CreateDate": AT,
        "Description": "builds",
        "MaxSessionDuration": 7200,
        "PermissionsBoundary": BOUND,
        "Tags": TAGS,
        "RoleLastUsed": {},
    }
    listed = ask("ListRoles", PathPrefix="/ci/")["Roles"]
    assert [set(each) & {"Tags", "RoleLastUsed", "PermissionsBoundary"} for each in listed] == [set()]


def test_a_role_is_changed_and_deleted(ask: Ask) -> None:
    role(ask)
    assert ask("UpdateRole", RoleName="ci", MaxSessionDuration=3600, Description="a") == {}
    assert ask("UpdateRoleDescription", RoleName="ci", Description="b")["Role"]["Description"] == "b"
    ask("UpdateAssumeRolePolicy", RoleName="ci", PolicyDocument=TRUST.replace("ec2", "ecs-tasks"))
    assert "ecs-tasks" in ask("GetRole", RoleName="ci")["Role"]["AssumeRolePolicyDocument"]
    ask("PutRolePolicy", RoleName="ci", PolicyName="push", PolicyDocument=DOCUMENT)
    answer = ask("GetRolePolicy", RoleName="ci", PolicyName="push")
    assert (answer["RoleName"], unquote(answer["PolicyDocument"])) == ("ci", DOCUMENT)
    ask("DeleteRolePolicy", RoleName="ci", PolicyName="push")
    assert ask("ListInstanceProfilesForRole", RoleName="ci") == {"InstanceProfiles": [], "IsTruncated": False}
    ask("DeleteRole", RoleName="ci")
    with pytest.raises(NoSuchEntity):
        ask("ListInstanceProfilesForRole", RoleName="ci")


def test_a_service_linked_role_comes_and_goes(ask: Ask) -> None:
    made = ask("CreateServiceLinkedRole", AWSServiceName="ecr.amazonaws.com", Description="d")["Role"]

    assert made["Path"] == "/aws-service-role/ecr.amazonaws.com/"
    task = ask("DeleteServiceLinkedRole", RoleName=made["RoleName"])["DeletionTaskId"]
    assert ask("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task) == {"Status": "SUCCEEDED"}


def test_a_group_is_answered_with_its_members(ask: Ask) -> None:
    made = ask("CreateGroup", GroupName="devs", Path="/teams/")["Group"]
    ask("AddUserToGroup", GroupName="devs", UserName="admin")

    answer = ask("GetGroup", GroupName="Devs")
    assert (answer["Group"], [user["UserName"] for user in answer["Users"]]) == (made, ["admin"])
    assert ask("ListGroups")["Groups"] == ask("ListGroupsForUser", UserName="admin")["Groups"] == [made]
    ask("UpdateGroup", GroupName="devs", NewGroupName="ops")
    ask("AttachGroupPolicy", GroupName="ops", PolicyArn=READ_ONLY)
    assert ask("ListAttachedGroupPolicies", GroupName="ops")["AttachedPolicies"][0]["PolicyArn"] == READ_ONLY
    ask("DetachGroupPolicy", GroupName="ops", PolicyArn=READ_ONLY)
    ask("RemoveUserFromGroup", GroupName="ops", UserName="admin")
    ask("DeleteGroup", GroupName="ops")
    assert ask("ListGroups") == {"Groups": [], "IsTruncated": False}


def test_a_policy_of_ones_own_is_answered_with_its_versions(ask: Ask) -> None:
    made = ask("CreatePolicy", PolicyName="push", Path="/own/", PolicyDocument=DOCUMENT, Description="d", Tags=TAGS)
    policy = made["Policy"]
    arn = policy["Arn"]

    assert {**policy, "PolicyId": ""} == {
        "PolicyName": "push",
        "PolicyId": "",
        "Arn": f"arn:aws:iam::{ACCOUNT}:policy/own/push",
        "Path": "/own/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "Description": "d",
        "CreateDate": AT,
        "UpdateDate": AT,
        "Tags": TAGS,
    }
    assert ask("GetPolicy", PolicyArn=arn)["Policy"] == policy
    second = ask("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DOCUMENT, SetAsDefault=True)["PolicyVersion"]
    assert second == {"VersionId": "v2", "IsDefaultVersion": True, "CreateDate": AT}
    assert unquote(ask("GetPolicyVersion", PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]) == DOCUMENT
    versions = ask("ListPolicyVersions", PolicyArn=arn, MaxItems=1)
    assert versions["Versions"] == [second]
    rest = ask("ListPolicyVersions", PolicyArn=arn, MaxItems=1, Marker=versions["Marker"])
    assert [each["VersionId"] for each in rest["Versions"]] == ["v1"]
    ask("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v1")
    ask("DeletePolicyVersion", PolicyArn=arn, VersionId="v2")
    ask("UntagPolicy", PolicyArn=arn, TagKeys=["stage", "team"])
    ask("TagPolicy", PolicyArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert ask("ListPolicyTags", PolicyArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    ask("DeletePolicy", PolicyArn=arn)
    assert ask("ListPolicies", Scope="Local")["Policies"] == []


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"Scope": "Local"}, ["bounds", "push"]),
        ({"Scope": "Local", "OnlyAttached": True}, ["push"]),
        ({"OnlyAttached": True}, ["AdministratorAccess", "push"]),
        ({"PolicyUsageFilter": "PermissionsBoundary"}, ["bounds"]),
        ({"PolicyUsageFilter": "PermissionsPolicy"}, ["AdministratorAccess", "push"]),
        ({"PathPrefix": "/own/"}, ["push"]),
        ({"PathPrefix": "/service-role/"}, ["AmazonECSTaskExecutionRolePolicy"]),
    ],
)
def test_policies_are_listed_by_whose_they_are_and_how_they_are_used(
    ask: Ask,
    given: dict[str, Any],
    names: list[str],
) -> None:
    push = ask("CreatePolicy", PolicyName="push", Path="/own/", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    bounds = ask("CreatePolicy", PolicyName="bounds", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    role(ask, PermissionsBoundary=bounds)
    ask("AttachRolePolicy", RoleName="ci", PolicyArn=push)

    assert [each["PolicyName"] for each in ask("ListPolicies", **given)["Policies"]] == names


def test_who_has_a_policy_is_listed_by_kind_and_usage(ask: Ask) -> None:
    ask("CreateUser", UserName="ada", PermissionsBoundary=READ_ONLY)
    role(ask, PermissionsBoundary=READ_ONLY)
    ask("CreateGroup", GroupName="devs")
    ask("AttachGroupPolicy", GroupName="devs", PolicyArn=READ_ONLY)
    ask("AttachUserPolicy", UserName="ada", PolicyArn=READ_ONLY)

    def named(**given: Any) -> list[str]:
        found = ask("ListEntitiesForPolicy", PolicyArn=READ_ONLY, **given)
        kinds = ("Group", "User", "Role")
        return [each[f"{kind}Name"] for kind in kinds for each in found[f"Policy{kind}s"]]

    assert named() == ["devs", "ada", "ci"]
    assert named(EntityFilter="Role") == ["ci"]
    assert named(PolicyUsageFilter="PermissionsPolicy") == ["devs", "ada"]
    assert named(PolicyUsageFilter="PermissionsBoundary") == ["ada", "ci"]
    first = ask("ListEntitiesForPolicy", PolicyArn=READ_ONLY, MaxItems=2)
    assert first["IsTruncated"]
    assert named(MaxItems=2, Marker=first["Marker"]) == ["ada"]


def test_the_details_of_an_account_come_in_pages(ask: Ask) -> None:
    role(ask, Tags=TAGS)
    ask("CreateGroup", GroupName="devs")
    ask("AddUserToGroup", GroupName="devs", UserName="admin")
    ask("PutGroupPolicy", GroupName="devs", PolicyName="push", PolicyDocument=DOCUMENT)

    whole = ask("GetAccountAuthorizationDetails")
    pages = [ask("GetAccountAuthorizationDetails", MaxItems=1)]
    while pages[-1]["IsTruncated"]:
        pages.append(ask("GetAccountAuthorizationDetails", MaxItems=1, Marker=pages[-1]["Marker"]))

    for member in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
        assert [each for page in pages for each in page[member]] == whole[member]
        assert len(whole[member]) == 1
    assert whole["UserDetailList"][0]["GroupList"] == ["devs"]
    assert unquote(whole["GroupDetailList"][0]["GroupPolicyList"][0]["PolicyDocument"]) == DOCUMENT
    assert whole["RoleDetailList"][0]["Tags"] == TAGS
    assert whole["Policies"][0]["PolicyVersionList"][0]["IsDefaultVersion"]
    only = ask("GetAccountAuthorizationDetails", Filter=["LocalManagedPolicy"])
    assert (only["UserDetailList"], only["Policies"]) == ([], [])
    assert ask("GetAccountSummary")["SummaryMap"]["Users"] == 1


@pytest.mark.parametrize(
    "operation",
    ["ListMFADevices", "ListSSHPublicKeys", "ListSigningCertificates", "ListServiceSpecificCredentials"],
)
def test_what_no_user_has_is_answered_as_none(ask: Ask, operation: str) -> None:
    answer = ask(operation, UserName="admin")

    assert [value for key, value in answer.items() if key != "IsTruncated"] == [[]]
    with pytest.raises(NoSuchEntity):
        ask(operation, UserName="nobody")
    with pytest.raises(NoSuchEntity, match="Login Profile for User admin"):
        ask("DeleteLoginProfile", UserName="admin")
    assert ask("ListVirtualMFADevices")["VirtualMFADevices"] == []


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("CreateRole", {"RoleName": "a\r\nx-injected: 1", "AssumeRolePolicyDocument": TRUST}),
        ("CreateRole", {"RoleName": "ci", "AssumeRolePolicyDocument": TRUST, "MaxSessionDuration": 3599}),
        ("CreateRole", {"RoleName": "ci", "AssumeRolePolicyDocument": TRUST, "MaxSessionDuration": 43201}),
        ("CreateRole", {"RoleName": "ci", "AssumeRolePolicyDocument": TRUST, "Path": "ci"}),
        ("CreateGroup", {"GroupName": "d" * 129}),
        ("CreatePolicy", {"PolicyName": "p/q", "PolicyDocument": DOCUMENT}),
        ("CreatePolicy", {"PolicyName": "p", "PolicyDocument": DOCUMENT, "Path": "/a b/"}),
        ("CreateUser", {"UserName": "ada", "Tags": [{"Key": "", "Value": ""}]}),
        ("CreateUser", {"UserName": "ada", "Tags": [{"Key": "a\n", "Value": ""}]}),
        ("TagRole", {"RoleName": "ci", "Tags": [{"Key": f"k{number}", "Value": ""} for number in range(51)]}),
        ("GetPolicyVersion", {"PolicyArn": READ_ONLY, "VersionId": "3"}),
        ("ListGroups", {"Marker": "*"}),
    ],
)
def test_what_breaks_the_model_is_refused(ask: Ask, operation: str, given: dict[str, Any]) -> None:
    with pytest.raises(IdentityInvalid):
        ask(operation, **given)
