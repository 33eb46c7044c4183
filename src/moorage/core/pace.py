"""How slowly a body may come: what waits for it holds an upload, a connection and memory."""

PATIENCE = 60.0
"""Seconds for which the next bytes are waited for at most."""
SLOWEST = 1024
"""Bytes of a second, on average, of the slowest body that is taken to its end."""


def patience(left: float, waited: float, received: int) -> float:
    """Return for how many seconds the next bytes are waited for, after ``received`` bytes came in ``waited`` of the ``left`` ones.

    It begins with PATIENCE, and every byte earns what the slowest body takes for it; nobody saves up more than PATIENCE. So
    silence ends a body after a minute, and a body that comes more slowly than SLOWEST does not last much longer than that.
    """
    return min(PATIENCE, left - waited + received / SLOWEST)
