"""What ``moorage trust`` has done on a machine, in one file that only root writes: what undoing reads, root does.

It says what a file was before the file is touched, so an interrupted change can be taken back or made again.
"""

import base64
import json
import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from moorage.adapters.files import replace_file
from moorage.core.trust import HOSTS, Place, Trusted, may_change


@dataclass(slots=True)
class File:
    """A file's content before Moorage changed it, None where there was none, and the digests of all that Moorage wrote there."""

    before: bytes | None
    ours: list[str]

    def wrote(self, content: bytes) -> bool:
        """Tell whether Moorage wrote that content."""
        return sha256(content).hexdigest() in self.ours


@dataclass(slots=True)
class Journal:
    """The authorities that are trusted, the files that were changed for them, and the folders that were made.

    ``data`` are the data folders that got an authority, and whether they were made for it. ``finished`` is false from the first
    change until the last command has run.
    """

    trusted: list[Trusted] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    data: dict[str, bool] = field(default_factory=dict)
    finished: bool = True

    def remember(self, path: str, current: bytes | None, content: bytes) -> None:
        """Note that a file is about to get a content, and what it held before, unless that was ours already."""
        known = self.files.setdefault(path, File(current, []))
        # The hosts file gets and loses our lines only, so what it was at first is all that one needs.
        if path != HOSTS and (current is None or not known.wrote(current)):
            known.before = current
        known.ours = list(dict.fromkeys([*known.ours, sha256(content).hexdigest()]))


def read_journal(path: Path) -> Journal:
    """Return the journal; raises ValueError for one that cannot be believed."""
    try:
        owner, text = path.lstat().st_uid, path.read_bytes()
    except FileNotFoundError:
        return Journal()
    if owner not in (0, os.geteuid()):
        raise ValueError(f"{path} belongs to another user and is not believed")
    try:
        return _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be understood: {error!r}") from None


def write_journal(path: Path, journal: Journal) -> None:
    """Keep the journal, for its owner's eyes only: a file of before may have held a secret."""
    document = {
        "trusted": [
            {
                "key": one.key,
                "certificate": one.certificate.decode(),
                "places": {name: [place.address, place.port] for name, place in one.places.items()},
            }
            for one in journal.trusted
        ],
        "files": {
            name: {"before": None if file.before is None else base64.b64encode(file.before).decode(), "ours": file.ours}
            for name, file in journal.files.items()
        },
        "folders": journal.folders,
        "data": journal.data,
        "finished": journal.finished,
    }
    replace_file(path, json.dumps(document, indent=1).encode(), 0o600)


def _parsed(document: dict[str, Any]) -> Journal:
    files = {}
    for path, file in document["files"].items():
        if not may_change(path):
            raise ValueError(f"{path} is no file that Moorage changes")
        before = None if file["before"] is None else base64.b64decode(file["before"])
        files[path] = File(before, list(file["ours"]))
    trusted = [
        Trusted(one["key"], one["certificate"].encode(), {name: Place(*place) for name, place in one["places"].items()})
        for one in document["trusted"]
    ]
    return Journal(trusted, files, list(document["folders"]), dict(document["data"]), bool(document["finished"]))
