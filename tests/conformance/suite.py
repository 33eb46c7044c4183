"""The official conformance suite against a real server, and docs/conformance.md from what it found; ``make conformance`` runs this."""

import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path

import click

from tests.clients.people import admin, client, login_password
from tests.engines.programs import CACHE, ROOT, Missing, found, plain_environment, run
from tests.engines.server import Server

PAGE = ROOT / "docs" / "conformance.md"
RESULTS = ROOT / "build" / "conformance"
REPOSITORIES = ("conformance/one", "conformance/two")
MINUTES = 10


@dataclass(frozen=True)
class Configuration:
    """One run: what the suite is told, and what the server is."""

    name: str
    suite: Mapping[str, str]
    server: Sequence[str]
    remark: str


CONFIGURATIONS = (
    Configuration(
        "1.1",
        {"OCI_VERSION": "1.1"},
        (),
        "the specification's last release, with the suite's defaults, which leave out the cancelling of an upload",
    ),
    Configuration(
        "everything",
        {"OCI_VERSION": "dev", "OCI_DATA_SPARSE": "true"},
        ("--sparse-manifests",),
        "the specification to come, with all that the suite can ask; the server takes sparse manifests, which ECR refuses",
    ),
)

INTRODUCTION = """\
# Conformance

The conformance suite of the OCI distribution specification, run against a real server. `make conformance` builds it, runs it twice and
writes this page; it fails where a check is failed or skipped. What the suite wrote is then in `build/conformance/`.
"""
MOUNTING = """\
In both runs the account has switched mounting on (`aws ecr put-account-setting --name BLOB_MOUNTING --value ENABLED`), which is off
at first, as in ECR."""


@dataclass(frozen=True)
class Outcome:
    """What the suite found: how many checks came out how, and the worst that any check of an API or a kind of data came to."""

    counts: Mapping[str, int]
    apis: Mapping[str, str]
    data: Mapping[str, str]

    @property
    def asked(self) -> int:
        """How many checks there were, without those that were left out."""
        return sum(self.counts.values()) - self.counts["Disabled"]

    @property
    def perfect(self) -> bool:
        """Say whether something was asked, and all that was asked is passed."""
        return self.counts["Pass"] == self.asked > 0


def read(output: str, results: str) -> Outcome:
    """Return the outcome from what the suite printed and from its ``results.yaml``."""
    summary = output.partition("OCI Conformance Result:")[2].partition("Total")[0]
    counts = {name: int(number) for name, number in re.findall(r"(?m)^  (\w+)\.+: +(\d+)$", summary)}
    sections = {
        name: dict(re.findall(r"(?m)^  ([\w -]+): (\w+)$", body))
        for name, body in re.findall(r"(?ms)^(apis|data):\n(.*?)(?=^\w|\Z)", results)
    }
    return Outcome(counts, sections["apis"], sections["data"])


def page(outcomes: Mapping[str, Outcome], day: date, moorage: str, suite: str) -> str:
    """Return the page: the counts of each run, then every API and every kind of data."""
    lines = [
        INTRODUCTION,
        f"Run on {day.isoformat()} with Moorage {moorage} and `{suite}`.",
        "",
        "| run | checks | passed | failed | skipped | left out |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, outcome in outcomes.items():
        counts = outcome.counts
        failed = counts["FAIL"] + counts["Error"]
        numbers = (outcome.asked, counts["Pass"], failed, counts["Skip"], counts["Disabled"])
        lines.append(f"| {name} | " + " | ".join(f"{number:,}" for number in numbers) + " |")
    for each in CONFIGURATIONS:
        told = " ".join(f"{name}={value}" for name, value in each.suite.items())
        lines += ["", f"**{each.name}** (`{told}`): {each.remark}."]
    lines += ["", MOUNTING]
    for title, part in (("API", "apis"), ("data", "data")):
        lines += ["", f"| {title} | " + " | ".join(outcomes) + " |", "|---|" + "---|" * len(outcomes)]
        of = [getattr(outcome, part) for outcome in outcomes.values()]
        lines += [f"| {name} | " + " | ".join(_said(each.get(name)) for each in of) + " |" for name in sorted(of[-1])]
    return "\n".join([*lines, ""])


def _said(status: str | None) -> str:
    return {"Pass": "passed", "Disabled": "left out", None: "left out"}.get(status) or str(status).lower()


def sentence(text: str) -> str:
    """Return what README says, from the page."""
    rows = re.findall(r"(?m)^\| (1\.1|everything) \| ([\d,]+) \| ([\d,]+) \|", text)
    (_, asked, passed), (_, most, passed_of_most) = rows
    return (
        "The [conformance suite](docs/conformance.md) of the OCI distribution specification: "
        f"{passed} of {asked} checks of version 1.1 passed, and {passed_of_most} of {most} with everything switched on."
    )


def line() -> str:
    """Return what stands between README's markers."""
    return sentence(PAGE.read_text())


def try_it(suite: Path, configuration: Configuration) -> Outcome:
    """Run the suite with a server of its own, which is gone afterwards."""
    results = RESULTS / configuration.name
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="moorage-conformance-") as folder:
        server = Server(Path(folder), *configuration.server).start()
        try:
            ran = run([suite], env=_environment(server, configuration), cwd=results, check=False, timeout=60 * MINUTES)
        finally:
            server.kill()
    (results / "output.txt").write_text(ran.stdout + ran.stderr)
    return read(ran.stdout, (results / "results.yaml").read_text())


def _environment(server: Server, configuration: Configuration) -> dict[str, str]:
    with client(server, "ecr", admin(server)) as ecr:
        for name in REPOSITORIES:
            ecr.create_repository(repositoryName=name)
        ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
        password = login_password(ecr)
    return plain_environment(
        OCI_REGISTRY=server.host,
        OCI_TLS="disabled",
        OCI_USERNAME="AWS",
        OCI_PASSWORD=password,
        OCI_REPO1=REPOSITORIES[0],
        OCI_REPO2=REPOSITORIES[1],
        OCI_RESULTS_DIR=".",
        **configuration.suite,
    )


def main(module: str) -> int:
    """Run every configuration, write the page, and return an exit status."""
    try:
        suite = found("conformance", remedy="it is built with Go 1.26 or newer", also_in=[CACHE / "bin"])
    except Missing as missing:
        click.echo(missing, err=True)
        return 1
    outcomes = {each.name: try_it(suite, each) for each in CONFIGURATIONS}
    PAGE.write_text(page(outcomes, datetime.now(UTC).date(), metadata.version("moorage"), module))
    for name, outcome in outcomes.items():
        report = (RESULTS / name / "report.html").relative_to(ROOT)
        click.echo(f"{name}: {outcome.counts['Pass']} of {outcome.asked} checks passed; see {report}")
    return 0 if all(outcome.perfect for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
