"""Repositories, manifests and layers to put into rows."""

import json
from datetime import UTC, datetime
from typing import Any

from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.vault import Vault
from moorage.core.digests import Digest, digest_of
from moorage.core.images import Image
from moorage.core.manifests import OCI_INDEX, OCI_MANIFEST, Manifest, parse_manifest
from moorage.core.names import AccountId, Region, Registry, RepositoryName, Tag, UploadId
from moorage.core.repositories import Repository

VAULT = Vault(b"the key of the secrets of tests ")
AT = datetime(2026, 3, 4, 5, 6, 7, 250000, UTC)
HERE = Registry(AccountId("111122223333"), Region("us-east-1"))
THERE = Registry(AccountId("111122223333"), Region("eu-west-1"))
THEIRS = Registry(AccountId("444455556666"), Region("us-east-1"))
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def add_repository(
    database: SqlDatabase, name: str = "team/app", registry: Registry = HERE, **settings: Any
) -> Repository:
    wanted = Repository(registry=registry, name=RepositoryName(name), created_at=AT, **settings)
    with database.write() as tx:
        tx.repositories.lock_registry(registry)
        return tx.repositories.add(wanted)


def blob(text: str) -> Digest:
    return digest_of(text.encode())


def upload_id(number: int) -> UploadId:
    return UploadId(f"6f1c2b1e-0000-4000-8000-{number:012}")


def image(name: str, *layers: str, **members: Any) -> Manifest:
    """Return a manifest that differs from every one of another name."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG, "digest": blob(f"config of {name}"), "size": 2},
        "layers": [{"mediaType": LAYER, "digest": blob(layer), "size": len(layer)} for layer in layers],
        **members,
    }
    return parse_manifest(json.dumps(document).encode(), None)


def index(*images: Manifest, **members: Any) -> Manifest:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(each) for each in images]}
    return parse_manifest(json.dumps({**document, **members}).encode(), None)


def descriptor(manifest: Manifest) -> dict[str, Any]:
    return {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.content)}


def add_image(database: SqlDatabase, repository: Repository, manifest: Manifest, *tags: str) -> Image:
    with database.write() as tx:
        tx.images.add(repository, manifest, 7, AT)
        for tag in tags:
            tx.images.point_tag(repository, Tag(tag), manifest.digest)
        [found] = tx.images.find(repository, digests=[manifest.digest], tags=[])
    return found


def add_layer(database: SqlDatabase, repository: Repository, text: str, number: int) -> UploadId:
    with database.write() as tx:
        return tx.layers.add(repository, blob(text), upload_id(number), len(text), AT)[0]
