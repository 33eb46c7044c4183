from hypothesis import given
from hypothesis import strategies as st

from moorage.core.rates import RATES, Bucket, draw, is_full
from moorage.web.aws.model import service

rates = st.sampled_from(sorted(RATES.values()))
pauses = st.lists(st.floats(0, 2, allow_subnormal=False), max_size=200)


def moments(waits: list[float]) -> list[float]:
    at, found = 1_000_000.0, []
    for wait in waits:
        at += wait
        found.append(at)
    return found


def admitted(rate: int, times: list[float]) -> list[float]:
    """Return those of the requests that are let in."""
    bucket, found = None, []
    for at in times:
        bucket, early = draw(bucket, rate, at)
        if not early:
            found.append(at)
    return found


@given(st.integers(1, 20), pauses)
def test_in_no_stretch_of_time_more_is_let_in_than_the_rate_and_one_second_of_it(rate: int, waits: list[float]) -> None:
    let_in = admitted(rate, moments(waits))

    for first, begun in enumerate(let_in):
        for last in range(first, len(let_in)):
            assert last - first + 1 <= rate * (let_in[last] - begun) + rate + 1e-3


@given(rates, st.integers(1, 300))
def test_whoever_keeps_to_the_rate_is_never_refused(rate: int, requests: int) -> None:
    times = [1_000_000 + number / rate for number in range(requests)]

    assert admitted(rate, times) == times


@given(rates)
def test_what_one_second_brings_may_come_at_once_and_not_one_more(rate: int) -> None:
    assert len(admitted(rate, [5.0] * (rate + 7))) == rate


@given(rates, pauses)
def test_whoever_waits_as_long_as_it_is_told_is_let_in(rate: int, waits: list[float]) -> None:
    bucket: Bucket | None = None
    for at in moments(waits):
        bucket, early = draw(bucket, rate, at)
        if early:
            assert 0 < early <= 1 / rate
            assert draw(bucket, rate, at + early)[1] == 0


@given(rates, st.floats(0, 1_000_000))
def test_a_clock_that_goes_back_fills_nothing(rate: int, back: float) -> None:
    empty, now = Bucket(0, 1_000_000), 1_000_000 - back

    assert draw(empty, rate, now) == (empty, 1 / rate)


@given(rates, pauses, st.floats(0, 5))
def test_a_full_bucket_is_as_good_as_a_new_one(rate: int, waits: list[float], later: float) -> None:
    bucket: Bucket | None = None
    at = 1_000_000.0
    for at in moments(waits):
        bucket, _ = draw(bucket, rate, at)

    if bucket is not None and is_full(bucket, at + later):
        assert draw(bucket, rate, at + later) == draw(None, rate, at + later)


def test_every_rate_is_one_of_an_operation() -> None:
    assert set(RATES) <= service("ecr").operations
