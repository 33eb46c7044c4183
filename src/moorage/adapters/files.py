"""Files that are replaced as a whole, durably: a reader sees the old content or the new, whenever the machine stops."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int, owner: os.stat_result | None = None) -> None:
    """Write ``content`` under ``path`` with exactly that mode, or raise an OSError that names ``path`` and leave nothing.

    What root writes belongs to ``owner`` where one is given. The new file has a name that nobody can foresee: in a folder of
    another user, root would follow a link that waits there.
    """
    try:
        file, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(file, "wb") as writer:
                if owner and os.geteuid() == 0:
                    os.fchown(file, owner.st_uid, owner.st_gid)
                os.fchmod(file, mode)
                writer.write(content)
                writer.flush()
                os.fsync(file)
            Path(new).replace(path)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def as_owner_of(place: Path) -> Iterator[None]:
    """Let root act as the owner of a folder, or of the nearest one above it that there is.

    What root makes there is then that user's, and a link that waits there leads nowhere that the user could not go.
    """
    while not place.is_dir():
        place = place.parent
    owner = place.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
