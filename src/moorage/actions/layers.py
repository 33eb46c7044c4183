"""What a caller may ask of layers, the blobs of images."""

from collections.abc import Generator, Sequence

from moorage.actions.access import Guard
from moorage.actions.steps import found, locked
from moorage.core.calls import Call
from moorage.core.collection import Grace
from moorage.core.digests import Digest, parse_digest
from moorage.core.downloads import SignedLayer
from moorage.core.errors import LayerInaccessible, LayerNotFound, LayerReferenced, StorageFull
from moorage.core.names import RepositoryName
from moorage.core.operations import BATCH_CHECK_LAYER_AVAILABILITY, BATCH_DELETE_IMAGE, GET_DOWNLOAD_URL_FOR_LAYER
from moorage.core.uploads import Layer
from moorage.ports import Blobs, Database, HotReads


class Layers:
    """Actions on layers; each raises AccessDenied without the right to it, and RepositoryNotFound.

    A layer is there only for a repository that holds it, whatever other repositories hold. Who is told that it is may count on it
    for the time of grace.
    """

    def __init__(self, database: Database, hot: HotReads, blobs: Blobs, guard: Guard, grace: Grace) -> None:
        self._database = database
        self._hot = hot
        self._blobs = blobs
        self._guard = guard
        self._grace = grace

    def available(self, call: Call, name: RepositoryName, digests: list[Digest]) -> dict[Digest, Layer]:
        """Return those of the layers that the repository holds."""
        with self._database.read() as tx:
            held = tx.layers.get(found(tx, self._guard, call, BATCH_CHECK_LAYER_AVAILABILITY, name), digests)
        return self._told(call, name, held)

    def one(self, call: Call, name: RepositoryName, digest: Digest, action: str) -> Layer:
        """Return a layer to look at (BATCH_CHECK_LAYER_AVAILABILITY) or to read (GET_DOWNLOAD_URL_FOR_LAYER); raises LayerNotFound."""
        while True:
            with self._database.read() as tx:
                found(tx, self._guard, call, action, name)
            hot = self._hot.layer(call.caller.account, call.registry, name, digest)
            # What decides, or the repository, may be another one since: then it is decided again.
            if hot is None or self._guard.allow_remembered(hot[0], call, action, name):
                break
        held = {digest: hot[1]} if hot else {}
        try:
            held = self._told(call, name, held)
        except StorageFull:
            # Who pushes has to wait for room anyway; who pulls does not.
            if action == BATCH_CHECK_LAYER_AVAILABILITY:
                raise
        if digest not in held:
            raise LayerNotFound(digest, name, call.registry.account)
        return held[digest]

    def _told(self, call: Call, name: RepositoryName, held: dict[Digest, Layer]) -> dict[Digest, Layer]:
        """Note that the caller is told of layers, where the last note is old; return those that are still held."""
        news = [layer.digest for layer in held.values() if self._grace.is_news(layer.told_at, call.at)]
        if not news:
            return held
        # Synced, for whoever is told may count on it for the whole time of grace, after a power cut too.
        with self._database.write() as tx:
            tx.layers.tell(news, call.at)
            repository = tx.repositories.get(call.registry, name)
            return tx.layers.get(repository, list(held)) if repository else {}

    def one_at_once(self, call: Call, name: RepositoryName, digest: Digest, action: str) -> Layer | None:
        """As ``one``, in one look-up; None where that does not suffice: not there, or rights to read, or news to note."""
        hot = self._hot.layer(call.caller.account, call.registry, name, digest)
        if hot is None or self._grace.is_news(hot[1].told_at, call.at):
            return None
        if self._guard.allow_remembered(hot[0], call, action, name, at_once=True):
            return hot[1]
        return None

    def downloadable(self, call: Call, name: RepositoryName, text: str) -> Layer:
        """Return a layer that a signed URL may be made for; raises LayerNotFound, LayerInaccessible where no image has it."""
        digest = parse_digest(text)
        with self._database.read() as tx:
            repository = found(tx, self._guard, call, GET_DOWNLOAD_URL_FOR_LAYER, name)
            layer = tx.layers.get(repository, [digest]).get(digest) if digest else None
            if layer is None:
                raise LayerNotFound(text[:200], name, call.registry.account)
            if not tx.layers.referenced(repository, layer.digest):
                raise LayerInaccessible(layer.digest, name, call.registry.account)
        return layer

    def signed(self, wanted: SignedLayer) -> Layer:
        """Return a layer for the holder of a signed URL, who has shown that it may be read; raises LayerNotFound.

        Of a repository that came later under the same name nobody has shown that.
        """
        with self._database.read() as tx:
            repository = tx.repositories.get(wanted.registry, wanted.name)
            is_meant = repository is not None and repository.created_at < wanted.signed_before
            layer = tx.layers.get(repository, [wanted.digest]).get(wanted.digest) if repository and is_meant else None
        if layer is None:
            raise LayerNotFound(wanted.digest, wanted.name, wanted.registry.account)
        return layer

    def delete(self, call: Call, name: RepositoryName, digest: Digest) -> None:
        """Let a repository hold a layer no longer; raises LayerNotFound, LayerReferenced where an image of it has the layer.

        ECR has no right for this. Whoever may delete the images that layers are of may delete a layer that is of none.
        """
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, BATCH_DELETE_IMAGE, name)
            if digest not in tx.layers.get(repository, [digest]):
                raise LayerNotFound(digest, name, call.registry.account)
            if tx.layers.referenced(repository, digest):
                raise LayerReferenced(digest, name, call.registry.account)
            tx.layers.remove(repository, digest)

    def chunks(self, layer: Layer, start: int, end: int) -> Generator[bytes]:
        """Yield the bytes of a layer from ``start`` up to and without ``end``."""
        return self._blobs.chunks(layer.key, start, end)

    def pieces(self, layer: Layer, spans: Sequence[tuple[int, int]]) -> Generator[bytes]:
        """Yield the bytes of several ranges of a layer, one after the other; none of what is yielded is of two of them."""
        return self._blobs.pieces(layer.key, spans)
