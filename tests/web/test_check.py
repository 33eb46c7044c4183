import re
import time
from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.errors import IdentityInvalid, InvalidParameter
from moorage.core.names import REPOSITORY_PATTERN
from moorage.web.aws.check import _ENUMS, _matcher, common_words, compile_check, ecr_words
from moorage.web.aws.errors import Malformed
from moorage.web.aws.model import SERVICES, service

UPLOAD = "6f1c2b1e-0000-4000-8000-000000000001"
ECR = sorted(service("ecr").operations)


def check(operation: str, document: Any, name: str = "ecr") -> dict[str, Any]:
    found = service(name).operation(operation)
    assert found is not None
    return compile_check(found.input, ecr_words if name == "ecr" else common_words)(document)


def refusal(operation: str, document: Any) -> str:
    with pytest.raises(InvalidParameter) as refused:
        check(operation, document)
    return str(refused.value)


def test_unknown_members_are_ignored() -> None:
    assert check("DeleteRepository", {"repositoryName": "app", "colour": {"deep": [1]}}) == {"repositoryName": "app"}


def test_null_is_as_good_as_absent() -> None:
    assert check("DescribeRepositories", {"registryId": None}) == {}


def test_a_missing_required_member_is_named() -> None:
    assert refusal("CreateRepository", {}) == (
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must not be null'"
    )


def test_a_blob_arrives_as_its_bytes() -> None:
    part = {"repositoryName": "app", "uploadId": UPLOAD, "partFirstByte": 0, "partLastByte": 2}

    assert (
        check("UploadLayerPart", {**part, "layerPartBlob": b64encode(b"\0\xff!").decode()})["layerPartBlob"]
        == b"\0\xff!"
    )


@pytest.mark.parametrize("text", ["A", "A===", "a b=", "YQ=", "YQ==YQ==", "é", "YQ==\n", "\ud83d\ude00"])
def test_what_is_not_base64_is_malformed(text: str) -> None:
    part = {"repositoryName": "app", "uploadId": UPLOAD, "partFirstByte": 0, "partLastByte": 2}

    with pytest.raises(Malformed):
        check("UploadLayerPart", {**part, "layerPartBlob": text})


def test_a_blob_is_measured_after_decoding() -> None:
    part = {"repositoryName": "app", "uploadId": UPLOAD, "partFirstByte": 0, "partLastByte": 20_971_520}
    blob = bytes(20_971_520)
    check("UploadLayerPart", {**part, "layerPartBlob": b64encode(blob).decode()})

    assert "20971520" in refusal("UploadLayerPart", {**part, "layerPartBlob": b64encode(blob + b"!").decode()})


@pytest.mark.parametrize("name", ["A/b", "a//b", "a..b", "a_-b", "a/", "-a", "a\n", "aé", "a___b"])
def test_a_bad_repository_name_is_refused_with_the_pattern(name: str) -> None:
    assert refusal("CreateRepository", {"repositoryName": name}) == (
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: "
        f"'must satisfy regular expression '{REPOSITORY_PATTERN}''"
    )


@pytest.mark.parametrize("name", ["a--b", "a__b", "1a", "a/b/c", "a.b", "a" * 256])
def test_a_good_repository_name_passes(name: str) -> None:
    assert check("CreateRepository", {"repositoryName": name}) == {"repositoryName": name}


SENTENCES: list[tuple[str, dict[str, Any], str, str]] = [
    ("CreateRepository", {"repositoryName": "a"}, "repositoryName", "must have length greater than or equal to 2"),
    ("CreateRepository", {"repositoryName": "a" * 257}, "repositoryName", "must have length less than or equal to 256"),
    (
        "CreateRepository",
        {"repositoryName": "app", "registryId": "12"},
        "registryId",
        "must satisfy regular expression [0-9]{12}",
    ),
    (
        "CreateRepository",
        {"repositoryName": "app", "imageTagMutability": "NOPE"},
        "imageTagMutability",
        "Member must satisfy enum value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]",
    ),
    (
        "CreateRepository",
        {"repositoryName": "app", "encryptionConfiguration": {}},
        "encryptionConfiguration.encryptionType",
        "Member must not be null",
    ),
    (
        "CreateRepository",
        {"repositoryName": "app", "tags": [{"Key": "a", "Value": ""}, {"Key": "b"}]},
        "tags.2.member.Value",
        "Member must not be null",
    ),
    (
        "GetAuthorizationToken",
        {"registryIds": ["111122223333", "x"]},
        "registryIds",
        "Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]",
    ),
    (
        "DescribeRepositories",
        {"repositoryNames": ["a"]},
        "repositoryNames",
        (
            "Member must satisfy constraint: [Member must have length less than or equal to 256, Member must have length "
            f"greater than or equal to 2, Member must satisfy regular expression pattern: {REPOSITORY_PATTERN}]"
        ),
    ),
    (
        "BatchGetImage",
        {"repositoryName": "app", "imageIds": []},
        "imageIds",
        "Member must have length greater than or equal to 1",
    ),
    (
        "BatchGetImage",
        {"repositoryName": "app", "imageIds": [{}] * 101},
        "imageIds",
        "Member must have length less than or equal to 100",
    ),
    (
        "ListImages",
        {"repositoryName": "app", "maxResults": 1001},
        "maxResults",
        "Member must have value less than or equal to 1000",
    ),
    (
        "ListImages",
        {"repositoryName": "app", "maxResults": 0},
        "maxResults",
        "Member must have value greater than or equal to 1",
    ),
    (
        "PutImage",
        {"repositoryName": "app", "imageManifest": "{}", "imageTag": "a b"},
        "imageTag",
        "must satisfy regular expression '[a-zA-Z0-9-_.]+'",
    ),
    (
        "PutImage",
        {"repositoryName": "app", "imageManifest": "{}", "imageTag": ""},
        "imageTag",
        "must have length greater than or equal to 1",
    ),
    (
        "GetDownloadUrlForLayer",
        {"repositoryName": "app", "layerDigest": "x"},
        "layerDigest",
        "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
    ),
]


