"""Operations of IAM on what users, groups and roles have: policies, boundaries, tags. Their names differ in one word."""

from collections.abc import Mapping
from typing import Any

from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.core.identities import KINDS, Identity, Role, User
from moorage.web.aws.iam_fields import Handler, attached_shape, encoded, page, pairs, tags_shape


def grants(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""
    found: dict[str, Handler] = {}
    for kind in KINDS:
        found |= _managed(identities, kind) | _inline(identities, kind)
    for kind in (User, Role):
        found |= _boundaries(identities, kind) | _tags(identities, kind)
    return found


def _managed(identities: Identities, kind: type[Identity]) -> dict[str, Handler]:
    of = f"{kind.noun}Name"

    def attach(call: Call, given: dict[str, Any]) -> None:
        identities.attach(call, given[of], given["PolicyArn"], kind)

    def detach(call: Call, given: dict[str, Any]) -> None:
        identities.detach(call, given[of], given["PolicyArn"], kind)

    def attached(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        arns = identities.attached(call, given[of], given.get("PathPrefix", "/"), kind)
        found, more = page(arns, given, lambda pair: policy_place(*pair))
        return {"AttachedPolicies": [attached_shape(name, arn) for name, arn in found], **more}

    return {
        f"Attach{kind.noun}Policy": attach,
        f"Detach{kind.noun}Policy": detach,
        f"ListAttached{kind.noun}Policies": attached,
    }


def policy_place(name: str, arn: str) -> str:
    """Return where a managed policy stands in a listing: AWS and the account may each have one of the same name."""
    return f"{name.lower()} {'aws' if arn.startswith('arn:aws:iam::aws:') else 'own'}"


def _inline(identities: Identities, kind: type[Identity]) -> dict[str, Handler]:
    of = f"{kind.noun}Name"

    def put(call: Call, given: dict[str, Any]) -> None:
        identities.put_inline(call, given[of], given["PolicyName"], given["PolicyDocument"], kind)

    def get(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        identity, name, document = identities.inline(call, given[of], given["PolicyName"], kind)
        return {of: identity.name, "PolicyName": name, "PolicyDocument": encoded(document)}

    def names(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        found, more = page(identities.inline_names(call, given[of], kind), given, str.lower)
        return {"PolicyNames": found, **more}

    def delete(call: Call, given: dict[str, Any]) -> None:
        identities.delete_inline(call, given[of], given["PolicyName"], kind)

    return {
        f"Put{kind.noun}Policy": put,
        f"Get{kind.noun}Policy": get,
        f"List{kind.noun}Policies": names,
        f"Delete{kind.noun}Policy": delete,
    }


def _boundaries(identities: Identities, kind: type[Identity]) -> dict[str, Handler]:
    of = f"{kind.noun}Name"

    def put(call: Call, given: dict[str, Any]) -> None:
        identities.put_boundary(call, given[of], given["PermissionsBoundary"], kind)

    def delete(call: Call, given: dict[str, Any]) -> None:
        identities.delete_boundary(call, given[of], kind)

    return {f"Put{kind.noun}PermissionsBoundary": put, f"Delete{kind.noun}PermissionsBoundary": delete}


def _tags(identities: Identities, kind: type[Identity]) -> dict[str, Handler]:
    of = f"{kind.noun}Name"

    def tag(call: Call, given: dict[str, Any]) -> None:
        identities.tag(call, given[of], pairs(given), kind)

    def untag(call: Call, given: dict[str, Any]) -> None:
        identities.untag(call, given[of], given["TagKeys"], kind)

    def tags(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        found, more = page(list(identities.tags(call, given[of], kind).items()), given, lambda pair: pair[0])
        return {"Tags": tags_shape(dict(found)), **more}

    return {f"Tag{kind.noun}": tag, f"Untag{kind.noun}": untag, f"List{kind.noun}Tags": tags}
