import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.hosts import BEGIN, END, aws_hosts, parse_host, with_block, without_block
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
    ],
)
def test_a_host_name_is_told_from_what_is_none(text: str, host: str | None) -> None:
    assert parse_host(text) == host


def test_the_names_of_an_account_are_those_that_aws_clients_ask_for() -> None:
    names = aws_hosts(Registry(AccountId("180789647333"), Region("us-east-1")))

    assert names[:2] == ["180789647333.dkr.ecr.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com"]
    assert all(parse_host(name) == name for name in names)


@given(lines)
def test_what_is_added_to_a_hosts_file_is_taken_out_again(others: list[str]) -> None:
    text = "".join(f"{line}\n" for line in others if not line.startswith("# moorage:"))

    added = with_block(text, "127.0.0.1", ["a.example", "*.b.example", "c.example"])

    assert added == f"{text}{BEGIN}\n127.0.0.1 a.example\n127.0.0.1 c.example\n{END}\n"
    assert without_block(added) == text


def test_adding_again_replaces_what_was_added_and_keeps_what_came_after() -> None:
    once = with_block("127.0.0.1 localhost", "127.0.0.1", ["a.example"]) + "10.0.0.1 theirs\n"

    assert with_block(once, "10.9.9.9", ["b.example"]) == (
        f"127.0.0.1 localhost\n10.0.0.1 theirs\n{BEGIN}\n10.9.9.9 b.example\n{END}\n"
    )