@pytest.mark.parametrize(("operation", "document", "parameter", "constraint"), SENTENCES)
def test_a_broken_constraint_is_told_in_ecrs_words(
    operation: str, document: dict[str, Any], parameter: str, constraint: str
) -> None:
    assert (
        refusal(operation, document)
        == f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"
    )


def test_the_first_violation_in_the_order_of_the_model_is_the_one_told() -> None:
    assert "'registryId'" in refusal("ListImages", {"maxResults": 0, "repositoryName": "A", "registryId": "x"})


@pytest.mark.parametrize("image", [{}, {"imageTag": ""}, {"imageTag": "a b" * 200}, {"imageDigest": "nonsense"}])
def test_bad_image_ids_of_a_batch_are_left_to_be_judged_one_by_one(image: dict[str, str]) -> None:
    assert check("BatchGetImage", {"repositoryName": "app", "imageIds": [image]})["imageIds"] == [image]


@pytest.mark.parametrize("digest", ["", "nonsense", "x" * 1000])
def test_bad_layer_digests_of_a_batch_are_left_to_be_judged_one_by_one(digest: str) -> None:
    document = {"repositoryName": "app", "layerDigests": [digest]}

    assert check("BatchCheckLayerAvailability", document) == document


@pytest.mark.parametrize("document", [None, [], "x", 1, True, {"repositoryName": 1}, {"repositoryName": ["app"]}])
def test_another_type_is_malformed(document: Any) -> None:
    with pytest.raises(Malformed):
        check("CreateRepository", document)


@pytest.mark.parametrize("number", [True, 1.0, "1", 2**31, -(2**31) - 1, 10**100])
def test_only_an_integer_of_the_models_size_is_a_number(number: Any) -> None:
    with pytest.raises(Malformed):
        check("ListImages", {"repositoryName": "app", "maxResults": number})


def test_nul_is_no_character_of_a_string() -> None:
    with pytest.raises(Malformed):
        check("ListTagsForResource", {"resourceArn": "arn\0"})


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(ECR), st.data())
def test_no_document_is_answered_but_by_a_refusal_or_its_known_members(operation: str, data: st.DataObject) -> None:
    shape = service("ecr").model.operation_model(operation).input_shape
    names = st.sampled_from([*shape.members, "unknown"])
    document = data.draw(st.dictionaries(names, json, max_size=2))

    with suppress(Malformed, InvalidParameter):
        assert check(operation, document).keys() <= shape.members.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_of_every_model_compiles(name: str) -> None:
    for operation in service(name).operations:
        check_of = service(name).operation(operation)
        assert check_of is not None
        compile_check(check_of.input, common_words)


def test_no_pattern_of_ecr_takes_long_to_refuse_a_long_text() -> None:
    shapes = (service("ecr").model.shape_for(name) for name in service("ecr").model.shape_names)
    patterns = {shape.metadata["pattern"] for shape in shapes if "pattern" in shape.metadata}
    started = time.perf_counter()

    for pattern in patterns:
        for text in ("a" * 600 + "!", "a/" * 300 + "!", "a-" * 300 + "!", "a_" * 300 + "!"):
            _matcher(pattern)(text)

    assert time.perf_counter() - started < 2


@given(st.text("a1*./-_!", max_size=8))
def test_a_rewritten_pattern_means_what_the_models_pattern_means(text: str) -> None:
    pattern = r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$"

    assert (_matcher(pattern)(text) is None) == (re.fullmatch(pattern, text) is None)


def test_the_printed_order_of_an_enumeration_has_the_models_values() -> None:
    for name, values in _ENUMS.items():
        assert sorted(values) == sorted(service("ecr").model.shape_for(name).enum)


IAM: list[tuple[str, dict[str, Any], str]] = [
    (
        "GetUser",
        {"UserName": "a b"},
        r"Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+",
    ),
    ("DeleteUser", {}, "Value null at 'userName' failed to satisfy constraint: Member must not be null"),
    (
        "ListUsers",
        {"MaxItems": 1001},
        "Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000",
    ),
    (
        "CreateUser",
        {"UserName": "ann", "Tags": [{"Key": "", "Value": ""}]},
        "Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ),
    (
        "UntagUser",
        {"UserName": "ann", "TagKeys": ["a", "!"]},
        (
            "Value '[a, !]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have "
            "length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy "
            r"regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+]"
        ),
    ),
]


@pytest.mark.parametrize(("operation", "document", "reason"), IAM)
def test_a_broken_constraint_is_told_in_iams_words(operation: str, document: dict[str, Any], reason: str) -> None:
    with pytest.raises(IdentityInvalid) as refused:
        check(operation, document, "iam")

    assert str(refused.value) == f"1 validation error detected: {reason}"


@pytest.mark.parametrize("name", ["ünicode", "été", "a\n"])
def test_word_characters_of_user_names_are_ascii(name: str) -> None:
    with pytest.raises(IdentityInvalid):
        check("GetUser", {"UserName": name}, "iam")


def test_tags_may_be_written_in_any_script() -> None:
    tags = [{"Key": "größe 大", "Value": "\u2003½"}]

    assert check("TagUser", {"UserName": "ann", "Tags": tags}, "iam")["Tags"] == tags
