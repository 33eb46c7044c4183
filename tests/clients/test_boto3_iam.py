"""Amazon's own SDK on IAM, and what Terraform's provider asks of it, resource by resource.

Each conversation of Terraform's is a resource's: made, read, changed, imported, read again without a difference, destroyed.
Source: the provider's resources of the name (hashicorp/terraform-provider-aws, internal/service/iam).
"""

import json
import uuid
from typing import Any
from urllib.parse import unquote

import pytest

from tests.clients.people import POWER_USER, READ_ONLY, Person, client, make_person, refused
from tests.engines.server import ACCOUNT, Server

pytestmark = [pytest.mark.slow, pytest.mark.client("boto3")]

TAGS = [{"Key": "team", "Value": "web"}]


def named(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def document(*actions: str, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(**principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def gone(call: Any, **given: Any) -> bool:
    return refused(lambda: call(**given))[0] == "NoSuchEntity"


# --- Terraform, resource by resource -----------------------------------------------------------------------------------


def test_terraforms_aws_iam_user(iam: Any) -> None:
    name = named("user")
    made = iam.create_user(UserName=name, Path="/", PermissionsBoundary=READ_ONLY, Tags=TAGS)["User"]
    read = iam.get_user(UserName=name)["User"]
    assert (read["Arn"], read["UserId"], read["Tags"]) == (made["Arn"], made["UserId"], TAGS)
    assert read["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY

    iam.update_user(UserName=name, NewUserName=f"{name}-2", NewPath="/ops/")
    name += "-2"
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=POWER_USER)
    iam.delete_user_permissions_boundary(UserName=name)
    iam.untag_user(UserName=name, TagKeys=["team"])
    iam.tag_user(UserName=name, Tags=[{"Key": "stage", "Value": "test"}])
    imported = iam.get_user(UserName=name)["User"]
    assert imported == iam.get_user(UserName=name)["User"]
    assert (imported["Path"], imported["UserId"], imported["Tags"]) == (
        "/ops/",
        made["UserId"],
        [{"Key": "stage", "Value": "test"}],
    )
    assert "PermissionsBoundary" not in imported

    # With force_destroy it looks for all that keeps a user from going.
    assert iam.list_groups_for_user(UserName=name)["Groups"] == []
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == []
    assert iam.list_ssh_public_keys(UserName=name)["SSHPublicKeys"] == []
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"] == []
    assert iam.list_mfa_devices(UserName=name)["MFADevices"] == []
    assert gone(iam.delete_login_profile, UserName=name)
    assert iam.list_signing_certificates(UserName=name)["Certificates"] == []
    assert iam.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"] == []
    iam.delete_user(UserName=name)
    assert gone(iam.get_user, UserName=name)


def test_terraforms_aws_iam_role(iam: Any) -> None:
    name = named("role")
    made = iam.create_role(
        RoleName=name,
        Path="/",
        AssumeRolePolicyDocument=trust(Service="ecs-tasks.amazonaws.com"),
        MaxSessionDuration=3600,
        Tags=TAGS,
    )["Role"]
    read = iam.get_role(RoleName=name)["Role"]
    assert read["AssumeRolePolicyDocument"] == json.loads(trust(Service="ecs-tasks.amazonaws.com"))
    assert (read["Arn"], read["MaxSessionDuration"], read["Tags"]) == (made["Arn"], 3600, TAGS)
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []

    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust(AWS=ACCOUNT))
    iam.update_role_description(RoleName=name, Description="builds")
    iam.update_role(RoleName=name, Description="builds", MaxSessionDuration=7200)
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=READ_ONLY)
    iam.delete_role_permissions_boundary(RoleName=name)
    iam.tag_role(RoleName=name, Tags=[{"Key": "team", "Value": "ops"}])
    imported = iam.get_role(RoleName=name)["Role"]
    assert (imported["Description"], imported["MaxSessionDuration"]) == ("builds", 7200)
    # IAM shows an account by its root.
    assert imported["AssumeRolePolicyDocument"] == json.loads(trust(AWS=f"arn:aws:iam::{ACCOUNT}:root"))
    assert imported["Tags"] == [{"Key": "team", "Value": "ops"}]
    assert imported == iam.get_role(RoleName=name)["Role"]

    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.delete_role(RoleName=name)
    assert gone(iam.get_role, RoleName=name)


def test_terraforms_aws_iam_policy(iam: Any) -> None:
    name = named("policy")
    made = iam.create_policy(PolicyName=name, Path="/", PolicyDocument=document("ecr:*"), Description="d", Tags=TAGS)
    arn = made["Policy"]["Arn"]

    def read() -> tuple[Any, Any]:
        policy = iam.get_policy(PolicyArn=arn)["Policy"]
        version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        return policy, version["Document"]

    policy, text = read()
    assert (policy["Description"], policy["Tags"], text) == ("d", TAGS, json.loads(document("ecr:*")))
    for number in range(6):
        # As many as five are kept: the provider deletes the oldest before it adds another.
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        if len(versions) >= 5:
            oldest = min(
                (each for each in versions if not each["IsDefaultVersion"]), key=lambda each: int(each["VersionId"][1:])
            )
            iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(f"ecr:Get{number}*"), SetAsDefault=True)
    iam.untag_policy(PolicyArn=arn, TagKeys=["team"])
    imported = read()
    assert imported[1] == json.loads(document("ecr:Get5*"))
    assert imported[0]["DefaultVersionId"] == "v7"
    assert "Tags" not in imported[0]
    assert imported == read()

    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)
    assert gone(iam.get_policy, PolicyArn=arn)


