import json
from typing import Any

import pytest

from moorage.core.errors import IdentityInputInvalid, IdentityInvalid, NoSuchEntity
from tests.web.asking import ACCOUNT, READ_ONLY, Ask

OTHER = "444455556666"
ADA, BOB = f"arn:aws:iam::{ACCOUNT}:user/ada", f"arn:aws:iam::{ACCOUNT}:user/bob"
APP = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"
DB = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/db"
THEIRS = f"arn:aws:ecr:us-east-1:{OTHER}:repository/team/app"
PULL = "ecr:BatchGetImage"


def statement(action: str = "ecr:*", effect: str = "Allow", resource: str | list[str] = "*", **more: Any) -> Any:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def simulate(ask: Ask, *policies: str, actions: tuple[str, ...] = (PULL,), **more: Any) -> Any:
    given = {"PolicyInputList": list(policies), "ActionNames": list(actions), **more}
    return ask("SimulateCustomPolicy", **given)["EvaluationResults"]


def decisions(results: Any) -> list[str]:
    return [one["EvalDecision"] for one in results]


# --- policies that are given -------------------------------------------------------------------------------------------


def test_a_decision_is_answered_with_the_statement_that_made_it(ask: Ask) -> None:
    policy = document(statement())

    assert simulate(ask, policy) == [
        {
            "EvalActionName": PULL,
            "EvalResourceName": "*",
            "EvalDecision": "allowed",
            "MatchedStatements": [
                {
                    "SourcePolicyId": "PolicyInputList.1",
                    "SourcePolicyType": "IAM Policy",
                    "StartPosition": {"Line": 1, "Column": 38},
                    "EndPosition": {"Line": 1, "Column": len(policy) - 1},
                }
            ],
            "MissingContextValues": [],
        }
    ]


def test_what_nothing_allows_is_an_implicit_deny_and_a_deny_stands_alone(ask: Ask) -> None:
    found = simulate(
        ask,
        document(statement("ecr:Batch*")),
        document(statement("ecr:*", "Deny", Condition={"Null": {"aws:none": "true"}}), statement("*", "Deny")),
        actions=(PULL, "iam:GetUser", "s3:GetObject"),
    )
    assert decisions(found) == ["explicitDeny"] * 3
    assert [len(one["MatchedStatements"]) for one in found] == [2, 1, 1]

    found = simulate(ask, document(statement("s3:*")), actions=(PULL,))
    assert decisions(found) == ["implicitDeny"]
    assert found[0]["MatchedStatements"] == []


def test_each_resource_has_a_result_and_all_together_the_strictest(ask: Ask) -> None:
    policy = document(statement(resource=[APP]), statement(effect="Deny", resource=DB))
    (found,) = simulate(ask, policy, ResourceArns=[APP, DB])

    assert found["EvalResourceName"] == "arn:${Partition}:ecr:${Region}:${Account}:repository/${RepositoryName}"
    assert found["EvalDecision"] == "explicitDeny"
    assert found["EvalDecisionDetails"] == {}
    of_each = {one["EvalResourceName"]: one for one in found["ResourceSpecificResults"]}
    assert {name: one["EvalResourceDecision"] for name, one in of_each.items()} == {APP: "allowed", DB: "explicitDeny"}
    assert found["MatchedStatements"] == of_each[DB]["MatchedStatements"] != of_each[APP]["MatchedStatements"]


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("ecr:GetAuthorizationToken", "*"),
        ("s3:GetObject", "*"),
        ("ECR:putimage", "arn:${Partition}:ecr:${Region}:${Account}:repository/${RepositoryName}"),
        ("iam:GetUser", "arn:${Partition}:iam::${Account}:user/${UserNameWithPath}"),
        ("sts:AssumeRole", "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}"),
    ],
)
def test_a_result_for_resources_is_called_by_the_form_of_their_arns(ask: Ask, action: str, name: str) -> None:
    (found,) = simulate(ask, document(statement("*")), actions=(action,), ResourceArns=[APP])

    assert found["EvalResourceName"] == name


