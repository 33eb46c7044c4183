"""Blobs as files of one folder: ``<first two characters of the key>/<key>``.

A file is written in place from its first byte to its last, by one writer at a time (an advisory lock keeps other
processes out), and never again once its upload is completed. Durable means: file synced, then its directory entry.
"""

import ctypes
import errno
import fcntl
import os
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from moorage.adapters.files import replace_file, sync_folder
from moorage.core.digests import SHA256, Algorithm, Digest, digest_from, start_hash
from moorage.core.errors import StorageFull, UploadBusy
from moorage.core.names import UploadId, parse_upload
from moorage.ports import Stored

if TYPE_CHECKING:
    from hashlib import _Hash

CHUNK = 1024 * 1024
FLUSH = 8 * 1024 * 1024
"""Bytes after which the kernel is told to start writing, so that little is left to wait for at the end."""

RUNNING_HASHES = 10_000
"""Uploads between two requests whose hash is kept; one that is pushed out is read again when it is sealed."""

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


Stamp = tuple[int, int, int, int]


class DiskBlobs:
    """The port Blobs on a local file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hashes: OrderedDict[UploadId, tuple[Stamp, _Hash]] = OrderedDict()
        self._lock = threading.Lock()
        self._durable_folders: set[str] = set()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)

    def claim(self, owner: str) -> str:
        """Return whose the folder is; it becomes ``owner``'s where it is nobody's."""
        mark = self.folder / "owner"
        if not mark.exists():
            replace_file(mark, owner.encode(), 0o600)
        return mark.read_text()

    def location(self, key: UploadId) -> Path:
        """Return the file that holds the bytes."""
        return self.folder / key[:2] / key

    def writer(self, key: UploadId) -> "DiskWriter":
        """Open bytes for writing, those of a new key too; raises UploadBusy while another writer has them."""
        path = self.location(key)
        try:
            # That a folder is there does not say that whoever made it came to sync its entry.
            if path.parent.name not in self._durable_folders:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                sync_folder(self.folder)
                self._durable_folders.add(path.parent.name)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _refusal(error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise UploadBusy(key) from None
        return DiskWriter(self, key, file)

    def size(self, key: UploadId) -> int | None:
        """Return how many bytes there are under a key, or None where there is nothing."""
        try:
            return self.location(key).stat().st_size
        except FileNotFoundError:
            return None

    def chunks(self, key: UploadId, start: int, end: int) -> Generator[bytes]:
        """Yield the bytes from ``start`` up to and without ``end``."""
        return self.pieces(key, [(start, end)])

    def pieces(self, key: UploadId, spans: Sequence[tuple[int, int]]) -> Generator[bytes]:
        """Yield the bytes of several ranges, one after the other; none of what is yielded is of two of them."""
        file = os.open(self.location(key), os.O_RDONLY | os.O_CLOEXEC)
        try:
            for start, end in spans:
                at = start
                while at < end:
                    chunk = os.pread(file, min(CHUNK, end - at), at)
                    if not chunk:
                        return
                    at += len(chunk)
                    yield chunk
        finally:
            os.close(file)

    def delete(self, key: UploadId) -> None:
        """Delete bytes; absent is not an error."""
        self.forget_hash(key)
        self.location(key).unlink(missing_ok=True)

    def stored(self, before: datetime) -> Iterator[Stored]:
        """Yield all bytes that were not written to since ``before``, in any order."""
        for folder in (each.path for each in os.scandir(self.folder) if each.is_dir()):
            for file in os.scandir(folder):
                key = parse_upload(file.name)
                status = _status(file)
                if key is None or status is None or self.location(key) != Path(file.path):
                    continue
                changed_at = datetime.fromtimestamp(status.st_mtime, UTC)
                if changed_at < before:
                    yield Stored(key, status.st_size, changed_at)

    def running_hash(self, key: UploadId, stamp: Stamp, algorithm: Algorithm) -> "_Hash | None":
        """Return a copy of the hash of a file's bytes where it is known and nobody has written to them since."""
        with self._lock:
            known = self._hashes.get(key)
            return known[1].copy() if known and (known[0], known[1].name) == (stamp, algorithm) else None

    def remember_hash(self, key: UploadId, stamp: Stamp, running: "_Hash") -> None:
        """Keep the hash of a file's bytes for the next request."""
        with self._lock:
            self._hashes[key] = (stamp, running.copy())
            self._hashes.move_to_end(key)
            while len(self._hashes) > RUNNING_HASHES:
                self._hashes.popitem(last=False)

    def forget_hash(self, key: UploadId) -> None:
        """Drop what ``remember_hash`` kept."""
        with self._lock:
            self._hashes.pop(key, None)


