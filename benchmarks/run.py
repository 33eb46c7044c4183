"""Moorage beside its peers and beside what the machine allows, in one run.

    make bench                            a table
    make bench BENCH=--write              the same, and into benchmarks/README.md
    make bench BENCH="--rounds 1"         a quick look
    make bench BENCH="--only push"        the rows with that word in their name; =word for the whole name; --list names them all

Rounds alternate who comes first, the disk is synced between turns so that nobody pays for another's writes, and the medians count.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Self

from benchmarks import growth, peers, policies, scale
from benchmarks import measures as m
from benchmarks.client import Client
from benchmarks.peers import Contestant, Peer
from benchmarks.rows import MOORAGE, Row, brief, table
from moorage.cli.throwaway import ThrowAway
from tests.engines.programs import run
from tests.engines.server import Server, moorage

README = Path(__file__).with_name("README.md")
FRONT = README.parents[1] / "README.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
FEW = "1,000 images"
REGISTRY, DISTRIBUTION, NGINX, MOTO = "docker-registry", "distribution", "nginx", "moto"
TWO = "moorage, 2 workers"
REPOSITORIES = 20
PULL_TIMES = {1: 200, 256: 3}
PUSH_TIMES = {1: 30, 10: 10, 256: 1}
# How many images of so many MiB, and how often.
LOADS = {1: (100, 3), 10: (100, 1), 100: (20, 1)}
LARGEST = 10 * 1024
MOTO_KEYS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "peer", "AWS_SECRET_ACCESS_KEY": "peer"}
SYNCED = (
    "Moorage syncs bytes, directory entry and rows before it answers; docker-registry bytes only; "
    "distribution bytes, and the folders of its small files but not those of layers"
)
UNASKED = "Moorage checks token and rights every time, the others ask nobody who they are"

Turn = Callable[[], float]


def in_turns(turns: dict[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Let everybody have a turn in each round; every other round in the opposite order."""
    figures: dict[str, list[float]] = {who: [] for who in turns}
    for number in range(rounds):
        for who in list(turns) if number % 2 == 0 else reversed(turns):
            os.sync()
            figures[who].append(turns[who]())
    return figures


class Ground:
    """Where it happens: servers that several rows share are started when the first of them asks, and end with the block."""

    def __init__(self, folder: Path, rounds: int, *, with_moorage: bool) -> None:
        self.folder = folder
        self.rounds = rounds
        self.with_moorage = with_moorage
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def registries(self) -> list[Contestant]:
        return self._stack.enter_context(self.fresh("shared", two=False))

    @cached_property
    def static(self) -> Peer:
        static = peers.nginx(self.folder / NGINX).start()
        self._stack.callback(static.stop)
        return static

    @property
    def files(self) -> Path:
        """The folder whose files the static server serves."""
        _ = self.static
        return self.folder / NGINX / "files"

    @contextmanager
    def fresh(self, name: str, *, two: bool) -> Iterator[list[Contestant]]:
        """Start every registry with nothing in it, Moorage with two workers as well where asked; what they kept goes afterwards."""
        folder = self.folder / name
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            started: list[Contestant] = []
            for who, more in ((MOORAGE, ()), (TWO, ("--workers", "2"))):
                if self.with_moorage and (two or not more):
                    server = Server(folder / who.replace(", ", "-"), *more).start()
                    stack.callback(server.kill)
                    started.append(peers.logged_in(server, who))
            for who, make in ((REGISTRY, peers.docker_registry), (DISTRIBUTION, peers.distribution)):
                peer = make(folder / who).start()
                stack.callback(peer.stop)
                started.append(Contestant(who, peer, {}))
            yield started


# --- the registry ------------------------------------------------------------------------------------------------------


def manifests(to: Ground) -> Iterator[Row]:
    manifest = b""
    for registry in to.registries:
        manifest = m.push_image(registry.client(), to.folder)
    (to.files / "manifest").write_bytes(manifest)
    path = f"/v2/{peers.REPOSITORY}/manifests/{m.TAG}"
    turns: dict[str, Turn] = {one.name: partial(m.manifests_per_second, one, path) for one in to.registries}
    turns[NGINX] = partial(m.manifests_per_second, Contestant(NGINX, to.static, {}), "/manifest")
    goals = {REGISTRY: 8.0, DISTRIBUTION: 2.0, NGINX: None}
    row = Row("manifest GET by tag, 8 connections", "1/s", goals, f"{UNASKED}; nginx: the same bytes as a file")
    row.figures = in_turns(turns, to.rounds)
    yield row


def pulls(mib: int, to: Ground) -> Iterator[Row]:
    size, times = mib * m.MIB, PULL_TIMES[mib]
    layer = m.Layer(to.folder, size)
    shutil.copy(layer.path, to.files / f"layer-{mib}")
    turns: dict[str, Turn] = {}
    for registry in to.registries:
        client = registry.client()
        m.push_layer(client, layer)
        turns[registry.name] = partial(m.pulled_per_second, client, f"{m.BLOBS}/{layer.digest}", size, times)
    turns[NGINX] = partial(m.pulled_per_second, Client(to.static.port), f"/layer-{mib}", size, times)
    goals = {REGISTRY: None, DISTRIBUTION: None, NGINX: 0.9 if mib == 256 else None}
    row = Row(f"pull of a {mib} MiB layer", "MiB/s", goals, f"{UNASKED}; nginx: a bare file by sendfile")
    row.figures = in_turns(turns, to.rounds)
    yield row


