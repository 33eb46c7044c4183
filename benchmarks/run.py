"""Moorage beside its peers and beside what the machine allows, in one run.

    make bench                        a table
    make bench BENCH=--write          the same, and into benchmarks/README.md
    make bench BENCH="--rounds 1"     a quick look

Rounds alternate who comes first, the disk is synced between turns so that nobody pays for another's writes, and the medians count.
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import measures as m
from benchmarks import peers, scale
from benchmarks.client import Client
from benchmarks.peers import Contestant, Peer
from moorage.cli.throwaway import ThrowAway
from tests.engines.programs import run
from tests.engines.server import Server, moorage

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
REPOSITORIES = 20
PULL_TIMES = {1: 200, 256: 3}
PUSH_TIMES = {1: 30, 10: 10, 256: 1}
MOTO_KEYS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "peer", "AWS_SECRET_ACCESS_KEY": "peer"}


@dataclass(slots=True)
class Row:
    """One thing measured: who did how well in each round."""

    what: str
    unit: str
    peer: str
    limit: str = ""
    note: str = ""
    lower_is_better: bool = False
    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, who: str, figure: float) -> None:
        self.figures.setdefault(who, []).append(figure)

    def median(self, who: str) -> float | None:
        return statistics.median(self.figures[who]) if self.figures.get(who) else None

    def line(self) -> str:
        own, peer, limit = (self.median(who) for who in ("moorage", self.peer, self.limit))
        cells = [
            self.what,
            self._times(own, peer),
            self._times(own, limit),
            shown(own),
            f"{shown(peer)} ({self.peer})" if self.peer else "",
            f"{shown(limit)} ({self.limit})" if self.limit else "",
            self.unit,
            self.note,
        ]
        return "| " + " | ".join(cells) + " |"

    def _times(self, own: float | None, other: float | None) -> str:
        if not own or not other:
            return ""
        return f"{(other / own if self.lower_is_better else own / other):.2f}"


def shown(figure: float | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


Turn = Callable[[], float]


def in_turns(row: Row, turns: dict[str, Turn], rounds: int) -> Row:
    """Let everybody have a turn in each round; every other round in the opposite order."""
    for number in range(rounds):
        order = list(turns)
        for who in order if number % 2 == 0 else reversed(order):
            os.sync()
            row.add(who, turns[who]())
    print(row.line(), file=sys.stderr)
    return row


@dataclass(frozen=True, slots=True)
class Field:
    """Everybody who takes part, and where."""

    folder: Path
    rounds: int
    registries: list[Contestant]
    static: Peer


def manifest_row(to: Field) -> Row:
    manifest = b""
    for registry in to.registries:
        manifest = m.push_image(registry.client(), to.folder)
    (to.folder / "nginx" / "files" / "manifest").write_bytes(manifest)
    path = f"/v2/{peers.REPOSITORY}/manifests/{m.TAG}"
    turns: dict[str, Turn] = {one.name: partial(m.manifests_per_second, one, path) for one in to.registries}
    bare = Contestant("nginx", to.static, {})
    turns["nginx"] = partial(m.manifests_per_second, bare, "/manifest")
    note = "rights checked by Moorage on every one; docker-registry without authentication; nginx: the same bytes as a file"
    return in_turns(
        Row("manifest GET by tag, 8 connections", "1/s", "docker-registry", "nginx", note), turns, to.rounds
    )


def pull_row(to: Field, mib: int) -> Row:
    size, times = mib * m.MIB, PULL_TIMES[mib]
    layer = m.Layer(to.folder, size)
    shutil.copy(layer.path, to.folder / "nginx" / "files" / f"layer-{mib}")
    turns: dict[str, Turn] = {}
    for registry in to.registries:
        client = registry.client()
        m.push_layer(client, layer)
        turns[registry.name] = partial(m.pulled_per_second, client, f"{m.BLOBS}/{layer.digest}", size, times)
    bare = Client(to.static.port)
    turns["nginx"] = partial(m.pulled_per_second, bare, f"/layer-{mib}", size, times)
    note = "docker-registry without authentication; nginx: a bare file by sendfile"
    return in_turns(Row(f"pull of a {mib} MiB layer", "MiB/s", "docker-registry", "nginx", note), turns, to.rounds)


def push_row(to: Field, mib: int) -> Row:
    m.touch_memory()
    layer = m.Layer(to.folder, mib * m.MIB)
    times = PUSH_TIMES[mib]
    turns: dict[str, Turn] = {
        one.name: partial(m.pushed_per_second, one.client(), layer, times) for one in to.registries
    }
    turns["write+fsync"] = partial(m.written_per_second, to.folder, layer.size, times)
    note = "Moorage's is on disk when it is answered; docker-registry syncs bytes but no directory entries, and has no authentication"
    return in_turns(
        Row(f"push of a {mib} MiB layer", "MiB/s", "docker-registry", "write+fsync", note), turns, to.rounds
    )


def memory_row(to: Field) -> Row:
    layer = m.Layer(to.folder, 4096 * m.MIB, sparse=True)
    row = Row("memory growth while a 4 GiB layer is pushed", "MiB", "docker-registry", lower_is_better=True)
    turns: dict[str, Turn] = {one.name: partial(m.mib_grown_by_push, one, layer) for one in to.registries}
    row.note = (
        "all processes of a server just started, proportional share (PSS); the most seen, less what there was before"
    )
    in_turns(row, turns, 1)
    layer.path.unlink()
    return row


def describe_row(to: Field, moorage: Server | None) -> Row:
    moto = peers.moto(to.folder / "moto").start()
    turns: dict[str, Turn] = {}
    try:
        apis = {"moto": (moto.port, MOTO_KEYS)} | ({"moorage": (moorage.port, moorage.env())} if moorage else {})
        for who, (port, keys) in apis.items():
            api = peers.ecr(port, keys)
            there = len(api.describe_repositories(maxResults=1000)["repositories"])
            for number in range(there, REPOSITORIES):
                api.create_repository(repositoryName=f"bench/describe-{number}")
            requests = m.signed_describes(port, keys, 500)
            turns[who] = partial(m.described_per_second, port, requests, REPOSITORIES)
        note = f"{REPOSITORIES} repositories, one connection; Moorage checks signature and policies, moto neither"
        return in_turns(Row("DescribeRepositories, signed", "1/s", "moto", note=note), turns, to.rounds)
    finally:
        moto.stop()


def start_row(folder: Path, rounds: int, *, with_moorage: bool) -> Row:
    row = Row("start to /readyz, the data folder there already", "s", "docker-registry", lower_is_better=True)
    services: dict[str, peers.Running] = {"docker-registry": peers.docker_registry(folder / "start-peer")}
    if with_moorage:
        services["moorage"] = Server(folder / "start-moorage")
    for service in services.values():
        service.start()
        service.stop()

    def timed(service: peers.Running) -> float:
        spent = m.seconds_to_start(service.start)
        service.stop()
        return spent

    return in_turns(row, {who: partial(timed, one) for who, one in services.items()}, rounds)


def throwaway_rows(folder: Path, rounds: int, *, with_moorage: bool) -> Iterator[Row]:
    """Measure what a test suite pays for a server of its own, with nothing there before."""
    ready = Row("a throw-away server, start to ready", "s", "moto", lower_is_better=True)
    ready.note = "Moorage: with folder, tables, account and key made; moto keeps nothing"
    used = Row("memory of a server that is ready", "MiB", "moto", lower_is_better=True)
    used.note = "all processes of a server, proportional share (PSS)"
    moto = peers.moto(folder / "start-moto")
    turns: dict[str, Callable[[], tuple[float, float]]] = {"moto": partial(m.seconds_and_mib, moto.start, moto.stop)}
    if with_moorage:
        server = ThrowAway()
        turns["moorage"] = partial(m.seconds_and_mib, server.__enter__, server.__exit__)
    for number in range(rounds):
        for who in list(turns) if number % 2 == 0 else reversed(turns):
            os.sync()
            seconds, mib = turns[who]()
            ready.add(who, seconds)
            used.add(who, mib)
    yield from (ready, used)
    if with_moorage:
        command = Row("moorage run -- true, start to end", "s", "", lower_is_better=True)
        yield in_turns(
            command, {"moorage": partial(m.seconds_to_start, partial(run, [moorage(), "run", "true"]))}, rounds
        )


def scale_rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Measure pages of a store of a million images; the peer is one of a thousand."""
    for page in scale.measured(folder, rounds):
        row = Row(f"among 1,000,000 images: {page.what}", "ms", "1,000 images", lower_is_better=True)
        row.figures = {
            "moorage": [1000 * each for each in page.large],
            "1,000 images": [1000 * each for each in page.small],
        }
        yield row


