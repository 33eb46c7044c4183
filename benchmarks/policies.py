"""What a decision costs: by many policies, among many users and repositories, and within a request.

    .venv/bin/python -m benchmarks.policies     a line for each figure, with what it is held against

The quickest round of several counts, for what else the machine does only adds to it.
"""

import json
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import measures as m
from benchmarks import peers
from benchmarks.peers import REPOSITORY, Contestant
from moorage.actions.access import Guard
from moorage.adapters.sql.database import SqlDatabase
from moorage.core.access import AccessRequest, Names, Policies, Policy, decide, parse_policy
from moorage.core.names import RepositoryName
from moorage.core.policies import merged
from tests.actions.desk import Desk
from tests.contracts.rows import VAULT
from tests.engines.server import ACCOUNT, Server

POLICIES, STATEMENTS = 20, 20
MANY = 100_000
SERVICES = [
    "ecr",
    "s3",
    "ec2",
    "sqs",
    "sns",
    "iam",
    "sts",
    "kms",
    "logs",
    "lambda",
    "dynamodb",
    "rds",
    "ecs",
    "eks",
    "ssm",
    "events",
    "states",
    "glue",
    "athena",
    "cloudwatch",
]
APP = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"
REQUEST = AccessRequest(
    Names(f"arn:aws:iam::{ACCOUNT}:user/ada", ACCOUNT, "AIDAADAAAAAAAAAAAAAA"), "ecr:BatchGetImage", APP, ACCOUNT, {}
)