def test_keys_that_are_asked_for_and_not_given_are_told(ask: Ask) -> None:
    conditions = {
        "StringEquals": {"aws:RequestedRegion": "us-east-1"},
        "DateLessThan": {"aws:CurrentTime": "2030-01-01"},
    }
    policy = document(
        statement(Condition=conditions),
        statement(resource=f"{APP}/${{aws:username}}"),
        statement("s3:*", Condition={"Bool": {"aws:SecureTransport": True}}),
        statement(resource=DB, Condition={"Bool": {"aws:SecureTransport": True}}),
    )
    given = {"ContextKeyName": "aws:requestedRegion", "ContextKeyValues": ["us-east-1"], "ContextKeyType": "string"}

    (found,) = simulate(ask, policy, ResourceArns=[APP], ContextEntries=[given])
    assert found["EvalDecision"] == "implicitDeny"
    assert found["MissingContextValues"] == ["aws:CurrentTime", "aws:username"]
    assert found["ResourceSpecificResults"][0]["MissingContextValues"] == ["aws:CurrentTime", "aws:username"]

    now = {"ContextKeyName": "aws:CurrentTime", "ContextKeyValues": ["2026-01-01T00:00:00Z"], "ContextKeyType": "date"}
    (found,) = simulate(ask, policy, ResourceArns=[APP], ContextEntries=[given, now], CallerArn=ADA)
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("allowed", [])


def test_a_boundary_limits_and_is_told_of(ask: Ask) -> None:
    for action, allowed in (("ecr:*", True), ("iam:*", False)):
        boundary = [document(statement(action))]
        (found,) = simulate(ask, document(statement()), PermissionsBoundaryPolicyInputList=boundary)

        assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": allowed}
        assert found["EvalDecision"] == ("allowed" if allowed else "implicitDeny")


def test_a_resource_lets_a_user_in_by_its_arn(ask: Ask) -> None:
    policy = document({**statement(PULL), "Principal": {"AWS": ADA}})

    for caller, decision in ((ADA, "allowed"), (BOB, "implicitDeny")):
        nothing = document(statement("s3:*"))
        (found,) = simulate(ask, nothing, ResourcePolicy=policy, CallerArn=caller, ResourceArns=[APP])
        assert found["EvalDecision"] == decision
    (found,) = simulate(ask, nothing, ResourcePolicy=policy, CallerArn=ADA, ResourceArns=[APP])
    (matched,) = found["MatchedStatements"]
    assert (matched["SourcePolicyId"], matched["SourcePolicyType"]) == ("ResourcePolicy", "Resource Policy")


