import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.digests import EMPTY, digest_of, looks_like_digest, parse_digest

ZEROS = "sha256:" + "0" * 64


@given(st.binary())
def test_the_digest_of_bytes_is_one_that_is_known(content: bytes) -> None:
    digest = digest_of(content)

    assert digest == "sha256:" + hashlib.sha256(content).hexdigest()
    assert parse_digest(digest) == digest
    assert looks_like_digest(digest)


def test_the_digest_of_nothing_is_that_of_no_bytes() -> None:
    assert digest_of(b"") == EMPTY


@pytest.mark.parametrize(
    "text",
    [
        *("", "sha256", "sha256:", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "A" * 64, ZEROS + "\n"),
        *("sha512:" + "0" * 128, "md5:" + "0" * 32, "foo:0", "SHA256:" + "0" * 64, " " + ZEROS, "sha256:" + "g" * 64),
    ],
)
def test_any_other_text_is_no_digest_that_can_be_here(text: str) -> None:
    assert parse_digest(text) is None


@pytest.mark.parametrize("text", ["sha512:00", "md5:FF", "a+b_c.d-e:0", "sha256:A"])
def test_a_digest_of_another_algorithm_has_the_syntax_of_one(text: str) -> None:
    assert looks_like_digest(text)


@pytest.mark.parametrize("text", ["", "latest", ":00", "sha256:", "sha256:xyz", "a b:00", "sha256:00\n", "a:b:00"])
def test_what_has_no_algorithm_or_no_hexadecimal_digits_has_not(text: str) -> None:
    assert not looks_like_digest(text)