def test_terraforms_aws_iam_access_key(iam: Any) -> None:
    name = named("user")
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    assert iam.get_access_key_last_used(AccessKeyId=made["AccessKeyId"])["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    (read,) = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert (read["AccessKeyId"], read["Status"]) == (made["AccessKeyId"], "Active")
    iam.update_access_key(UserName=name, AccessKeyId=made["AccessKeyId"], Status="Inactive")
    assert [each["Status"] for each in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]] == ["Inactive"]
    iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
    assert gone(iam.delete_access_key, UserName=name, AccessKeyId=made["AccessKeyId"])
    iam.delete_user(UserName=name)


def test_terraforms_attachments_and_inline_policies(iam: Any) -> None:
    """aws_iam_*_policy_attachment, aws_iam_policy_attachment, aws_iam_*_policy, of each kind."""
    user, group, role = named("user"), named("group"), named("role")
    iam.create_user(UserName=user)
    iam.create_group(GroupName=group)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(Service="ec2.amazonaws.com"))
    arn = iam.create_policy(PolicyName=named("policy"), PolicyDocument=document("ecr:*"))["Policy"]["Arn"]
    for kind, name in (("user", user), ("group", group), ("role", role)):
        who = {f"{kind.title()}Name": name}

        def ask(verb: str, tail: str, kind: str = kind, who: dict[str, str] = who, **given: Any) -> Any:
            return getattr(iam, f"{verb}_{kind}_{tail}")(**who, **given)

        ask("attach", "policy", PolicyArn=arn)
        (attached,) = getattr(iam, f"list_attached_{kind}_policies")(**who)["AttachedPolicies"]
        assert attached == {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}
        ask("put", "policy", PolicyName="inline", PolicyDocument=document("ecr:Get*"))
        assert ask("get", "policy", PolicyName="inline")["PolicyDocument"] == json.loads(document("ecr:Get*"))
        ask("put", "policy", PolicyName="inline", PolicyDocument=document("ecr:Put*"))
        assert ask("list", "policies")["PolicyNames"] == ["inline"]
        assert ask("get", "policy", PolicyName="inline")["PolicyDocument"] == json.loads(document("ecr:Put*"))

    found = iam.list_entities_for_policy(PolicyArn=arn)
    assert [found["PolicyUsers"][0]["UserName"], found["PolicyGroups"][0]["GroupName"]] == [user, group]
    assert found["PolicyRoles"][0]["RoleName"] == role
    assert refused(lambda: iam.delete_policy(PolicyArn=arn)) == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    )
    for kind, name in (("user", user), ("group", group), ("role", role)):
        who = {f"{kind.title()}Name": name}
        getattr(iam, f"detach_{kind}_policy")(**who, PolicyArn=arn)
        assert gone(getattr(iam, f"detach_{kind}_policy"), **who, PolicyArn=arn)
        getattr(iam, f"delete_{kind}_policy")(**who, PolicyName="inline")
        assert gone(getattr(iam, f"get_{kind}_policy"), **who, PolicyName="inline")
        getattr(iam, f"delete_{kind}")(**who)
    iam.delete_policy(PolicyArn=arn)


