"""What a caller may ask of layers, the blobs of images."""

from collections.abc import Iterator
from pathlib import Path

from moorage.actions.access import Guard
from moorage.actions.steps import found
from moorage.core.calls import Call
from moorage.core.digests import Digest, parse_digest
from moorage.core.errors import LayerInaccessible, LayerNotFound, RepositoryNotFound
from moorage.core.names import Registry, RepositoryName
from moorage.core.uploads import Layer
from moorage.ports import Blobs, Database, Transaction

CHECK = "ecr:BatchCheckLayerAvailability"
DOWNLOAD = "ecr:GetDownloadUrlForLayer"


class Layers:
    """Actions on layers; each raises AccessDenied without the right to it, and RepositoryNotFound.

    A layer is there only for a repository that holds it, whatever other repositories hold.
    """

    def __init__(self, database: Database, blobs: Blobs, guard: Guard) -> None:
        self._database = database
        self._blobs = blobs
        self._guard = guard

    def available(self, call: Call, name: RepositoryName, digests: list[Digest]) -> dict[Digest, Layer]:
        """Return those of the layers that the repository holds."""
        with self._database.read() as tx:
            return tx.layers.get(found(tx, self._guard, call, CHECK, name), digests)

    def one(self, call: Call, name: RepositoryName, digest: Digest, action: str) -> Layer:
        """Return a layer to look at (CHECK) or to read (DOWNLOAD); raises LayerNotFound."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, action, call.registry.repository_arn(name))
            return _held(tx, call.registry, name, digest)

    def downloadable(self, call: Call, name: RepositoryName, text: str) -> Layer:
        """Return a layer that a signed URL may be made for; raises LayerNotFound, LayerInaccessible where no image has it."""
        digest = parse_digest(text)
        with self._database.read() as tx:
            repository = found(tx, self._guard, call, DOWNLOAD, name)
            layer = tx.layers.get(repository, [digest]).get(digest) if digest else None
            if layer is None:
                raise LayerNotFound(text[:200], name, call.registry.account)
            if not tx.layers.referenced(repository, layer.digest):
                raise LayerInaccessible(layer.digest, name, call.registry.account)
        return layer

    def signed(self, registry: Registry, name: RepositoryName, digest: Digest) -> Layer:
        """Return a layer for the holder of a signed URL, who has shown that it may be read."""
        with self._database.read() as tx:
            return _held(tx, registry, name, digest)

    def file(self, layer: Layer) -> Path:
        """Return the file with the bytes of a layer."""
        return self._blobs.location(layer.key)

    def chunks(self, layer: Layer, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a layer from ``start`` up to and without ``end``."""
        return self._blobs.chunks(layer.key, start, end)


def _held(tx: Transaction, registry: Registry, name: RepositoryName, digest: Digest) -> Layer:
    layer = tx.layers.held(registry, name, digest)
    if layer is None:
        if tx.repositories.get(registry, name) is None:
            raise RepositoryNotFound(name, registry.account)
        raise LayerNotFound(digest, name, registry.account)
    return layer
