from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.wildcards import (
    Text,
    Variable,
    arn_glob,
    arn_segments,
    glob,
    has_variables,
    parse_parts,
    patterns,
    resolve,
)
from tests.core.reference_access import arn_like, wildcard

few_letters = st.text("ab", max_size=12)
few_patterns = st.text("ab*?", max_size=12)


def live(text: str) -> Text:
    return Text(text, live=True)


@given(few_patterns, few_letters)
def test_a_pattern_matches_what_a_naive_reading_of_it_matches(pattern: str, text: str) -> None:
    assert glob([live(pattern)])(text) == wildcard(pattern, text)


@given(few_patterns, few_letters)
def test_sorted_patterns_match_the_same(pattern: str, text: str) -> None:
    kinds = patterns([pattern], lambda one: glob([live(one)]), frozenset({"*"}))

    assert kinds.matches(text) == wildcard(pattern, text)


@given(
    st.lists(st.text("a*?", max_size=3), min_size=6, max_size=6),
    st.lists(st.text("a", max_size=3), min_size=5, max_size=8),
)
def test_arns_match_segment_by_segment(pattern: list[str], text: list[str]) -> None:
    segments = [[live(one)] for one in pattern]

    assert arn_glob(segments)(":".join(text)) == arn_like(":".join(pattern), ":".join(text))


def test_a_wildcard_in_the_first_five_segments_does_not_run_over_a_colon() -> None:
    segments = [[live(one)] for one in ["arn", "aws", "ecr", "*", "111122223333", "repository/app"]]

    assert arn_glob(segments)("arn:aws:ecr:us-east-1:111122223333:repository/app")
    assert not arn_glob(segments)("arn:aws:ecr:us-east-1:444455556666:x:111122223333:repository/app")


def test_a_wildcard_in_the_sixth_segment_runs_over_colons() -> None:
    segments = [[live(one)] for one in ["arn", "aws", "s?s", "", "", "a*"]]

    assert arn_glob(segments)("arn:aws:sns:::a:b:c")


def test_a_question_mark_is_one_character_of_any_kind() -> None:
    assert glob([live("a?c")])("a\nc")
    assert glob([live("*?.c")])("xx.c")
    assert not glob([live("a?c")])("ac")


def test_thousands_of_wildcards_take_no_time() -> None:
    pattern, text = "*a?" * 5_000 + "*b", "a" * 100_000
    matches = glob([live(pattern)])
    before = process_time()

    assert not matches(text)
    assert matches(text + "b")
    assert process_time() - before < 1


@pytest.mark.parametrize("once", [False, True])
def test_a_piece_of_many_runs_takes_no_time(once: bool) -> None:  # noqa: FBT001 - a parameter of the test
    match = glob([Text("*" + "?a" * 31 + "?b*", live=True)], once=once)

    before = process_time()
    assert not match("a" * 400_000)
    assert process_time() - before < 1


@given(st.text("?ab*", max_size=12), st.text("ab", max_size=16))
def test_a_pattern_that_is_used_once_matches_the_same(pattern: str, text: str) -> None:
    parts = [Text(pattern, live=True)]

    assert glob(parts, once=True)(text) == glob(parts)(text)


def test_a_long_piece_with_holes_takes_no_time() -> None:
    text = "a" * 60_000
    tests = [
        glob([live(pattern)])
        for pattern in ("*" + "?" * 30_000 + "b*", "*" + "a?" * 15_000 + "b*", "*?b" + "?" * 99 + "*")
    ]
    before = process_time()

    assert not any(matches(text) for matches in tests)
    assert all(matches(text[:30_000] + "b" + text) for matches in tests)
    assert process_time() - before < 2


@given(
    st.text("ab?", min_size=65, max_size=80), st.text("ab", max_size=12), st.text("ab", max_size=12), st.integers(0, 2)
)
def test_a_long_piece_is_found_where_it_stands(piece: str, before: str, after: str, cut: int) -> None:
    text = (before + piece.replace("?", "b") + after)[cut:]

    assert glob([live(f"*{piece}*")])(text) == wildcard(f"*{piece}*", text)


def test_unclosed_variables_take_no_time() -> None:
    before = process_time()

    for text in ("${" * 50_000, "${" + " " * 100_000, "${a,'" * 30_000, "${a'b'" + " " * 100_000):
        parse_parts(text, variables=True)

    assert process_time() - before < 1


def test_a_variable_has_a_key_in_lower_case_and_perhaps_a_default() -> None:
    parts = parse_parts("a${aws:UserName}b${ aws:x , 'no one' }c", variables=True)

    assert parts == (
        live("a"),
        Variable("aws:username", None),
        live("b"),
        Variable("aws:x", "no one"),
        live("c"),
    )


def test_escaped_wildcards_are_characters() -> None:
    parts = parse_parts("a${*}${?}${$}", variables=True)

    assert not has_variables(parts)
    assert glob(resolve(parts, {}) or [])("a*?$")
    assert not glob(resolve(parts, {}) or [])("axyz")


def test_what_only_looks_like_a_variable_is_text() -> None:
    for text in ("${", "${a", "$a", "${aws:x 'd'}"):
        assert parse_parts(text, variables=True) == (live(text),)


def test_without_variables_they_are_text() -> None:
    assert parse_parts("${aws:username}", variables=False) == (live("${aws:username}"),)


def test_a_variable_without_a_single_value_cannot_be_filled() -> None:
    parts = parse_parts("${aws:tagkeys}", variables=True)

    assert resolve(parts, {}) is None
    assert resolve(parts, {"aws:tagkeys": ["a"]}) is None
    assert resolve(parse_parts("${aws:tagkeys, 'b'}", variables=True), {"aws:tagkeys": ["a"]}) is None
    assert resolve(parse_parts("${aws:tagkeys, 'b'}", variables=True), {"aws:tagkeys": []}) == [Text("b", live=False)]
    assert resolve(parse_parts("${aws:tagkeys, 'b'}", variables=True), {"aws:tagkeys": ""}) == [Text("", live=False)]
    assert resolve(parts, {"aws:tagkeys": "a"}) == [Text("a", live=False)]


@given(st.text("ab*?:", max_size=8), st.text("ab*?:", max_size=8))
def test_a_value_that_was_filled_in_is_always_literal(value: str, text: str) -> None:
    parts = resolve(parse_parts("${aws:x}", variables=True), {"aws:x": value})

    assert parts is not None
    assert glob(parts)(text) == (value == text)


def test_the_colons_of_a_value_do_not_separate_segments() -> None:
    parts = parse_parts("arn:aws:ecr:${aws:x}:1:r", variables=True)
    segments = arn_segments(resolve(parts, {"aws:x": "a:1:r"}) or [])

    assert segments is not None
    matches = arn_glob([[part for part in segment if isinstance(part, Text)] for segment in segments])
    assert not matches("arn:aws:ecr:a:1:r")
    assert not matches("arn:aws:ecr:a:1:r:1:r")


def test_a_text_with_fewer_than_five_colons_is_no_arn() -> None:
    assert arn_segments([live("arn:aws:ecr:us-east-1:1")]) is None
    assert arn_segments([]) is None
