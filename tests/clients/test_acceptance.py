"""What Amazon ECR was seen to answer, in the words and figures of its API Reference, its User Guide and recorded traffic.

Where the registry API of ECR and the OCI distribution specification disagree, Moorage follows the specification; the tests
that differ for that reason say so.
"""

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moorage.core import tokens
from moorage.core.calls import Caller
from moorage.core.names import AccountId, Region
from tests.clients.images import DockerImages
from tests.clients.people import READ_ONLY, REGION, Person, client, login_password, refused
from tests.clients.registry import OCI_INDEX, OCI_MANIFEST, Registry, Reply, digest_of, image_manifest, index_manifest
from tests.engines.docker import DockerEngine
from tests.engines.server import ACCOUNT, Server

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
NAME_RULE = (
    "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression "
    r"'[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''"
)
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"

Make = Callable[..., str]


def error_of(reply: Reply) -> tuple[int, str, str]:
    return reply.status, reply.code, reply.message


def tags_of(ecr: Any, repository: str) -> list[str]:
    listed = ecr.list_images(repositoryName=repository)["imageIds"]
    return sorted(each.get("imageTag", "") for each in listed)


def put(ecr: Any, repository: str, tag: str | None, manifest: bytes) -> Any:
    given = {"imageTag": tag} if tag else {}
    return ecr.put_image(repositoryName=repository, imageManifest=manifest.decode(), **given)["image"]


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_the_user_aws_and_a_password_without_a_colon_for_twelve_hours(ecr: Any) -> None:
    before = datetime.now(UTC)
    (data,) = ecr.get_authorization_token()["authorizationData"]
    after = datetime.now(UTC)

    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    assert re.fullmatch("[A-Za-z0-9+/=]+", password)
    slack, life = timedelta(seconds=5), timedelta(hours=12)
    assert before + life - slack <= data["expiresAt"] <= after + life + slack


def test_the_registry_challenges_whoever_brings_no_password(server: Server) -> None:
    bare = Registry(server.port, None).send("GET", "/v2/", Host=server.host)

    assert bare.status == 401
    assert bare.headers["www-authenticate"] == f'Basic realm="http://{server.host}/",service="ecr.amazonaws.com"'
    assert bare.headers["docker-distribution-api-version"] == "registry/2.0"
    assert bare.headers["content-type"] == "text/plain; charset=utf-8"
    assert bare.body == b"Not Authorized\n"


def test_the_registry_lets_a_token_in_with_an_empty_body(registry: Registry) -> None:
    reply = registry.must(200, "GET", "/v2/")

    assert reply.body == b""
    assert reply.headers["docker-distribution-api-version"] == "registry/2.0"


def test_an_expired_token_is_denied_without_a_challenge(server: Server, iam: Any, root: Person) -> None:
    user = iam.get_user(UserName=root.name)["User"]
    caller = Caller(
        user["Arn"], AccountId(ACCOUNT), user_id=user["UserId"], user_name=root.name, access_key_id=root.key_id
    )
    earlier = datetime.now(UTC) - timedelta(hours=13)
    password, _ = tokens.issue(server.signing_key(), caller, Region(REGION), earlier)

    reply = Registry(server.port, password).send("GET", "/v2/")

    assert error_of(reply) == (
        403,
        "DENIED",
        "Your authorization token has expired. Reauthenticate and try again.",
    )
    assert "www-authenticate" not in reply.headers


# --- repositories -----------------------------------------------------------------------------------------------------


def test_a_repository_is_made_once(ecr: Any, repository: str) -> None:
    assert refused(lambda: ecr.create_repository(repositoryName=repository)) == (
        "RepositoryAlreadyExistsException",
        f"The repository with name '{repository}' already exists in the registry with id '{ACCOUNT}'",
    )


@pytest.mark.parametrize("suffix", ["A/b", "a//b", "a..b", "a_-b", "a/", "-a", "a___b"])
def test_a_repository_name_that_breaks_the_rule_is_refused_with_the_rule(ecr: Any, suffix: str) -> None:
    # All begin alike, so that a name that was let in by mistake would meet no other test's.
    code, message = refused(lambda: ecr.create_repository(repositoryName=f"names/{suffix}"))

    assert (code, message) == ("InvalidParameterException", NAME_RULE)


def test_a_repository_name_of_one_character_is_refused_with_the_length(ecr: Any) -> None:
    code, message = refused(lambda: ecr.create_repository(repositoryName="a"))

    assert code == "InvalidParameterException"
    assert message == (
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must have length greater than or equal to 2'"
    )


