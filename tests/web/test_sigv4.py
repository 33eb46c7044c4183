import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.errors import (
    ScopeInvalid,
    SignatureDoesNotMatch,
    SignatureError,
    SignatureExpired,
    SignatureIncomplete,
    SignatureMissing,
    SignatureNotYetCurrent,
)
from moorage.web.aws.door import AwsRequest
from moorage.web.aws.sigv4 import parse, verify
from tests.web.signing import KEY, NOW, signed, unsigned

PCHAR = string.ascii_letters + string.digits + "-._~!$'()*,;:@%+"
UNSIGNABLE = {"authorization", "date", "expect", "host", "transfer-encoding", "user-agent", "x-amzn-trace-id"}

paths = st.lists(st.text(PCHAR, max_size=6) | st.sampled_from(["", ".", "..", "%2F"]), max_size=5).map(
    lambda segments: "/" + "/".join(segments)
)
queries = st.lists(st.text(PCHAR + "=/?", max_size=8), max_size=5).map(lambda pairs: "&".join(pairs).encode())
names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=12).filter(
    lambda name: name not in UNSIGNABLE and not name.startswith("x-amz-")
)
values = st.text(string.ascii_letters + string.digits + string.punctuation + "  \t", max_size=20)
headers = st.lists(st.tuples(names, values), max_size=5).map(
    lambda pairs: [(b"host", b"h:5000"), *((name.encode(), value.encode()) for name, value in pairs)]
)
requests = st.builds(
    lambda method, path, query, pairs, body: unsigned(
        method=method, raw_path=path.encode(), query=query, headers=pairs, body=body
    ),
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    paths,
    queries,
    headers,
    st.binary(max_size=100),
)


def prove(request: AwsRequest, secret: str = KEY.secret) -> None:
    verify(parse(request.headers), request, secret, NOW)


def with_header(request: AwsRequest, name: bytes, value: bytes | None) -> AwsRequest:
    others = [(key, old) for key, old in request.headers if key != name]
    return replace(request, headers=others if value is None else [*others, (name, value)])


def authorization(request: AwsRequest, old: str, new: str) -> AwsRequest:
    return with_header(request, b"authorization", request.header(b"authorization").replace(old, new).encode())


@given(requests)
def test_whatever_botocore_signs_is_accepted(request: AwsRequest) -> None:
    prove(signed(request))


@given(requests)
def test_a_date_header_serves_as_well_as_the_one_of_amazon(request: AwsRequest) -> None:
    dated = replace(request, headers=[*request.headers, (b"date", b"Mon, 03 Aug 2026 12:00:00 GMT")])

    prove(signed(dated))


def other(text: bytes, at: int) -> bytes:
    return text[:at] + (b"Y" if text[at : at + 1] == b"Z" else b"Z") + text[at + 1 :]


def changes(request: AwsRequest) -> Iterator[AwsRequest]:
    """Yield the request with each of its bytes changed in turn, but for the Authorization header and spaces."""
    for at in range(len(request.body)):
        yield replace(request, body=other(request.body, at))
    for at in range(len(request.query)):
        yield replace(request, query=other(request.query, at))
    for index, (name, value) in enumerate(request.headers):
        before, after = request.headers[:index], request.headers[index + 1 :]
        for at in range(len(value)):
            if name != b"authorization" and value[at : at + 1].strip():
                yield replace(request, headers=[*before, (name, other(value, at)), *after])


@given(requests)
def test_a_change_of_one_byte_is_always_refused(request: AwsRequest) -> None:
    for changed in changes(signed(request)):
        with pytest.raises(SignatureError):
            prove(changed)


@given(st.integers(0, 63))
def test_a_signature_with_another_digit_is_refused(at: int) -> None:
    good = signed(unsigned())
    signature = parse(good.headers).signature
    changed = signature[:at] + ("0" if signature[at] != "0" else "1") + signature[at + 1 :]

    with pytest.raises(SignatureDoesNotMatch):
        prove(authorization(good, signature, changed))


@given(st.integers(0, len(KEY.secret) - 1))
def test_another_secret_is_refused(at: int) -> None:
    with pytest.raises(SignatureDoesNotMatch):
        prove(signed(unsigned()), other(KEY.secret.encode(), at).decode())


def test_a_rotated_secret_stops_working_at_once() -> None:
    request = signed(unsigned())
    prove(request)

    with pytest.raises(SignatureDoesNotMatch):
        prove(request, "the new secret")


