"""ECR's rates, where an operator has switched them on, at both doors and as clients meet them."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.clients.people import REGION, admin
from tests.clients.registry import image_manifest
from tests.engines.server import Server
from tests.hostile.inside import CONFIG, LAYER, MANIFEST, Inside
from tests.hostile.place import APP, aws_error, json_headers, oci_error
from tests.hostile.wire import Answer
from tests.server.serving import make_repository, sign_in

MORE_THAN_ANY_SECOND_HOLDS = 1_000


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    made = Inside(tmp_path_factory.mktemp("throttled"), throttle="ecr").fill()
    yield made
    made.close()


def until_refused(ask: Callable[[], Answer], status: int) -> Answer:
    """Ask until the rate is used up; each of these is quickly answered, for it puts what is nowhere."""
    return next(answer for answer in (ask() for _ in range(MORE_THAN_ANY_SECOND_HOLDS)) if answer.status == status)


def put_by_the_api(inside: Inside) -> Answer:
    body = json.dumps({"repositoryName": "never/made", "imageManifest": MANIFEST.decode()}).encode()
    return inside.ask(inside.signed("ecr", json_headers("PutImage"), body))


def put_by_the_registry(inside: Inside) -> Answer:
    return inside.v2("PUT", "/v2/never/made/manifests/v1", MANIFEST)


def test_the_registry_says_when_to_come_again(inside: Inside) -> None:
    refused = until_refused(lambda: put_by_the_registry(inside), 429)

    assert oci_error(refused) == (429, "TOOMANYREQUESTS")
    assert json.loads(refused.body)["errors"][0]["message"] == "Rate exceeded"
    assert refused.headers["retry-after"] == "1"


def test_the_api_refuses_as_ecr_does(inside: Inside) -> None:
    def asked() -> Answer:
        answer = put_by_the_api(inside)
        return Answer(429, answer.headers, answer.body) if b"Throttling" in answer.body else answer

    refused = until_refused(asked, 429)

    assert json.loads(refused.body) == {"__type": "ThrottlingException", "message": "Rate exceeded"}
    assert aws_error(Answer(400, refused.headers, refused.body)) == (400, "ThrottlingException")


def test_what_has_no_rate_is_answered_while_others_are_refused(inside: Inside) -> None:
    until_refused(lambda: put_by_the_registry(inside), 429)

    assert inside.v2("GET", f"/v2/{APP}/tags/list").status == 200
    assert inside.v2("GET", f"/v2/{APP}/manifests/v1").status == 200


def test_nobody_is_refused_for_haste_unless_an_operator_wants_it(tmp_path: Path) -> None:
    usual = Inside(tmp_path / "usual").fill()

    assert {put_by_the_registry(usual).status for _ in range(300)} == {404}
    usual.close()


@pytest.mark.slow
def test_boto3_repeats_what_was_refused_until_it_is_done(start_server: Callable[..., Server]) -> None:
    server = start_server("--throttle", "ecr")
    make_repository(server)
    registry = sign_in(server)
    for blob in (CONFIG, LAYER):
        registry.push_blob(APP, blob)
    ecr = patient_client(server)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: put(ecr, number), range(50)))

    assert sum(answer["ResponseMetadata"]["RetryAttempts"] for answer in answers) > 0
    assert len(ecr.list_images(repositoryName=APP, maxResults=1000)["imageIds"]) == 50


def put(ecr: Any, number: int) -> Any:
    manifest = image_manifest(CONFIG, LAYER, annotations={"number": str(number)}).decode()
    return ecr.put_image(repositoryName=APP, imageManifest=manifest, imageTag=f"v{number}")


def patient_client(server: Server) -> Any:
    person = admin(server)
    return boto3.session.Session().client(
        "ecr",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=person.key_id,
        aws_secret_access_key=person.secret,
        # Its usual three attempts are for a client by itself; here eight share ten puts in a second.
        config=Config(retries={"total_max_attempts": 20, "mode": "standard"}, ignore_configured_endpoint_urls=True),
    )
