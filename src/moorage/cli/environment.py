"""The environment in which the AWS CLI and SDKs reach a server as its administrator."""

import json
from pathlib import Path

from moorage.config import Settings
from moorage.core.trust import AUTHORITY_FILE

REGION = "us-east-1"
"""The region, unless told."""


def client_environment(folder: Path, region: str) -> dict[str, str]:
    """Return the variables, from what a server keeps in its data folder; raises OSError where it has none that can be read."""
    key = json.loads((folder / Settings.CREDENTIALS).read_text())
    variables = {
        "AWS_ENDPOINT_URL": (folder / Settings.ENDPOINT).read_text(),
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        # The CLI and boto3 read the one, the SDKs for JavaScript and Java the other.
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }
    authority = folder / Settings.AUTHORITY / AUTHORITY_FILE
    if authority.exists():
        variables["AWS_CA_BUNDLE"] = str(authority.absolute())
    return variables
