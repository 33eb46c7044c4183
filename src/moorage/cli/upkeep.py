"""What the commands share that work on a whole store."""

import os
import pwd
import shlex
from pathlib import Path
from typing import Any

import click

from moorage.core.collection import Unused
from moorage.core.inspection import Finding


def refuse_other_users(data: Path, command: str) -> None:
    """Refuse to work on a store as anybody but its owner, who could not read the files that this made.

    The owner is whoever made the bytes' folder. Before there is one, a data folder of root's is open to whoever may write to it:
    so are the volumes that an orchestrator of containers makes.
    """
    owner = _owner(data / "blobs")
    if owner is None and (owner := _owner(data)) == 0:
        return
    if owner not in (None, os.geteuid()):
        name = user_name(owner)
        raise click.ClickException(
            f"{data} belongs to the user {name}, who could not read what another user writes there. Run this as {name}: "
            f'sudo -u {shlex.quote(name)} "$(command -v moorage)" {command} --data {shlex.quote(str(data))} '
            f"(in a container: --user {owner})"
        )


def _owner(folder: Path) -> int | None:
    """Return whose a folder is, or None where it is not there or not to be seen."""
    try:
        return folder.stat().st_uid
    except OSError:
        return None


def user_name(user: int) -> str:
    """Return a user as sudo takes it; one of a container may have no name here."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"


def named(thing: Unused | Finding) -> str:
    """Return what a person calls it."""
    _, name = thing.repository or (None, None)
    return f"{name}@{thing.digest}" if name and thing.digest else str(thing.digest or thing.key or name)


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
