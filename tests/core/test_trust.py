from datetime import UTC, datetime, timedelta

import pytest

from moorage.core.names import AccountId, Region, Registry
from moorage.core.trust import (
    STORES,
    Authority,
    Change,
    Place,
    Trusted,
    added,
    address_of,
    in_stores,
    may_change,
    nearing_end,
    objection,
    planned,
    removing,
    wanted,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ACCOUNT = AccountId("180789647333")
AWS = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
LOCAL, REMOTE, IN_DNS = Place("127.0.0.1", 443), Place("10.0.0.9", 443), Place(None, 443)
ENGINES = ["/etc/docker", "/etc/containerd"]


def trusted(key: str, *names: str, certificate: bytes = b"pem", place: Place = LOCAL) -> Trusted:
    return Trusted(key, certificate, dict.fromkeys(names, place))


def plan(*all_trusted: Trusted, hosts: bytes = b"") -> list[Change]:
    return planned(trusted=all_trusted, hosts=hosts, engines=ENGINES, store=STORES[0])


def contents(*all_trusted: Trusted) -> dict[str, bytes]:
    return {change.path: change.content for change in plan(*all_trusted)}


def authority(*permitted: str, ends_at: datetime = NOW + timedelta(days=1)) -> Authority:
    return Authority(b"pem", "AA", "key", permitted, ends_at)


def test_further_names_of_an_authority_come_besides_those_of_before_and_its_certificate_for_both() -> None:
    known = added([trusted("a", "one.example")], trusted("a", "two.example", certificate=b"wider"))

    assert known == [trusted("a", "one.example", "two.example", certificate=b"wider")]


def test_a_second_authority_comes_besides_the_first_one() -> None:
    first, second = trusted("a", "one.example"), trusted("b", "two.example", certificate=b"other", place=REMOTE)

    known = added([first], second)

    assert known == [first, second]
    files = contents(*known)
    assert files["/etc/hosts"].splitlines()[1:3] == [b"127.0.0.1 one.example", b"10.0.0.9 two.example"]
    assert files["/etc/docker/certs.d/one.example/ca.crt"] == b"pem"
    assert files["/etc/docker/certs.d/two.example/ca.crt"] == b"other"
    assert files[f"{STORES[0].folder}/moorage.crt"] == b"pem"
    assert files[f"{STORES[0].folder}/moorage-2.crt"] == b"other"


def test_a_name_is_believed_from_the_authority_that_was_named_last() -> None:
    first, second = trusted("a", "one.example", "two.example"), trusted("b", "two.example", certificate=b"other")

    known = added([first], second)

    assert known == [trusted("a", "one.example"), second]
    assert contents(*known)["/etc/docker/certs.d/two.example/ca.crt"] == b"other"


def test_an_authority_that_has_lost_all_names_keeps_its_file_in_the_systems_store() -> None:
    known = added([trusted("a", "one.example"), trusted("b", "two.example")], trusted("b", "one.example"))

    assert [one.key for one in known] == ["a", "b"]
    assert f"{STORES[0].folder}/moorage-2.crt" in contents(*known)


def test_asking_for_the_same_again_changes_nothing() -> None:
    first, second = trusted("a", "one.example", "two.example"), trusted("b", "three.example")

    assert added([first, second], trusted("a", "two.example")) == [first, second]


def test_a_name_that_is_in_dns_after_all_is_taken_out_of_the_hosts_file() -> None:
    before = plan(trusted("a", "one.example"))[0].content

    known = added([trusted("a", "one.example")], trusted("a", "one.example", place=IN_DNS))

    assert plan(*known, hosts=before)[0] == Change("/etc/hosts", b"", "without the names")


def test_a_hosts_file_without_our_names_is_left_alone() -> None:
    assert "/etc/hosts" not in contents(trusted("a", "one.example", place=IN_DNS))


@pytest.mark.parametrize("names", [(AWS, "registry.example.org"), ("registry.example.org", AWS)])
def test_names_of_aws_take_no_engines_folder_from_ones_own(names: tuple[str, str]) -> None:
    files = contents(trusted("a", *names, "api.ecr.us-east-1.amazonaws.com", "*.example.org"))

    assert [path for path in files if path.startswith("/etc/docker/")] == [
        f"/etc/docker/certs.d/{name}/ca.crt" for name in names
    ]


def test_a_port_that_is_not_that_of_https_is_part_of_the_engines_folder() -> None:
    files = contents(trusted("a", "one.example", place=Place(None, 8443)))

    assert "/etc/docker/certs.d/one.example:8443/ca.crt" in files
    assert b'server = "https://one.example:8443"' in files["/etc/containerd/certs.d/one.example:8443/hosts.toml"]


def test_every_path_of_a_plan_may_be_changed() -> None:
    for store in STORES:
        names = trusted("a", AWS, "registry.example.org"), trusted("b", "x", place=Place("::1", 8443))
        plan = planned(trusted=names, hosts=b"", engines=ENGINES, store=store)
        assert [change.path for change in plan if not may_change(change.path)] == []


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/etc/hosts/../shadow",
        "/etc/docker/daemon.json",
        "/etc/docker/certs.d/../ca.crt",
        "/etc/docker/certs.d/a/b/ca.crt",
        "/etc/docker/certs.d/a/ca.crt\n",
        "/usr/local/share/ca-certificates/other.crt",
        "etc/hosts",
    ],
)
def test_no_other_path_may_be_changed(path: str) -> None:
    assert not may_change(path)


