"""Rows of the audit log and of the access that was used, on both engines."""

from dataclasses import replace
from datetime import timedelta

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.audit import Entry, Wanted
from moorage.core.usage import Used
from tests.contracts.rows import AT, HERE, THEIRS

ANN = "arn:aws:iam::111122223333:user/ann"
BEN = "arn:aws:iam::111122223333:user/ben"
FILE = "2026-03-04.0.jsonl"
ENTRY = Entry(
    at=AT,
    account=HERE.account,
    region=HERE.region,
    source="ecr.amazonaws.com",
    name="PutImage",
    principal=ANN,
    error=None,
    request_id="request-1",
    resource=HERE.repository_arn("team/app"),
    event='{"userAgent":"\\u0000"}',
)
OTHERS = [
    replace(ENTRY, name="BatchDeleteImage", error="AccessDeniedException", request_id="request-2"),
    replace(ENTRY, principal=BEN, at=AT + timedelta(hours=1), resource=None, error="RepositoryNotFoundException"),
    replace(ENTRY, account=THEIRS.account, error="AccessDenied"),
]


def add(database: SqlDatabase, *entries: Entry) -> None:
    with database.write(durable=False) as tx:
        tx.audit.add(entries)


def found(database: SqlDatabase, wanted: Wanted) -> list[Entry]:
    with database.read() as tx:
        return [entry for _, entry in tx.audit.page(wanted, None, 100)]


def test_records_are_read_back_the_newest_first_and_by_page(database: SqlDatabase) -> None:
    add(database, ENTRY, *OTHERS)
    add(database)

    with database.read() as tx:
        first = tx.audit.page(Wanted(), None, 3)
        second = tx.audit.page(Wanted(), first[-1][0], 3)

    assert [entry for _, entry in first + second] == [*reversed(OTHERS), ENTRY]


def test_records_are_found_by_what_they_say(database: SqlDatabase) -> None:
    add(database, ENTRY, *OTHERS)
    denied, late, theirs = OTHERS

    assert found(database, Wanted(account=THEIRS.account)) == [theirs]
    assert found(database, Wanted(principal=BEN)) == [late]
    assert found(database, Wanted(name="BatchDeleteImage")) == [denied]
    assert found(database, Wanted(request_id="request-2")) == [denied]
    assert found(database, Wanted(since=AT + timedelta(minutes=1))) == [late]
    assert found(database, Wanted(denied=True)) == [theirs, denied]
    assert found(database, Wanted(denied=True, account=HERE.account)) == [denied]
    assert found(database, Wanted(principal=BEN, name="BatchDeleteImage")) == []


def test_old_records_go_some_at_a_time(database: SqlDatabase) -> None:
    add(database, *[ENTRY] * 5, *OTHERS)

    with database.write(durable=False) as tx:
        assert [tx.audit.remove(AT + timedelta(minutes=1), 4) for _ in range(3)] == [4, 3, 0]
    assert found(database, Wanted()) == [OTHERS[1]]


def test_a_file_is_read_on_from_where_it_was_read_to_and_by_one_reader(database: SqlDatabase) -> None:
    with database.write(durable=False) as tx:
        assert tx.audit.advance(FILE, 0, 10)
        assert not tx.audit.advance(FILE, 0, 20)
        assert tx.audit.advance(FILE, 10, 30)
        assert not tx.audit.advance("another", 10, 30)
        assert tx.audit.offsets() == {FILE: 30}
        tx.audit.forget_files([FILE, "another"])
        assert tx.audit.offsets() == {}


# --- which access was used ----------------------------------------------------------------------------------------------


def use(allowed: float | None, denied: float | None, *, action: str = "ecr:PutImage", resource: str = "a") -> Used:
    at = [None if seconds is None else AT + timedelta(seconds=seconds) for seconds in (allowed, denied)]
    return Used(principal=ANN, resource=resource, action=action, allowed_at=at[0], denied_at=at[1])


def note(database: SqlDatabase, *used: Used) -> list[Used]:
    with database.write(durable=False) as tx:
        tx.usage.note(used)
        return tx.usage.of(ANN)


def test_of_two_times_the_newer_one_stays(database: SqlDatabase) -> None:
    assert note(database, use(1, None)) == [use(1, None)]
    assert note(database, use(None, 5)) == [use(1, 5)]
    assert note(database, use(3, 4)) == [use(3, 5)]
    assert note(database, use(2, 6)) == [use(3, 6)]
    assert note(database, use(None, None)) == [use(3, 6)]


def test_each_principal_has_rows_of_its_own_in_the_order_of_resources(database: SqlDatabase) -> None:
    more = [use(1, None, resource="b"), use(1, None, action="ecr:BatchGetImage"), use(1, None)]

    assert note(database, *more, replace(use(1, None), principal=BEN)) == [more[1], more[2], more[0]]
    with database.read() as tx:
        assert tx.usage.of("nobody") == []


def test_a_principal_has_so_many_rows_and_what_was_only_denied_goes_first(database: SqlDatabase) -> None:
    note(database, use(1, None, resource="a"), use(2, None, resource="b"), use(None, 9, resource="c"))
    with database.write(durable=False) as tx:
        tx.usage.shorten(ANN, 3)
        assert [one.resource for one in tx.usage.of(ANN)] == ["a", "b", "c"]
        tx.usage.shorten(ANN, 2)
        assert [one.resource for one in tx.usage.of(ANN)] == ["a", "b"]
        tx.usage.shorten(ANN, 1)
        assert [one.resource for one in tx.usage.of(ANN)] == ["b"]


def test_what_was_not_used_since_goes(database: SqlDatabase) -> None:
    note(database, use(1, None, resource="a"), use(1, 9, resource="b"), use(9, None, resource="c"))
    with database.write(durable=False) as tx:
        tx.usage.remove(AT + timedelta(seconds=5))
        assert [one.resource for one in tx.usage.of(ANN)] == ["b", "c"]
