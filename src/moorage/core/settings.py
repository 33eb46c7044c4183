"""Account settings of a registry (Amazon ECR API Reference, PutAccountSetting)."""

from moorage.core.errors import ValidationFailed

DEFAULTS = {"BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "BLOB_MOUNTING": "DISABLED", "REGISTRY_POLICY_SCOPE": "V2"}
VALUES = {
    "BASIC_SCAN_TYPE_VERSION": ("AWS_NATIVE", "CLAIR"),
    "BLOB_MOUNTING": ("ENABLED", "DISABLED"),
    # There is no way back to V1, which spoke of three actions alone (Amazon ECR User Guide, "Private registry permissions").
    "REGISTRY_POLICY_SCOPE": ("V2",),
}


def check_setting(name: str, value: str | None = None) -> None:
    """Raise ValidationFailed for a setting that does not exist, or a value that it cannot have."""
    if name not in VALUES:
        raise ValidationFailed(f"Invalid account setting name '{name}'. Valid names are: {', '.join(VALUES)}")
    if value is not None and value not in VALUES[name]:
        raise ValidationFailed(
            f"Invalid value '{value}' for account setting '{name}'. Valid values are: {', '.join(VALUES[name])}"
        )