@pytest.mark.parametrize("name", ["a--b", "a__b", "1a", "a/b/c"])
def test_an_unusual_repository_name_within_the_rule_is_taken(ecr: Any, name: str) -> None:
    made = ecr.create_repository(repositoryName=name)["repository"]

    assert made["repositoryName"] == name


def test_describing_a_missing_repository_beside_another_describes_neither(ecr: Any, repository: str) -> None:
    assert refused(lambda: ecr.describe_repositories(repositoryNames=[repository, "never/made"])) == (
        "RepositoryNotFoundException",
        f"The repository with name 'never/made' does not exist in the registry with id '{ACCOUNT}'",
    )


def test_a_repository_with_an_image_is_deleted_by_force_only(ecr: Any, registry: Registry, repository: str) -> None:
    registry.push(repository, "v1")
    assert refused(lambda: ecr.delete_repository(repositoryName=repository)) == (
        "RepositoryNotEmptyException",
        (
            f"The repository with name '{repository}' in registry with id '{ACCOUNT}' "
            "cannot be deleted because it still contains images"
        ),
    )

    deleted = ecr.delete_repository(repositoryName=repository, force=True)["repository"]

    assert deleted["repositoryName"] == repository
    assert refused(lambda: ecr.describe_repositories(repositoryNames=[repository]))[0] == "RepositoryNotFoundException"


def test_a_repository_has_fifty_tags_at_most(ecr: Any, repository: str) -> None:
    arn = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryArn"]
    tags = [{"Key": f"key-{number}", "Value": "value"} for number in range(51)]

    code, _ = refused(lambda: ecr.tag_resource(resourceArn=arn, tags=tags))
    ecr.tag_resource(resourceArn=arn, tags=tags[:50])

    assert code == "TooManyTagsException"
    assert len(ecr.list_tags_for_resource(resourceArn=arn)["tags"]) == 50


def test_a_repository_that_would_have_too_many_tags_is_not_made(ecr: Any) -> None:
    tags = [{"Key": f"key-{number}", "Value": "value"} for number in range(51)]

    code, _ = refused(lambda: ecr.create_repository(repositoryName="tagged/too-often", tags=tags))

    assert code == "TooManyTagsException"
    assert (
        refused(lambda: ecr.describe_repositories(repositoryNames=["tagged/too-often"]))[0]
        == "RepositoryNotFoundException"
    )


def test_a_missing_repository_cannot_be_tagged(ecr: Any) -> None:
    arn = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/never/made"

    code, _ = refused(lambda: ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "b"}]))

    assert code == "RepositoryNotFoundException"


def test_a_repository_has_no_policy_of_its_own(ecr: Any, repository: str) -> None:
    assert refused(lambda: ecr.get_repository_policy(repositoryName=repository)) == (
        "RepositoryPolicyNotFoundException",
        f"Repository policy does not exist for the repository with name '{repository}' in the registry with id '{ACCOUNT}'",
    )


def test_a_repository_policy_is_shown_as_ecr_prints_it_to_the_byte(ecr: Any, repository: str) -> None:
    compact = (
        '{"Statement":[{"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow","Principal":"*",'
        '"Sid":"PublicRead"}],"Version":"2012-10-17"}'
    )
    pretty = (
        '{\n  "Version" : "2012-10-17",\n  "Statement" : [ {\n    "Sid" : "PublicRead",\n    "Effect" : "Allow",\n'
        '    "Principal" : "*",\n    "Action" : [ "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer" ]\n  } ]\n}'
    )
    of_this = {"repositoryName": repository}

    assert ecr.set_repository_policy(**of_this, policyText=compact)["policyText"] == pretty
    assert ecr.get_repository_policy(**of_this)["policyText"] == pretty
    assert ecr.delete_repository_policy(**of_this)["policyText"] == pretty


def test_an_account_in_a_repository_policy_is_shown_as_its_root(ecr: Any, repository: str) -> None:
    compact = (
        '{"Version":"2012-10-17","Statement":[{"Sid":"a b","Effect":"Allow","Principal":{"AWS":"444455556666"},'
        '"Action":"ecr:BatchGetImage","Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}]}'
    )
    pretty = (
        '{\n  "Version" : "2012-10-17",\n  "Statement" : [ {\n    "Sid" : "a b",\n    "Effect" : "Allow",\n'
        '    "Principal" : {\n      "AWS" : "arn:aws:iam::444455556666:root"\n    },\n'
        '    "Action" : "ecr:BatchGetImage",\n    "Condition" : {\n      "StringEquals" : {\n'
        '        "aws:PrincipalTag/team" : "a"\n      }\n    }\n  } ]\n}'
    )

    ecr.set_repository_policy(repositoryName=repository, policyText=compact)

    assert ecr.get_repository_policy(repositoryName=repository)["policyText"] == pretty


