import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.errors import InvalidParameter
from moorage.core.paging import Key, next_token, page_after

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
rows = st.integers(0, 2**63 - 1)
keys = st.lists(texts | rows, min_size=1, max_size=3)


def start(key: Key) -> Key:
    return [type(part)() for part in key]


def forged(*parts: object) -> str:
    mark = json.loads(base64.urlsafe_b64decode(next_token("images", [0])))[0]
    return base64.urlsafe_b64encode(json.dumps([mark, *parts]).encode()).decode()


def refused(listing: str, token: str, begin: Key) -> bool:
    try:
        page_after(listing, token, begin)
    except InvalidParameter as refusal:
        return str(refusal) == (
            "Invalid parameter at 'NextToken' failed to satisfy constraint: 'Invalid next token provided'"
        )
    return False


@given(texts, keys)
def test_a_token_says_where_the_page_ended(listing: str, key: Key) -> None:
    assert page_after(listing, next_token(listing, key), start(key)) == key


def test_without_a_token_a_listing_begins_at_its_start() -> None:
    assert page_after("images", None, [0, ""]) == [0, ""]


@given(texts, texts, keys)
def test_a_token_of_another_listing_is_refused(listing: str, other: str, key: Key) -> None:
    assert refused(other, next_token(listing, key), start(key)) or listing == other


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda junk: base64.urlsafe_b64encode(junk).decode()))
def test_a_text_that_is_no_token_is_refused(text: str) -> None:
    assert refused("images", text, [0, ""])


@pytest.mark.parametrize("token", ["", "=", "e30=", "W10=", "WyJhIl0=", "é", "a b", "\0"])
def test_a_text_that_nearly_is_a_token_is_refused(token: str) -> None:
    assert refused("images", token, [0])


@pytest.mark.parametrize(
    "parts", [(), ("a",), (0, 0), (0.5,), (None,), (True,), ([],), (2**63,), (-(2**63) - 1,), (10**300,)]
)
def test_a_forged_token_with_a_key_that_no_row_has_is_refused(parts: tuple[object, ...]) -> None:
    assert refused("images", forged(*parts), [0])


def test_a_forged_token_with_a_text_that_no_database_keeps_is_refused() -> None:
    assert refused("images", forged(0, "a\0"), [0, ""])


def test_a_token_of_any_depth_is_refused() -> None:
    assert refused("images", base64.urlsafe_b64encode(b"[" * 5_000).decode(), [0])
