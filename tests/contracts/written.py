"""Bytes, as one request after the other leaves them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from moorage.core.digests import SHA256, Algorithm
from moorage.core.names import UploadId
from moorage.ports import Blobs, Writer
from tests.contracts.rows import upload_id

KEY, OTHER = upload_id(1), UploadId("a0000000-0000-4000-8000-000000000002")


@contextmanager
def writing(blobs: Blobs, offset: int = 0, key: UploadId = KEY, algorithm: Algorithm = SHA256) -> Iterator[Writer]:
    with closing(blobs.writer(key)) as writer:
        writer.start(offset, algorithm)
        yield writer


def put(blobs: Blobs, *chunks: bytes, key: UploadId = KEY) -> None:
    with writing(blobs, key=key) as writer:
        writer.write(chunks)
        writer.seal()


def append(blobs: Blobs, offset: int, chunk: bytes, key: UploadId = KEY) -> None:
    """Take bytes as a request does whose chunk is acknowledged."""
    with writing(blobs, offset, key) as writer:
        writer.write([chunk])
        writer.keep()


def sealed(blobs: Blobs, size: int, key: UploadId = KEY) -> str:
    with writing(blobs, size, key) as writer:
        return writer.seal()


def content(blobs: Blobs, start: int = 0, end: int = 2**60, key: UploadId = KEY) -> bytes:
    return b"".join(blobs.chunks(key, start, end))
