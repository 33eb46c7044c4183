"""What the commands share that see to a whole store."""

import os
import pwd
from pathlib import Path
from typing import Any

import click

from moorage.core.collection import Unused
from moorage.core.inspection import Finding


def refuse_other_users(data: Path) -> None:
    """Refuse to touch the store as anybody but its owner: files that this made the server could not write to."""
    if data.exists() and (owner := data.stat().st_uid) != os.geteuid():
        name = pwd.getpwuid(owner).pw_name
        raise click.ClickException(f"{data} is of the user {name}: sudo -u {name} moorage ... --data {data}")


def named(thing: Unused | Finding) -> str:
    """Return what a person calls it."""
    _, name = thing.repository or (None, None)
    return f"{name}@{thing.digest}" if name and thing.digest else str(thing.digest or thing.key)


def fields(thing: Unused | Finding) -> dict[str, Any]:
    """Return what a program knows it by."""
    registry, name = thing.repository or (None, None)
    return {
        "registryId": registry.account if registry else None,
        "region": registry.region if registry else None,
        "repositoryName": name,
        "digest": thing.digest,
        "uploadId": thing.key,
    }