def pushes(mib: int, to: Ground) -> Iterator[Row]:
    m.touch_memory()
    layer = m.Layer(to.folder, mib * m.MIB)
    times = PUSH_TIMES[mib]
    turns: dict[str, Turn] = {
        one.name: partial(m.pushed_per_second, one.client(), layer, times) for one in to.registries
    }
    turns["write+fsync"] = partial(m.written_per_second, to.folder, layer.size, times)
    turns["SHA-256"] = m.hashed_per_second
    large = mib == 256
    goals = {
        REGISTRY: 3.0 if large else None,
        DISTRIBUTION: None,
        "write+fsync": None,
        "SHA-256": 0.5 if large else None,
    }
    row = Row(f"push of a {mib} MiB layer, synced", "MiB/s", goals, SYNCED)
    row.figures = in_turns(turns, to.rounds)
    yield row


def images(mib: int, to: Ground) -> Iterator[Row]:
    """Ten clients at once, as zot's benchmark has them."""
    requests, rounds = LOADS[mib]
    with to.fresh(f"images-{mib}", two=True) as registries:
        for workload in ("push", "pull", "mixed"):
            turns: dict[str, Turn] = {
                one.name: partial(m.images_per_second, one, workload, mib * m.MIB, requests) for one in registries
            }
            figures = in_turns(turns, min(rounds, to.rounds))
            goals: dict[str, float | None] = {REGISTRY: None, DISTRIBUTION: None}
            if mib == 1 and workload != "mixed":
                goals[DISTRIBUTION] = {"push": 2.0, "pull": 4.0}[workload]
            what = {"push": "pushes, synced,", "pull": "pulls", "mixed": "3 pulls to 1 push"}[workload]
            for own in (MOORAGE, TWO):
                title = f"{what} of images of {mib} MiB, 10 at once{own.removeprefix(MOORAGE)}"
                yield Row(
                    title,
                    "images/s",
                    goals,
                    f"{requests} images; all pulls are of one of them",
                    own=own,
                    figures=figures,
                )


# --- memory ------------------------------------------------------------------------------------------------------------


def memory_of_a_push(to: Ground) -> Iterator[Row]:
    layer = m.Layer(to.folder, LARGEST * m.MIB, sparse=True)
    row = Row("memory growth while a 10 GiB layer is pushed", "MiB", {REGISTRY: None, DISTRIBUTION: None})
    row.lower_is_better, row.at_most = True, 64
    row.note = "all processes of a server just started, resident (RSS); the most seen, less what there was before"
    with to.fresh("memory-push", two=False) as registries:
        row.figures = in_turns({one.name: partial(growth.mib_grown_by_push, one, layer) for one in registries}, 1)
    layer.path.unlink()
    yield row


def memory_of_uploads(to: Ground) -> Iterator[Row]:
    row = Row(f"memory of each of {growth.UPLOADS:,} slow uploads", "KiB", {REGISTRY: None, DISTRIBUTION: None})
    row.lower_is_better, row.at_most = True, 200
    row.note = (
        "each open at once, with 128 KiB sent and then 1 KiB in a second; growth of all processes, resident (RSS)"
    )
    with to.fresh("memory-uploads", two=False) as registries:
        row.figures = in_turns({one.name: partial(growth.kib_grown_by_slow_upload, one) for one in registries}, 1)
    yield row


# --- the API, and starts -----------------------------------------------------------------------------------------------


def describes(to: Ground) -> Iterator[Row]:
    moto = peers.moto(to.folder / MOTO).start()
    turns: dict[str, Turn] = {}
    try:
        apis = {MOTO: (moto.port, MOTO_KEYS)}
        for one in to.registries:
            if isinstance(one.service, Server):
                apis[one.name] = (one.service.port, one.service.env())
        for who, (port, keys) in apis.items():
            api = peers.ecr(port, keys)
            there = len(api.describe_repositories(maxResults=1000)["repositories"])
            for number in range(there, REPOSITORIES):
                api.create_repository(repositoryName=f"bench/describe-{number}")
            requests = m.signed_describes(port, keys, 500)
            turns[who] = partial(m.described_per_second, port, requests, REPOSITORIES)
        note = f"{REPOSITORIES} repositories, one connection; Moorage checks signature and policies, moto neither"
        row = Row("DescribeRepositories, signed", "1/s", {MOTO: 8.0}, note)
        row.figures = in_turns(turns, to.rounds)
        yield row
    finally:
        moto.stop()


