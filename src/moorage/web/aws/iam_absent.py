"""Operations of IAM on what no user of Moorage has: passwords, devices, certificates, keys of other kinds.

They are answered as for a user who has none, for clients look for them before they delete a user (Terraform's
``force_destroy``).
"""

from collections.abc import Mapping
from typing import Any

from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.core.errors import NoSuchEntity
from moorage.web.aws.iam_fields import Handler, page_after

LISTS = {
    "ListMFADevices": "MFADevices",
    "ListSSHPublicKeys": "SSHPublicKeys",
    "ListServiceSpecificCredentials": "ServiceSpecificCredentials",
    "ListSigningCertificates": "Certificates",
}
"""The member that is empty, by the operation."""


def absent(identities: Identities) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""
    return {
        **{operation: _listing(identities, operation, member) for operation, member in LISTS.items()},
        "ListVirtualMFADevices": _devices(identities),
        "GetLoginProfile": _no_login(identities, "GetLoginProfile"),
        "DeleteLoginProfile": _no_login(identities, "DeleteLoginProfile"),
    }


def _listing(identities: Identities, operation: str, member: str) -> Handler:
    def handler(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        page_after(given)
        identities.check(call, given.get("UserName"), f"iam:{operation}")
        return {member: [], "IsTruncated": False}

    return handler


def _devices(identities: Identities) -> Handler:
    def handler(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        page_after(given)
        return {"VirtualMFADevices": identities.account.devices(call), "IsTruncated": False}

    return handler


def _no_login(identities: Identities, operation: str) -> Handler:
    def handler(call: Call, given: dict[str, Any]) -> None:
        user = identities.check(call, given.get("UserName"), f"iam:{operation}")
        raise NoSuchEntity(f"Login Profile for User {user.name} cannot be found.")

    return handler
