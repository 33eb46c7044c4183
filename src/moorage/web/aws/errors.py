"""How the AWS door dresses each refusal: one code and one status for AWS JSON, another pair where the query protocol differs.

Sources: Amazon ECR API Reference (errors of each operation, "Common Errors"), IAM and STS API References ("Common Errors").
ECR answers every modelled error with 400, whatever the common page says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moorage.core import errors as e


class DoorError(e.Refused):
    """Refused by the AWS door itself, before any action was asked."""


@dataclass(eq=False)
class Malformed(DoorError):
    """A body that cannot be read, or values of other types than the operation takes."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class UnknownOperation(DoorError):
    """No operation, one that the service does not have, or one that Moorage does not answer yet."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class NotPosted(DoorError):
    """A method other than POST."""

    def __str__(self) -> str:
        return "This is an AWS API: it answers signed POST requests to / in AWS JSON 1.1 or the query protocol."


@dataclass(eq=False)
class RequestTooLarge(DoorError):
    """A body of more bytes than the door takes."""

    limit: int

    def __str__(self) -> str:
        return f"The request body is larger than {self.limit} bytes"


@dataclass(frozen=True, slots=True)
class AwsError:
    """The code and status of a refusal; ``query`` are those of the query protocol where they differ.

    ``members`` gives the further members that the error's shape has.
    """

    code: str
    status: int = 400
    query: tuple[str, int] | None = None
    members: Callable[[Any], dict[str, Any]] | None = None

    def dress(self, protocol: str) -> tuple[str, int]:
        """Return the code and the HTTP status that ``protocol`` uses."""
        return self.query if self.query and protocol == "query" else (self.code, self.status)


INTERNAL = AwsError("ServerException", 500, ("InternalFailure", 500))
"""Anything that is no refusal: a defect, logged and answered without detail."""


def _layer_part(refusal: e.InvalidLayerPart) -> dict[str, Any]:
    return {
        "registryId": refusal.account,
        "repositoryName": refusal.name,
        "uploadId": refusal.upload,
        "lastValidByteReceived": refusal.last_valid_byte,
    }


def _kms(refusal: e.KmsFailed) -> dict[str, Any]:
    return {"kmsError": refusal.kms_error}


_BAD_SIGNATURE = AwsError("InvalidSignatureException", 400, ("SignatureDoesNotMatch", 403))
_LIMIT = AwsError("LimitExceededException")

AWS_ERRORS: dict[type[e.Refused], AwsError] = {
    # the door
    Malformed: AwsError("SerializationException", 400, ("MalformedInput", 400)),
    UnknownOperation: AwsError("UnknownOperationException", 400, ("InvalidAction", 400)),
    NotPosted: AwsError("UnknownOperationException", 405, ("InvalidAction", 405)),
    RequestTooLarge: AwsError("RequestEntityTooLargeException", 413, ("RequestEntityTooLarge", 413)),
    # signatures
    e.CredentialsInvalid: AwsError("UnrecognizedClientException", 400, ("InvalidClientTokenId", 403)),
    e.SessionExpired: AwsError("ExpiredTokenException", 400, ("ExpiredToken", 403)),
    e.SignatureDoesNotMatch: _BAD_SIGNATURE,
    e.SignatureExpired: _BAD_SIGNATURE,
    e.SignatureNotYetCurrent: _BAD_SIGNATURE,
    e.ScopeInvalid: _BAD_SIGNATURE,
    e.SignatureMissing: AwsError("MissingAuthenticationTokenException", 400, ("MissingAuthenticationToken", 403)),
    e.SignatureIncomplete: AwsError("IncompleteSignatureException", 400, ("IncompleteSignature", 400)),
    # rights
    e.AccessDenied: AwsError("AccessDeniedException", 400, ("AccessDenied", 403)),
    # parameters
    e.InvalidParameter: AwsError("InvalidParameterException"),
    e.InvalidTagParameter: AwsError("InvalidTagParameterException"),
    e.TooManyTags: AwsError("TooManyTagsException"),
    e.ValidationFailed: AwsError("ValidationException"),
    # repositories
    e.RepositoryNotFound: AwsError("RepositoryNotFoundException"),
    e.RepositoryPolicyNotFound: AwsError("RepositoryPolicyNotFoundException"),
    e.RegistryPolicyNotFound: AwsError("RegistryPolicyNotFoundException"),
    e.RepositoryAlreadyExists: AwsError("RepositoryAlreadyExistsException"),
    e.RepositoryNotEmpty: AwsError("RepositoryNotEmptyException"),
    e.KmsFailed: AwsError("KmsException", members=_kms),
    # images
    e.ManifestNotFound: AwsError("ImageNotFoundException"),
    e.ImageNotFound: AwsError("ImageNotFoundException"),
    e.ImageAlreadyExists: AwsError("ImageAlreadyExistsException"),
    e.ImageTagAlreadyExists: AwsError("ImageTagAlreadyExistsException"),
    e.ImageDigestDoesNotMatch: AwsError("ImageDigestDoesNotMatchException"),
    e.ImageReferenced: AwsError("InvalidParameterException"),
    e.ReferencedImagesNotFound: AwsError("ReferencedImagesNotFoundException"),
    e.ManifestLayersNotFound: AwsError("LayersNotFoundException"),
    e.ManifestTooLarge: AwsError("InvalidParameterException"),
    # limits
    e.TooManyRepositories: _LIMIT,
    e.TooManyImages: _LIMIT,
    e.TooManyTagsOnImage: _LIMIT,
    e.LayerTooLarge: _LIMIT,
    e.TooManyUploads: _LIMIT,
    e.BatchTooLarge: _LIMIT,
    e.RateExceeded: AwsError("ThrottlingException", 400, ("Throttling", 400)),
    e.ServerBusy: AwsError("ServiceUnavailable", 503, ("ServiceUnavailable", 503)),
    # A 500 would be repeated by every client, and fill nothing.
    e.StorageFull: AwsError("LimitExceededException", 400, ("LimitExceeded", 409)),
    # layers and uploads
    e.LayerNotFound: AwsError("LayersNotFoundException"),
    e.LayerInaccessible: AwsError("LayerInaccessibleException"),
    e.LayerReferenced: AwsError("InvalidParameterException"),
    e.LayerAlreadyExists: AwsError("LayerAlreadyExistsException"),
    e.InvalidLayer: AwsError("InvalidLayerException"),
    e.InvalidLayerDigest: AwsError("InvalidParameterException"),
    e.LayerPartTooSmall: AwsError("LayerPartTooSmallException"),
    e.InvalidLayerPart: AwsError("InvalidLayerPartException", members=_layer_part),
    e.UploadBusy: AwsError("InvalidLayerPartException"),
    e.EmptyUpload: AwsError("EmptyUploadException"),
    e.UploadNotFound: AwsError("UploadNotFoundException"),
    # identities
    e.NoSuchEntity: AwsError("NoSuchEntity", 404),
    e.EntityAlreadyExists: AwsError("EntityAlreadyExists", 409),
    e.DeleteConflict: AwsError("DeleteConflict", 409),
    e.IdentityLimitExceeded: AwsError("LimitExceeded", 409),
    e.MalformedPolicy: AwsError("MalformedPolicyDocument", 400),
    e.PackedPolicyTooLarge: AwsError("PackedPolicyTooLarge", 400),
    e.InvalidAuthorizationMessage: AwsError("InvalidAuthorizationMessageException", 400),
    e.IdentityInvalid: AwsError("ValidationError", 400),
    e.IdentityInputInvalid: AwsError("InvalidInput", 400),
    e.PolicyEvaluationFailed: AwsError("PolicyEvaluation", 500),
    e.UnmodifiableEntity: AwsError("UnmodifiableEntity", 400),
    e.PolicyNotAttachable: AwsError("PolicyNotAttachable", 400),
    e.PolicyOfAws: AwsError("AccessDenied", 403),
}