def test_terraforms_aws_iam_group_and_its_members(iam: Any) -> None:
    """aws_iam_group, aws_iam_group_membership, aws_iam_user_group_membership."""
    user, group = named("user"), named("group")
    iam.create_user(UserName=user)
    made = iam.create_group(GroupName=group, Path="/")["Group"]
    iam.add_user_to_group(GroupName=group, UserName=user)
    assert [each["UserName"] for each in iam.get_group(GroupName=group)["Users"]] == [user]
    iam.update_group(GroupName=group, NewGroupName=f"{group}-2", NewPath="/teams/")
    (listed,) = iam.list_groups_for_user(UserName=user)["Groups"]
    assert (listed["GroupId"], listed["Path"], listed["GroupName"]) == (made["GroupId"], "/teams/", f"{group}-2")
    iam.remove_user_from_group(GroupName=f"{group}-2", UserName=user)
    iam.delete_group(GroupName=f"{group}-2")
    assert gone(iam.get_group, GroupName=f"{group}-2")
    iam.delete_user(UserName=user)


def test_terraforms_aws_iam_service_linked_role(iam: Any) -> None:
    made = iam.create_service_linked_role(AWSServiceName="pullthroughcache.ecr.amazonaws.com")["Role"]
    name = made["RoleName"]
    assert name == "AWSServiceRoleForECRPullThroughCache"
    assert iam.get_role(RoleName=name)["Role"]["Path"] == "/aws-service-role/pullthroughcache.ecr.amazonaws.com/"
    iam.update_role(RoleName=name, Description="caches")
    assert refused(lambda: iam.delete_role(RoleName=name))[0] == "UnmodifiableEntity"
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert gone(iam.get_role, RoleName=name)


# --- rights at both doors ----------------------------------------------------------------------------------------------


@pytest.fixture
def someone(iam: Any) -> Person:
    return make_person(iam, None)


def test_a_group_gives_rights_and_takes_them_at_the_next_request(server: Server, iam: Any, someone: Person) -> None:
    group = named("group")
    iam.create_group(GroupName=group)
    iam.attach_group_policy(GroupName=group, PolicyArn=READ_ONLY)
    with client(server, "ecr", someone) as ecr:
        assert refused(ecr.describe_repositories)[0] == "AccessDeniedException"
        iam.add_user_to_group(GroupName=group, UserName=someone.name)
        ecr.describe_repositories()
        iam.remove_user_from_group(GroupName=group, UserName=someone.name)
        assert refused(ecr.describe_repositories)[0] == "AccessDeniedException"


def test_the_last_use_of_a_key_is_told(server: Server, iam: Any, someone: Person) -> None:
    with client(server, "sts", someone) as sts:
        sts.get_caller_identity()

    told = iam.get_access_key_last_used(AccessKeyId=someone.key_id)
    assert told["UserName"] == someone.name
    assert (told["AccessKeyLastUsed"]["ServiceName"], told["AccessKeyLastUsed"]["Region"]) == ("sts", "us-east-1")
    assert told["AccessKeyLastUsed"]["LastUsedDate"]


def test_a_boundary_holds_an_administrator_back(server: Server, iam: Any, someone: Person) -> None:
    iam.attach_user_policy(UserName=someone.name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.put_user_permissions_boundary(UserName=someone.name, PermissionsBoundary=READ_ONLY)
    with client(server, "ecr", someone) as ecr:
        ecr.describe_repositories()
        code, message = refused(lambda: ecr.create_repository(repositoryName=named("app")))
        assert (code, message.partition(" because ")[2]) == (
            "AccessDeniedException",
            "no permissions boundary allows the ecr:CreateRepository action",
        )
        iam.delete_user_permissions_boundary(UserName=someone.name)
        ecr.create_repository(repositoryName=named("app"))


def test_the_version_of_a_policy_that_is_put_in_force_is_in_force(server: Server, iam: Any, someone: Person) -> None:
    arn = iam.create_policy(PolicyName=named("policy"), PolicyDocument=document("ecr:DescribeRepositories"))["Policy"][
        "Arn"
    ]
    iam.attach_user_policy(UserName=someone.name, PolicyArn=arn)
    with client(server, "ecr", someone) as ecr:
        ecr.describe_repositories()
        iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=document("ecr:GetAuthorizationToken"), SetAsDefault=True
        )
        assert refused(ecr.describe_repositories)[0] == "AccessDeniedException"
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        ecr.describe_repositories()


# --- pages and words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("list_users", "Users"),
        ("list_groups", "Groups"),
        ("list_roles", "Roles"),
        ("list_policies", "Policies"),
        ("get_account_authorization_details", "UserDetailList"),
    ],
)
def test_a_paginator_finds_everything_once(iam: Any, operation: str, member: str) -> None:
    for _ in range(3):
        iam.create_user(UserName=named("user"))
        iam.create_group(GroupName=named("group"))
        iam.create_role(RoleName=named("role"), AssumeRolePolicyDocument=trust(Service="ec2.amazonaws.com"))

    pages = list(iam.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}))
    found = [each["Arn"] for page in pages for each in page[member]]

    assert len(pages) > 1
    assert len(found) == len(set(found)) > 2


