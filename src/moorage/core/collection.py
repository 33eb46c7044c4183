"""What is unused, and when it may go.

A client that was told that a blob is there does not send it again. So whatever names no blob of an image stays for a while
after the last such answer, and the while begins anew with each.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from moorage.core.digests import Digest
from moorage.core.names import Registry, RepositoryName, UploadId

NOTES = 8
"""How often within its time of grace it is noted that a client was told of a blob: a push asks for every layer again."""


@dataclass(frozen=True, slots=True)
class Grace:
    """How long what is unused stays."""

    period: timedelta

    def is_news(self, told_at: datetime, now: datetime) -> bool:
        """Tell whether it has to be noted that a client is told of a blob now; the last note is of ``told_at``."""
        return now - told_at > self.period / NOTES

    def told_before(self, now: datetime) -> datetime:
        """Return the moment before which the last note must lie for a blob to go: answers later than a note are not lost."""
        return now - self.period - self.period / NOTES

    def left_before(self, now: datetime) -> datetime:
        """Return the moment before which an upload must have been left alone, or a file been written, to go."""
        return now - self.period


class Kind(Enum):
    """What may be unused, and why it is."""

    REMNANT = "its repository was deleted"
    LAYER = "no image of the repository refers to it"
    CONTENT = "no repository holds it"
    UPLOAD = "nobody has gone on with it"
    FILE = "no row knows it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """One thing that may go: ``since`` is when a client was last told of it, or last sent bytes. ``size`` is in bytes.

    A layer that goes frees nothing of itself: its content goes when no other repository holds it. A remnant is rows alone: images and
    layers of a repository that was deleted, and whose name may be another one's by now.
    """

    kind: Kind
    size: int
    since: datetime
    key: UploadId | None = None
    digest: Digest | None = None
    repository: tuple[Registry, RepositoryName] | None = None