# --- images -----------------------------------------------------------------------------------------------------------


def test_an_image_with_three_tags_is_got_three_times_by_its_digest(
    ecr: Any, engine: DockerEngine, images: DockerImages, server: Server, repository: str
) -> None:
    images.build(f"{server.host}/{repository}:one", {"file": b"content"})
    engine.run("push", f"{server.host}/{repository}:one")
    (first,) = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "one"}])["images"]
    for tag in ("two", "three"):
        put(ecr, repository, tag, first["imageManifest"].encode())

    got = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": first["imageId"]["imageDigest"]}])[
        "images"
    ]

    assert sorted(each["imageId"]["imageTag"] for each in got) == ["one", "three", "two"]
    assert {each["imageManifest"] for each in got} == {first["imageManifest"]}


def test_putting_an_image_again_is_refused_by_the_api_and_taken_by_the_registry(
    ecr: Any, registry: Registry, repository: str
) -> None:
    manifest = registry.push(repository, "v1")
    digest = digest_of(manifest)

    assert refused(lambda: put(ecr, repository, "v1", manifest)) == (
        "ImageAlreadyExistsException",
        (
            f"Image with digest '{digest}' and tag 'v1' already exists "
            f"in the repository with name '{repository}' in registry with id '{ACCOUNT}'"
        ),
    )
    again = registry.put_manifest(repository, "v1", manifest)
    assert (again.status, again.headers["docker-content-digest"]) == (201, digest)
    # The specification's Location, which ECR leaves out.
    assert again.headers["location"] == f"/v2/{repository}/manifests/{digest}"


def test_an_immutable_tag_is_kept_until_it_is_deleted(ecr: Any, registry: Registry, new_repository: Make) -> None:
    repository = new_repository(imageTagMutability="IMMUTABLE")
    registry.push(repository, "v1", seed="first")
    second = registry.push_parts(repository, "second")
    sentence = (
        f"The image tag 'v1' already exists in the '{repository}' repository "
        "and cannot be overwritten because the repository is immutable."
    )

    assert refused(lambda: put(ecr, repository, "v1", second)) == ("ImageTagAlreadyExistsException", sentence)
    assert error_of(registry.put_manifest(repository, "v1", second)) == (400, "TAG_INVALID", sentence)

    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])

    assert registry.put_manifest(repository, "v1", second).status == 201


def test_tags_that_are_excluded_from_immutability_move(ecr: Any, registry: Registry, new_repository: Make) -> None:
    repository = new_repository(
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": each} for each in ("latest", "dev-*")],
    )
    moved = registry.push_parts(repository, "moved")
    for tag in ("latest", "dev-1", "1.0"):
        registry.push(repository, tag, seed="first")

    assert registry.put_manifest(repository, "latest", moved).status == 201
    assert put(ecr, repository, "dev-1", moved)["imageId"]["imageTag"] == "dev-1"
    assert registry.put_manifest(repository, "1.0", moved).code == "TAG_INVALID"


def test_an_index_of_a_missing_image_is_refused_with_its_digest(ecr: Any, registry: Registry, repository: str) -> None:
    missing = image_manifest(b"{}", b"never pushed")
    index = index_manifest(registry.push(repository, "there"), missing)
    sentence = (
        f"Images with digests '[{digest_of(missing)}]' required for pushing image into repository "
        f"with name '{repository}' in the registry with id '{ACCOUNT}' do not exist"
    )

    assert refused(lambda: put(ecr, repository, "many", index)) == ("ReferencedImagesNotFoundException", sentence)
    assert error_of(registry.put_manifest(repository, "many", index, OCI_INDEX)) == (
        400,
        "MANIFEST_BLOB_UNKNOWN",
        sentence,
    )


def test_deleting_one_tag_of_two_keeps_the_image(ecr: Any, registry: Registry, repository: str) -> None:
    manifest = registry.push(repository, "one")
    put(ecr, repository, "two", manifest)

    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "one"}])

    assert answer["imageIds"] == [{"imageDigest": digest_of(manifest), "imageTag": "one"}]
    assert tags_of(ecr, repository) == ["two"]


