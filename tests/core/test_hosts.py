from urllib.parse import urlsplit

import pytest
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.hosts import BEGIN, END, aws_hosts, may_be_registry, parse_host, with_block, without_block
from moorage.core.names import AccountId, Region, Registry

lines = st.lists(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n"), max_size=20), max_size=6
)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Registry.Example", "registry.example"),
        ("*.dkr.ecr.us-east-1.example.org", "*.dkr.ecr.us-east-1.example.org"),
        ("localhost", "localhost"),
        ("a" * 63 + ".b", "a" * 63 + ".b"),
        ("a" * 64 + ".b", None),
        (".".join(["a" * 60] * 5), None),
        ("-a.b", None),
        ("a-.b", None),
        ("a..b", None),
        ("a.b.", None),
        ("a b", None),
        ("a\nb", None),
        ("a_b", None),
        ("*.*.b", None),
        ("a.*.b", None),
        ("", None),
        ("http://a", None),
        ("a:443", None),
        ("192.168.1.5", None),
        ("1.2.3", None),
        ("10", None),
        ("1.example", "1.example"),
        ("1.2.3.4a", "1.2.3.4a"),
    ],
)
def test_a_host_name_is_told_from_what_is_none(text: str, host: str | None) -> None:
    assert parse_host(text) == host


def test_the_names_of_an_account_are_those_that_aws_clients_ask_for() -> None:
    names = aws_hosts(Registry(AccountId("180789647333"), Region("us-east-1")))

    assert names[:2] == ["180789647333.dkr.ecr.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com"]
    assert all(parse_host(name) == name for name in names)


@pytest.fixture(scope="module")
def botocore() -> Session:
    return Session()


def asked(botocore: Session, service: str, operation: str, region: str) -> str:
    """Return the host that AWS's own client would ask."""
    client = botocore.create_client(service, region, aws_access_key_id="a", aws_secret_access_key="b")
    host: str | None = urlsplit(client.generate_presigned_url(operation)).hostname
    client.close()
    assert host
    return host


@pytest.mark.parametrize(
    "region",
    [
        "eu-west-1",
        "cn-north-1",
        "cn-northwest-1",
        "us-gov-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
        "eusc-de-east-1",
    ],
)
def test_the_names_are_those_that_botocore_asks_for_in_every_partition(botocore: Session, region: str) -> None:
    names = aws_hosts(Registry(AccountId("180789647333"), Region(region)))

    suffix = asked(botocore, "ecr", "describe_registry", region).removeprefix("api.ecr.")
    assert set(names) >= {
        f"180789647333.dkr.ecr.{suffix}",
        asked(botocore, "ecr", "describe_registry", region),
        asked(botocore, "iam", "list_users", region),
        asked(botocore, "sts", "get_caller_identity", region),
    }
    assert all(parse_host(name) == name for name in names)


def test_of_the_names_of_aws_only_registries_are_registries_and_any_of_ones_own_may_be_one() -> None:
    for region in ("us-east-1", "cn-north-1"):
        names = aws_hosts(Registry(AccountId("180789647333"), Region(region)))
        assert [name for name in names if may_be_registry(name)] == names[:1]
    assert may_be_registry("registry.example.org")


@given(lines)
def test_what_is_added_to_a_hosts_file_is_taken_out_again(others: list[str]) -> None:
    content = "".join(f"{line}\n" for line in others if not line.startswith("# moorage:")).encode()

    added = with_block(content, [("127.0.0.1", "a.example"), ("10.9.9.9", "c.example")])

    assert added == content + f"{BEGIN}\n127.0.0.1 a.example\n10.9.9.9 c.example\n{END}\n".encode()
    assert without_block(added) == content


def test_adding_again_replaces_what_was_added_and_keeps_what_came_after() -> None:
    once = with_block(b"127.0.0.1 localhost", [("127.0.0.1", "a.example")]) + b"10.0.0.1 theirs\n"

    assert with_block(once, [("10.9.9.9", "b.example")]) == (
        f"127.0.0.1 localhost\n10.0.0.1 theirs\n{BEGIN}\n10.9.9.9 b.example\n{END}\n".encode()
    )


def test_without_a_name_there_is_no_block() -> None:
    once = with_block(b"127.0.0.1 localhost\n", [("127.0.0.1", "a.example")])

    assert with_block(once, []) == b"127.0.0.1 localhost\n"


@pytest.mark.parametrize("others", [b"127.0.0.1 localhost\r\n", b"127.0.0.1 localhost # gr\xfc\xdfe\n"])
def test_other_lines_keep_their_ends_and_their_encoding(others: bytes) -> None:
    added = with_block(others, [("127.0.0.1", "a.example")])

    assert added.startswith(others)
    assert without_block(added) == others


def test_a_block_whose_line_ends_an_editor_has_changed_is_taken_out_too() -> None:
    edited = with_block(b"127.0.0.1 localhost\n", [("127.0.0.1", "a.example")]).replace(b"\n", b"\r\n")

    assert without_block(edited) == b"127.0.0.1 localhost\r\n"
