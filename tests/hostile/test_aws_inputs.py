"""Every operation at the AWS door with its input wrong in one place: the service's own refusal, and nothing done."""

import json
from typing import Any

import pytest

from moorage.web.aws.check import common_words, compile_check, ecr_words
from moorage.web.aws.model import service
from tests.hostile.inputs import ECR, EVERY, GOOD, Wrong, fields, wrongs
from tests.hostile.place import ABSENT, APP, FORM, OTHER_ACCOUNT, Place, aws_error, form, json_headers
from tests.hostile.wire import Answer

VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}
OF_A_REPOSITORY = [
    name for name, document in ECR.items() if "repositoryName" in document and name != "CreateRepository"
]
OF_A_REGISTRY = [name for name in ECR if "registryId" in service("ecr").operation(name).input.members]  # type: ignore[union-attr] # each is one


def ask(place: Place, name: str, operation: str, document: Any) -> Answer:
    if name == "ecr":
        return place.aws(name, json_headers(operation), json.dumps(document).encode())
    return place.aws(name, {"content-type": FORM}, form(operation, fields(document), VERSIONS[name]))


def expected(name: str, kind: str) -> tuple[int, str]:
    if name == "ecr":
        return 400, "SerializationException" if kind == "type" else "InvalidParameterException"
    return 400, "MalformedInput" if kind == "type" else "ValidationError"


@pytest.mark.parametrize(("name", "operation"), EVERY)
def test_the_input_that_the_others_are_made_from_is_good(name: str, operation: str) -> None:
    found = service(name).operation(operation)
    assert found is not None
    words = ecr_words if name == "ecr" else common_words

    assert compile_check(found.input, words)(GOOD[name][operation]) == compile_check(found.input, words)(
        json.loads(json.dumps(GOOD[name][operation]))
    )


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("operation", ECR)
def test_an_operation_of_ecr_refuses_whatever_is_wrong(place: Place, operation: str) -> None:
    unexpected = {
        wrong.what: (error, wrong.kind)
        for wrong in wrongs("ecr", operation)
        if (error := aws_error(ask(place, "ecr", operation, wrong.document))) != expected("ecr", wrong.kind)
    }

    assert unexpected == {}


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("name", "operation"), [each for each in EVERY if each[0] != "ecr"])
def test_an_operation_of_iam_or_sts_refuses_whatever_is_wrong(place: Place, name: str, operation: str) -> None:
    unexpected = {
        wrong.what: (error, wrong.kind)
        for wrong in wrongs(name, operation)
        if tells_apart(name, operation, wrong)
        and (error := aws_error(ask(place, name, operation, wrong.document))) != expected(name, wrong.kind)
    }

    assert unexpected == {}


def tells_apart(name: str, operation: str, wrong: Wrong) -> bool:
    """Tell whether a form can say it at all: in a form everything is a text, the outermost is always a structure, and what is empty is not there."""
    if wrong.what.startswith(" is") or wrong.what.rpartition(" is ")[2] in {"a number", "a text", "true"}:
        return False
    return wrong.kind == "rule" or not fields(wrong.document).items() <= fields(GOOD[name][operation]).items()


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("operation", OF_A_REPOSITORY)
def test_an_absent_repository_is_named_as_such(place: Place, operation: str) -> None:
    document = {key: value for key, value in ECR[operation].items() if key != "nextToken"}

    answer = ask(place, "ecr", operation, {**document, "repositoryName": "never/made"})

    assert aws_error(answer) == (400, "RepositoryNotFoundException")


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("operation", OF_A_REGISTRY)
def test_the_registry_of_another_account_is_closed(place: Place, operation: str) -> None:
    document = {key: value for key, value in ECR[operation].items() if key != "nextToken"}

    answer = ask(place, "ecr", operation, {**document, "registryId": OTHER_ACCOUNT})

    assert aws_error(answer) == (400, "AccessDeniedException")


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "registry",
    [
        "12345678901",
        "1234567890123",
        "12345678901a",
        "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10\uff11\uff12",
        "123456789012\n",
        "",
    ],
)
@pytest.mark.parametrize("operation", OF_A_REGISTRY)
def test_a_registry_that_is_no_account_is_refused(place: Place, operation: str, registry: str) -> None:
    answer = ask(place, "ecr", operation, {**ECR[operation], "registryId": registry})

    assert aws_error(answer) == (400, "InvalidParameterException")


SHA512 = "sha512:" + "0" * 128
BAD_DIGESTS = ["sha256:0", "sha256:" + "A" * 64, SHA512, "md5:0", "sha256", ":", "", "../../etc/passwd", "a" * 5000]

