"""Operations of IAM on an account as a whole."""

from collections.abc import Mapping
from typing import Any

from moorage.actions.account import EVERYTHING, IdentityDetail, PolicyDetail
from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.core.identities import KINDS, Group, Role, User
from moorage.web.aws.iam_fields import (
    Handler,
    attached_shape,
    encoded,
    group_shape,
    more,
    page_after,
    page_size,
    policy_shape,
    role_shape,
    user_shape,
    version_shape,
    whole,
)


def account(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""

    def get_account_summary(call: Call, _given: dict[str, Any]) -> Mapping[str, Any]:
        return {"SummaryMap": identities.account.summary(call)}

    def get_account_authorization_details(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        size = page_size(given)
        found = identities.account.details(call, given.get("Filter") or EVERYTHING, page_after(given), size + 1)
        lists: dict[str, Any] = {f"{kind.noun}DetailList": [] for kind in KINDS} | {"Policies": []}
        for detail in found[:size]:
            if isinstance(detail, PolicyDetail):
                lists["Policies"].append(_policy(detail))
            else:
                lists[f"{detail.identity.noun}DetailList"].append(_identity(detail))
        return {**lists, **more(found, size, lambda detail: detail.place)}

    return {
        "GetAccountSummary": get_account_summary,
        "GetAccountAuthorizationDetails": get_account_authorization_details,
    }


def _identity(detail: IdentityDetail) -> dict[str, Any]:
    identity = detail.identity
    inline = [{"PolicyName": name, "PolicyDocument": encoded(text)} for name, text in detail.inline.items()]
    has = {
        f"{identity.noun}PolicyList": inline,
        "AttachedManagedPolicies": [attached_shape(arn.rpartition("/")[2], arn) for arn in detail.attached],
    }
    if isinstance(identity, User):
        groups = [group.name for group in detail.groups]
        return {**whole(user_shape(identity), identity, detail.tags), **has, "GroupList": groups}
    if isinstance(identity, Role):
        return {**whole(role_shape(identity), identity, detail.tags), **has, "InstanceProfileList": []}
    assert isinstance(identity, Group)  # noqa: S101 - there is no fourth kind
    return {**group_shape(identity), **has}


def _policy(detail: PolicyDetail) -> dict[str, Any]:
    default = detail.listed.policy.version
    versions = [
        {"Document": encoded(version.document), **version_shape(version, in_force=version.id == default)}
        for version in detail.versions
    ]
    return {
        **policy_shape(detail.listed),
        "Description": detail.listed.policy.description or None,
        "PolicyVersionList": versions,
    }
