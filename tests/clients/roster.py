"""The clients that the tests try: what asks each for its version, and what its user has to know. docs/clients.md is made of it."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tests.engines.programs import CACHE, Missing, found, plain_environment, run

VERSION = re.compile(r"\d+\.\d+[\w.~+-]*")
BUILT = [CACHE / "bin"]
SYSTEM = [Path("/usr/bin")]


@dataclass(frozen=True)
class Client:
    """A client by the name that its tests are marked with."""

    name: str
    ask: Callable[[], str]
    remark: str

    def version(self) -> str:
        """Ask for the version; one that is not there, or says none, has none."""
        try:
            said = VERSION.search(self.ask())
        except (Missing, OSError, metadata.PackageNotFoundError):
            return "missing"
        return said[0] if said else "unknown"


def says(program: str, *words: str, at: Sequence[Path] = ()) -> Callable[[], str]:
    """What a program prints about itself."""

    def ask() -> str:
        told = run([found(program, remedy="make clients", also_in=at), *words], env=plain_environment(), check=False)
        return told.stdout + told.stderr

    return ask


def built(program: str) -> Callable[[], str]:
    """What Go has written into a program: the version of the module that it was built from."""

    def ask() -> str:
        told = says("go", "version", "-m", str(found(program, remedy="make clients", also_in=BUILT)))()
        return next((line for line in told.splitlines() if line.split()[:1] == ["mod"]), "")

    return ask


def sdk_for_go() -> str:
    lines = (CACHE / "aws-sdk-go" / "go.mod").read_text().splitlines()
    return next((line.split("service/ecr v")[1] for line in lines if "service/ecr v" in line), "")


def sdk_for_javascript() -> str:
    package = CACHE / "node" / "node_modules" / "@aws-sdk" / "client-ecr" / "package.json"
    return str(json.loads(package.read_text())["version"])


def in_sdks(package: str) -> Callable[[], str]:
    """The version of a package in the environment of the SDKs."""

    def ask() -> str:
        places = [str(each) for each in (CACHE / "sdks" / "lib").glob("python*/site-packages")]
        return next((each.version for each in metadata.distributions(name=package, path=places)), "")

    return ask


PLAIN = "Without TLS each command wants"
CLIENTS = [
    Client("aws 1", says("aws", "--version", at=[CACHE / "awscli" / "bin"]), "`moorage env` is all that it needs."),
    Client(
        "aws 2",
        says("aws", "--version", at=SYSTEM),
        "`moorage env` is all that it needs from 2.13 on; one before that is told `--endpoint-url` with each command.",
    ),
    Client("boto3", lambda: metadata.version("boto3"), "`moorage env` is all that it needs."),
    Client("aws-sdk-go", sdk_for_go, "AWS's SDK for Go, version 2. `moorage env` is all that it needs."),
    Client(
        "aws-sdk-js", sdk_for_javascript, "AWS's SDK for JavaScript, version 3. `moorage env` is all that it needs."
    ),
    Client("docker", says("docker", "--version", at=SYSTEM), "Speaks plain HTTP to `localhost` of itself."),
    Client(
        "moby",
        built("dockerd"),
        "Docker's engine as it is built today, which keeps images in containerd's store. Speaks plain HTTP to `localhost` of itself.",
    ),
    Client(
        "docker-py",
        in_sdks("docker"),
        "Docker's SDK for Python, with Docker's engine; what it logs in with, the engine uses.",
    ),
    Client("podman", says("podman", "--version", at=SYSTEM), f"{PLAIN} `--tls-verify=false`."),
    Client("buildah", says("buildah", "--version", at=SYSTEM), f"{PLAIN} `--tls-verify=false`."),
    Client("containerd", says("containerd", "--version", at=SYSTEM), "Goes by what its `hosts.toml` says."),
    Client(
        "containerd 2",
        built("containerd"),
        "Fetches the pieces of a layer side by side where `concurrent_layer_fetch_buffer` says so. Goes by what its `hosts.toml` says.",
    ),
    Client(
        "crictl",
        built("crictl"),
        "Asks containerd 2 as kubelet does. The password is given with `--creds`, or held by a header in `hosts.toml`.",
    ),
    Client(
        "buildkit",
        built("buildctl"),
        "Speaks plain HTTP to `localhost` of itself. Like ECR the registry refuses a cache in the old form (`image-manifest=false`).",
    ),
    Client("buildx", built("buildx"), "With buildkit as a remote builder, and with Docker's engine of today."),
    Client(
        "cosign",
        built("cosign"),
        "Speaks plain HTTP to `localhost` of itself. Tried with keys of its own, without a log: signatures as referrers and as tags.",
    ),
    Client(
        "skopeo", says("skopeo", "--version", at=SYSTEM), f"{PLAIN} `--tls-verify=false`, or its `--src` and `--dest`."
    ),
    Client(
        "crane",
        says("crane", "version", at=BUILT),
        "Speaks plain HTTP to `localhost` of itself, else with `--insecure`.",
    ),
    Client("oras", says("oras", "version", at=BUILT), f"{PLAIN} `--plain-http`; `copy` has one for either side."),
    Client("oras-py", in_sdks("oras"), "oras' SDK for Python. Without TLS it is told `insecure=True`."),
    Client(
        "regctl",
        says("regctl", "version", at=BUILT),
        "Without TLS it is told so once: `regctl registry set --skip-check --tls disabled localhost:4510`.",
    ),
    Client("helm", built("helm"), f"{PLAIN} `--plain-http`. Make the repository first: it is named after the chart."),
    Client(
        "docker-credential-ecr-login",
        built("docker-credential-ecr-login"),
        "Works with AWS's host names alone, so the server is told `--domain amazonaws.com`; clients then need "
        "`moorage trust` and `--tls-listen` to get there.",
    ),
    Client(
        "ecr-credential-provider",
        built("ecr-credential-provider"),
        "What kubelet asks for passwords; it is asked here in kubelet's words, no kubelet runs. Works with AWS's host names alone, as the credential helper does; "
        "`AWS_ENDPOINT_URL` goes into `env` of its configuration.",
    ),
    Client(
        "maven",
        says("mvn", "--version"),
        "With Spotify's dockerfile-maven-plugin 1.4.13 and with Jib 3.5.2, under AWS's own host name.",
    ),
    Client(
        "ansible",
        says("ansible", "--version", at=[CACHE / "ansible" / "bin"]),
        "With the module community.aws.ecs_ecr. `moorage env` is all that it needs.",
    ),
    Client(
        "opentofu",
        says("tofu", "version", at=BUILT),
        "With Terraform's own AWS provider, as it was on the way to 6.48; [terraform.md](terraform.md) lists its resources. `moorage env` is all that it needs.",
    ),
]
ROSTER = {each.name: each for each in CLIENTS}