def test_deleting_the_last_tag_deletes_the_image(ecr: Any, registry: Registry, repository: str) -> None:
    manifest = registry.push(repository, "one")

    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "one"}])

    assert answer["imageIds"] == [{"imageDigest": digest_of(manifest), "imageTag": "one"}]
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_an_image_of_an_index_cannot_be_deleted(ecr: Any, registry: Registry, repository: str) -> None:
    child = registry.push(repository, "child")
    index = index_manifest(child)
    assert registry.put_manifest(repository, "many", index, OCI_INDEX).status == 201

    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest_of(child)}])

    assert answer["imageIds"] == []
    assert answer["failures"] == [
        {
            "imageId": {"imageDigest": digest_of(child)},
            "failureCode": "ImageReferencedByManifestList",
            "failureReason": f"Requested image referenced by manifest list: [{digest_of(index)}]",
        }
    ]
    assert tags_of(ecr, repository) == ["child", "many"]


def test_an_image_id_without_tag_and_digest_is_a_failure_of_its_own(ecr: Any, repository: str) -> None:
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{}])

    assert answer["failures"] == [
        {
            "imageId": {},
            "failureCode": "MissingDigestAndTag",
            "failureReason": "Invalid request parameters: both tag and digest cannot be null",
        }
    ]


def test_describing_an_unknown_tag_names_it(ecr: Any, repository: str) -> None:
    assert refused(lambda: ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "x"}])) == (
        "ImageNotFoundException",
        (
            "The image with imageId {imageDigest:'null', imageTag:'x'} does not exist "
            f"within the repository with name '{repository}' in the registry with id '{ACCOUNT}'"
        ),
    )


def test_tags_are_listed_in_pages_that_the_link_connects(registry: Registry, repository: str) -> None:
    manifest = registry.push(repository, "a")
    for tag in "edcb":
        registry.put_manifest(repository, tag, manifest)
    pages, path = [], f"/v2/{repository}/tags/list?n=2"

    while path:
        reply = registry.must(200, "GET", path)
        pages.append(json.loads(reply.body))
        path = reply.headers.get("link", "<>").partition("<")[2].partition(">")[0]

    # As the specification has it: in lexical order, `last` the name of a tag, the link relative. ECR's token is opaque.
    assert pages == [{"name": repository, "tags": tags} for tags in (["a", "b"], ["c", "d"], ["e"])]
    first = registry.must(200, "GET", f"/v2/{repository}/tags/list?n=2")
    assert first.headers["link"] == f'</v2/{repository}/tags/list?n=2&last=b>; rel="next"'


def test_a_page_of_tags_has_a_thousand_at_most(registry: Registry, repository: str) -> None:
    assert error_of(registry.send("GET", f"/v2/{repository}/tags/list?n=1001")) == (
        405,
        "UNSUPPORTED",
        (
            "Invalid parameter at 'maxResults' failed to satisfy constraint: "
            "'Member must have value less than or equal to 1000'"
        ),
    )


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_a_blob_arrives_in_chunks(registry: Registry, repository: str) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate([10 * MIB, 10 * MIB, 10 * MIB, 5 * MIB])]
    location, start = registry.start_upload(repository), 0
    for chunk in chunks:
        end = start + len(chunk) - 1
        # 202 and a Range that advances, as the specification has them; ECR answers 201 and its Range stands still.
        reply = registry.must(202, "PATCH", location, chunk, Content_Range=f"{start}-{end}")
        assert reply.headers["range"] == f"0-{end}"
        location, start = reply.headers["location"], end + 1
    digest = digest_of(b"".join(chunks))

    reply = registry.must(201, "PUT", f"{location}?digest={digest}")

    assert reply.headers["docker-content-digest"] == digest
    assert digest_of(registry.must(200, "GET", f"/v2/{repository}/blobs/{digest}").body) == digest


def test_a_chunk_that_does_not_follow_the_one_before_is_refused_with_where_to_go_on(
    registry: Registry, repository: str
) -> None:
    location = registry.start_upload(repository)
    registry.must(202, "PATCH", location, b"0123456789", Content_Range="0-9")

    assert error_of(registry.send("PATCH", location, b"0123456789", Content_Range="11-20")) == (
        416,
        "BLOB_UPLOAD_INVALID",
        "First byte of the layer part is 11 instead of 10",
    )
    registry.must(202, "PATCH", location, b"0123456789", Content_Range="10-19")


def test_a_blob_of_no_bytes_is_taken(registry: Registry, repository: str) -> None:
    # The specification has no such exception; ECR refuses them.
    digest = registry.push_blob(repository, b"")

    assert registry.must(200, "GET", f"/v2/{repository}/blobs/{digest}").body == b""


