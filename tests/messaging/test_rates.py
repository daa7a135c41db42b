"""No second has more messages than a number's rate, wherever it begins, and not much less than the rate is used."""

from bisect import bisect_left
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from elsehu.messaging.outbound.rates import Bucket

RATES = st.one_of(st.sampled_from([0.2, 0.5, 1, 2, 5, 10, 20, 80, 250, 1000]), st.floats(0.1, 1000))
STEPS = st.lists(st.floats(0, 2) | st.floats(0, 0.05), min_size=1, max_size=200)


def busiest(times: list[float], seconds: float) -> int:
    """Return how many of `times` (sorted) the busiest half-open stretch of `seconds` has."""
    return max((bisect_left(times, at + seconds - 1e-6) - n for n, at in enumerate(times)), default=0)


def drained(rate: float, steps: list[float], start: float = 0.0) -> list[float]:
    """Take all there is after each of `steps`; return when."""
    bucket, now, times = Bucket.full(rate, start), start, []
    for step in steps:
        now += step
        bucket.fill(now)
        times += [now] * int(bucket.tokens)
        bucket.tokens -= int(bucket.tokens)
    return times


@given(rate=RATES, steps=STEPS)
def test_no_second_has_more_than_the_rate(rate: float, steps: list[float]) -> None:
    assert busiest(drained(rate, steps), 1.0) <= ceil(rate)


@given(rate=st.sampled_from([1, 2, 5, 10, 20, 80, 250]), steps=STEPS, jitter=st.lists(st.floats(0, 0.04), min_size=300))
def test_nor_where_they_arrive_a_little_late(rate: float, steps: list[float], jitter: list[float]) -> None:
    times = drained(rate, steps)[: len(jitter)]
    assert busiest(sorted(at + late for at, late in zip(times, jitter, strict=False)), 1.0) <= rate


@given(rate=RATES)
def test_most_of_the_rate_is_used(rate: float) -> None:
    seconds = max(10.0, 50 / rate)
    bucket, now, count = Bucket.full(rate, 0.0), 0.0, 0
    while now < seconds:
        bucket.fill(now)
        bucket.tokens -= 1
        count += 1
        now = bucket.next_at() + 1e-9
    assert 0.85 * rate * seconds <= count <= rate * seconds + 1


@given(rate=RATES, steps=STEPS)
def test_a_gate_keeps_apart_what_comes_together(rate: float, steps: list[float]) -> None:
    gate, now, times = Bucket.full(rate, 0.0), 0.0, []
    for step in steps:
        now += step
        times.append(now + gate.take(now))
    assert times == sorted(times) and busiest(times, 1.0) <= ceil(rate)


@given(rate=RATES, ahead=st.floats(0, 100))
def test_a_clock_that_is_behind_adds_no_tokens(rate: float, ahead: float) -> None:
    bucket = Bucket(rate, 0.0, 1000.0 + ahead)
    bucket.fill(1000.0)
    bucket.fill(1000.0 + ahead)
    assert bucket.tokens == 0.0
