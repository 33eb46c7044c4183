from hypothesis import given
from hypothesis import strategies as st

from moorage.core.pace import PATIENCE, SLOWEST, patience

waits = st.lists(st.floats(0, 10), max_size=100)


def lasts(pause: float, received: int) -> float:
    """Return after how many seconds a body is over of which so many bytes come after each pause."""
    left, seconds = PATIENCE, 0.0
    while pause < left:
        left = patience(left, pause, received)
        seconds += pause
    return seconds + left


@given(waits)
def test_a_body_that_comes_at_the_slowest_pace_is_waited_for_as_at_its_beginning(pauses: list[float]) -> None:
    left = PATIENCE
    for pause in pauses:
        left = patience(left, pause, int(pause * SLOWEST) + 1)

    assert left == PATIENCE


@given(st.integers(1, 60))
def test_a_body_that_drips_is_over_within_two_minutes_and_a_half(pause: int) -> None:
    assert lasts(pause, 1) <= 2.5 * PATIENCE
    assert lasts(pause, pause * SLOWEST // 2) <= 2.5 * PATIENCE


def test_silence_is_waited_for_a_minute() -> None:
    assert lasts(PATIENCE, 0) == PATIENCE
    assert patience(PATIENCE, PATIENCE, 0) == 0


@given(waits, st.integers(0, 10**9))
def test_nobody_saves_up_more_than_a_minute(pauses: list[float], received: int) -> None:
    left = PATIENCE
    for pause in pauses:
        left = patience(left, pause, received)
        assert left <= PATIENCE