@pytest.mark.parametrize(("sizes", "outcome"), [([6, 1], "complete"), ([1, 1], "LayerPartTooSmallException")])
def test_every_part_but_the_last_has_five_mebibytes(ecr: Any, repository: str, sizes: list[int], outcome: str) -> None:
    started = ecr.initiate_layer_upload(repositoryName=repository)
    assert started["partSize"] == 10 * MIB
    content = b""
    for number, size in enumerate(sizes):
        part = bytes([number]) * size * MIB
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=started["uploadId"],
            partFirstByte=len(content),
            partLastByte=len(content) + len(part) - 1,
            layerPartBlob=part,
        )
        content += part
    digest = digest_of(content)

    def complete() -> Any:
        return ecr.complete_layer_upload(repositoryName=repository, uploadId=started["uploadId"], layerDigests=[digest])

    if outcome == "complete":
        assert complete()["layerDigest"] == digest
    else:
        assert refused(complete) == (outcome, "All layer parts except the last part should be at least 5MB")


# --- mounting ---------------------------------------------------------------------------------------------------------


def mount(registry: Registry, target: str, source: str, digest: str) -> int:
    return registry.send("POST", f"/v2/{target}/blobs/uploads/?mount={digest}&from={source}").status


def test_a_blob_is_mounted_only_where_the_account_has_switched_that_on(
    ecr: Any, registry: Registry, new_repository: Make
) -> None:
    source, target = new_repository(), new_repository()
    registry.push(source, "v1", seed="mounted")
    referenced = digest_of(b"layer of mounted")
    alone = registry.push_blob(source, b"no image refers to this")
    nowhere = digest_of(b"never pushed")
    assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"

    while_off = mount(registry, target, source, referenced)
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    try:
        missing = mount(registry, target, source, nowhere)
        unreferenced = mount(registry, target, source, alone)
        mounted = mount(registry, target, source, referenced)
    finally:
        ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")

    assert (while_off, missing, unreferenced, mounted) == (202, 202, 201, 201)
    assert registry.must(200, "GET", f"/v2/{target}/blobs/{referenced}").body == b"layer of mounted"


# --- permissions ------------------------------------------------------------------------------------------------------


def test_whoever_may_not_put_images_is_told_so_at_both_doors(
    server: Server, registry: Registry, repository: str, person: Callable[[str | None], Person]
) -> None:
    manifest = registry.push(repository, "v1")
    reader = person(READ_ONLY)
    sentence = (
        f"User: {reader.arn} is not authorized to perform: ecr:PutImage "
        f"on resource: arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository} "
        "because no identity-based policy allows the ecr:PutImage action"
    )
    with client(server, "ecr", reader) as theirs:
        denied = Registry(server.port, login_password(theirs)).put_manifest(repository, "v2", manifest)

        assert refused(lambda: put(theirs, repository, "v2", manifest)) == ("AccessDeniedException", sentence)
    assert error_of(denied) == (403, "DENIED", sentence)


# --- Helm -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def chart(registry: Registry, repository: str) -> bytes:
    """The manifest of a Helm chart that was pushed as Helm does it: without a media type of its own."""
    typed = json.loads(registry.push_parts(repository, "chart", config_type=HELM_CONFIG))
    manifest = json.dumps({name: value for name, value in typed.items() if name != "mediaType"}).encode()
    assert registry.put_manifest(repository, "1.0.0", manifest).status == 201
    return manifest


def test_a_helm_chart_is_pulled_as_it_was_pushed(chart: bytes, ecr: Any, registry: Registry, repository: str) -> None:
    pulled = registry.must(200, "GET", f"/v2/{repository}/manifests/1.0.0")
    (image,) = ecr.describe_images(repositoryName=repository)["imageDetails"]

    assert (pulled.body, pulled.headers["content-type"]) == (chart, OCI_MANIFEST)
    assert image["artifactMediaType"] == HELM_CONFIG


def test_a_helm_chart_is_retagged_with_its_media_type(chart: bytes, ecr: Any, repository: str) -> None:
    (got,) = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "1.0.0"}])["images"]

    retagged = ecr.put_image(
        repositoryName=repository,
        imageTag="stable",
        imageManifest=got["imageManifest"],
        imageManifestMediaType=got["imageManifestMediaType"],
    )["image"]

    assert retagged["imageId"] == {"imageDigest": digest_of(chart), "imageTag": "stable"}


def test_a_helm_chart_is_not_retagged_without_its_media_type(chart: bytes, ecr: Any, repository: str) -> None:
    (got,) = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "1.0.0"}])["images"]

    assert refused(lambda: put(ecr, repository, "stable", got["imageManifest"].encode())) == (
        "InvalidParameterException",
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
    )
