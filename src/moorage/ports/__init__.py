"""What the actions need of the world."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from moorage.core.collection import Unused
from moorage.core.digests import SHA256, Algorithm, Digest
from moorage.core.images import Image, Served, Shelf, TagStatus
from moorage.core.manifests import Manifest, MediaType
from moorage.core.names import AccountId, Registry, RepositoryName, Tag, UploadId
from moorage.core.repositories import Repository
from moorage.core.sessions import Credential
from moorage.core.uploads import Layer, Upload
from moorage.ports.accounts import AccountRows as AccountRows
from moorage.ports.accounts import SessionRows as SessionRows
from moorage.ports.audit import AuditFiles as AuditFiles
from moorage.ports.audit import AuditRows as AuditRows
from moorage.ports.audit import UsageRows as UsageRows
from moorage.ports.identities import IdentityRows as IdentityRows
from moorage.ports.policies import PolicyRows as PolicyRows
from moorage.ports.resource_policies import ResourcePolicyRows as ResourcePolicyRows
from moorage.ports.resource_policies import Versions as Versions


class RepositoryRows(Protocol):
    """Repositories, their resource tags, and the settings of their registry."""

    def lock_registry(self, registry: Registry) -> None:
        """Keep every other write to the registry's own rows out until the transaction ends."""

    def lock(self, registry: Registry, name: RepositoryName) -> Repository | None:
        """Return the repository and keep every other write to it out until the transaction ends."""

    def get(self, registry: Registry, name: RepositoryName) -> Repository | None:
        """Return the repository."""

    def add(self, repository: Repository) -> Repository:
        """Store a new repository and return it with its id."""

    def update(self, repository: Repository) -> None:
        """Store the settings of a repository."""

    def remove(self, repository: Repository, at: datetime) -> None:
        """Take a repository out of sight with everything that belongs to it; what is left of it is a remnant, and of no registry."""

    def count(self, registry: Registry) -> int:
        """Return how many repositories the registry has."""

    def named(self, registry: Registry, names: Sequence[RepositoryName]) -> list[Repository]:
        """Return those of the repositories named that exist."""

    def page(self, registry: Registry, after: str, limit: int) -> list[Repository]:
        """Return up to ``limit`` repositories in the order of their names, those after ``after``."""

    def tags(self, repository: int) -> dict[str, str]:
        """Return the resource tags."""

    def set_tags(self, repository: int, tags: dict[str, str]) -> None:
        """Make ``tags`` the resource tags."""

    def holding(self, registry: Registry, digest: Digest, limit: int) -> list[Repository]:
        """Return up to ``limit`` repositories of the registry that hold a blob, in no order."""

    def settings(self, registry: Registry) -> dict[str, str]:
        """Return the account settings that were put."""

    def put_setting(self, registry: Registry, name: str, value: str) -> None:
        """Store one account setting."""


class ImageRows(Protocol):
    """Images, their tags and references, within one repository."""

    def shelf(self, repository: Repository, manifest: Manifest, tags: Sequence[Tag]) -> Shelf:
        """Return what putting ``manifest`` under ``tags`` can touch."""

    def add(self, repository: Repository, manifest: Manifest, size: int, at: datetime) -> None:
        """Store an image with its bytes and references."""

    def point_tag(self, repository: Repository, tag: Tag, digest: Digest) -> None:
        """Make ``tag`` point at the image, wherever it pointed before."""

    def untag(self, repository: Repository, tags: Sequence[Tag]) -> None:
        """Remove tags."""

    def remove(self, image: Image) -> None:
        """Forget an image with its tags."""

    def find(self, repository: Repository, *, digests: Sequence[str], tags: Sequence[str]) -> list[Image]:
        """Return the images that have one of the digests or one of the tags, each once, with all their tags."""

    def lengths(self, images: Sequence[Image]) -> dict[Digest, int]:
        """Return how many bytes the manifests of images have, without reading them."""

    def content(self, images: Sequence[Image]) -> dict[Digest, bytes]:
        """Return the manifests of images."""

    def page(self, repository: Repository, status: TagStatus, after: int, limit: int) -> list[Image]:
        """Return up to ``limit`` images with their tags in the order in which they came, those after the id ``after``."""

    def tag_page(self, repository: Repository, after: str, limit: int) -> list[Tag]:
        """Return up to ``limit`` tags in lexical order, those after ``after``."""

    def pair_page(
        self, repository: Repository, status: TagStatus, after: tuple[int, str], limit: int
    ) -> list[tuple[int, Digest, Tag | None]]:
        """Return up to ``limit`` pairs of image and tag with the image's id, in order, those after ``after``."""

    def referrers(
        self, repository: Repository, subject: Digest, artifact_type: str | None, after: int, limit: int
    ) -> list[Image]:
        """Return up to ``limit`` images with that subject, those after the id ``after``."""

    def indexes_of(self, repository: Repository, digest: Digest, limit: int) -> tuple[Digest, ...]:
        """Return up to ``limit`` indexes of the repository that refer to an image, the oldest first."""

    def any(self, repository: Repository) -> bool:
        """Tell whether the repository holds an image."""

    def record_pull(self, image: int, at: datetime) -> None:
        """Note when an image was last pulled."""


