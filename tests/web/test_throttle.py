from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from moorage.core.calls import Call, Caller
from moorage.core.errors import RateExceeded
from moorage.core.names import AccountId, Region, Registry
from moorage.core.rates import RATES
from moorage.web import throttle
from moorage.web.throttle import Throttle

ACCOUNT = AccountId("111122223333")
HERE = Registry(ACCOUNT, Region("us-east-1"))
CALL = Call(
    caller=Caller("arn:aws:iam::111122223333:user/ann", ACCOUNT, "AIDA", "ann", "AKIA"),
    registry=HERE,
    at=datetime(2026, 8, 3, tzinfo=UTC),
    request_id="1",
)
PUT, RATE = "PutImage", RATES["PutImage"]


def let_in(made: Throttle, call: Call, operation: str = PUT, requests: int = 100) -> int:
    """Return how many of so many requests at one moment are let in."""
    count = 0
    for _ in range(requests):
        try:
            made.admit(call, operation)
            count += 1
        except RateExceeded:
            pass
    return count


def test_an_operation_is_let_in_so_often_in_a_second_and_no_more() -> None:
    made = Throttle()

    assert let_in(made, CALL) == RATE
    assert let_in(made, replace(CALL, at=CALL.at + timedelta(seconds=0.3))) == 3
    assert let_in(made, replace(CALL, at=CALL.at + timedelta(seconds=60))) == RATE


def test_each_operation_has_a_rate_of_its_own() -> None:
    made = Throttle()
    let_in(made, CALL)

    assert let_in(made, CALL, "InitiateLayerUpload", 1000) == RATES["InitiateLayerUpload"]


def test_each_account_and_each_region_has_its_own() -> None:
    made = Throttle()
    let_in(made, CALL)

    assert let_in(made, replace(CALL, registry=Registry(ACCOUNT, Region("eu-west-1")))) == RATE
    assert let_in(made, replace(CALL, caller=replace(CALL.caller, account=AccountId("444455556666")))) == RATE
    # Whose registry is asked for is no way around it: who asks is what counts.
    assert let_in(made, replace(CALL, registry=Registry(AccountId("444455556666"), HERE.region))) == 0


def test_an_operation_without_a_published_rate_is_always_let_in() -> None:
    assert let_in(Throttle(), CALL, "DescribeImages", 5000) == 5000


def test_regions_that_callers_make_up_take_no_memory_for_long() -> None:
    made = Throttle()
    for number in range(3 * throttle.KEPT):
        region = Region(f"us-east-{number}")
        made.admit(
            replace(CALL, registry=Registry(ACCOUNT, region), at=CALL.at + timedelta(milliseconds=number * 5)), PUT
        )

    assert len(made._buckets) <= throttle.KEPT + 1  # noqa: SLF001 - what it keeps is what this is about


def test_to_be_forgotten_is_no_way_to_be_let_in_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "KEPT", 1)
    made = Throttle()
    let_in(made, CALL)
    for number in range(10):
        made.admit(replace(CALL, registry=Registry(ACCOUNT, Region(f"us-east-{number + 2}"))), PUT)

    assert let_in(made, CALL) == 0
