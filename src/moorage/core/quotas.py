"""How much there may be of what (Amazon ECR User Guide, "Amazon ECR service quotas"). Operators may want other numbers."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Repositories of a registry, images of a repository, tags of an image; bytes and parts of a layer; open uploads of a user.

    What is there already stays when a quota is lowered; no more comes.
    """

    repositories: int = 100_000
    images: int = 100_000
    tags: int = 1_000
    layer: int = 52_000 * MIB
    parts: int = 4_200
    # ECR names no number. Each has a row and a file for a day after its last bytes, and a process keeps so many running hashes.
    uploads: int = 10_000


ECR = Quotas()
"""ECR's own."""