class LayerRows(Protocol):
    """Which blobs a repository holds, and under which key their bytes lie."""

    def get(self, repository: Repository, digests: Sequence[Digest]) -> dict[Digest, Layer]:
        """Return those of the blobs that the repository holds, with what its manifests call them."""

    def add(
        self, repository: Repository, digest: Digest, key: UploadId, size: int, at: datetime
    ) -> tuple[UploadId, bool]:
        """Store content, unless it is stored already, and that the repository holds it.

        Return the key of its bytes, and whether the repository did not hold it before.
        """

    def move(self, digest: Digest, key: UploadId) -> None:
        """Say that the bytes of content that is stored already lie under another key."""

    def mount(self, repository: Repository, digest: Digest, at: datetime) -> bool:
        """Note that the repository holds content that is stored already; False where none is any more."""

    def tell(self, digests: Sequence[Digest], at: datetime) -> None:
        """Note that a client is told that blobs are there, and keep them from going until the transaction ends."""

    def remove(self, repository: Repository, digest: Digest) -> None:
        """Note that the repository holds a blob no longer; the content stays, for others may hold it."""

    def referenced(self, repository: Repository, digest: Digest) -> bool:
        """Tell whether an image of the repository refers to the blob."""

    def unreferenced(self, before: datetime, after: tuple[int, str], limit: int) -> list[tuple[int, Unused]]:
        """Return up to ``limit`` layers with their repositories' ids, those after an id and a digest: no image there refers to them, and no client was told of them since ``before``."""

    def release(self, repository: Repository, digests: Sequence[Digest], before: datetime) -> list[Digest]:
        """Have the repository hold those layers no more that are still unreferenced and untold of; return them."""

    def unused(self, before: datetime, after: str, limit: int) -> list[Unused]:
        """Return up to ``limit`` contents that no image refers to and that no client was told of since ``before``, those after a digest."""

    def forget(self, digests: Sequence[Digest], before: datetime) -> dict[Digest, UploadId]:
        """Forget contents that no repository holds and that are still untold of; return the keys of their bytes."""

    def lies_under(self, digest: Digest, key: UploadId) -> bool:
        """Tell whether the bytes of content lie under that key, and keep it so until the transaction ends."""

    def forget_lost(self, digest: Digest) -> bool:
        """Forget content whose bytes are lost; False where a repository holds it."""

    def keys(self, keys: Sequence[UploadId]) -> set[UploadId]:
        """Return those of the keys under which the bytes of content lie."""


class UploadRows(Protocol):
    """Uploads under way."""

    def add(self, upload: Upload) -> None:
        """Store a new upload."""

    def get(self, repository: Repository, upload: UploadId) -> Upload | None:
        """Return an upload of this repository."""

    def update(self, upload: Upload) -> bool:
        """Store how far an upload has come; False where its repository has no such upload any more."""

    def remove(self, upload: UploadId) -> None:
        """Forget an upload."""

    def count(self, owner: str) -> int:
        """Return how many uploads a user has open."""

    def abandoned(self, before: datetime, after: str, limit: int) -> list[Unused]:
        """Return up to ``limit`` uploads that nothing came for since ``before``, those after an id."""

    def abandon(self, upload: UploadId, before: datetime) -> bool:
        """Forget an upload that still nothing came for; False where something did."""

    def keys(self, keys: Sequence[UploadId]) -> set[UploadId]:
        """Return those of the keys that are of uploads."""


class RemnantRows(Protocol):
    """What deleted repositories left."""

    def page(self, after: int, limit: int) -> list[tuple[int, Unused]]:
        """Return up to ``limit`` deleted repositories that have rows left, with their ids, those after an id."""

    def erase(self, remnant: int, limit: int) -> bool:
        """Erase about ``limit`` rows of a deleted repository: images, then layers, then itself; False once nothing is left."""


class InspectionRows(Protocol):
    """All rows of the store, whosever they are, page by page."""

    def total(self) -> int:
        """Return how many bytes all contents have."""

    def contents(self, after: str, limit: int) -> list[tuple[Digest, UploadId, int]]:
        """Return up to ``limit`` contents with the keys and sizes of their bytes, those after a digest."""

    def images(self, after: int, limit: int) -> list[tuple[int, Registry, RepositoryName, Digest, bytes]]:
        """Return up to ``limit`` images with their manifests, those after an id."""

    def incomplete(
        self, after: int, limit: int
    ) -> list[tuple[int, Registry, RepositoryName, Digest, MediaType, bytes]]:
        """Return up to ``limit`` images that refer to a blob which their repository does not hold, those after an id."""

    def absent(self, image: int) -> list[Digest]:
        """Return the blobs that the image of an id refers to and that its repository does not hold."""

    def uploads(self, after: str, limit: int) -> list[tuple[UploadId, Registry, RepositoryName, int]]:
        """Return up to ``limit`` uploads with the bytes that were acknowledged, those after an id."""

    def holders(self, digest: Digest) -> list[tuple[Registry, RepositoryName]]:
        """Return the repositories that hold a blob."""


