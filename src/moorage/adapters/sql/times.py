"""Moments as the database keeps them: seconds since 1970 in UTC."""

from datetime import UTC, datetime


def to_seconds(moment: datetime) -> float:
    """Return a moment as seconds."""
    return moment.timestamp()


def to_moment(seconds: float) -> datetime:
    """Return seconds as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
