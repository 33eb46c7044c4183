"""Files that are replaced as a whole, durably: a reader sees the old content or the new, whenever the machine stops."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write ``content`` under ``path`` with exactly that mode."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.fchmod(file, mode)
        with os.fdopen(os.dup(file), "wb") as writer:
            writer.write(content)
        os.fsync(file)
    finally:
        os.close(file)
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
