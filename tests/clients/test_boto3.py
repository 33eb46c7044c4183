"""Amazon's own SDK: layers by the AWS API, downloads, pages, users and keys."""

import hashlib
import json
import random
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.digests import Digest
from moorage.core.downloads import signed_path
from moorage.core.names import AccountId, Region, Registry, RepositoryName
from tests.clients import registry as door
from tests.clients.images import DockerImages, layer_archive
from tests.clients.people import (
    FULL_ACCESS,
    POWER_USER,
    READ_ONLY,
    REGION,
    Person,
    admin,
    client,
    login_password,
    refused,
)
from tests.clients.registry import OCI_MANIFEST, digest_of, image_manifest
from tests.engines.docker import DockerEngine
from tests.engines.server import ACCOUNT, Server

pytestmark = [pytest.mark.slow, pytest.mark.client("boto3")]

MIB = 1024 * 1024
INVALID_TOKEN = ("UnrecognizedClientException", "The security token included in the request is invalid.")

Make = Callable[[str | None], Person]


def upload_layer(ecr: Any, repository: str, *parts: bytes) -> str:
    """Upload a layer in parts as the AWS API has it, and return its digest."""
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    first = 0
    for part in parts:
        last = first + len(part) - 1
        sent = {"partFirstByte": first, "partLastByte": last, "layerPartBlob": part}
        assert ecr.upload_layer_part(repositoryName=repository, uploadId=upload, **sent)["lastByteReceived"] == last
        first = last + 1
    wanted = digest_of(b"".join(parts))
    completed = ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[wanted])
    return str(completed["layerDigest"])


def put_image(ecr: Any, repository: str, tag: str, files: dict[str, bytes], *, part_size: int = 6 * MIB) -> bytes:
    """Push an image through the AWS API alone, and return its layer."""
    layer = layer_archive(files)
    parts = [layer[start : start + part_size] for start in range(0, len(layer), part_size)]
    assert upload_layer(ecr, repository, *parts) == digest_of(layer)
    rootfs = {"type": "layers", "diff_ids": [digest_of(layer)]}
    config = json.dumps(
        {"os": "linux", "architecture": "amd64", "rootfs": rootfs, "config": {"Cmd": ["/none"]}}
    ).encode()
    upload_layer(ecr, repository, config)
    manifest = image_manifest(config, layer).decode()
    ecr.put_image(repositoryName=repository, imageTag=tag, imageManifest=manifest, imageManifestMediaType=OCI_MANIFEST)
    return layer


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


def refused_fetch(url: str) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(url)
    with caught.value as error:
        return error.code, json.loads(error.read())["errors"][0]["code"]


@pytest.fixture
def layer(ecr: Any, repository: str) -> bytes:
    """A layer that this test's repository holds and one of its images refers to."""
    return put_image(ecr, repository, "v1", {"file": b"content"})


# --- layers -----------------------------------------------------------------------------------------------------------


def test_docker_pulls_an_image_that_was_pushed_by_the_aws_api_alone(
    ecr: Any, repository: str, engine: DockerEngine, images: DockerImages, server: Server
) -> None:
    content = random.Random(1).randbytes(7 * MIB - 10_240)  # with the archive's frame, 6 MiB and at most 1 MiB more
    layer = put_image(ecr, repository, "v1", {"file": content})
    name = f"{server.host}/{repository}:v1"

    engine.run("pull", name)

    assert 6 * MIB < len(layer) <= 7 * MIB
    assert images.layers(name) == [digest_of(layer)]
    assert images.files(name) == {"file": content}


def test_a_part_that_does_not_follow_the_one_before_is_refused_with_where_to_go_on(ecr: Any, repository: str) -> None:
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    with pytest.raises(ecr.exceptions.InvalidLayerPartException) as caught:
        ecr.upload_layer_part(
            repositoryName=repository, uploadId=upload, partFirstByte=5, partLastByte=7, layerPartBlob=b"abc"
        )

    assert caught.value.response["Error"]["Message"] == "First byte of the layer part is 5 instead of 0"
    assert caught.value.response["lastValidByteReceived"] == -1


def test_a_layer_whose_digest_is_another_is_refused(ecr: Any, repository: str) -> None:
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=repository, uploadId=upload, partFirstByte=0, partLastByte=2, layerPartBlob=b"abc"
    )

    code, message = refused(
        lambda: ecr.complete_layer_upload(
            repositoryName=repository, uploadId=upload, layerDigests=[digest_of(b"something else")]
        )
    )

    assert code == "InvalidLayerException"
    assert message == "None of the provided layer digests match the calculated layer digest"


def test_a_layer_that_is_there_already_is_said_to_be(ecr: Any, repository: str, layer: bytes) -> None:
    code, _ = refused(lambda: upload_layer(ecr, repository, layer))

    assert code == "LayerAlreadyExistsException"


