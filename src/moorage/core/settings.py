"""Account settings of a registry (Amazon ECR API Reference, PutAccountSetting)."""

from moorage.core.errors import ValidationFailed
from moorage.core.operations import BATCH_IMPORT_UPSTREAM_IMAGE, CREATE_REPOSITORY, REPLICATE_IMAGE

DEFAULTS = {"BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "BLOB_MOUNTING": "DISABLED", "REGISTRY_POLICY_SCOPE": "V2"}
VALUES = {
    "BASIC_SCAN_TYPE_VERSION": ("AWS_NATIVE", "CLAIR"),
    "BLOB_MOUNTING": ("ENABLED", "DISABLED"),
    "REGISTRY_POLICY_SCOPE": ("V1", "V2"),
}

IN_SCOPE_OF_V1 = (REPLICATE_IMAGE, BATCH_IMPORT_UPSTREAM_IMAGE, CREATE_REPOSITORY)
"""The actions that a registry policy speaks of where REGISTRY_POLICY_SCOPE is V1."""


def check_setting(name: str, value: str | None = None) -> None:
    """Raise ValidationFailed for a setting that does not exist, or a value that it cannot have."""
    if name not in VALUES:
        raise ValidationFailed(f"Invalid account setting name '{name}'. Valid names are: {', '.join(VALUES)}")
    if value is not None and value not in VALUES[name]:
        raise ValidationFailed(
            f"Invalid value '{value}' for account setting '{name}'. Valid values are: {', '.join(VALUES[name])}"
        )
