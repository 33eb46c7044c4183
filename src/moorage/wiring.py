"""Settings in, everything built, by plain calls."""

import hmac
import json
import os
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moorage.actions.access import Guard
from moorage.actions.accounts import Accounts
from moorage.actions.audit import AuditTrail
from moorage.actions.collection import Collection
from moorage.actions.explanations import Explanations
from moorage.actions.identities import Identities
from moorage.actions.images import Images
from moorage.actions.inspection import Inspection
from moorage.actions.layers import Layers
from moorage.actions.repositories import Repositories
from moorage.actions.resource_policies import ResourcePolicies
from moorage.actions.sessions import Sessions
from moorage.actions.tokens import Tokens
from moorage.actions.uploads import Uploads
from moorage.actions.usage import Usage, UsageNotes
from moorage.adapters.audit_log import AuditFiles, AuditLog
from moorage.adapters.blobs_disk import DiskBlobs
from moorage.adapters.every import Every
from moorage.adapters.files import replace_file
from moorage.adapters.sql.database import HEAD, SqlDatabase
from moorage.adapters.sql.hot import SqlHotReads
from moorage.adapters.sql.sealing import find_vault, make_vault, renew_vault, wipe_remains
from moorage.config import ACCOUNT, InvalidSettings, Settings
from moorage.core.audit import record
from moorage.core.calls import Call, Caller
from moorage.core.collection import Grace
from moorage.core.identities import AccessKey
from moorage.core.names import AccountId, Region, Registry, UploadId
from moorage.core.trust import AUTHORITY_FILE
from moorage.web.app import App
from moorage.web.audit import Recorder
from moorage.web.aws import ecr_policies, iam, own, sts
from moorage.web.aws.door import AwsDoor, Handler, code_of
from moorage.web.aws.ecr import Ecr
from moorage.web.aws.model import OWN
from moorage.web.http import Room, new_id
from moorage.web.metrics import Metrics
from moorage.web.oci.blobs import Blobs
from moorage.web.oci.door import OciDoor
from moorage.web.pools import BYTES, ROWS, Pools
from moorage.web.throttle import Throttle

USAGE_SECONDS = 60
"""How late the rows may be that say which access was used."""

SECRET = "server"  # noqa: S105 - the name of the row, not its content


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What the first start made, for the terminal to say; ``key`` is None at every later one.

    ``remains`` says why clear secrets of an older release may still be in unused parts of the database's files.
    """

    key: AccessKey | None
    remains: str | None = None


def prepare(settings: Settings) -> FirstStart:
    """Make or migrate the data folder: tables, secret, vault, account with its administrator and key.

    The key is in its file before its row is committed, so a start that is cut short cannot leave an account without a key.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    # First of all: it says whose the store is, and whether it can be written to.
    blobs = DiskBlobs(settings.blobs)
    database = SqlDatabase(settings.database, connections=1)
    try:
        database.migrate()
        _claim(blobs, database.secret(SECRET, secrets.token_bytes(32)))
        database.vault = make_vault(database, settings.secrets_key)
        remains = wipe_remains(database)
        identities = Identities(database, Guard())
        key = identities.bootstrap(
            settings.account or AccountId(ACCOUNT),
            datetime.now(UTC),
            keep=lambda made: _write_key(settings.credentials, made),
            # A store that came without its first key, as a backup may, has an account all the same.
            unless_any=settings.account is None,
        )
    finally:
        database.close()
    return FirstStart(key, remains)


