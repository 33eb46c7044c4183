"""How much one answer may hold, whatever is stored."""

from collections.abc import Iterable
from itertools import accumulate, takewhile

from moorage.core.quotas import MIB

BATCH = 16 * MIB
"""Bytes of manifests in one answer of BatchGetImage: four of the largest, or a hundred of a size that no image has."""
REFERRERS = 3 * MIB
"""Bytes of manifests behind one page of referrers. Clients take pages of 4 MiB; the rest is for the descriptors."""


def fitting(budget: int, sizes: Iterable[int]) -> int:
    """Return how many of ``sizes``, from the first one on, fit into ``budget`` together; the first one always does."""
    sizes = list(sizes)
    return max(sum(1 for _ in takewhile(lambda total: total <= budget, accumulate(sizes))), min(len(sizes), 1))
