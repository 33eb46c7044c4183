"""The operations of STS at the AWS door."""

from collections.abc import Callable, Mapping
from typing import Any

from moorage.actions.identities import Identities
from moorage.core.calls import Call

Handler = Callable[[Call, dict[str, Any]], Mapping[str, Any] | None]


def operations(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""

    def get_caller_identity(call: Call, _given: dict[str, Any]) -> Mapping[str, Any]:
        user = identities.caller(call)
        return {"UserId": user.id, "Account": user.account, "Arn": user.arn}

    return {"GetCallerIdentity": get_caller_identity}