def test_across_accounts_each_kind_of_policy_is_told_of(ask: Ask) -> None:
    theirs = document({**statement(PULL), "Principal": {"AWS": str(ACCOUNT)}})
    mine = document(statement())

    (found,) = simulate(ask, mine, ResourceArns=[THEIRS], CallerArn=ADA)
    assert found["EvalDecision"] == "implicitDeny"
    assert found["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "implicitDeny"}

    (found,) = simulate(ask, mine, ResourceArns=[THEIRS], CallerArn=ADA, ResourcePolicy=theirs)
    assert found["EvalDecision"] == "allowed"
    (each,) = found["ResourceSpecificResults"]
    assert each["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "allowed"}


@pytest.mark.parametrize("owner", [OTHER, f"arn:aws:iam::{OTHER}:root"])
def test_the_owner_of_what_does_not_say_whose_it_is_is_given(ask: Ask, owner: str) -> None:
    (found,) = simulate(
        ask,
        document(statement("s3:*")),
        actions=("s3:GetObject",),
        ResourceArns=["arn:aws:s3:::a"],
        ResourceOwner=owner,
    )

    assert found["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "implicitDeny"}


def test_results_are_paged_by_action(ask: Ask) -> None:
    given = {"PolicyInputList": [document(statement())], "ActionNames": ["ecr:A", "ecr:B", "s3:C"], "MaxItems": 2}
    first = ask("SimulateCustomPolicy", **given)
    second = ask("SimulateCustomPolicy", **given, Marker=first["Marker"])

    assert first["IsTruncated"]
    assert decisions(first["EvaluationResults"]) == ["allowed", "allowed"]
    assert [one["EvalActionName"] for one in second["EvaluationResults"]] == ["s3:C"]
    assert not second["IsTruncated"]
    assert "Marker" not in second


def test_a_page_ends_early_where_there_is_much_to_look_at(ask: Ask) -> None:
    policy = document(*[statement("s3:*")] * 900)
    given = {"PolicyInputList": [policy], "ActionNames": [PULL] * 3, "ResourceArns": [f"{APP}/{n}" for n in range(100)]}
    page = ask("SimulateCustomPolicy", **given)

    assert (len(page["EvaluationResults"]), page["IsTruncated"]) == (1, True)
    with pytest.raises(IdentityInputInvalid, match="too many"):
        ask("SimulateCustomPolicy", **{**given, "PolicyInputList": [policy] * 2})


# --- policies of somebody ----------------------------------------------------------------------------------------------


@pytest.fixture
def ada(ask: Ask) -> str:
    ask("CreateUser", UserName="ada", Tags=[{"Key": "team", "Value": "web"}], PermissionsBoundary=READ_ONLY)
    ask("CreateGroup", GroupName="builders")
    ask("AddUserToGroup", GroupName="builders", UserName="ada")
    own = document(statement(Condition={"StringEquals": {"aws:PrincipalTag/team": "web"}}))
    ask("PutUserPolicy", UserName="ada", PolicyName="own", PolicyDocument=own)
    ask("PutGroupPolicy", GroupName="builders", PolicyName="ours", PolicyDocument=document(statement("ecr:Batch*")))
    ask("AttachUserPolicy", UserName="ada", PolicyArn=READ_ONLY)
    return ADA


def principal(ask: Ask, arn: str = ADA, *actions: str, **more: Any) -> Any:
    given = {"PolicySourceArn": arn, "ActionNames": list(actions or (PULL,)), **more}
    return ask("SimulatePrincipalPolicy", **given)["EvaluationResults"]


def ids(result: Any) -> set[str]:
    return {one["SourcePolicyId"] for one in result["MatchedStatements"]}


def test_a_user_is_simulated_with_its_policies_those_of_its_groups_and_its_boundary(ask: Ask, ada: str) -> None:
    pull, push = principal(ask, ada, PULL, "ecr:PutImage")

    assert ids(pull) == {"user_ada_own", "group_builders_ours", "AmazonEC2ContainerRegistryReadOnly"}
    assert pull["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}
    assert push["EvalDecision"] == "implicitDeny"
    assert push["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_a_boundary_that_is_given_stands_in_for_ones_own(ask: Ask, ada: str) -> None:
    (found,) = principal(ask, ada, "ecr:PutImage", PermissionsBoundaryPolicyInputList=[document(statement())])

    assert (found["EvalDecision"], ids(found)) == ("allowed", {"user_ada_own"})


def test_policies_that_are_given_come_on_top(ask: Ask, ada: str) -> None:
    (found,) = principal(ask, ada, PolicyInputList=[document(statement("*", "Deny"))])

    assert (found["EvalDecision"], ids(found)) == ("explicitDeny", {"PolicyInputList.1"})


def test_another_caller_has_the_policies_and_not_the_tags(ask: Ask, ada: str) -> None:
    (found,) = principal(ask, ada, CallerArn=BOB)

    assert ids(found) == {"group_builders_ours", "AmazonEC2ContainerRegistryReadOnly"}
    assert found["MissingContextValues"] == ["aws:PrincipalTag/team"]


def test_groups_and_roles_are_simulated_too(ask: Ask, ada: str) -> None:
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Principal": {"AWS": ADA}, "Action": "sts:AssumeRole"},
        }
    )
    arn = ask("CreateRole", RoleName="ci", Path="/ops/", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    where = {"ArnEquals": {"aws:PrincipalArn": arn}}
    ask("PutRolePolicy", RoleName="ci", PolicyName="own", PolicyDocument=document(statement(Condition=where)))

    assert [ids(one) for one in principal(ask, arn)] == [{"role_ci_own"}]
    assert [ids(one) for one in principal(ask, f"arn:aws:iam::{ACCOUNT}:group/builders")] == [{"group_builders_ours"}]
    with pytest.raises(IdentityInputInvalid, match="not supported for IAM roles"):
        principal(ask, arn, ResourcePolicy=document({**statement(), "Principal": "*"}))


def test_the_keys_of_policies_are_listed(ask: Ask, ada: str) -> None:
    more = document(statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))

    assert ask("GetContextKeysForCustomPolicy", PolicyInputList=[more]) == {"ContextKeyNames": ["aws:SourceIp"]}
    assert ask("GetContextKeysForPrincipalPolicy", PolicySourceArn=ada, PolicyInputList=[more]) == {
        "ContextKeyNames": ["aws:PrincipalTag/team", "aws:SourceIp"]
    }


# --- bad input ---------------------------------------------------------------------------------------------------------

GOOD = document(statement())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"PolicyInputList": ["{}"]}, "PolicyInputList.1 is invalid: "),
        ({"PolicyInputList": [GOOD, GOOD[:-1]]}, "PolicyInputList.2 is invalid: Syntax errors in policy."),
        ({"PermissionsBoundaryPolicyInputList": ["x"]}, "PermissionsBoundaryPolicyInputList.1 is invalid: "),
        ({"PermissionsBoundaryPolicyInputList": [GOOD, GOOD]}, "one policy only"),
        ({"ResourcePolicy": GOOD, "CallerArn": ADA}, "ResourcePolicy is invalid: "),
        ({"ResourcePolicy": GOOD}, "CallerArn is required"),
        ({"ActionNames": ["ecr:*"]}, "ActionNames are not in a valid format: ecr:"),
        ({"ResourceArns": ["team/app"]}, "ResourceNames are not in a valid ARN format: team/app."),
        ({"ResourceOwner": "me"}, "'me' is not a valid as a Resource Owner."),
        ({"CallerArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/one"}, "Invalid Entity Arn: "),
        ({"CallerArn": f"arn:aws:iam::{ACCOUNT}:root"}, "does not clearly define entity type and name."),
        (
            {"ContextEntries": [{"ContextKeyName": "aws:x", "ContextKeyValues": ["a"], "ContextKeyType": "date"}]},
            "aws:x has a value that is not of type date",
        ),
    ],
)
def test_bad_input_is_refused_with_a_sentence(ask: Ask, given: dict[str, Any], said: str) -> None:
    with pytest.raises(IdentityInputInvalid, match=said):
        ask("SimulateCustomPolicy", **{"PolicyInputList": [GOOD], "ActionNames": [PULL], **given})


