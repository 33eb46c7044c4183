"""A program in JavaScript that uses ECR by AWS's own SDK."""

import json
import uuid
from typing import Any

import pytest

from tests.clients.people import REGION
from tests.clients.registry import digest_of
from tests.engines.clients import aws_environment
from tests.engines.programs import CACHE, ROOT, found, run
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("aws-sdk-js")]

PROGRAM = ROOT / "tests" / "clients" / "programs" / "ecr.mjs"
FOLDER = CACHE / "node"


def test_a_program_in_javascript_uses_repositories_layers_images_and_their_errors(server: Server) -> None:
    node = found("node", remedy="install Node.js 20 or newer")
    if not (FOLDER / "node_modules" / "@aws-sdk" / "client-ecr").is_dir():
        pytest.fail("the AWS SDK for JavaScript is missing: make slow-tests fetches it", pytrace=False)
    prefix = f"js/{uuid.uuid4().hex[:12]}"

    # This SDK knows the region by that name alone.
    environment = {**aws_environment(server), "AWS_REGION": REGION, "NODE_NO_WARNINGS": "1"}

    told: dict[str, Any] = json.loads(run([node, PROGRAM, prefix], env=environment, cwd=FOLDER).stdout)

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