def starts(to: Ground) -> Iterator[Row]:
    goals: dict[str, float | None] = {REGISTRY: None, DISTRIBUTION: None}
    row = Row("start to /readyz, the data folder there already", "s", goals, lower_is_better=True, at_most=1.5)
    services: dict[str, peers.Running] = {
        REGISTRY: peers.docker_registry(to.folder / "start-registry"),
        DISTRIBUTION: peers.distribution(to.folder / "start-distribution"),
    }
    if to.with_moorage:
        services[MOORAGE] = Server(to.folder / "start-moorage")
    for service in services.values():
        service.start()
        service.stop()

    def timed(service: peers.Running) -> float:
        spent = m.seconds_to_start(service.start)
        service.stop()
        return spent

    row.figures = in_turns({who: partial(timed, one) for who, one in services.items()}, to.rounds)
    yield row


def throwaways(to: Ground) -> Iterator[Row]:
    """Measure what a test suite pays for a server of its own, with nothing there before."""
    ready = Row("a throw-away server, start to ready", "s", {MOTO: None}, lower_is_better=True, at_most=1.5)
    ready.note = "Moorage: with folder, tables, account and key made; moto keeps nothing"
    used = Row("memory of a server that is ready", "MiB", {MOTO: None}, lower_is_better=True)
    used.note = "all processes of a server, proportional share (PSS)"
    moto = peers.moto(to.folder / "start-moto")
    both: dict[str, Callable[[], tuple[float, float]]] = {MOTO: partial(m.seconds_and_mib, moto.start, moto.stop)}
    if to.with_moorage:
        server = ThrowAway()
        both[MOORAGE] = partial(m.seconds_and_mib, server.__enter__, server.__exit__)

    def turn(who: str) -> float:
        seconds, mib = both[who]()
        used.add(who, mib)
        return seconds

    ready.figures = in_turns({who: partial(turn, who) for who in both}, to.rounds)
    yield from (ready, used)
    if to.with_moorage:
        command = Row("moorage run -- true, start to end", "s", lower_is_better=True)
        command.figures = in_turns(
            {MOORAGE: partial(m.seconds_to_start, partial(run, [moorage(), "run", "true"]))}, to.rounds
        )
        yield command


def scales(to: Ground) -> Iterator[Row]:
    """Measure pages of a store of a million images; the peer is one of a thousand."""
    if not to.with_moorage:
        return
    for page in scale.measured(to.folder, to.rounds):
        row = Row(f"among 1,000,000 images: {page.what}", "ms", {FEW: 1 / 1.3}, lower_is_better=True)
        row.figures = {
            MOORAGE: [1000 * each for each in page.large],
            FEW: [1000 * each for each in page.small],
        }
        yield row


def decisions(to: Ground) -> Iterator[Row]:
    """Measure what policies cost."""
    if not to.with_moorage:
        return
    for one in policies.measured(to.folder, to.rounds):
        row = Row(one.what, one.unit, note=one.goal, lower_is_better=True)
        row.add(MOORAGE, one.figure)
        yield row


# What can be asked for by name, in the order of the table. Rows from another module join by a line here.
ROWS: dict[str, Callable[[Ground], Iterator[Row]]] = {
    "manifest": manifests,
    **{f"pull-{mib}": partial(pulls, mib) for mib in PULL_TIMES},
    **{f"push-{mib}": partial(pushes, mib) for mib in PUSH_TIMES},
    **{f"images-{mib}": partial(images, mib) for mib in LOADS},
    "describe": describes,
    "start": starts,
    "throwaway": throwaways,
    "memory-push": memory_of_a_push,
    "memory-uploads": memory_of_uploads,
    "scale": scales,
    "policies": decisions,
}


def machine() -> str:
    cpu = next((x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")), ": unknown")
    return (
        f"{os.cpu_count()} cores ({cpu.partition(':')[2].strip()}), Linux {platform.release()}, "
        f"Python {platform.python_version()}; SHA-256 on one core {m.hashed_per_second():,.0f} MiB/s."
    )


def asked() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md as well")
    options.add_argument(
        "--only", nargs="+", default=[""], metavar="WORD", help="only rows with such a word in their name"
    )
    options.add_argument("--list", action="store_true", help="say what the rows are called, and measure nothing")
    options.add_argument("--peers-only", action="store_true", help="leave Moorage out")
    options.add_argument("--folder", type=Path, help="where the data goes while it runs; needs about 35 GiB")
    given = options.parse_args()
    if given.write and given.only != [""]:
        options.error("a part of the table cannot take the place of the whole one: --write goes without --only")
    return given


def main() -> None:
    given = asked()
    chosen = {
        name: make for name, make in ROWS.items() if any(word in name or word == f"={name}" for word in given.only)
    }
    if given.list:
        print(*chosen, sep="\n")
        return
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="moorage-bench-", dir=given.folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        m.touch_memory()
        to = stack.enter_context(Ground(folder, given.rounds, with_moorage=not given.peers_only))
        for name, make in chosen.items():
            began = time.monotonic()
            for row in make(to):
                print(row.line(), file=sys.stderr, flush=True)
                rows.append(row)
            print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    lines = [machine(), "", *table(rows)]
    print("\n".join(lines))
    if given.write:
        for page, part in ((README, lines), (FRONT, [lines[0], "", *brief(rows)])):
            before, _, rest = page.read_text().partition(BEGIN)
            page.write_text(f"{before}{BEGIN}\n" + "\n".join(part) + f"\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
