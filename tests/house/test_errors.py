"""Every refusal that the AWS door can meet has a code there, and every code is one that clients know."""

import pytest

from moorage.core.errors import IdentityError, Refused, RegistryError, ServerBusy, SignatureError, leaves
from moorage.web.aws.errors import AWS_ERRORS, DoorError
from moorage.web.aws.model import service

# Amazon ECR API Reference, "Common Errors", with the names that ECR has been seen to use.
FRONT_DOOR = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "RequestEntityTooLargeException",
    "SerializationException",
    "ServiceUnavailable",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
}
# IAM API Reference, "Common Errors".
QUERY_FRONT_DOOR = {
    "AccessDenied",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidAction",
    "InvalidClientTokenId",
    "MalformedInput",
    "MissingAuthenticationToken",
    "RequestEntityTooLarge",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "Throttling",
    "ValidationError",
}


@pytest.mark.parametrize("branch", [RegistryError, IdentityError, SignatureError, DoorError])
def test_every_refusal_of_a_branch_is_dressed_for_the_aws_door(branch: type[Refused]) -> None:
    assert [refusal for refusal in leaves(branch) if refusal not in AWS_ERRORS] == []


def test_only_leaves_of_the_tree_are_dressed() -> None:
    assert set(AWS_ERRORS) <= set(leaves(Refused))


def test_every_code_of_ecr_is_an_error_of_its_model_or_of_its_front_door() -> None:
    known = {shape.name for shape in service("ecr").model.error_shapes} | FRONT_DOOR

    for refusal, error in AWS_ERRORS.items():
        assert error.code in known or issubclass(refusal, IdentityError)


def test_ecr_answers_every_error_of_its_model_with_400() -> None:
    # A server that is full is the one thing that is the server's own matter.
    others = {
        error.status
        for refusal, error in AWS_ERRORS.items()
        if issubclass(refusal, RegistryError) and refusal is not ServerBusy
    }

    assert others == {400}


def test_every_code_of_iam_and_sts_is_an_error_of_a_model_with_the_models_status_or_of_its_front_door() -> None:
    modelled = {
        shape.metadata["error"]["code"]: shape.metadata["error"]["httpStatusCode"]
        for name in ("iam", "sts")
        for shape in service(name).model.error_shapes
        if "error" in shape.metadata
    }

    for refusal, error in AWS_ERRORS.items():
        code, status = error.dress("query")
        if not issubclass(refusal, RegistryError):
            assert code in QUERY_FRONT_DOOR or modelled[code] == status
