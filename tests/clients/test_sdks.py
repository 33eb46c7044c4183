"""Programs in Go and in JavaScript that use ECR by AWS's own SDKs: repositories, layers, images, pages and errors."""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.registry import digest_of
from tests.engines.clients import aws_environment
from tests.engines.programs import CACHE, ROOT, found, plain_environment, run
from tests.engines.server import Server

pytestmark = pytest.mark.slow

PROGRAMS = ROOT / "tests" / "clients" / "programs"
GO_MODULE = CACHE / "aws-sdk-go"
NODE_FOLDER = CACHE / "node"


def in_go(folder: Path) -> list[str | Path]:
    """Build the program in a copy of the module that names the SDK; what Go keeps of earlier builds makes it quick."""
    go = found("go", remedy="install Go 1.24 or newer")
    if not (GO_MODULE / "go.sum").exists():
        pytest.fail("the AWS SDK for Go is missing: make slow-tests fetches it", pytrace=False)
    for file in (GO_MODULE / "go.mod", GO_MODULE / "go.sum", PROGRAMS / "ecr.go"):
        shutil.copy(file, folder)
    environment = plain_environment(CGO_ENABLED="0", GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-mod=mod")
    run([go, "build", "-o", "ecr", "."], env=environment, cwd=folder, timeout=300)
    return [folder / "ecr"]


def in_javascript(folder: Path) -> list[str | Path]:
    """Put the program beside the modules that it asks for."""
    node = found("node", remedy="install Node.js 20 or newer")
    if not (NODE_FOLDER / "node_modules" / "@aws-sdk" / "client-ecr").is_dir():
        pytest.fail("the AWS SDK for JavaScript is missing: make slow-tests fetches it", pytrace=False)
    shutil.copy(PROGRAMS / "ecr.mjs", folder)
    (folder / "node_modules").symlink_to(NODE_FOLDER / "node_modules")
    return [node, folder / "ecr.mjs"]


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(in_go, marks=pytest.mark.client("aws-sdk-go"), id="go"),
        pytest.param(in_javascript, marks=pytest.mark.client("aws-sdk-js"), id="javascript"),
    ],
)
def test_a_program_uses_repositories_layers_images_and_their_errors(
    program: Callable[[Path], list[str | Path]], server: Server, tmp_path: Path
) -> None:
    prefix = f"sdk/{uuid.uuid4().hex[:12]}"
    command = [*program(tmp_path), prefix]

    told: dict[str, Any] = json.loads(run(command, env=aws_environment(server), cwd=tmp_path).stdout)

    assert told["Made"].endswith(f"/{prefix}/c")
    assert told["MadeRecently"]
    assert told["Names"] == [f"{prefix}/a", f"{prefix}/b", f"{prefix}/c"]
    assert told["Pages"] >= 3
    assert told["User"] == "AWS"
    assert told["Digest"] == digest_of(told["Manifest"].encode())
    assert told["Failure"] == "ImageNotFound"
    assert told["ExistsAlready"]
    assert told["TagIsTaken"]
    assert told["LayerIsThere"]
    assert told["NotFound"]
    assert f"'{prefix}/a' does not exist" in told["Message"]
