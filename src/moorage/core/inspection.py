"""What can be wrong with a store: a row that says more than the bytes do."""

from dataclasses import dataclass
from enum import Enum

from moorage.core.digests import Digest
from moorage.core.names import Registry, RepositoryName, UploadId


class Fault(Enum):
    """What is wrong, in words."""

    LOST = "its bytes are not there"
    SIZE = "its bytes are more or fewer than its row says"
    UNREADABLE = "its bytes cannot be read"
    DIGEST = "its bytes have another digest"
    INCOMPLETE = "the repository does not hold a blob that it refers to"
    UPLOAD = "its bytes are fewer than were acknowledged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. Content has a digest and a key, an image a digest and a repository, an upload a key and a repository."""

    fault: Fault
    digest: Digest | None = None
    key: UploadId | None = None
    repository: tuple[Registry, RepositoryName] | None = None
