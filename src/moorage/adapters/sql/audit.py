"""Rows of the audit log, how far its files were read, and which access was used."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, or_, select, update

from moorage.adapters.sql.repositories import upsert
from moorage.adapters.sql.schema import access_used, audit_events, audit_files
from moorage.adapters.sql.times import to_moment, to_seconds
from moorage.core.audit import DENIALS, Entry, Wanted
from moorage.core.names import AccountId
from moorage.core.usage import Used


class SqlAuditRows:
    """The port AuditRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def offsets(self) -> dict[str, int]:
        """Return how many bytes of each file are rows."""
        rows = self._connection.execute(select(audit_files.c.name, audit_files.c.offset))
        return {row.name: row.offset for row in rows}

    def advance(self, name: str, known: int, reached: int) -> bool:
        """Note how far a file was read; false where it is not where ``known`` says, and then nothing is noted."""
        if known == 0:
            row = upsert(self._connection, audit_files).values(name=name, offset=0)
            self._connection.execute(row.on_conflict_do_nothing())
        ours = (audit_files.c.name == name, audit_files.c.offset == known)
        return self._connection.execute(update(audit_files).where(*ours).values(offset=reached)).rowcount == 1

    def add(self, entries: Sequence[Entry]) -> None:
        """Store records."""
        rows = [
            {
                "at": to_seconds(one.at),
                "account": one.account,
                "region": one.region,
                "source": one.source,
                "name": one.name,
                "principal": one.principal,
                "error": one.error,
                "request_id": one.request_id,
                "resource": one.resource,
                "event": one.event,
            }
            for one in entries
        ]
        if rows:
            self._connection.execute(insert(audit_events), rows)

    def page(self, wanted: Wanted, before: int | None, limit: int) -> list[tuple[int, Entry]]:
        """Return up to ``limit`` records with the numbers of their rows, the newest first, those before a row."""
        query = select(audit_events).where(*_filters(wanted)).order_by(audit_events.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit_events.c.id < before)
        return [(row.id, _entry(row)) for row in self._connection.execute(query)]

    def remove(self, before: datetime, limit: int) -> int:
        """Forget up to ``limit`` records from before then, and return how many."""
        old = select(audit_events.c.id).where(audit_events.c.at < to_seconds(before)).limit(limit)
        return self._connection.execute(delete(audit_events).where(audit_events.c.id.in_(old))).rowcount

    def forget_files(self, names: Sequence[str]) -> None:
        """Forget how far files were read."""
        self._connection.execute(delete(audit_files).where(audit_files.c.name.in_(names)))


def _filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    events = audit_events.c
    equal = (
        (events.account, wanted.account),
        (events.principal, wanted.principal),
        (events.name, wanted.name),
        (events.request_id, wanted.request_id),
    )
    filters = [column == value for column, value in equal if value is not None]
    if wanted.denied:
        filters.append(events.error.in_(DENIALS))
    if wanted.since:
        filters.append(events.at >= to_seconds(wanted.since))
    return filters


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        at=to_moment(row.at),
        account=AccountId(row.account),
        region=row.region,
        source=row.source,
        name=row.name,
        principal=row.principal,
        error=row.error,
        request_id=row.request_id,
        resource=row.resource,
        event=row.event,
    )


_KEY = ("principal", "resource", "action")


class SqlUsageRows:
    """The port UsageRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, used: Sequence[Used]) -> None:
        """Store what was used; of two times of one row the newer one stays."""
        row = upsert(self._connection, access_used)
        newest = {
            name: case(
                (or_(access_used.c[name].is_(None), access_used.c[name] < row.excluded[name]), row.excluded[name]),
                else_=access_used.c[name],
            )
            for name in ("allowed_at", "denied_at")
        }
        self._connection.execute(
            row.on_conflict_do_update(index_elements=list(_KEY), set_=newest),
            [
                {
                    "principal": one.principal,
                    "resource": one.resource,
                    "action": one.action,
                    "allowed_at": None if one.allowed_at is None else to_seconds(one.allowed_at),
                    "denied_at": None if one.denied_at is None else to_seconds(one.denied_at),
                }
                for one in used
            ],
        )

    def shorten(self, principal: str, most: int) -> None:
        """Leave a principal so many rows; those that were only denied go first, then the oldest."""
        of = access_used.c.principal == principal
        surplus = self._connection.execute(select(func.count()).select_from(access_used).where(of)).scalar_one() - most
        if surplus <= 0:
            return
        oldest = (func.coalesce(access_used.c.allowed_at, 0), func.coalesce(access_used.c.denied_at, 0))
        rows = self._connection.execute(
            select(access_used.c.resource, access_used.c.action).where(of).order_by(*oldest).limit(surplus)
        ).all()
        for row in rows:
            self._connection.execute(
                delete(access_used).where(
                    of, access_used.c.resource == row.resource, access_used.c.action == row.action
                )
            )

    def remove(self, before: datetime) -> None:
        """Forget what was neither allowed nor denied since then."""
        then = to_seconds(before)
        self._connection.execute(
            delete(access_used).where(
                func.coalesce(access_used.c.allowed_at, 0) < then, func.coalesce(access_used.c.denied_at, 0) < then
            )
        )

    def of(self, principal: str) -> list[Used]:
        """Return what a principal used, by resource and action."""
        rows = self._connection.execute(
            select(access_used)
            .where(access_used.c.principal == principal)
            .order_by(access_used.c.resource, access_used.c.action)
        )
        return [
            Used(
                principal=row.principal,
                resource=row.resource,
                action=row.action,
                allowed_at=None if row.allowed_at is None else to_moment(row.allowed_at),
                denied_at=None if row.denied_at is None else to_moment(row.denied_at),
            )
            for row in rows
        ]
