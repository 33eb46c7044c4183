"""Documents that were written to harm: refused, or taken and decided by in no time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import process_time
from typing import Any

import pytest

from moorage.core.errors import MalformedPolicy
from moorage.core.policies import MAX_IDENTITY_POLICY, Policy, parse_policy, parse_resource_policy
from moorage.core.wildcards import Context
from tests.core.test_access import ADA, APP, HERE, allowed, asking, names

ALLOW = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
SECONDS = 3


def document(statement: Any = ALLOW, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": {**statement, **more} if more else statement})


@contextmanager
def in_no_time() -> Iterator[None]:
    """Of the process alone: what else the machine does is not its fault."""
    before = process_time()
    yield
    assert process_time() - before < SECONDS


def filling(unit: str) -> str:
    """Return so many that a document is nearly as long as it may be."""
    return unit * ((MAX_IDENTITY_POLICY - 500) // len(unit))


LONG = f"{APP}/{'a' * 2_000}"


@pytest.mark.parametrize("unit", ["*", "?", "*a", "*a?", "a*?", "*?*?b", "**a**a", "?a"])
def test_a_resource_of_nothing_but_wildcards_is_compared_in_no_time(unit: str) -> None:
    wild = filling(unit)

    with in_no_time():
        for pattern in (wild, f"{wild}b", f"{wild[:3_000]}b"):
            policy = parse_policy(document(Resource=f"arn:aws:ecr:*:*:{pattern[: len(wild)]}"))
            allowed(asking(resource=LONG), [policy])


@pytest.mark.parametrize("unit", ["*", "*a", "*a?", "?"])
def test_an_action_and_a_condition_of_wildcards_are_compared_in_no_time(unit: str) -> None:
    long: Context = {"aws:useragent": "a" * 60_000}

    with in_no_time():
        allowed(asking(), [parse_policy(document(Action=f"ecr:{filling(unit)}b"))])
        condition = {"StringLike": {"aws:UserAgent": f"*{filling(unit)[:30_000]}b*"}}
        assert not allowed(asking(context=long), [parse_policy(document(Condition=condition))])


def test_lists_as_long_as_they_may_be_are_compared_in_no_time() -> None:
    statements = [{**ALLOW, "Action": f"ecr:{n}*?", "Resource": f"arn:aws:ecr:*:*:*{n}?"} for n in range(1_500)]
    texts = [
        document(Action=[f"a{n}:b*" for n in range(9_000)]),
        document(Resource=[f"arn:aws:ecr:*:*:*{n}?" for n in range(4_000)]),
        document(Resource=[f"arn:aws:ecr:::${{aws:a{n}}}" for n in range(3_500)]),
        document(Condition={"StringNotLike": {f"aws:a{n}": "*a*b?" for n in range(4_000)}}),
        document(Condition={"IpAddress": {"aws:SourceIp": [f"10.{n // 256}.{n % 256}.0/24" for n in range(6_000)]}}),
        json.dumps({"Version": "2012-10-17", "Statement": statements}),
    ]

    for text in texts:
        with in_no_time():
            allowed(asking(context={"aws:sourceip": "11.0.0.1"}), [parse_policy(text)])


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"Statement":', '[{"Condition":'])
@pytest.mark.parametrize("before", ["", '{"Version":"2012-10-17","Statement":', '{"Version":"2012-10-17","Id":'])
def test_what_is_nested_deeply_is_refused(opening: str, before: str) -> None:
    with in_no_time(), pytest.raises(MalformedPolicy):
        parse_policy(before + opening * ((MAX_IDENTITY_POLICY - 100) // len(opening)))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1e-9999999999999", "NaN", "Infinity", "1" * 5_000])
@pytest.mark.parametrize("operator", ["NumericEquals", "StringEquals", "DateEquals"])
def test_numbers_that_are_none_are_refused_or_compared(number: str, operator: str) -> None:
    text = document(Condition={operator: {"aws:x": "here"}}).replace('"here"', number)

    with in_no_time():
        try:
            policy = parse_policy(text)
        except MalformedPolicy:
            return
        assert not allowed(asking(context={"aws:x": "inf"}), [policy])


def test_a_number_written_as_text_may_be_larger_than_any_float() -> None:
    policy = parse_policy(document(Condition={"NumericLessThan": {"aws:x": "1e999"}}))

    assert allowed(asking(context={"aws:x": "1e998"}), [policy])
    assert not allowed(asking(context={"aws:x": "1e999"}), [policy])
    assert not allowed(asking(context={"aws:x": "1e9999"}), [policy])


@pytest.mark.parametrize(
    "text",
    [
        '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}',
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Action":"*","Resource":"*"}}',
        (
            '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",'
            '"Condition":{"Null":{"aws:x":"true","aws:x":"false"}}}}'
        ),
        '{"Version":"2012-10-17","Statement":[],"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","\\u0041ction":"a:b","Action":"*","Resource":"*"}}',
    ],
)
def test_an_element_that_is_repeated_is_refused_however_it_is_spelled(text: str) -> None:
    with pytest.raises(MalformedPolicy):
        parse_policy(text)


def test_a_key_that_is_repeated_in_another_case_is_asked_twice() -> None:
    policy = parse_policy(document(Condition={"StringEquals": {"aws:x": "a", "AWS:X": "b"}}))

    assert not allowed(asking(context={"aws:x": "a"}), [policy])
    assert not allowed(asking(context={"aws:x": "b"}), [policy])


@pytest.mark.parametrize(
    "action",
    [
        "\u0435cr:PutImage",
        "ecr:PutImag\u0435",
        "e\u200bcr:*",
        "\uff45cr:*",
        "\u212ams:*",
        "\u017fts:*",
        "ecr\uff1a*",
        "ecr:\uff0a",
    ],
)
def test_an_action_of_letters_that_only_look_alike_is_refused(action: str) -> None:
    with pytest.raises(MalformedPolicy):
        parse_policy(document(Action=action))


@pytest.mark.parametrize("effect", ["\u0410llow", "ALLOW", "Allow ", "Allow\u200b"])
def test_an_effect_that_only_looks_alike_is_refused(effect: str) -> None:
    with pytest.raises(MalformedPolicy):
        parse_policy(document(Effect=effect))


def of_repository(principal: Any) -> Policy:
    return parse_resource_policy(document({"Effect": "Allow", "Action": "ecr:*", "Principal": {"AWS": principal}}))


@pytest.mark.parametrize(
    "principal",
    [
        "\uff11\uff11\uff11\uff11\uff12\uff12\uff12\uff12\uff13\uff13\uff13\uff13",
        "\u0661\u0661\u0661\u0661\u0662\u0662\u0662\u0662\u0663\u0663\u0663\u0663",
        "1111\u00b22222333",
        f"{HERE}\n",
        f" {HERE}",
        f"arn:aws:iam::{HERE}:user/\u0430da",
        f"arn:aws:iam::\uff11{HERE[1:]}:root",
        f"{ADA}\n",
        f"{ADA}\u200b",
        "aidaadaaaaaaaaaaaaaa",
    ],
)
def test_a_principal_that_only_looks_alike_is_refused(principal: str) -> None:
    with pytest.raises(MalformedPolicy):
        of_repository(principal)


def test_names_and_ids_that_differ_in_case_alone_are_of_somebody_else() -> None:
    request = asking()
    request = replace(request, caller=replace(names(ADA), id="AIDAADAAAAAAAAAAAAAA"))

    assert allowed(request, [], [of_repository("AIDAADAAAAAAAAAAAAAA")])
    assert not allowed(request, [], [of_repository("AIDAADAAAAAAAAAAAAAB")])
    assert not allowed(request, [], [of_repository(ADA.replace("ada", "Ada"))])
    assert not allowed(request, [parse_policy(document(Resource=APP.upper().replace("ARN:", "arn:", 1)))])


def test_an_action_that_only_looks_alike_is_another_action() -> None:
    policy = parse_policy(document(Action=["ecr:putimage", "ecr:Batch*"]))

    for action in ("ecr:put\u0131mage", "ecr:PUT\u0130MAGE", "ecr:p\u0443timage", "\u0435cr:BatchGetImage"):
        assert not allowed(asking(action), [policy])