def table(rows: list[Row]) -> Iterator[str]:
    yield "| what | Moorage ÷ peer | Moorage ÷ limit | Moorage | peer | limit | unit | note |"
    yield "|---|--:|--:|--:|--:|--:|---|---|"
    yield from (row.line() for row in rows)


def machine() -> str:
    cpu = next((x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")), ": unknown")
    return (
        f"{os.cpu_count()} cores ({cpu.partition(':')[2].strip()}), Linux {platform.release()}, "
        f"Python {platform.python_version()}; SHA-256 on one core {m.hashed_per_second():,.0f} MiB/s."
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md as well")
    options.add_argument("--peers-only", action="store_true", help="leave Moorage out")
    options.add_argument("--folder", type=Path, help="where the data goes while it runs; needs about 15 GiB")
    asked = options.parse_args()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="moorage-bench-", dir=asked.folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        rows = [
            start_row(folder, asked.rounds, with_moorage=not asked.peers_only),
            *throwaway_rows(folder, asked.rounds, with_moorage=not asked.peers_only),
        ]
        moorage = None
        registries = []
        m.touch_memory()
        if not asked.peers_only:
            moorage = Server(folder / "moorage").start()
            stack.callback(moorage.kill)
            registries.append(peers.logged_in(moorage))
        peer, static = (make(folder / make.__name__) for make in (peers.docker_registry, peers.nginx))
        for service in (peer, static):
            stack.callback(service.stop)
            service.start()
        registries.append(Contestant("docker-registry", peer, {}))
        to = Field(folder, asked.rounds, registries, static)
        rows = [
            manifest_row(to),
            *(pull_row(to, mib) for mib in PULL_TIMES),
            *(push_row(to, mib) for mib in PUSH_TIMES),
            describe_row(to, moorage),
            *rows,
            memory_row(to),
            *([] if asked.peers_only else scale_rows(folder, asked.rounds)),
        ]
    lines = [machine(), "", *table(rows)]
    print("\n".join(lines))
    if asked.write:
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