class DiskWriter:
    """The port Writer; closing it gives the lock back."""

    def __init__(self, blobs: DiskBlobs, key: UploadId, file: int) -> None:
        self._blobs = blobs
        self._key = key
        self._file = file
        self._offset = 0
        self._started = 0
        self._flushing = 0
        self._algorithm = SHA256
        self._hash: _Hash | None = None
        # Closed beneath a write, the file's number could be another file's by the time of it.
        self._in_use = threading.Lock()

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return os.fstat(self._file).st_size

    def start(self, offset: int, algorithm: Algorithm = SHA256) -> None:
        """Go on from ``offset``, hashing with ``algorithm``; what lies beyond it was never acknowledged and is dropped."""
        known = self._blobs.running_hash(self._key, _stamp(self._file, offset), algorithm)
        self._algorithm = algorithm
        self._hash = start_hash(algorithm) if offset == 0 else known
        if self.size > offset:
            os.ftruncate(self._file, offset)
        self._started = self._offset = self._flushing = offset

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append bytes, at most 1024 pieces at once, and hash them; raises StorageFull, and then gives back what was taken."""
        with self._in_use:
            self._append(chunks)

    def _append(self, chunks: Sequence[bytes]) -> None:
        end = self._offset + sum(map(len, chunks))
        try:
            self._offset += os.pwritev(self._file, chunks, self._offset)
            if self._offset < end:
                # Rare: a signal, or a disk that is nearly full.
                rest = memoryview(b"".join(chunks))[self._offset - end :]
                while rest:
                    written = os.pwrite(self._file, rest, self._offset)
                    self._offset += written
                    rest = rest[written:]
        except OSError as error:
            os.ftruncate(self._file, self._started)
            raise _refusal(error) from error
        if self._offset - self._flushing >= FLUSH:
            _start_writing_out(self._file, self._flushing, self._offset - self._flushing)
            self._flushing = self._offset
        if self._hash is not None:
            for chunk in chunks:
                self._hash.update(chunk)

    def keep(self) -> None:
        """Let what was written count: the next writer of this process goes on without reading it again."""
        if self._hash is not None:
            self._blobs.remember_hash(self._key, _stamp(self._file, self._offset), self._hash)
        else:
            self._blobs.forget_hash(self._key)

    def seal(self) -> Digest:
        """Make all bytes durable and return their digest, which is of the algorithm of the start."""
        if self._hash is None:
            self._hash = start_hash(self._algorithm)
            for chunk in self._blobs.chunks(self._key, 0, self._offset):
                self._hash.update(chunk)
            # Offered under a wrong digest again and again, they are read once.
            self._blobs.remember_hash(self._key, _stamp(self._file, self._offset), self._hash)
        try:
            # Nobody closes it meanwhile: another file may get its number.
            with self._in_use:
                os.fdatasync(self._file)
            sync_folder(self._blobs.location(self._key).parent)
        except OSError as error:
            raise _refusal(error) from error
        return digest_from(self._hash)

    def close(self) -> None:
        """Let another writer in; once is enough, and twice does no harm, from whichever threads."""
        with self._in_use:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def _status(file: "os.DirEntry[str]") -> os.stat_result | None:
    """Return what there is to know of a file, or None where it has gone meanwhile."""
    try:
        return file.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _stamp(file: int, size: int) -> Stamp:
    """Return what tells the bytes of a file from those that another process has written since."""
    status = os.fstat(file)
    return (size, status.st_size, status.st_ino, status.st_mtime_ns)


def _start_writing_out(file: int, offset: int, length: int) -> None:
    """Tell the kernel to begin writing a part of a file to the disk, and do not wait (Linux man page, sync_file_range(2)).

    Advice only: durable is what was synced, and where the call does not exist nothing is lost but time.
    """
    if _sync_file_range is not None:
        _sync_file_range(file, ctypes.c_int64(offset), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE)


_SYNC_FILE_RANGE_WRITE = 2
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)


def _refusal(error: OSError) -> Exception:
    return StorageFull() if error.errno in _NO_SPACE else error
