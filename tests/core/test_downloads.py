from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.digests import Digest
from moorage.core.downloads import PREFIX, read_path, signed_path
from moorage.core.errors import TokenExpired, TokenInvalid
from moorage.core.names import AccountId, Region, Registry, RepositoryName

SECRET = b"a secret of the installation...."
AT = datetime(2026, 3, 4, 5, 6, 7, 890123, UTC)
REGISTRY = Registry(AccountId("111122223333"), Region("us-east-1"))
APP = RepositoryName("team/app")
DIGEST = Digest("sha256:" + "5" * 64)
SIGNED = signed_path(SECRET, REGISTRY, APP, DIGEST, AT)


def invalid(text: str, secret: bytes = SECRET) -> bool:
    path, _, query = text.partition("?")
    try:
        read_path(secret, path, query, AT)
    except TokenInvalid:
        return True
    return False


def test_a_signed_path_is_read_back_as_what_was_signed() -> None:
    path, _, query = SIGNED.partition("?")

    assert path.startswith(PREFIX)
    read = read_path(SECRET, path, query, AT)

    assert (read.registry, read.name, read.digest) == (REGISTRY, APP, DIGEST)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants them bare and puts the zone on
def test_when_a_path_was_signed_is_known_to_the_second_and_never_too_early(at: datetime) -> None:
    path, _, query = signed_path(SECRET, REGISTRY, APP, DIGEST, at).partition("?")

    assert at < read_path(SECRET, path, query, at).signed_before <= at + timedelta(seconds=1)


def test_a_signed_path_may_be_that_of_a_digest_of_sha512() -> None:
    long = Digest("sha512:" + "5" * 128)
    path, _, query = signed_path(SECRET, REGISTRY, APP, long, AT).partition("?")

    assert read_path(SECRET, path, query, AT).digest == long


def test_a_signed_path_is_good_for_an_hour() -> None:
    path, _, query = SIGNED.partition("?")

    assert read_path(SECRET, path, query, AT + timedelta(minutes=59, seconds=59)).digest == DIGEST
    with pytest.raises(TokenExpired):
        read_path(SECRET, path, query, AT + timedelta(hours=1))


@given(st.integers(0, len(SIGNED) - 1), st.characters())
def test_a_path_with_one_character_changed_is_refused(position: int, character: str) -> None:
    changed = SIGNED[:position] + character + SIGNED[position + 1 :]

    assert invalid(changed) or changed == SIGNED


@given(st.integers(0, len(SIGNED)), st.characters() | st.sampled_from("0aA/.&?"))
def test_a_path_with_one_character_more_is_refused(position: int, character: str) -> None:
    assert invalid(SIGNED[:position] + character + SIGNED[position:])


@given(st.integers(0, len(SIGNED) - 1))
def test_a_path_with_one_character_less_is_refused(position: int) -> None:
    assert invalid(SIGNED[:position] + SIGNED[position + 1 :])


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_other_text_is_refused(path: str, query: str) -> None:
    assert invalid(f"{PREFIX}{path}?{query}")


def test_a_path_of_another_installation_is_refused() -> None:
    assert invalid(SIGNED, b"another secret..................")


def test_an_expiry_moved_by_hand_is_refused() -> None:
    expires = int((AT + timedelta(hours=1)).timestamp())

    assert str(expires) in SIGNED
    assert invalid(SIGNED.replace(str(expires), str(expires + 1)))


def test_an_expiry_with_zeros_before_it_is_refused() -> None:
    assert invalid(SIGNED.replace("expires=", "expires=0"))
