import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.calls import Caller
from moorage.core.errors import TokenExpired, TokenInvalid
from moorage.core.names import AccountId, Region
from moorage.core.tokens import issue
from tests.tokens import read

SECRET = b"a secret of the installation...."
AT = datetime(2026, 3, 4, 5, 6, 7, 890123, UTC)
HERE, THERE = Region("us-east-1"), Region("eu-west-1")
ADA = Caller("arn:aws:iam::111122223333:user/ada", AccountId("111122223333"), "AIDAEXAMPLE", "ada", "AKIAEXAMPLE")

names = st.text(st.characters(codec="utf-8"), max_size=64)


@given(names, names, names, names)
def test_a_token_tells_who_its_holder_is(arn: str, user_id: str, name: str, key_id: str) -> None:
    caller = Caller(arn, AccountId("111122223333"), user_id, name, key_id)
    password, _ = issue(SECRET, caller, HERE, AT)

    assert read(SECRET, password, HERE, AT) == (caller, HERE)
    assert read(SECRET, password, None, AT) == (caller, HERE)


def test_a_password_has_the_form_that_clients_rely_on() -> None:
    password, _ = issue(SECRET, ADA, HERE, AT)

    assert ":" not in password
    assert password.startswith("eyJ")
    assert base64.b64decode(password).startswith(b'{"payload":"')


def test_a_token_lasts_twelve_hours_to_the_millisecond() -> None:
    password, expires_at = issue(SECRET, ADA, HERE, AT)

    assert expires_at == datetime(2026, 3, 4, 17, 6, 7, 890000, UTC)
    assert read(SECRET, password, HERE, expires_at - timedelta(milliseconds=1))
    with pytest.raises(TokenExpired):
        read(SECRET, password, HERE, expires_at)


def test_a_token_of_another_region_is_invalid_even_when_expired() -> None:
    password, expires_at = issue(SECRET, ADA, HERE, AT)

    for at in (AT, expires_at):
        with pytest.raises(TokenInvalid):
            read(SECRET, password, THERE, at)


def test_a_token_of_another_installation_is_invalid_even_when_expired() -> None:
    password, expires_at = issue(b"another secret", ADA, HERE, AT)

    with pytest.raises(TokenInvalid):
        read(SECRET, password, HERE, expires_at)


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_any_text_is_refused_as_invalid(password: str) -> None:
    with pytest.raises(TokenInvalid):
        read(SECRET, password, HERE, AT)


@pytest.mark.parametrize(
    "document",
    [
        "[" * 5_000,
        '{"payload":"é","signature":"é"}',
        '{"payload":"\\ud800","signature":""}',
        '{"payload":1,"signature":2}',
        '{"payload":"e30="}',
        "null",
    ],
)
def test_any_document_is_refused_as_invalid(document: str) -> None:
    with pytest.raises(TokenInvalid):
        read(SECRET, base64.b64encode(document.encode()).decode(), HERE, AT)


def test_a_password_of_any_size_is_refused_unread() -> None:
    password, _ = issue(SECRET, ADA, HERE, AT)

    with pytest.raises(TokenInvalid):
        read(SECRET, password + "A" * 50_000_000, HERE, AT)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_token_whose_content_was_changed_is_invalid(position: int, change: int) -> None:
    password, _ = issue(SECRET, ADA, HERE, AT)
    envelope = json.loads(base64.b64decode(password))
    for part in ("payload", "signature"):
        content = bytearray(base64.b64decode(envelope[part]))
        content[position % len(content)] ^= change
        changed = {**envelope, part: base64.b64encode(content).decode()}

        with pytest.raises(TokenInvalid):
            read(SECRET, base64.b64encode(json.dumps(changed).encode()).decode(), HERE, AT)


def test_a_holder_whose_account_is_none_is_invalid() -> None:
    password, _ = issue(SECRET, Caller("", AccountId("nobody"), "", "", ""), HERE, AT)

    with pytest.raises(TokenInvalid):
        read(SECRET, password, None, AT)