COUNTED = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :number)"
FILLED = (
    (
        f"INSERT INTO principals (id, account, kind, name_key, name, path, created_at) {COUNTED} "
        "SELECT printf('AIDA%016d', i), :account, 'user', 'user-' || i, 'user-' || i, '/', 0 FROM n"
    ),
    f"INSERT INTO inline_policies (principal_id, name_key, name, document) {COUNTED} SELECT printf('AIDA%016d', i), 'own', 'own', :policy FROM n",
    (
        "INSERT INTO repositories (account, region, name, created_at, mutability, exclusions, scan_on_push, encryption) "
        f"{COUNTED} SELECT :account, 'us-east-1', 'many/' || i, 0, 'MUTABLE', '[]', 0, 'AES256' FROM n"
    ),
    "INSERT INTO repository_policies (repository_id, document) SELECT id, :theirs FROM repositories WHERE name LIKE 'many/%'",
)


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, and what it is held against."""

    what: str
    figure: float
    unit: str
    goal: str

    def line(self) -> str:
        return f"{self.what:<72} {self.figure:10.2f} {self.unit:<3} {self.goal}"


def seconds(call: Callable[[], object], *, times: int = 25, rounds: int = 600) -> float:
    """Return what one call takes in the quickest round; rounds are so short that a busy machine leaves some of them alone."""
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(times):
            call()
        spent.append((time.perf_counter() - began) / times)
    return min(spent)


# --- by many policies --------------------------------------------------------------------------------------------------


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def of_many_services(number: int) -> Policy:
    """Return a policy like those of people who work with many services: two statements of it are about ECR."""
    statements = [
        {
            "Effect": "Deny" if place == STATEMENTS - 1 else "Allow",
            "Action": [f"{service}:Get*", f"{service}:Describe*", f"{service}:BatchGetImage"],
            "Resource": f"arn:aws:{service}:us-east-1:{ACCOUNT}:repository/team-{number}/{place}/*",
        }
        for place, service in enumerate(SERVICES)
    ]
    return parse_policy(document(*statements))


def of_one_service(number: int) -> Policy:
    """Return a policy all of whose statements are about actions of ECR with wildcards, so that each has to be asked."""
    statements = [
        {
            "Effect": "Deny" if place % 4 == 3 else "Allow",
            "Action": ["ecr:Get*", "ecr:Describe*", "ecr:Batch*"],
            "Resource": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team-{number}/{place}/*",
        }
        for place in range(STATEMENTS)
    ]
    return parse_policy(document(*statements))


def decisions() -> Iterator[Figure]:
    """Measure the evaluator alone; nothing allows the request, so that whatever is about it is asked."""
    many = [of_many_services(number) for number in range(POLICIES)]
    one = [of_one_service(number) for number in range(POLICIES)]
    of = f"{POLICIES} policies of {STATEMENTS} statements"
    for what, policies, goal in (
        (f"{of}, together as the guard keeps them", [merged(many)], "under 10 us"),
        (f"{of}, one by one", many, "under 60 us"),
        (f"{of}, all of wildcards of the one service", [merged(one)], ""),
    ):
        ready = Policies(policies)
        if decide(REQUEST, ready).allowed:
            raise RuntimeError("the request should not be allowed")
        yield Figure(what, seconds(partial(decide, REQUEST, ready)) * 1e6, "us", goal)


# --- among many users and repositories ---------------------------------------------------------------------------------


def stored(folder: Path, number: int) -> Desk:
    """Return the actions on a store of so many users and repositories more, each with a policy."""
    folder.mkdir()
    path = folder / "moorage.db"
    database = SqlDatabase(f"sqlite:///{path}", vault=VAULT)
    database.migrate()
    desk = Desk(database, folder / "blobs").open()
    desk.repository()
    theirs = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ecr:BatchGetImage"})
    given = {"number": number, "account": desk.admin.caller.account, "policy": document(ALLOWING), "theirs": theirs}
    with closing(sqlite3.connect(path)) as rows, rows:
        for statement in FILLED:
            rows.execute(statement, given)
        rows.execute("ANALYZE")
    return desk


ALLOWING = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}


def among_many(folder: Path) -> Iterator[Figure]:
    """Measure the guard in a store of few and in one of many: as it begins, and as it goes on."""
    small, large = stored(folder / "small", 10), stored(folder / "large", MANY)
    for what, guard_of in (("remembered", _same), ("read anew", _new)):
        few, many = (guarded(desk, guard_of(desk)) for desk in (small, large))
        # In turns, so that what else the machine does is shared.
        pairs = [(seconds(few, times=3, rounds=1), seconds(many, times=3, rounds=1)) for _ in range(300)]
        took = [min(one) for one in zip(*pairs, strict=True)]
        yield Figure(f"a decision with its look-ups, {what}", took[0] * 1e6, "us", "")
        where = f"the same among {MANY:,} users and {MANY:,} repositories"
        yield Figure(where, took[1] * 1e6, "us", f"{took[1] / took[0]:.2f} times")
    for desk in (small, large):
        desk.close()
        desk.database.close()


def _same(desk: Desk) -> Callable[[], Guard]:
    return lambda: desk.guard


def _new(_desk: Desk) -> Callable[[], Guard]:
    return Guard


def guarded(desk: Desk, guard: Callable[[], Guard]) -> Callable[[], None]:
    def call() -> None:
        with desk.database.read() as tx:
            guard().allow_repository(tx, desk.admin, "ecr:BatchGetImage", RepositoryName("team/app"))

    return call


# --- within a request --------------------------------------------------------------------------------------------------

PULLING: list[dict[str, Any]] = [
    {
        "Sid": "the account pulls",
        "Effect": "Allow",
        "Principal": {"AWS": ACCOUNT},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    },
    {
        "Sid": "admin pushes",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"},
        "Action": "ecr:Put*",
    },
    {"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchDeleteImage"},
]
CONDITION: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "ecr:BatchGetImage",
    "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}},
}


def requests(folder: Path, rounds: int) -> Iterator[Figure]:
    """Measure a manifest by tag with and without a policy of the repository, in turns."""
    server = Server(folder / "server").start()
    try:
        to = peers.logged_in(server)
        m.push_image(to.client(), folder)
        api = peers.ecr(server.port, server.env())
        texts = {"without": None, "with": document(*PULLING), "with a condition": document(*PULLING, CONDITION)}
        rates: dict[str, list[float]] = {name: [] for name in texts}
        for number in range(rounds):
            for name in list(texts) if number % 2 == 0 else reversed(list(texts)):
                rates[name].append(_rate(to, api, texts[name]))
    finally:
        server.kill()
    bare = statistics.median(rates["without"])
    yield Figure("manifest GET by tag, no policy of the repository", bare, "1/s", "")
    for name in ("with", "with a condition"):
        lost = statistics.median(
            100 * (1 - mine / other) for mine, other in zip(rates[name], rates["without"], strict=True)
        )
        yield Figure(
            f"the same {name} in one of {len(json.loads(texts[name] or '')['Statement'])} statements: less",
            lost,
            "%",
            "under 10 %",
        )


def _rate(to: Contestant, api: Any, text: str | None) -> float:
    if text is None:
        with_none = {one["repositoryName"] for one in api.describe_repositories()["repositories"]}
        if REPOSITORY in with_none:
            _forget(api)
    else:
        api.set_repository_policy(repositoryName=REPOSITORY, policyText=text)
    return m.manifests_per_second(to, f"/v2/{REPOSITORY}/manifests/{m.TAG}")


def _forget(api: Any) -> None:
    try:
        api.delete_repository_policy(repositoryName=REPOSITORY)
    except api.exceptions.RepositoryPolicyNotFoundException:
        return


def measured(folder: Path, rounds: int) -> Iterator[Figure]:
    """Yield all figures."""
    yield from decisions()
    yield from among_many(folder)
    yield from requests(folder, rounds)


def main() -> None:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="moorage-policies-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for figure in measured(folder, rounds=5):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
