import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from moorage.core.access import AccessRequest, Decision, Names, Policies, Policy, parse_policy, parse_resource_policy
from moorage.core.access import decide as decide_by
from moorage.core.wildcards import Context

HERE, THERE = "111122223333", "444455556666"
ADA = f"arn:aws:iam::{HERE}:user/ada"
APP = f"arn:aws:ecr:us-east-1:{HERE}:repository/team/app"

Element = dict[str, Any]


def statement(
    effect: str = "Allow", action: str | list[str] = "ecr:*", resource: str | list[str] = "*", **more: Any
) -> Element:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def identity(*statements: Element) -> Policy:
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def of_repository(*statements: Element) -> Policy:
    return parse_resource_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def asking(
    action: str = "ecr:PutImage",
    resource: str = APP,
    caller: str = ADA,
    owner: str = HERE,
    context: Context | None = None,
) -> AccessRequest:
    return AccessRequest(names(caller), action, resource, owner, context or {})


def names(arn: str) -> Names:
    """Return what a user, or a session of the role ``ci/<role>``, is called."""
    account, what = arn.split(":")[4:]
    if what.startswith("assumed-role/"):
        role = what.split("/")[1]
        return Names(
            arn, account, f"AROA{role.upper()}:one", f"arn:aws:iam::{account}:role/ci/{role}", f"AROA{role.upper()}"
        )
    return Names(arn, account, f"AIDA{what.rpartition('/')[2].upper()}")


def decide(request: AccessRequest, identity: list[Policy], resource: Sequence[Policy] = (), **limits: Any) -> Decision:
    return decide_by(request, Policies(identity, resource, **limits))


def allowed(request: AccessRequest, policies: list[Policy], resource: list[Policy] | None = None) -> bool:
    return decide(request, policies, resource or []).allowed


# --- one account -------------------------------------------------------------------------------------------------------


def test_nothing_allows_nothing_and_the_sentence_says_so() -> None:
    decision = decide(asking(), [])

    assert not decision.allowed
    assert decision.because == "because no identity-based policy allows the ecr:PutImage action"


def test_an_identity_based_policy_allows_by_itself() -> None:
    assert decide(asking(), [identity(statement())]) == decide(asking(), [identity(statement(action="*"))])
    assert allowed(asking(), [identity(statement())])


def test_an_explicit_deny_decides_whatever_allows() -> None:
    decision = decide(asking(), [identity(statement()), identity(statement("Deny", "ecr:Put*"))])

    assert decision.because == "with an explicit deny in an identity-based policy"


def test_an_explicit_deny_of_the_resource_decides_too() -> None:
    decision = decide(asking(), [identity(statement())], [of_repository(statement("Deny", Principal="*"))])

    assert not decision.allowed
    assert decision.because == "with an explicit deny in a resource-based policy"


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ADA}, {"AWS": [HERE, ADA]}])
def test_a_resource_based_policy_that_names_the_caller_allows_by_itself(principal: Any) -> None:
    assert allowed(asking(), [], [of_repository(statement(Principal=principal))])


@pytest.mark.parametrize("account", [HERE, f"arn:aws:iam::{HERE}:root"])
def test_one_that_names_the_account_leaves_it_to_the_account(account: str) -> None:
    policy = of_repository(statement(Principal={"AWS": account}))

    assert not allowed(asking(), [], [policy])
    assert allowed(asking(), [identity(statement())], [policy])


def test_a_denial_of_the_account_means_everyone_in_it() -> None:
    policy = of_repository(statement("Deny", Principal={"AWS": HERE}))

    assert not allowed(asking(), [identity(statement())], [policy])


def test_naming_another_user_means_nobody_else() -> None:
    policy = of_repository(statement(Principal={"AWS": f"arn:aws:iam::{HERE}:user/bob"}))

    assert not allowed(asking(), [], [policy])


def test_services_and_federations_mean_nobody_who_calls_here() -> None:
    policy = of_repository(statement(Principal={"Service": "lambda.amazonaws.com", "Federated": ["a"]}))

    assert not allowed(asking(), [], [policy])


def test_a_denial_of_all_but_one_user_spares_that_user_only() -> None:
    policy = of_repository(
        statement("Deny", NotPrincipal={"AWS": [f"arn:aws:iam::{HERE}:root", f"arn:aws:iam::{HERE}:user/bob"]})
    )
    bob = asking(caller=f"arn:aws:iam::{HERE}:user/bob")

    assert allowed(bob, [identity(statement())], [policy])
    assert not allowed(asking(), [identity(statement())], [policy])


def test_who_is_spared_has_to_be_listed_with_its_account() -> None:
    bob = asking(caller=f"arn:aws:iam::{HERE}:user/bob")
    alone = of_repository(statement("Deny", NotPrincipal={"AWS": bob.caller.arn}))
    everyone = of_repository(statement("Deny", NotPrincipal="*"))

    assert not allowed(bob, [identity(statement())], [alone])
    assert allowed(bob, [identity(statement())], [everyone])


