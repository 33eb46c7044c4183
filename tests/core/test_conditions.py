import pytest

from moorage.core.conditions import compile_condition
from moorage.core.errors import MalformedPolicy
from moorage.core.wildcards import Context

ABSENT: Context = {}


def holds(operator: str, wanted: str | list[str], found: str | list[str] | None) -> bool:
    values = [wanted] if isinstance(wanted, str) else wanted
    context: Context = {} if found is None else {"aws:x": found}
    return compile_condition(operator, "aws:X", values, variables=True)(context)


@pytest.mark.parametrize(
    ("operator", "wanted", "found"),
    [
        ("StringEquals", "a", "a"),
        ("StringNotEquals", "a", "A"),
        ("StringEqualsIgnoreCase", "ab", "AB"),
        ("StringNotEqualsIgnoreCase", "ab", "AC"),
        ("StringLike", "a*c?", "abbcd"),
        ("StringNotLike", "a*", "ba"),
        ("ArnLike", "arn:aws:ecr:*:1:r/*", "arn:aws:ecr:x:1:r/a"),
        ("ArnEquals", "arn:aws:ecr:*:1:r/*", "arn:aws:ecr:x:1:r/a"),
        ("ArnNotLike", "arn:aws:ecr:*:1:r/*", "arn:aws:ecr:x:2:r/a"),
        ("ArnNotEquals", "arn:aws:ecr:*:1:r/*", "arn:aws:ecr:x:2:r/a"),
        ("ArnLike", "*", "arn:aws:ecr:x:2:r/a"),
        ("NumericEquals", "10", "10.0"),
        ("NumericNotEquals", "10", "11"),
        ("NumericLessThan", "10", "9"),
        ("NumericLessThanEquals", "10", "10"),
        ("NumericGreaterThan", "9007199254740992", "9007199254740993"),
        ("NumericGreaterThanEquals", "1e3", "1000"),
        ("DateEquals", "2026-01-01T00:00:00Z", "1767225600"),
        ("DateNotEquals", "2026-01-01", "2026-01-02"),
        ("DateLessThan", "2026-01-01T00:00:00+02:00", "2025-12-31T21:59:59Z"),
        ("DateLessThanEquals", "2026", "2026-01-01T00:00Z"),
        ("DateGreaterThan", "2026-01", "2026-01-01T00:00:00.001Z"),
        ("DateGreaterThanEquals", "2026-01-01", "2026-01-01T00:00:00+00:00"),
        ("Bool", "true", "TRUE"),
        ("BinaryEquals", "QmFzZQ==", "QmFzZQ=="),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3"),
        ("IpAddress", "10.1.2.3", "::ffff:10.1.2.3"),
        ("IpAddress", "::ffff:10.0.0.0/104", "10.1.2.3"),
        ("IpAddress", "::/0", "2001:db8::1"),
        ("IpAddress", "2001:db8::/32", "2001:db8::1"),
        ("NotIpAddress", "10.0.0.0/8", "11.1.2.3"),
        ("Null", "false", "a"),
    ],
)
def test_an_operator_holds(operator: str, wanted: str, found: str) -> None:
    assert holds(operator, wanted, found)


@pytest.mark.parametrize(
    ("operator", "wanted", "found"),
    [
        ("StringEquals", "a", "A"),
        ("StringEquals", "a*", "ab"),
        ("StringNotEquals", "a", "a"),
        ("StringEqualsIgnoreCase", "strasse", "stra\u00dfe"),
        ("StringLike", "a*", "Ab"),
        ("ArnLike", "arn:aws:ecr:*:r", "arn:aws:ecr:x:2:r"),
        ("ArnLike", "no arn", "no arn"),
        ("NumericLessThan", "10", "nan"),
        ("NumericEquals", "10", "ten"),
        ("DateEquals", "2026-01-01", "yesterday"),
        ("DateEquals", "2026-01-01", "2026-13-01"),
        ("IpAddress", "10.0.0.0/8", "2001:db8::1"),
        ("IpAddress", "0.0.0.0/0", "nowhere"),
        ("Bool", "true", "false"),
        ("BinaryEquals", "QmFzZQ==", "QmFzZ"),
        ("Null", "true", "a"),
        ("Null", "false", None),
    ],
)
def test_an_operator_does_not_hold(operator: str, wanted: str, found: str | None) -> None:
    assert not holds(operator, wanted, found)


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "ArnLike", "Bool", "IpAddress", "DateLessThan"])
def test_an_absent_key_matches_nothing_unless_it_may_be_absent(operator: str) -> None:
    wanted = {"Bool": "true", "IpAddress": "10.0.0.1", "DateLessThan": "2026"}.get(operator, "*")

    assert not holds(operator, wanted, None)
    assert holds(operator + "IfExists", wanted, None)
    assert not holds("ForAnyValue:" + operator, wanted, None)
    assert holds("ForAllValues:" + operator, wanted, None)


