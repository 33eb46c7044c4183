"""How many requests there may be in a second (Amazon ECR User Guide, "Amazon ECR service quotas"), as token buckets."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

RATES: Mapping[str, int] = MappingProxyType(
    {
        "BatchCheckLayerAvailability": 1_000,
        "BatchGetImage": 2_000,
        "CompleteLayerUpload": 100,
        "GetAuthorizationToken": 500,
        "GetDownloadUrlForLayer": 3_000,
        "InitiateLayerUpload": 100,
        "PutImage": 10,
        "UploadLayerPart": 500,
    }
)
"""Requests in a second that ECR takes of one account in one region; of other operations it publishes none."""

_EXACT = 1e-6
"""What the sums of fractions may be off by."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of a rate, and when that was so, in seconds."""

    left: float
    at: float


def draw(bucket: Bucket | None, rate: int, at: float) -> tuple[Bucket, float]:
    """Return the bucket after one request more, and how many seconds that request came too early: 0 where it is let in.

    A bucket fills by ``rate`` in a second and holds what one second brings. None is one that nobody has drawn from. A clock
    that goes back fills nothing.
    """
    if bucket is None:
        bucket = Bucket(rate, at)
    at = max(at, bucket.at)
    left = min(rate, bucket.left + (at - bucket.at) * rate)
    if left < 1 - _EXACT:
        return Bucket(left, at), (1 - left) / rate
    return Bucket(left - 1, at), 0.0


def is_full(bucket: Bucket, at: float) -> bool:
    """Tell whether a bucket is as one that nobody has drawn from: what it held in full, a second brings again."""
    return at - bucket.at >= 1