def test_nobody_who_has_a_boundary_is_spared() -> None:
    denial = {"Effect": "Deny", "NotPrincipal": {"AWS": [f"arn:aws:iam::{HERE}:user/ada", HERE]}, "Action": "*"}
    policy = of_repository(denial)
    request = asking()

    assert allowed(request, [identity(statement())], [policy])
    bounded = replace(request, caller=replace(request.caller, bounded=True))
    assert not allowed(bounded, [identity(statement())], [policy])


def test_a_session_is_named_by_its_role() -> None:
    session = asking(caller=f"arn:aws:sts::{HERE}:assumed-role/builder/one")
    named = of_repository(statement(Principal={"AWS": f"arn:aws:iam::{HERE}:role/ci/builder"}))
    other = of_repository(statement(Principal={"AWS": f"arn:aws:iam::{HERE}:role/ci/builders"}))

    assert allowed(session, [], [named])
    assert not allowed(session, [], [other])


def test_a_policy_without_a_resource_means_what_it_hangs_on() -> None:
    policy = of_repository({"Effect": "Allow", "Action": "ecr:PutImage", "Principal": {"AWS": ADA}})

    assert allowed(asking(), [], [policy])
    assert not allowed(asking("ecr:BatchGetImage"), [], [policy])


# --- across accounts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("principal", ["*", {"AWS": ADA}, {"AWS": HERE}, {"AWS": f"arn:aws:iam::{HERE}:root"}])
def test_across_accounts_both_sides_must_allow(principal: Any) -> None:
    request = asking(owner=THERE)
    theirs = of_repository(statement(Principal=principal))

    assert allowed(request, [identity(statement())], [theirs])
    assert not allowed(request, [identity(statement())])
    assert not allowed(request, [], [theirs])


def test_across_accounts_the_sentence_names_the_side_that_is_missing() -> None:
    request = asking(owner=THERE)

    assert decide(request, [identity(statement())]).because == (
        "because no resource-based policy allows the ecr:PutImage action"
    )
    assert decide(request, [], [of_repository(statement(Principal="*"))]).because == (
        "because no identity-based policy allows the ecr:PutImage action"
    )


def test_across_accounts_who_has_no_right_of_their_own_is_told_the_same_of_what_is_shared_and_of_what_is_not() -> None:
    request, shared = asking(owner=THERE), of_repository(statement(Principal="*"))

    nothing = identity(statement(action="ecr:ListImages"))
    for mine, limit in (([], None), ([identity(statement())], nothing)):
        assert decide(request, mine, [shared], boundary=limit) == decide(request, mine, [], boundary=limit)
        assert not decide(request, mine, [], boundary=limit).allowed


# --- what limits -------------------------------------------------------------------------------------------------------

SESSION = f"arn:aws:sts::{HERE}:assumed-role/builder/one"


def test_a_boundary_gives_nothing_and_takes_what_it_does_not_allow() -> None:
    narrow, wide = identity(statement(action="ecr:Batch*")), identity(statement())

    assert not allowed_within([], boundary=wide)
    assert allowed_within([wide], boundary=wide)
    assert decide(asking(), [wide], boundary=narrow).because == (
        "because no permissions boundary allows the ecr:PutImage action"
    )
    assert decide(asking(), [wide], boundary=identity(statement("Deny"))).because == (
        "with an explicit deny in a permissions boundary"
    )


def test_a_session_may_do_what_one_of_its_policies_allows_too() -> None:
    narrow, wide = identity(statement(action="ecr:Batch*")), identity(statement())

    assert not allowed_within([], session=[wide])
    assert allowed_within([wide], session=[narrow, wide])
    assert (
        decide(asking(), [wide], session=[narrow]).because == "because no session policy allows the ecr:PutImage action"
    )
    assert not allowed_within([wide], session=[])
    assert decide(asking(), [wide], session=[wide, identity(statement("Deny"))]).because == (
        "with an explicit deny in a session policy"
    )


@pytest.mark.parametrize("limit", [{"boundary": identity(statement(action="iam:*"))}, {"session": []}])
def test_limits_do_not_reach_what_a_resource_gives_to_a_user_or_a_session_itself(limit: dict[str, Any]) -> None:
    itself = asking(caller=SESSION)

    assert allowed_within([], [of_repository(statement(Principal={"AWS": ADA}))], **limit)
    assert decide(itself, [], [of_repository(statement(Principal={"AWS": SESSION}))], **limit).allowed


@pytest.mark.parametrize(
    "principal", ["*", {"AWS": f"arn:aws:iam::{HERE}:role/ci/builder"}, {"AWS": "AROABUILDER12345"}]
)
def test_limits_reach_what_a_resource_gives_to_the_role_of_a_session(principal: Any) -> None:
    session, policy = asking(caller=SESSION), of_repository(statement(Principal=principal))
    session = replace(session, caller=replace(session.caller, role_id="AROABUILDER12345"))

    assert decide(session, [], [policy]).allowed
    assert decide(session, [], [policy], session=[identity(statement())]).allowed
    assert not decide(session, [], [policy], session=[]).allowed
    assert not decide(session, [], [policy], boundary=identity(statement(action="iam:*"))).allowed