@pytest.mark.parametrize("scope", ["us-east-1", "ecr/", "20260803/"])
def test_a_scope_that_was_not_signed_is_refused(scope: str) -> None:
    with pytest.raises(SignatureError):
        prove(authorization(signed(unsigned()), scope, scope.replace("e", "f").replace("3", "4")))


def test_fifteen_minutes_ago_is_not_too_long_ago() -> None:
    prove(signed(unsigned(), at=NOW - timedelta(minutes=15)))


def test_a_signature_that_is_too_old_is_refused_in_the_words_of_aws() -> None:
    with pytest.raises(SignatureExpired) as refusal:
        prove(signed(unsigned(), at=NOW - timedelta(minutes=15, seconds=1)))

    assert (
        str(refusal.value)
        == "Signature expired: 20260803T114459Z is now earlier than 20260803T114500Z (20260803T120000Z - 15 min.)"
    )


def test_a_signature_from_the_future_is_refused() -> None:
    with pytest.raises(SignatureNotYetCurrent):
        prove(signed(unsigned(), at=NOW + timedelta(minutes=5, seconds=1)))


def test_a_request_without_authorization_lacks_its_token() -> None:
    with pytest.raises(SignatureMissing):
        parse(unsigned().headers)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic QVdTOg==",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=",
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-ECDSA-P256-SHA256 Credential=a/20260803/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a b/20260803/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature="
        + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a, Credential=b, SignedHeaders=host, Signature=" + "0" * 64,
    ],
)
def test_a_malformed_authorization_is_incomplete(header: str) -> None:
    with pytest.raises(SignatureIncomplete):
        parse(with_header(signed(unsigned()), b"authorization", header.encode()).headers)


@given(st.binary(max_size=120))
def test_no_authorization_header_breaks_the_parser(noise: bytes) -> None:
    for header in (noise, b"AWS4-HMAC-SHA256 " + noise, b"AWS4-HMAC-SHA256 Credential=" + noise):
        with pytest.raises(SignatureError):
            parse(with_header(signed(unsigned()), b"authorization", header).headers)


@given(st.binary(max_size=30))
def test_no_date_breaks_the_parser(noise: bytes) -> None:
    for name in (b"x-amz-date", b"date"):
        with pytest.raises(SignatureError):
            prove(with_header(with_header(signed(unsigned()), b"x-amz-date", None), name, noise))


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-target"])
def test_a_header_that_must_be_signed_and_is_not_is_named(name: str) -> None:
    request = signed(replace(unsigned(), headers=[*unsigned().headers, (b"x-amz-target", b"A.B")]))
    listed = ";".join(parse(request.headers).signed_headers)
    without = ";".join(part for part in listed.split(";") if part != name)

    with pytest.raises(SignatureIncomplete, match=f"'{name}' must be a 'SignedHeader'"):
        parse(authorization(request, listed, without).headers)


def test_a_signed_header_that_has_gone_is_refused() -> None:
    request = signed(replace(unsigned(), headers=[*unsigned().headers, (b"empty", b"")]))

    with pytest.raises(SignatureDoesNotMatch):
        prove(with_header(request, b"empty", None))


def test_the_day_of_the_scope_must_be_that_of_the_date() -> None:
    with pytest.raises(ScopeInvalid):
        parse(authorization(signed(unsigned()), "/20260803/", "/20260802/").headers)


def test_the_scope_ends_as_every_scope_does() -> None:
    with pytest.raises(ScopeInvalid):
        parse(authorization(signed(unsigned()), "/aws4_request", "/aws5_request").headers)


@pytest.mark.parametrize("stated", [b"UNSIGNED-PAYLOAD", b"0" * 64])
def test_a_payload_that_is_unsigned_or_has_another_hash_than_stated_is_refused(stated: bytes) -> None:
    with pytest.raises(SignatureDoesNotMatch):
        prove(signed(unsigned(headers=[(b"host", b"h"), (b"x-amz-content-sha256", stated)])))


def test_the_token_of_temporary_credentials_is_read_and_has_to_be_signed() -> None:
    request = signed(unsigned(headers=[(b"host", b"h"), (b"x-amz-security-token", b"FwoG")]))

    assert parse(request.headers).token == "FwoG"
    assert "FwoG" not in repr(parse(request.headers))
    added = signed(unsigned(headers=[(b"host", b"h")]))
    with pytest.raises(SignatureIncomplete):
        parse([*added.headers, (b"x-amz-security-token", b"FwoG")])
