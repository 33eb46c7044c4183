import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.names import (
    REPOSITORY_PATTERN,
    AccountId,
    Region,
    Registry,
    RegistryNames,
    parse_account,
    parse_region,
    parse_repository,
    parse_tag,
    parse_upload,
    partition,
    registry_of_host,
)

REGISTRY = Registry(AccountId("111122223333"), Region("us-east-1"))


@pytest.mark.parametrize("name", ["ab", "a--b", "a__b", "1a", "a/b/c", "a.b_c-d", "a" * 256, "team/app", "00"])
def test_a_name_of_ecrs_pattern_is_a_repository(name: str) -> None:
    assert parse_repository(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", "A/b", "a//b", "a..b", "a_-b", "a___b", "/ab", "ab/", ".ab", "ab.", "-ab", "ab-", "a/../b", ".."),
        *("a" * 257, "ab\n", "a b", "a%2fb", "a\\b", "a\0b", "ä/b", "٣٣", "team:app", "a@b"),
    ],
)
def test_any_other_text_is_no_repository(name: str) -> None:
    assert parse_repository(name) is None


@given(st.text("a0.-_/A", min_size=2, max_size=12))
def test_the_pattern_that_refusals_print_is_the_one_that_is_applied(name: str) -> None:
    assert (parse_repository(name) is not None) == (re.fullmatch(REPOSITORY_PATTERN, name) is not None)


@given(st.text("a.-_/", max_size=300))
def test_a_repository_never_escapes_a_folder(name: str) -> None:
    parsed = parse_repository(name)

    assert parsed is None or not {"", ".", ".."} & set(parsed.split("/"))


def test_a_long_name_is_judged_at_once() -> None:
    assert parse_repository("a-" * 127 + "!") is None


@pytest.mark.parametrize("tag", ["1", "latest", "1.0-rc_1", ".a", "-a", "A" * 300, "sha256-" + "a" * 64])
def test_a_text_of_ecrs_pattern_is_a_tag(tag: str) -> None:
    assert parse_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", "a" * 301, "1.0+abc", "a/b", "a:b", "a b", "a\n", "é", "٣", "a\0"])
def test_any_other_text_is_no_tag(tag: str) -> None:
    assert parse_tag(tag) is None


@given(st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=300))
def test_every_text_of_a_tags_letters_is_a_tag(tag: str) -> None:
    assert parse_tag(tag) == tag


@pytest.mark.parametrize("text", ["", "11112222333", "1111222233334", "11112222333a", "111122223333\n", "١١١١٢٢٢٢٣٣٣٣"])
def test_an_account_is_twelve_ascii_digits(text: str) -> None:
    assert parse_account(text) is None
    assert parse_account("111122223333") == "111122223333"


@pytest.mark.parametrize(
    "text", ["", "us", "us-", "us--1", "1us-east", "US-east-1", "a-1", "us-east-1\n", "us-" + "a" * 30]
)
def test_a_region_has_a_regions_shape(text: str) -> None:
    assert parse_region(text) is None
    assert parse_region("us-gov-east-1") == "us-gov-east-1"


@pytest.mark.parametrize(
    "text", ["", "6F1C2B1E-0000-4000-8000-000000000001", "6f1c2b1e00004000800000000000000a", "../../etc/passwd"]
)
def test_an_upload_is_a_uuid_in_lower_case(text: str) -> None:
    assert parse_upload(text) is None
    assert parse_upload("6f1c2b1e-0000-4000-8000-000000000001") == "6f1c2b1e-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_an_arn_is_of_its_regions_partition(region: str, expected: str) -> None:
    assert partition(Region(region)) == expected
    arn = Registry(AccountId("111122223333"), Region(region)).repository_arn("team/app")
    assert arn == f"arn:{expected}:ecr:{region}:111122223333:repository/team/app"


@pytest.mark.parametrize(
    "host",
    [
        "111122223333.dkr.ecr.us-east-1.amazonaws.com",
        "111122223333.dkr.ecr.us-east-1.amazonaws.com:443",
        "111122223333.DKR.ecr.us-east-1.localhost:4510",
        "111122223333.dkr-ecr.us-east-1.on.aws",
        "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com",
    ],
)
def test_a_host_of_awss_form_names_its_registry(host: str) -> None:
    assert registry_of_host(host) == REGISTRY


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost:4510", "127.0.0.1", "11112222333.dkr.ecr.us-east-1.amazonaws.com"),
        *("111122223333.dkr.ecr.us-east-1", "111122223333.dkr.ecr.nowhere.amazonaws.com"),
        *("x111122223333.dkr.ecr.us-east-1.amazonaws.com", "111122223333.dkr.ecr.us-east-1.a b"),
    ],
)
def test_any_other_host_names_none(host: str) -> None:
    assert registry_of_host(host) is None


def test_a_registry_is_called_by_the_address_or_below_the_domain() -> None:
    plain, named = RegistryNames("localhost:4510"), RegistryNames("localhost:4510", "example.org")

    assert (plain.host(REGISTRY), plain.endpoint(REGISTRY)) == ("localhost:4510", "http://localhost:4510")
    assert named.host(REGISTRY) == "111122223333.dkr.ecr.us-east-1.example.org"
    assert named.endpoint(REGISTRY) == "https://111122223333.dkr.ecr.us-east-1.example.org"


def test_a_name_below_a_domain_is_read_back_as_its_registry() -> None:
    assert registry_of_host(RegistryNames("", "example.org:4510").host(REGISTRY)) == REGISTRY