def test_available_layers_are_told_from_others(ecr: Any, repository: str, layer: bytes) -> None:
    held, missing = digest_of(layer), digest_of(b"never pushed")

    answer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[held, missing, "nonsense"])

    assert {each["layerDigest"]: each["layerAvailability"] for each in answer["layers"]} == {
        held: "AVAILABLE",
        missing: "UNAVAILABLE",
    }
    assert [each["failureCode"] for each in answer["failures"]] == ["InvalidLayerDigest"]


# --- downloads --------------------------------------------------------------------------------------------------------


def test_a_download_url_serves_the_layer_to_whoever_holds_it(ecr: Any, repository: str, layer: bytes) -> None:
    answer = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest_of(layer))

    assert answer["layerDigest"] == digest_of(layer)
    assert hashlib.sha256(fetch(answer["downloadUrl"])).digest() == hashlib.sha256(layer).digest()


def test_a_download_url_that_was_tampered_with_is_refused(ecr: Any, repository: str, layer: bytes) -> None:
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest_of(layer))["downloadUrl"]
    expires = url.partition("expires=")[2].partition("&")[0]

    assert refused_fetch(url.replace(f"expires={expires}", f"expires={int(expires) + 1}")) == (403, "DENIED")
    assert refused_fetch(url.replace(repository, repository[:-1])) == (403, "DENIED")
    assert refused_fetch(url.partition("?")[0]) == (403, "DENIED")


def test_a_download_url_that_has_expired_is_refused(server: Server, repository: str, layer: bytes) -> None:
    database = SqlDatabase(f"sqlite:///{server.data / 'moorage.db'}", connections=1)
    secret = server.signing_key()
    with database.write() as tx:  # a repository that was there when the URLs were signed
        before = {"name": repository}
        tx.connection.execute(text("UPDATE repositories SET created_at = created_at - 7200 WHERE name = :name"), before)
    database.close()
    where = Registry(AccountId(ACCOUNT), Region(REGION))
    named = RepositoryName(repository), Digest(digest_of(layer))

    valid = signed_path(secret, where, *named, datetime.now(UTC) - timedelta(minutes=59))
    expired = signed_path(secret, where, *named, datetime.now(UTC) - timedelta(minutes=61))

    assert fetch(server.url + valid) == layer
    assert refused_fetch(server.url + expired) == (403, "DENIED")


def test_a_layer_that_no_image_refers_to_cannot_be_downloaded(ecr: Any, repository: str) -> None:
    digest = upload_layer(ecr, repository, b"by itself")

    code, _ = refused(lambda: ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest))

    assert code == "LayerInaccessibleException"


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "member", "settings"),
    [
        ("list_images", "imageIds", {}),
        ("describe_images", "imageDetails", {}),
        ("describe_images", "imageDetails", {"filter": {"tagStatus": "TAGGED"}}),
    ],
)
def test_every_image_is_on_exactly_one_page(
    ecr: Any, registry: door.Registry, repository: str, operation: str, member: str, settings: dict[str, Any]
) -> None:
    pushed = sorted(digest_of(registry.push(repository, f"v{number}", seed=f"{number}")) for number in range(7))

    pages = ecr.get_paginator(operation).paginate(
        repositoryName=repository, PaginationConfig={"PageSize": 2}, **settings
    )

    assert sorted(each["imageDigest"] for page in pages for each in page[member]) == pushed


def test_every_repository_is_on_exactly_one_page(ecr: Any, new_repository: Callable[..., str]) -> None:
    made = {new_repository() for _ in range(5)}

    pages = ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2})

    listed = [each["repositoryName"] for page in pages for each in page["repositories"]]
    assert len(listed) == len(set(listed))
    assert made <= set(listed)


def test_the_token_of_one_listing_does_not_open_another(
    ecr: Any, registry: door.Registry, new_repository: Callable[..., str]
) -> None:
    one, other = new_repository(), new_repository()
    for tag in ("v1", "v2"):
        registry.push(one, tag, seed=tag)
    token = ecr.list_images(repositoryName=one, maxResults=1)["nextToken"]

    code, _ = refused(lambda: ecr.list_images(repositoryName=other, nextToken=token))

    assert code == "InvalidParameterException"


def test_every_user_is_on_exactly_one_page(iam: Any, person: Make) -> None:
    made = {person(None).name for _ in range(5)}

    pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2})

    listed = [each["UserName"] for page in pages for each in page["Users"]]
    assert len(listed) == len(set(listed))
    assert made | {"admin"} <= set(listed)


# --- users and keys ---------------------------------------------------------------------------------------------------


def test_whoever_calls_is_who_owns_the_key(server: Server, person: Make) -> None:
    someone = person(None)

    with client(server, "sts", someone) as sts:
        identity = sts.get_caller_identity()

    assert (identity["Arn"], identity["Account"]) == (someone.arn, ACCOUNT)


