"""A program in Go that uses ECR by AWS's own SDK."""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.clients.registry import digest_of
from tests.engines.clients import aws_environment
from tests.engines.programs import CACHE, ROOT, found, plain_environment, run
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("aws-sdk-go")]

PROGRAM = ROOT / "tests" / "clients" / "programs" / "ecr.go"
MODULE = CACHE / "aws-sdk-go"


def build(folder: Path) -> Path:
    """Build the program in a copy of the module that names the SDK; what Go keeps of earlier builds makes it quick."""
    go = found("go", remedy="install Go 1.24 or newer")
    if not (MODULE / "go.sum").exists():
        pytest.fail("the AWS SDK for Go is missing: make slow-tests fetches it", pytrace=False)
    for name in ("go.mod", "go.sum"):
        shutil.copy(MODULE / name, folder)
    shutil.copy(PROGRAM, folder)
    environment = plain_environment(CGO_ENABLED="0", GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-mod=mod")
    run([go, "build", "-o", "ecr", "."], env=environment, cwd=folder, timeout=300)
    return folder / "ecr"


def test_a_program_in_go_uses_repositories_layers_images_and_their_errors(server: Server, tmp_path: Path) -> None:
    prefix = f"go/{uuid.uuid4().hex[:12]}"

    told: dict[str, Any] = json.loads(run([build(tmp_path), prefix], env=aws_environment(server)).stdout)

    assert told["Made"].endswith(f"/{prefix}/c")
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