def test_across_accounts_limits_hold_whoever_is_named() -> None:
    policy = of_repository(statement(Principal={"AWS": ADA}))

    assert allowed(asking(owner=THERE), [identity(statement())], [policy])
    assert not decide(asking(owner=THERE), [identity(statement())], [policy], session=[]).allowed


def allowed_within(policies: list[Policy], resource: Sequence[Policy] = (), **limits: Any) -> bool:
    return decide(asking(), policies, resource, **limits).allowed


# --- actions, resources, conditions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["*", "*:*", "ecr:*", "ECR:putimage", "ecr:Put*", "ecr:?utImage", "ecr:*Image"])
def test_actions_match_whatever_their_case(action: str) -> None:
    assert allowed(asking("ecr:PutImage"), [identity(statement(action=action))])
    assert allowed(asking("ecr:PUTIMAGE"), [identity(statement(action=action))])


def test_not_action_means_every_other_action() -> None:
    policy = identity({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"})

    assert allowed(asking(), [policy])
    assert not allowed(asking("iam:CreateUser"), [policy])


@pytest.mark.parametrize(
    ("resource", "meant"),
    [
        ("*", True),
        (APP, True),
        (f"arn:aws:ecr:us-east-1:{HERE}:repository/team/*", True),
        ("arn:aws:ecr:*:*:repository/team/*", True),
        ("arn:*:ecr:*:*:*", True),
        (f"arn:aws:ecr:us-east-1:{HERE}:repository/Team/app", False),
        (f"arn:aws:ecr:us-east-1:{HERE}:repository/team", False),
        ("arn:aws:ecr:*:repository/team/app:x:y", False),
    ],
)
def test_resources_match_in_their_own_case(resource: str, meant: bool) -> None:  # noqa: FBT001 - a column of the table
    assert allowed(asking(), [identity(statement(resource=resource))]) is meant


def test_what_has_no_arn_is_matched_by_a_single_star_only() -> None:
    request = asking("ecr:GetAuthorizationToken", "*")

    assert allowed(request, [identity(statement())])
    assert not allowed(request, [identity(statement(resource="arn:aws:ecr:*:*:*"))])


def test_not_resource_means_every_other_resource() -> None:
    policy = identity({"Effect": "Allow", "Action": "ecr:*", "NotResource": [APP]})

    assert not allowed(asking(), [policy])
    assert allowed(asking(resource=APP + "2"), [policy])


def test_a_variable_in_a_resource_takes_the_callers_value() -> None:
    policy = identity(statement(resource=f"arn:aws:ecr:us-east-1:{HERE}:repository/${{aws:username}}/*"))

    assert allowed(asking(context={"aws:username": "team"}), [policy])
    assert not allowed(asking(context={"aws:username": "*"}), [policy])
    assert not allowed(asking(), [policy])


def test_not_resource_with_a_variable_without_a_value_means_nothing() -> None:
    policy = identity({"Effect": "Allow", "Action": "*", "NotResource": f"arn:aws:ecr:*:{HERE}:repository/${{aws:x}}"})

    assert not allowed(asking(), [policy])
    assert allowed(asking(context={"aws:x": "other"}), [policy])


def test_a_deny_with_not_resource_spares_nothing_by_a_variable_without_a_value() -> None:
    team = f"arn:aws:ecr:us-east-1:{HERE}:repository/${{aws:PrincipalTag/team}}/*"
    theirs = identity(statement(), {"Effect": "Deny", "Action": "ecr:*", "NotResource": team})
    or_app = identity(statement(), {"Effect": "Deny", "Action": "ecr:*", "NotResource": [team, APP]})

    assert not allowed(asking(), [theirs])
    assert allowed(asking(context={"aws:principaltag/team": "team"}), [theirs])
    assert allowed(asking(), [or_app])
    assert not allowed(asking(resource=APP + "2"), [or_app])


def test_all_conditions_must_hold() -> None:
    condition = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}
    policy = identity(statement(Condition=condition))

    assert allowed(asking(context={"aws:requestedregion": "us-east-1", "aws:sourceip": "10.1.1.1"}), [policy])
    assert not allowed(asking(context={"aws:requestedregion": "us-east-1", "aws:sourceip": "11.1.1.1"}), [policy])
    assert not allowed(asking(context={"aws:sourceip": "10.1.1.1"}), [policy])


def test_a_policy_knows_whether_it_needs_the_context() -> None:
    assert not identity(statement()).needs_context
    assert identity(statement(Condition={"Bool": {"aws:SecureTransport": True}})).needs_context
    assert identity(statement(resource="arn:aws:ecr:::${aws:x}")).needs_context
