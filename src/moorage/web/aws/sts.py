"""The operations of STS at the AWS door."""

from collections.abc import Callable, Mapping
from typing import Any

from moorage.actions.identities import Identities
from moorage.actions.sessions import Sessions, Wish
from moorage.core.calls import Call
from moorage.core.errors import InvalidAuthorizationMessage
from moorage.core.sessions import Session
from moorage.web.aws.iam_fields import pairs, refuse

Handler = Callable[[Call, dict[str, Any]], Mapping[str, Any] | None]


def operations(identities: Identities, sessions: Sessions) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""

    def get_caller_identity(call: Call, _given: dict[str, Any]) -> Mapping[str, Any]:
        names = identities.caller(call)
        return {"UserId": names.id, "Account": names.account, "Arn": names.arn}

    def assume_role(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        refuse(given, "SerialNumber", "TokenCode", "ProvidedContexts")
        wish = Wish(
            name=given["RoleSessionName"],
            seconds=given.get("DurationSeconds"),
            policy=given.get("Policy"),
            policies=[each["arn"] for each in given.get("PolicyArns", ()) if "arn" in each],
            tags=pairs(given),
            transitive=given.get("TransitiveTagKeys", ()),
            external_id=given.get("ExternalId"),
            source_identity=given.get("SourceIdentity", ""),
        )
        made, hundredths = sessions.assume(call, given["RoleArn"], wish)
        shown = {"SourceIdentity": made.source_identity} if made.source_identity else {}
        user = {"AssumedRoleId": made.caller.user_id, "Arn": made.caller.arn}
        return {"Credentials": _shown(made), "AssumedRoleUser": user, "PackedPolicySize": hundredths, **shown}

    def get_session_token(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        refuse(given, "SerialNumber", "TokenCode")
        return {"Credentials": _shown(sessions.of_user(call, given.get("DurationSeconds")))}

    def get_access_key_info(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        return {"Account": sessions.account_of_key(call, given["AccessKeyId"])}

    def decode_authorization_message(call: Call, _given: dict[str, Any]) -> Mapping[str, Any]:
        sessions.may_decode(call)
        # Refusals say what they say in words: no message was ever encoded here.
        raise InvalidAuthorizationMessage

    return {
        "AssumeRole": assume_role,
        "DecodeAuthorizationMessage": decode_authorization_message,
        "GetAccessKeyInfo": get_access_key_info,
        "GetCallerIdentity": get_caller_identity,
        "GetSessionToken": get_session_token,
    }


def _shown(session: Session) -> Mapping[str, Any]:
    return {
        "AccessKeyId": session.id,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": session.expires_at,
    }
