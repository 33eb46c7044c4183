import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.digests import (
    MAX_DIGEST,
    SHA256,
    SHA512,
    Algorithm,
    algorithm_of,
    digest_from,
    digest_of,
    looks_like_digest,
    parse_algorithm,
    parse_digest,
    start_hash,
)

ZEROS = "sha256:" + "0" * 64


@given(st.binary())
def test_the_digest_of_bytes_is_one_that_is_known(content: bytes) -> None:
    for algorithm, digits in (
        (SHA256, hashlib.sha256(content).hexdigest()),
        (SHA512, hashlib.sha512(content).hexdigest()),
    ):
        digest = digest_of(content, algorithm)

        assert digest == f"{algorithm}:{digits}"
        assert parse_digest(digest) == digest
        assert algorithm_of(digest) == algorithm
        assert looks_like_digest(digest)
        assert len(digest) <= MAX_DIGEST
    assert digest_of(content) == digest_of(content, SHA256)


@given(st.lists(st.binary()), st.sampled_from([SHA256, SHA512]))
def test_a_running_hash_makes_the_digest_of_its_own_algorithm(chunks: list[bytes], algorithm: Algorithm) -> None:
    running = start_hash(algorithm)
    for chunk in chunks:
        running.update(chunk)

    assert digest_from(running) == digest_of(b"".join(chunks), algorithm)


@pytest.mark.parametrize(
    "text", ["", "sha384", "md5", "SHA256", "sha-256", "blake3", "sha256:", " sha256", "shake_128"]
)
def test_an_algorithm_that_is_not_served_is_none(text: str) -> None:
    assert parse_algorithm(text) is None


def test_the_algorithms_that_are_served_are_those_of_the_image_specification_that_python_has() -> None:
    assert [parse_algorithm(text) for text in ("sha256", "sha512")] == [SHA256, SHA512]


def test_the_digest_of_nothing_is_that_of_no_bytes() -> None:
    assert digest_of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "text",
    [
        *("", "sha256", "sha256:", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "A" * 64, ZEROS + "\n"),
        *(
            "sha512:" + "0" * 127,
            "sha512:" + "0" * 64,
            "sha256:" + "0" * 128,
            "sha384:" + "0" * 96,
            "SHA512:" + "0" * 128,
        ),
        *("md5:" + "0" * 32, "foo:0", "SHA256:" + "0" * 64, " " + ZEROS, "sha256:" + "g" * 64),
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