@pytest.mark.parametrize("marker", ["x", "bm8=", "LTE=", "MTAwMDAwMA=="])
def test_a_marker_that_no_page_gave_is_refused(ask: Ask, marker: str) -> None:
    with pytest.raises(IdentityInvalid, match="Invalid Marker"):
        simulate(ask, GOOD, Marker=marker)


@pytest.mark.parametrize("name", ["PolicyExclusionList", "ResourceHandlingOption"])
def test_what_is_not_simulated_is_refused_rather_than_ignored(ask: Ask, ada: str, name: str) -> None:
    given: dict[str, Any] = {"PolicyExclusionList": [], "ResourceHandlingOption": "EC2-VPC-EBS"}

    with pytest.raises(IdentityInvalid, match=name):
        principal(ask, ada, **{name: given[name]})


def test_who_is_not_there_has_no_policies(ask: Ask, ada: str) -> None:
    for arn in (BOB, f"arn:aws:iam::{ACCOUNT}:user/ops/ada", f"arn:aws:iam::{OTHER}:role/ci"):
        with pytest.raises(NoSuchEntity):
            principal(ask, arn)
        with pytest.raises(NoSuchEntity):
            ask("GetContextKeysForPrincipalPolicy", PolicySourceArn=arn)
    with pytest.raises(IdentityInputInvalid, match="Invalid Entity Arn"):
        principal(ask, f"arn:aws:iam::{ACCOUNT}:root")
