import pytest

from moorage.core.access import AccessRequest, Names, Policies, decide
from moorage.core.managed_policies import MANAGED_POLICIES, ManagedPolicy, managed_policy

READ_ONLY = "AmazonEC2ContainerRegistryReadOnly"
PULL_ONLY = "AmazonEC2ContainerRegistryPullOnly"
POWER_USER = "AmazonEC2ContainerRegistryPowerUser"
FULL_ACCESS = "AmazonEC2ContainerRegistryFullAccess"
ADMINISTRATOR = "AdministratorAccess"


TASKS = "AmazonECSTaskExecutionRolePolicy"
ECS_FULL_ACCESS = "AmazonECS_FullAccess"


def allows(policy: ManagedPolicy, action: str) -> bool:
    repository = "arn:aws:ecr:us-east-1:111122223333:repository/app"
    user = "arn:aws:iam::111122223333:user/ada"
    request = AccessRequest(Names(user, "111122223333"), action, repository, "111122223333", {})
    return decide(request, Policies([policy.policy])).allowed


@pytest.mark.parametrize(
    ("action", "names"),
    [
        ("ecr:GetAuthorizationToken", {PULL_ONLY, READ_ONLY, POWER_USER, FULL_ACCESS, ADMINISTRATOR, TASKS}),
        ("ecr:BatchGetImage", {PULL_ONLY, READ_ONLY, POWER_USER, FULL_ACCESS, ADMINISTRATOR, TASKS}),
        ("ecr:BatchImportUpstreamImage", {PULL_ONLY, FULL_ACCESS, ADMINISTRATOR}),
        ("ecr:DescribeImages", {READ_ONLY, POWER_USER, FULL_ACCESS, ADMINISTRATOR}),
        ("ecr:PutImage", {POWER_USER, FULL_ACCESS, ADMINISTRATOR}),
        ("ecr:CreateRepository", {FULL_ACCESS, ADMINISTRATOR}),
        ("cloudtrail:LookupEvents", {FULL_ACCESS, ADMINISTRATOR}),
        ("logs:PutLogEvents", {ADMINISTRATOR, TASKS}),
        ("ecs:RunTask", {ADMINISTRATOR, ECS_FULL_ACCESS}),
        ("iam:CreateUser", {ADMINISTRATOR}),
        ("iam:CreateServiceLinkedRole", {ADMINISTRATOR}),
    ],
)
def test_an_action_is_allowed_by_the_policies_that_aws_says(action: str, names: set[str]) -> None:
    known = [policy for policy in MANAGED_POLICIES.values() if policy.attachable]
    assert {policy.name for policy in known if allows(policy, action)} == names


def test_policies_are_found_by_arn_and_listed_by_name() -> None:
    names = [policy.name for policy in MANAGED_POLICIES.values()]

    assert names == sorted(names)
    assert len({policy.id for policy in MANAGED_POLICIES.values()}) == len(names)
    assert all(len(policy.id) == 21 for policy in MANAGED_POLICIES.values())
    assert [name for name in names if managed_policy(f"arn:aws:iam::aws:policy/aws-service-role/{name}")] == [
        "AWSECRPullThroughCache_ServiceRolePolicy",
        "ECRReplicationServiceRolePolicy",
        "ECRTemplateServiceRolePolicy",
    ]
    assert managed_policy("arn:aws:iam::aws:policy/Nothing") is None


def test_a_document_is_compiled_once() -> None:
    for policy in MANAGED_POLICIES.values():
        assert policy.policy is policy.policy