def test_a_disabled_key_is_refused_at_both_doors_at_once(
    server: Server, iam: Any, person: Make, registry: door.Registry, repository: str
) -> None:
    registry.push(repository, "v1")
    someone = person(POWER_USER)
    with client(server, "ecr", someone) as theirs:
        token = door.Registry(server.port, login_password(theirs))
        token.must(200, "GET", f"/v2/{repository}/manifests/v1")

        iam.update_access_key(UserName=someone.name, AccessKeyId=someone.key_id, Status="Inactive")

        assert refused(theirs.describe_repositories) == INVALID_TOKEN
        denied = token.send("GET", f"/v2/{repository}/manifests/v1")
        assert (denied.status, denied.code) == (403, "DENIED")

        iam.update_access_key(UserName=someone.name, AccessKeyId=someone.key_id, Status="Active")

        assert theirs.describe_repositories()["repositories"]
        token.must(200, "GET", f"/v2/{repository}/manifests/v1")


def test_a_deleted_user_is_refused_at_both_doors_at_once(
    server: Server, iam: Any, person: Make, registry: door.Registry, repository: str
) -> None:
    registry.push(repository, "v1")
    someone = person(POWER_USER)
    with client(server, "ecr", someone) as theirs:
        token = door.Registry(server.port, login_password(theirs))
        token.must(200, "GET", f"/v2/{repository}/manifests/v1")

        iam.detach_user_policy(UserName=someone.name, PolicyArn=POWER_USER)
        iam.delete_access_key(UserName=someone.name, AccessKeyId=someone.key_id)
        iam.delete_user(UserName=someone.name)

        assert refused(theirs.describe_repositories) == INVALID_TOKEN
        denied = token.send("GET", f"/v2/{repository}/manifests/v1")
        assert (denied.status, denied.code) == (403, "DENIED")


def test_a_user_made_anew_under_the_same_name_does_not_inherit_a_token(
    server: Server, iam: Any, person: Make, registry: door.Registry, repository: str
) -> None:
    registry.push(repository, "v1")
    someone = person(POWER_USER)
    with client(server, "ecr", someone) as theirs:
        token = door.Registry(server.port, login_password(theirs))
    iam.detach_user_policy(UserName=someone.name, PolicyArn=POWER_USER)
    iam.delete_access_key(UserName=someone.name, AccessKeyId=someone.key_id)
    iam.delete_user(UserName=someone.name)
    iam.create_user(UserName=someone.name)
    iam.attach_user_policy(UserName=someone.name, PolicyArn=POWER_USER)

    assert token.send("GET", f"/v2/{repository}/manifests/v1").status == 403


def test_a_policy_that_is_taken_away_counts_at_the_next_request(
    server: Server, iam: Any, person: Make, registry: door.Registry, repository: str
) -> None:
    registry.push(repository, "v1")
    someone = person(READ_ONLY)
    with client(server, "ecr", someone) as theirs:
        token = door.Registry(server.port, login_password(theirs))
        token.must(200, "GET", f"/v2/{repository}/manifests/v1")

        iam.detach_user_policy(UserName=someone.name, PolicyArn=READ_ONLY)

        assert refused(theirs.describe_repositories)[0] == "AccessDeniedException"
        assert token.send("GET", f"/v2/{repository}/manifests/v1").status == 403


def test_an_inline_policy_for_one_repository_opens_no_other(
    server: Server, iam: Any, person: Make, registry: door.Registry, new_repository: Callable[..., str]
) -> None:
    mine, other = new_repository(), new_repository()
    for each in (mine, other):
        registry.push(each, "v1")
    someone = person(None)
    statements = [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": "ecr:*", "Resource": f"arn:aws:ecr:*:*:repository/{mine}"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=someone.name, PolicyName="mine", PolicyDocument=document)
    with client(server, "ecr", someone) as theirs:
        token = door.Registry(server.port, login_password(theirs))

    token.must(200, "GET", f"/v2/{mine}/manifests/v1")
    assert token.send("GET", f"/v2/{other}/manifests/v1").status == 403


def test_a_wrong_secret_is_refused(server: Server) -> None:
    real = admin(server)
    forged = Person(real.name, real.arn, real.key_id, "x" * 40)

    with client(server, "ecr", forged) as theirs:
        code, _ = refused(theirs.describe_repositories)

    assert code == "InvalidSignatureException"


def test_full_access_to_the_registry_is_no_access_to_users(server: Server, person: Make) -> None:
    someone = person(FULL_ACCESS)

    with client(server, "iam", someone) as theirs:
        code, _ = refused(theirs.list_users)

    assert code == "AccessDenied"


def test_an_operation_that_is_not_there_yet_says_so(ecr: Any, repository: str) -> None:
    code, message = refused(lambda: ecr.get_lifecycle_policy(repositoryName=repository))

    assert code == "UnknownOperationException"
    assert (
        message == "The operation GetLifecyclePolicy is not implemented in Moorage yet: lifecycle policies come later"
    )


def test_tags_of_a_repository_come_and_go(ecr: Any, new_repository: Callable[..., str]) -> None:
    name = new_repository(tags=[{"Key": "team", "Value": "web"}, {"Key": "stage", "Value": "test"}])
    arn = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"]

    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": uuid.UUID(int=1).hex}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["stage"])

    tags = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"Key": "team", "Value": uuid.UUID(int=1).hex}]