@pytest.mark.parametrize(
    "operator", ["StringNotEquals", "StringNotLike", "ArnNotEquals", "NotIpAddress", "DateNotEquals"]
)
def test_a_negated_operator_is_true_of_an_absent_key_except_for_any_value(operator: str) -> None:
    wanted = {"NotIpAddress": "10.0.0.1", "DateNotEquals": "2026"}.get(operator, "a")

    assert holds(operator, wanted, None)
    assert holds(operator, wanted, [])
    assert not holds("ForAnyValue:" + operator, wanted, None)
    assert holds("ForAnyValue:" + operator + "IfExists", wanted, None)


def test_a_list_of_policy_values_is_matched_by_any_and_escaped_by_none() -> None:
    assert holds("StringEquals", ["a", "b"], "b")
    assert not holds("StringNotEquals", ["a", "b"], "b")
    assert holds("StringNotEquals", ["a", "b"], "c")


def test_for_all_values_wants_every_value_and_for_any_value_one() -> None:
    assert holds("ForAllValues:StringEquals", ["a", "b"], ["a", "b", "a"])
    assert not holds("ForAllValues:StringEquals", ["a", "b"], ["a", "c"])
    assert holds("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"])
    assert not holds("ForAnyValue:StringEquals", ["a", "b"], ["c"])
    assert holds("ForAnyValue:StringNotEquals", ["a"], ["a", "c"])
    assert not holds("ForAllValues:StringNotEquals", ["a"], ["a", "c"])


def test_a_key_with_several_values_and_no_quantifier_is_matched_by_any_of_them() -> None:
    assert holds("StringEquals", "a", ["b", "a"])
    assert not holds("StringNotEquals", "a", ["b", "a"])


def test_null_asks_whether_a_key_is_absent() -> None:
    assert holds("Null", "true", None)
    assert holds("Null", "true", [])
    assert holds("Null", ["true", "false"], "a")


def test_variables_stand_in_the_values_of_text_operators() -> None:
    test = compile_condition("StringLike", "aws:x", ["${aws:username}/*", "${aws:none, 'all'}"], variables=True)

    assert test({"aws:x": "ada/app", "aws:username": "ada"})
    assert test({"aws:x": "all"})
    assert not test({"aws:x": "bob/app", "aws:username": "ada"})
    assert not test({"aws:x": "bob/app", "aws:username": "*"})


def test_a_variable_without_a_value_equals_nothing_so_a_negated_operator_is_true() -> None:
    for operator, expected in (("StringEquals", False), ("StringNotEquals", True)):
        test = compile_condition(operator, "aws:x", ["${aws:none}"], variables=True)

        assert test({"aws:x": "${aws:none}"}) is expected


def test_in_documents_of_2008_a_variable_is_text() -> None:
    test = compile_condition("StringEquals", "aws:x", ["${aws:username}"], variables=False)

    assert test({"aws:x": "${aws:username}", "aws:username": "ada"})


@pytest.mark.parametrize(
    ("operator", "wanted"),
    [
        ("StringSimilar", "a"),
        ("stringequals", "a"),
        ("ForSomeValues:StringEquals", "a"),
        ("NullIfExists", "true"),
        ("ForAllValues:Null", "true"),
        ("Null", "maybe"),
        ("Bool", "yes"),
        ("NumericEquals", "ten"),
        ("NumericEquals", "NaN"),
        ("NumericEquals", "1" * 100),
        ("DateEquals", "tomorrow"),
        ("DateEquals", "2026-02-30"),
        ("IpAddress", "10.0.0.0/33"),
        ("NotIpAddress", "somewhere"),
    ],
)
def test_what_cannot_be_compared_is_malformed(operator: str, wanted: str) -> None:
    with pytest.raises(MalformedPolicy):
        compile_condition(operator, "aws:x", [wanted], variables=True)