@pytest.mark.parametrize(
    ("operation", "given", "code", "message"),
    [
        ("get_role", {"RoleName": "none"}, "NoSuchEntity", "The role with name none cannot be found."),
        ("get_group", {"GroupName": "none"}, "NoSuchEntity", "The group with name none cannot be found."),
        (
            "create_role",
            {"RoleName": "r", "AssumeRolePolicyDocument": trust(AWS=f"arn:aws:iam::{ACCOUNT}:user/none")},
            "MalformedPolicyDocument",
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/none"',
        ),
        (
            "create_role",
            {"RoleName": "r", "AssumeRolePolicyDocument": "not JSON"},
            "MalformedPolicyDocument",
            "This policy contains invalid Json",
        ),
        ("create_policy", {"PolicyName": "p", "PolicyDocument": "{"}, "MalformedPolicyDocument", "Syntax errors in policy."),
        (
            "create_policy",
            {"PolicyName": "p", "PolicyDocument": json.dumps({**json.loads(document("ecr:*")), "Extra": 1})},
            "MalformedPolicyDocument",
            "Syntax errors in policy.",
        ),
        (
            "create_policy",
            {"PolicyName": "p", "PolicyDocument": document(*(f"ecr:{'a' * 90}{number}" for number in range(70)))},
            "LimitExceeded",
            "Cannot exceed quota for PolicySize: 6144",
        ),
        (
            "create_user",
            {"UserName": "u", "Tags": [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]},
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        ("delete_policy", {"PolicyArn": READ_ONLY}, "AccessDenied", "Policy is outside your own account."),
        (
            "create_service_linked_role",
            {"AWSServiceName": "ecr.amazonaws.com", "CustomSuffix": "x"},
            "InvalidInput",
            "Custom suffix is not allowed for ecr.amazonaws.com",
        ),
    ],
)  # fmt: skip
def test_a_refusal_has_iams_code_and_words(iam: Any, operation: str, given: Any, code: str, message: str) -> None:
    assert refused(lambda: getattr(iam, operation)(**given)) == (code, message)


def test_a_name_cannot_bring_a_header_of_its_own(iam: Any) -> None:
    for call in (
        lambda: iam.create_role(RoleName="a\r\nx-evil: 1", AssumeRolePolicyDocument=trust(AWS="*")),
        lambda: iam.create_group(GroupName="a\r\nx-evil: 1"),
        lambda: iam.tag_user(UserName="admin", Tags=[{"Key": "a\r\nb", "Value": ""}]),
    ):
        code, message = refused(call)
        assert code == "ValidationError"
        assert "x-evil" not in str(iam.get_user(UserName="admin")["ResponseMetadata"]["HTTPHeaders"])
        assert unquote(message)


# --- simulations -------------------------------------------------------------------------------------------------------


def test_what_is_simulated_is_what_happens(server: Server, iam: Any) -> None:
    ada = make_person(iam, READ_ONLY)
    app = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{named('app')}"
    actions = ["ecr:DescribeRepositories", "ecr:CreateRepository"]
    found = iam.simulate_principal_policy(PolicySourceArn=ada.arn, ActionNames=actions, ResourceArns=[app])

    assert [one["EvalDecision"] for one in found["EvaluationResults"]] == ["allowed", "implicitDeny"]
    (matched,) = found["EvaluationResults"][0]["ResourceSpecificResults"][0]["MatchedStatements"]
    assert matched["SourcePolicyId"] == READ_ONLY.rpartition("/")[2]
    with client(server, "ecr", ada) as ecr:
        assert "repositories" in ecr.describe_repositories()
        assert refused(lambda: ecr.create_repository(repositoryName=named("app")))[0] == "AccessDeniedException"


def test_simulations_are_paged_and_refused_as_amazons_sdk_expects(iam: Any) -> None:
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[document("ecr:Get*")],
        ActionNames=["ecr:GetAuthorizationToken", "ecr:PutImage", "s3:GetObject"],
        PaginationConfig={"PageSize": 1},
    )
    assert [[one["EvalDecision"] for one in page["EvaluationResults"]] for page in pages] == [
        ["allowed"],
        ["implicitDeny"],
        ["implicitDeny"],
    ]
    keys = iam.get_context_keys_for_custom_policy(PolicyInputList=[document("ecr:*")])["ContextKeyNames"]
    assert keys == []
    with pytest.raises(iam.exceptions.InvalidInputException):
        iam.simulate_custom_policy(PolicyInputList=["no policy"], ActionNames=["ecr:PutImage"])
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/nobody", ActionNames=["ecr:PutImage"]
        )