class Transaction(Protocol):
    """One consistent view of all rows."""

    @property
    def repositories(self) -> RepositoryRows:
        """Repositories."""

    @property
    def images(self) -> ImageRows:
        """Images."""

    @property
    def layers(self) -> LayerRows:
        """Layers."""

    @property
    def uploads(self) -> UploadRows:
        """Uploads."""

    @property
    def remnants(self) -> RemnantRows:
        """What deleted repositories left."""

    @property
    def inspection(self) -> InspectionRows:
        """All rows, for an inspection."""

    @property
    def resource_policies(self) -> ResourcePolicyRows:
        """The policies of registries and repositories."""

    @property
    def identities(self) -> IdentityRows:
        """Identities."""

    @property
    def policies(self) -> PolicyRows:
        """Managed policies of accounts' own."""

    @property
    def sessions(self) -> SessionRows:
        """Temporary credentials."""

    @property
    def accounts(self) -> AccountRows:
        """Accounts."""

    @property
    def audit(self) -> AuditRows:
        """The audit log."""

    @property
    def usage(self) -> UsageRows:
        """Which access was used."""


class Database(Protocol):
    """Rows that survive."""

    def write(self, *, durable: bool = True) -> AbstractContextManager[Transaction]:
        """Open a transaction for writing: leaving the block commits, and an exception rolls back.

        A durable commit survives a power cut. The other kind survives the end of the process, and a power cut may take
        it back as a whole, together with those that came after it and were not durable either.
        """

    def read(self) -> AbstractContextManager[Transaction]:
        """Open one consistent view for reading."""


class HotReads(Protocol):
    """What every pull, every part of a push and every signed request looks up, each in one statement.

    All but the key come with what decisions are remembered under; None where the account or what is looked for is missing.
    """

    def key(self, key_id: str) -> Credential | None:
        """Return an access key, or temporary credentials; whether it is active, or over, is the reader's to look at."""

    def manifest(
        self, caller: AccountId, registry: Registry, name: RepositoryName, reference: Digest | Tag
    ) -> tuple[Versions, Served] | None:
        """Return a manifest."""

    def layer(
        self, caller: AccountId, registry: Registry, name: RepositoryName, digest: Digest
    ) -> tuple[Versions, Layer] | None:
        """Return a blob."""

    def upload(
        self, caller: AccountId, registry: Registry, name: RepositoryName, upload: UploadId
    ) -> tuple[Versions, Upload] | None:
        """Return an upload."""

    def repositories(
        self, caller: AccountId, registry: Registry, after: str, limit: int
    ) -> tuple[Versions, list[Repository]] | None:
        """Return up to ``limit`` repositories in the order of their names, those after ``after``; None where there are none."""


class Writer(Protocol):
    """The one writer of the bytes of an upload: until it is closed nobody else, in any process, writes to them."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def start(self, offset: int, algorithm: Algorithm = SHA256) -> None:
        """Go on from ``offset``, hashing with ``algorithm``; what lies beyond it was never acknowledged and is dropped."""

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append bytes, at most 1024 pieces at once, and hash them; raises StorageFull, and then gives back what was taken since the start."""

    def keep(self) -> None:
        """Let what was written count: the next writer of this process goes on without reading it again."""

    def seal(self) -> Digest:
        """Make all bytes durable and return their digest, which is of the algorithm of the start."""

    def close(self) -> None:
        """Let another writer in."""


class Stored(NamedTuple):
    """Bytes as they lie there: their key, how many they are, and when they were last written to."""

    key: UploadId
    size: int
    changed_at: datetime


class Blobs(Protocol):
    """Bytes that survive. A key is used once."""

    def writer(self, key: UploadId) -> Writer:
        """Open bytes for writing, those of a new key too; raises UploadBusy while another writer has them."""

    def size(self, key: UploadId) -> int | None:
        """Return how many bytes there are under a key, or None where there is nothing."""

    def chunks(self, key: UploadId, start: int, end: int) -> Generator[bytes]:
        """Yield the bytes from ``start`` up to and without ``end``."""

    def pieces(self, key: UploadId, spans: Sequence[tuple[int, int]]) -> Generator[bytes]:
        """Yield the bytes of several ranges, one after the other; none of what is yielded is of two of them."""

    def delete(self, key: UploadId) -> None:
        """Delete bytes; absent is not an error."""

    def stored(self, before: datetime) -> Iterator[Stored]:
        """Yield all bytes that were not written to since ``before``, in any order."""
