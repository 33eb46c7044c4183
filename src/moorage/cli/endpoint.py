"""Where `moorage env` and `moorage health` find the server of a data folder."""

import fcntl
import os
import threading

from moorage.adapters.files import replace_file
from moorage.config import Settings


class Endpoint:
    """A data folder's note of where its server is. Of several servers the first one is noted, and when it is gone, another.

    They take turns by a lock on the folder, which the kernel gives back however a server ends.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.endpoint
        self._url = settings.url
        # Open as long as this process lives.
        self._lock = os.open(settings.data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def note(self) -> None:
        """Write down where this server is, now or as soon as it is its turn."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            threading.Thread(target=self._wait, daemon=True, name="endpoint").start()
            return
        except OSError:
            pass  # a file system of another machine may know no locks of folders
        self._write()

    def _wait(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._write()

    def _write(self) -> None:
        replace_file(self._path, self._url.encode(), 0o600)