def test_a_store_is_read_anew_when_a_file_in_it_changes() -> None:
    assert in_stores(["/etc/hosts", f"{STORES[0].folder}/moorage.crt"]) == [(STORES[0], ["moorage.crt"])]
    assert in_stores(["/etc/hosts"]) == []


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=14), None),
        (timedelta(days=13), "it ends on 2026-03-17: mend it"),
        (timedelta(0), "it ended on 2026-03-04: mend it"),
        (timedelta(days=-1), "it ended on 2026-03-03: mend it"),
    ],
)
def test_two_weeks_before_its_end_one_is_told_of_it(left: timedelta, said: str | None) -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)

    assert nearing_end("it", now + left, now, mend="mend it") == said


def test_debian_is_told_which_certificates_are_gone() -> None:
    assert removing(b"mozilla/A.crt\n!mozilla/B.crt", ["moorage.crt"]) == (
        b"mozilla/A.crt\n!mozilla/B.crt\n!moorage.crt\n"
    )


def test_the_names_are_those_that_were_given_else_those_of_aws_each_once() -> None:
    registries = [Registry(ACCOUNT, Region(region)) for region in ("us-east-1", "eu-west-1")]

    assert wanted(["b.example", "a.example", "b.example"], registries) == ("b.example", "a.example")
    assert wanted([], registries)[0] == AWS
    assert wanted([], registries).count("iam.amazonaws.com") == 1


@pytest.mark.parametrize(
    ("given", "elsewhere", "in_dns", "address"),
    [
        (None, False, False, "127.0.0.1"),
        ("10.0.0.9", False, False, "10.0.0.9"),
        (None, True, False, None),
        ("10.0.0.9", True, False, "10.0.0.9"),
        ("10.0.0.9", False, True, None),
    ],
)
def test_names_are_at_this_machine_unless_told_or_served_elsewhere_or_in_dns(
    *, given: str | None, elsewhere: bool, in_dns: bool, address: str | None
) -> None:
    assert address_of(given, elsewhere=elsewhere, in_dns=in_dns) == address


def test_an_authority_is_good_for_the_names_that_it_may_certify_and_those_below_them() -> None:
    names = ["example.org", "a.b.example.org", "*.example.org"]

    assert objection(authority("example.org"), names, NOW) is None


def test_an_authority_is_of_no_use_for_other_names() -> None:
    assert objection(authority("example.org"), ["example.org", "other.example", "fakeexample.org"], NOW) == (
        "cannot certify other.example, fakeexample.org, only example.org"
    )


def test_an_authority_that_has_ended_is_of_no_use() -> None:
    assert objection(authority("example.org", ends_at=NOW), ["example.org"], NOW) == "ended on 2026-03-04"