# What is refused after the model has been satisfied: operation, input, code.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("DescribeRepositories", {"nextToken": "rubbish"}, "InvalidParameterException"),
    ("DescribeRepositories", {"nextToken": ""}, "InvalidParameterException"),
    ("DescribeRepositories", {"repositoryNames": [APP], "maxResults": 5}, "InvalidParameterException"),
    ("DescribeRepositories", {"repositoryNames": [APP, "never/made"]}, "RepositoryNotFoundException"),
    ("ListImages", {"repositoryName": APP, "nextToken": "W10="}, "InvalidParameterException"),
    ("DescribeImages", {"repositoryName": APP, "nextToken": "W1tdXQ=="}, "InvalidParameterException"),
    ("DescribeImages", {"repositoryName": APP, "imageIds": [{"imageTag": "gone"}]}, "ImageNotFoundException"),
    ("DescribeImages", {"repositoryName": APP, "imageIds": [{}]}, "InvalidParameterException"),
    ("DescribeImages", {"repositoryName": APP, "imageIds": [{"imageTag": "a/b"}]}, "InvalidParameterException"),
    ("CreateRepository", {"repositoryName": APP}, "RepositoryAlreadyExistsException"),
    ("CreateRepository", {"repositoryName": "n/x", "tags": [{"Key": "aws:a", "Value": ""}]}, "InvalidTagParameterException"),
    ("CreateRepository", {"repositoryName": "n/x", "tags": [{"Key": "a\u202eb", "Value": ""}]}, "InvalidTagParameterException"),
    ("CreateRepository", {"repositoryName": "n/x", "imageTagMutability": "MUTABLE_WITH_EXCLUSION"}, "InvalidParameterException"),
    ("DeleteRepository", {"repositoryName": APP}, "RepositoryNotEmptyException"),
    ("TagResource", {"resourceArn": "arn:aws:s3:::bucket", "tags": []}, "InvalidParameterException"),
    ("TagResource", {"resourceArn": f"arn:aws:ecr:us-east-1:{OTHER_ACCOUNT}:repository/team/app", "tags": []}, "InvalidParameterException"),
    ("ListTagsForResource", {"resourceArn": "arn:aws:ecr:us-east-1:123456789012:repository/../x"}, "InvalidParameterException"),
    ("GetAccountSetting", {"name": "NOTHING"}, "ValidationException"),
    ("PutAccountSetting", {"name": "BLOB_MOUNTING", "value": "PERHAPS"}, "ValidationException"),
    ("UploadLayerPart", {**ECR["UploadLayerPart"], "uploadId": "../../moorage.db"}, "InvalidParameterException"),
    ("UploadLayerPart", ECR["UploadLayerPart"], "UploadNotFoundException"),
    ("CompleteLayerUpload", ECR["CompleteLayerUpload"], "UploadNotFoundException"),
    *[("GetDownloadUrlForLayer", {"repositoryName": APP, "layerDigest": each}, "LayersNotFoundException") for each in (ABSENT, SHA512)],
    *[("PutImage", {"repositoryName": APP, "imageManifest": each}, "InvalidParameterException") for each in ("[]", "{", "1", "{}", "\ufeff{}")],
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("operation", "document", "code"), REFUSED)
def test_what_the_model_allows_and_the_registry_does_not_is_refused(
    place: Place, operation: str, document: dict[str, Any], code: str
) -> None:
    assert aws_error(ask(place, "ecr", operation, document)) == (400, code)


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_a_batch_answers_a_bad_digest_as_a_failure_of_its_own(place: Place, digest: str) -> None:
    ids = [{"imageDigest": digest}, {"imageTag": "v1", "imageDigest": digest}, {"imageTag": "no such/tag"}, {}]

    got = json.loads(ask(place, "ecr", "BatchGetImage", {"repositoryName": APP, "imageIds": ids}).body)
    deleted = json.loads(ask(place, "ecr", "BatchDeleteImage", {"repositoryName": APP, "imageIds": ids}).body)

    assert (got["images"], len(got["failures"])) == ([], len(ids))
    assert (deleted["imageIds"], len(deleted["failures"])) == ([], len(ids))


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("first", "last"), [(27, 29), (29, 31), (0, 2), (28, 27), (28, 31), (28, 29), (2**62, 2**62 + 2)]
)
def test_a_part_that_lies_about_its_place_or_its_length_is_refused_with_where_to_go_on(
    place: Place, first: int, last: int
) -> None:
    part = {"repositoryName": APP, "uploadId": place.upload_id, "layerPartBlob": "YWJj"}

    answer = ask(place, "ecr", "UploadLayerPart", {**part, "partFirstByte": first, "partLastByte": last})

    assert aws_error(answer) == (400, "InvalidLayerPartException")
    assert json.loads(answer.body)["lastValidByteReceived"] == 27


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("digest", [ABSENT, SHA512])
def test_an_upload_is_not_completed_under_a_digest_that_is_not_its_own(place: Place, digest: str) -> None:
    given = {"repositoryName": APP, "uploadId": place.upload_id, "layerDigests": [digest]}

    assert aws_error(ask(place, "ecr", "CompleteLayerUpload", given)) == (400, "InvalidLayerException")