def build(settings: Settings) -> App:
    """Build the application of one server process."""
    database = SqlDatabase(settings.database, connections=ROWS + BYTES + 3)
    database.vault = find_vault(database, settings.secrets_key)
    secret = database.vault.signing_key(database.known_secret(SECRET))
    blobs = DiskBlobs(settings.blobs)
    notes, writing = _usage(database)
    guard = Guard(note=notes.note)
    identities = Identities(database, guard)
    # Those of the loop (pulls) have a connection of their own, so that they do not wait for threads' (uploads, AWS).
    hot, beside = SqlHotReads(database), SqlHotReads(database)
    repositories = Repositories(database, beside, guard, settings.quotas)
    images = Images(database, hot, guard, settings.quotas)
    layers = Layers(database, hot, blobs, guard, Grace(settings.keep_unused))
    uploads = Uploads(database, beside, blobs, guard, new_id=_new_upload, now=_now, quotas=settings.quotas)
    pools = Pools(inline=database.is_sqlite)
    room = Room()
    ecr = Ecr(
        repositories=repositories,
        images=images,
        layers=layers,
        uploads=uploads,
        tokens=Tokens(database, guard, secret),
        names=settings.names,
        secret=secret,
    )
    services = _services(ecr, database, guard, identities)
    throttle = Throttle() if settings.throttle else None
    metrics, log = Metrics(), AuditLog(settings.audit)
    audit = Recorder(log.append, code_of, metrics.count_unrecorded, reads=settings.audit_reads)
    return App(
        aws=AwsDoor(services, beside.key, _now, throttle, identities.note_key_use, audit),
        oci=OciDoor(
            identities,
            images,
            layers,
            uploads,
            repositories,
            pools,
            room,
            secret,
            sparse=settings.sparse,
            throttle=throttle,
            audit=audit,
        ),
        blobs=Blobs(layers, pools),
        layers=layers,
        secret=secret,
        pools=pools,
        room=room,
        metrics=metrics,
        proxies=settings.proxies,
        authority=settings.authority / AUTHORITY_FILE,
        ready=lambda: _check(database, blobs.folder),
        close=[writing.stop, log.close, hot.close, beside.close, database.close],
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _new_upload() -> UploadId:
    return UploadId(str(uuid.uuid4()))


def _usage(database: SqlDatabase) -> tuple[UsageNotes, Every]:
    """Return what the guard notes, and what writes it to rows."""
    notes, usage = UsageNotes(), Usage(database)
    return notes, Every(USAGE_SECONDS, "usage", lambda: usage.write(notes)).start()


def _services(ecr: Ecr, database: SqlDatabase, guard: Guard, identities: Identities) -> dict[str, dict[str, Handler]]:
    return {
        "ecr": ecr.operations() | ecr_policies.operations(ResourcePolicies(database, guard)),
        "iam": iam.operations(identities),
        "sts": sts.operations(identities, Sessions(database, guard)),
        OWN: own.operations(Explanations(database, guard)),
    }


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What is done to a store as a whole."""

    collection: Collection
    inspection: Inspection
    audit: AuditTrail
    usage: Usage
    explanations: Explanations


@contextmanager
def upkeep(settings: Settings, rest: Callable[[], bool] = lambda: False) -> Iterator[Upkeep]:
    """Open the store for its upkeep; raises InvalidSettings where there is none of this release. ``rest`` is Collection's."""
    with _opened(settings) as (database, blobs):
        yield Upkeep(
            Collection(database, blobs, Grace(settings.keep_unused), rest),
            Inspection(database, blobs),
            AuditTrail(database, AuditFiles(settings.audit)),
            Usage(database),
            Explanations(database, Guard()),
        )


@contextmanager
def accounts(settings: Settings, *, sealing: bool) -> Iterator[Accounts]:
    """Open the store's accounts, for new keys only where ``sealing``; raises as ``upkeep`` does, and VaultShut."""
    with _opened(settings) as (database, _):
        if sealing:
            database.vault = find_vault(database, settings.secrets_key)
        yield Accounts(database)


def record_command(
    settings: Settings, by: str, account: AccountId, operation: str, parameters: Mapping[str, Any]
) -> None:
    """Have the audit log say what was done to an account on the machine itself, as its root user; raises OSError."""
    root = Caller(f"arn:aws:iam::{account}:root", account, account, "", "")
    call = Call(
        caller=root,
        registry=Registry(account, Region("us-east-1")),
        at=_now(),
        request_id=new_id(),
        context={"aws:sourceip": "127.0.0.1", "aws:useragent": by},
    )
    log = AuditLog(settings.audit)
    try:
        log.append(record(call, OWN, operation, parameters, None, new_id()))
    finally:
        log.close()


def give_up_secrets(settings: Settings) -> int:
    """Make a new key for the store's secrets, and return how many access keys went, which the lost one had sealed.

    Raises as ``upkeep`` does, and VaultShut where nothing is lost.
    """
    with _opened(settings) as (database, _):
        _, gone = renew_vault(database, settings.secrets_key)
        return gone


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[SqlDatabase, DiskBlobs]]:
    if not settings.blobs.is_dir():
        raise InvalidSettings(
            f"{settings.data} has no store: start `moorage serve` first, or name its folder with --data"
        )
    database = SqlDatabase(settings.database, connections=1)
    try:
        if database.version() != HEAD:
            raise InvalidSettings(
                f"The database of {settings.data} is not there or of another release: start `moorage serve` first"
            )
        blobs = DiskBlobs(settings.blobs)
        _claim(blobs, database.known_secret(SECRET))
        yield database, blobs
    finally:
        database.close()


def has_remnants(settings: Settings) -> bool:
    """Tell whether deleted repositories have left rows; a look that writes nothing."""
    database = SqlDatabase(settings.database, connections=1)
    try:
        with database.read() as tx:
            return bool(tx.remnants.page(0, 1))
    finally:
        database.close()


def _claim(blobs: DiskBlobs, secret: bytes) -> None:
    """Make the folder this database's; raises InvalidSettings where it is another's, whose bytes would seem unused."""
    owner = hmac.digest(secret, b"owner of the bytes", "sha256").hex()
    if blobs.claim(owner) != owner:
        raise InvalidSettings(
            f"{blobs.folder} holds the bytes of another database. Start with the one that they belong to, or move the folder away."
        )


def _check(database: SqlDatabase, folder: Path) -> None:
    """Raise where rows cannot be read or bytes cannot be written."""
    with database.read() as tx:
        tx.identities.key("")
    probe = folder / f".ready-{os.getpid()}"
    try:
        probe.write_bytes(bytes(4096))
    finally:
        probe.unlink(missing_ok=True)


def key_document(key: AccessKey) -> dict[str, str]:
    """Return an access key as the file of the first one has it."""
    return {
        "Account": key.user.account,
        "UserName": key.user.name,
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
    }


def _write_key(path: Path, key: AccessKey) -> None:
    """Keep the first key."""
    replace_file(path, json.dumps(key_document(key), indent=2).encode() + b"\n", 0o600)
