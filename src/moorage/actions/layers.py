"""What a caller may ask of layers, the blobs of images."""

from collections.abc import Generator

from moorage.actions.access import Guard
from moorage.actions.steps import found, locked
from moorage.core.calls import Call
from moorage.core.digests import Digest, parse_digest
from moorage.core.errors import LayerInaccessible, LayerNotFound, LayerReferenced
from moorage.core.names import Registry, RepositoryName
from moorage.core.uploads import Layer
from moorage.ports import Blobs, Database, HotReads

CHECK = "ecr:BatchCheckLayerAvailability"
DOWNLOAD = "ecr:GetDownloadUrlForLayer"


class Layers:
    """Actions on layers; each raises AccessDenied without the right to it, and RepositoryNotFound.

    A layer is there only for a repository that holds it, whatever other repositories hold.
    """

    def __init__(self, database: Database, hot: HotReads, blobs: Blobs, guard: Guard) -> None:
        self._database = database
        self._hot = hot
        self._blobs = blobs
        self._guard = guard

    def available(self, call: Call, name: RepositoryName, digests: list[Digest]) -> dict[Digest, Layer]:
        """Return those of the layers that the repository holds."""
        with self._database.read() as tx:
            return tx.layers.get(found(tx, self._guard, call, CHECK, name), digests)

    def one(self, call: Call, name: RepositoryName, digest: Digest, action: str) -> Layer:
        """Return a layer to look at (CHECK) or to read (DOWNLOAD); raises LayerNotFound."""
        with self._database.read() as tx:
            found(tx, self._guard, call, action, name)
        hot = self._hot.layer(call.caller.account, call.registry, name, digest)
        if hot is None:
            raise LayerNotFound(digest, name, call.registry.account)
        return hot[1]

    def one_at_once(self, call: Call, name: RepositoryName, digest: Digest, action: str) -> Layer | None:
        """As ``one``, in one look-up; None where that does not suffice: it is not there, or rights have to be read."""
        hot = self._hot.layer(call.caller.account, call.registry, name, digest)
        if hot and self._guard.allow_remembered(hot[0], call, action, call.registry.repository_arn(name)):
            return hot[1]
        return None

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
        """Return a layer for the holder of a signed URL, who has shown that it may be read; raises LayerNotFound."""
        with self._database.read() as tx:
            repository = tx.repositories.get(registry, name)
            layer = tx.layers.get(repository, [digest]).get(digest) if repository else None
        if layer is None:
            raise LayerNotFound(digest, name, registry.account)
        return layer

    def delete(self, call: Call, name: RepositoryName, digest: Digest) -> None:
        """Let a repository hold a layer no longer; raises LayerNotFound, LayerReferenced where an image of it has the layer.

        ECR has no right for this. Whoever may delete the images that layers are of may delete a layer that is of none.
        """
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, "ecr:BatchDeleteImage", name)
            if digest not in tx.layers.get(repository, [digest]):
                raise LayerNotFound(digest, name, call.registry.account)
            if tx.layers.referenced(repository, digest):
                raise LayerReferenced(digest, name, call.registry.account)
            tx.layers.remove(repository, digest)

    def chunks(self, layer: Layer, start: int, end: int) -> Generator[bytes]:
        """Yield the bytes of a layer from ``start`` up to and without ``end``."""
        return self._blobs.chunks(layer.key, start, end)
