"""Every action on one database and one folder, with an administrator and whoever else a test needs."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select

from moorage.actions.access import Guard
from moorage.actions.collection import Collection
from moorage.actions.identities import Identities
from moorage.actions.images import Images, Put
from moorage.actions.layers import Layers
from moorage.actions.repositories import Repositories
from moorage.actions.resource_policies import ResourcePolicies
from moorage.actions.sessions import Sessions
from moorage.actions.tokens import Tokens
from moorage.actions.uploads import Completed, Session, Uploads
from moorage.adapters.blobs_disk import DiskBlobs
from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.sql.hot import SqlHotReads
from moorage.adapters.sql.schema import metadata
from moorage.core.calls import Call, Caller
from moorage.core.collection import Grace
from moorage.core.digests import Digest, digest_of
from moorage.core.errors import Refused
from moorage.core.identities import AccessKey
from moorage.core.images import ImageId, TagStatus
from moorage.core.manifests import Manifest
from moorage.core.names import Registry, RepositoryName, Tag, UploadId
from moorage.core.quotas import ECR, Quotas
from moorage.core.repositories import Repository
from tests.contracts.rows import AT, HERE, image

SECRET = b"s" * 32
GRACE = Grace(timedelta(hours=24))
PART = "ecr:UploadLayerPart"
COMPLETE = "ecr:CompleteLayerUpload"


def call_of(key: AccessKey, registry: Registry = HERE, at: datetime = AT) -> Call:
    user = key.user
    caller = Caller(user.arn, user.account, user.id, user.name, key.id)
    return Call(caller=caller, registry=registry, at=at, request_id="1", context={"aws:sourceip": "127.0.0.1"})


def policy(actions: Sequence[str], resource: str = "*", effect: str = "Allow", **more: Any) -> str:
    """Return a policy of one statement; without actions its elements say what it is about."""
    named = {"Action": list(actions)} if actions else {}
    statement = {"Effect": effect, **named, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@dataclass
class Desk:
    """The actions as a server process has them; two desks on one database and folder are two processes."""

    database: SqlDatabase
    folder: Path
    now: datetime = AT
    quotas: Quotas = ECR
    _names: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.guard = Guard()
        self.blobs = DiskBlobs(self.folder)
        self.hot = SqlHotReads(self.database)
        self.identities = Identities(self.database, self.guard)
        self.repositories = Repositories(self.database, self.hot, self.guard, self.quotas)
        self.images = Images(self.database, self.hot, self.guard, self.quotas)
        self.layers = Layers(self.database, self.hot, self.blobs, self.guard, GRACE)
        self.uploads = Uploads(
            self.database,
            self.hot,
            self.blobs,
            self.guard,
            new_id=lambda: UploadId(str(uuid.uuid4())),
            now=lambda: self.now,
            quotas=self.quotas,
        )
        self.sessions = Sessions(self.database, self.guard)
        self.policies = ResourcePolicies(self.database, self.guard)
        self.collection = Collection(self.database, self.blobs, GRACE)
        self.tokens = Tokens(self.database, self.guard, SECRET)

    def open(self) -> "Desk":
        """Make the account."""
        key = self.identities.bootstrap(HERE.account, AT, keep=lambda _: None)
        assert key
        self.admin = call_of(key)
        return self

    def beside(self, quotas: Quotas = ECR) -> "Desk":
        """Return the actions as another process has them."""
        other = Desk(self.database, self.folder, quotas=quotas)
        other.admin = self.admin
        return other

    def close(self) -> None:
        self.hot.close()

    def someone(self, *actions: str, resource: str = "*", **more: Any) -> Call:
        """Make a user who may do these actions, and return a call of theirs."""
        name = f"user-{next(self._names)}"
        self.identities.create_user(self.admin, name)
        if actions or more:
            self.identities.put_inline(self.admin, name, "some", policy(actions, resource, **more))
        return call_of(self.identities.create_key(self.admin, name))

    # --- what most tests begin with ------------------------------------------------------------------------------------

    def repository(self, name: str = "team/app", **settings: Any) -> RepositoryName:
        wanted = Repository(registry=HERE, name=RepositoryName(name), created_at=AT, **settings)
        return self.repositories.create(self.admin, wanted, {}).name

    def received(self, name: RepositoryName, content: bytes) -> Session:
        """Return an upload that has received all of a layer and still has to be completed."""
        session = self.uploads.start_at_once(self.admin, name)
        session.write([content])
        return session

    def complete(self, session: Session, content: bytes, call: Call | None = None) -> Completed:
        try:
            return self.uploads.complete(call or self.admin, session, (digest_of(content),), parts=False)
        finally:
            session.close()

    def layer(self, name: RepositoryName, text: str) -> Digest:
        """Push a layer."""
        return self.complete(self.received(name, text.encode()), text.encode()).digest

    def parts(self, name: RepositoryName, seed: str, *layers: str, **members: Any) -> Manifest:
        """Push the blobs of an image, and return the manifest that is still to be put."""
        for text in (f"config of {seed}", *layers):
            self.layer(name, text)
        return image(seed, *layers, **members)

    def push(self, name: RepositoryName, seed: str, *tags: str, **members: Any) -> Manifest:
        """Push an image under each of the tags, or under none."""
        manifest = self.parts(name, seed, f"layer of {seed}", **members)
        for tag in tags or (None,):
            self.put(name, manifest, tag)
        return manifest

    def put(
        self,
        name: RepositoryName,
        manifest: Manifest | bytes,
        tag: str | None = None,
        *,
        call: Call | None = None,
        **more: Any,
    ) -> Put:
        content = manifest if isinstance(manifest, bytes) else manifest.content
        given: dict[str, Any] = {"media_type": None, "digest": None, "tags": [Tag(tag)] if tag else [], **more}
        return self.images.put(call or self.admin, name, content, **given)

    def fill(self, name: RepositoryName, images: Mapping[str, Sequence[str]]) -> None:
        """Store images with their tags in one transaction, without their layers."""
        with self.database.write() as tx:
            repository = tx.repositories.lock(HERE, name)
            assert repository
            for seed, tags in images.items():
                manifest = image(seed)
                tx.images.add(repository, manifest, 7, AT)
                for tag in tags:
                    tx.images.point_tag(repository, Tag(tag), manifest.digest)

    # --- what is there afterwards --------------------------------------------------------------------------------------

    def shelf(self, name: RepositoryName) -> dict[Digest, set[str]]:
        """Return the images of a repository with their tags."""
        with self.database.read() as tx:
            repository = tx.repositories.get(HERE, name)
            assert repository
            pairs = tx.images.pair_page(repository, TagStatus.ANY, (0, ""), 1000)
        found: dict[Digest, set[str]] = {}
        for _, digest, tag in pairs:
            found.setdefault(digest, set()).update({tag} if tag else set())
        return found

    def rows(self) -> dict[str, list[Any]]:
        """Return everything that the database holds."""
        with self.database.read() as tx:
            return {
                table.name: sorted(map(repr, tx.connection.execute(select(table)))) for table in metadata.sorted_tables
            }

    def files(self) -> dict[str, int]:
        """Return every file of bytes with its size."""
        return {path.name: path.stat().st_size for path in self.folder.rglob("*") if path.is_file()}

    def bytes_of(self, name: RepositoryName, digest: Digest) -> bytes:
        """Download a layer."""
        layer = self.layers.one(self.admin, name, digest, "ecr:GetDownloadUrlForLayer")
        return b"".join(self.layers.chunks(layer, 0, layer.size))


def refusal(call: Callable[[], Any]) -> type[Refused] | None:
    """Return what a call is refused with, or None."""
    try:
        call()
    except Refused as refused:
        return type(refused)
    return None


def by_tag(tag: str) -> ImageId:
    return ImageId(tag=tag)


def by_digest(manifest: Manifest, tag: str | None = None) -> ImageId:
    return ImageId(manifest.digest, tag)


def at(call: Call, moment: datetime) -> Call:
    return replace(call, at=moment)
