"""How the registry door dresses refusals (OCI distribution specification, "Error Codes"; ECR's pairs of code and status)."""

import re
from dataclasses import dataclass
from math import ceil

import msgspec

from moorage.core import errors
from moorage.web.http import Answer, Headers

API_VERSION = (b"docker-distribution-api-version", b"registry/2.0")
STORED = (b"content-security-policy", b"default-src 'none'; sandbox")
"""Goes with what was pushed: a browser that happens on it runs none of it."""

_plain_host = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,300}")


@dataclass(frozen=True, slots=True)
class OciError:
    """A code of the specification and an HTTP status."""

    code: str
    status: int


_unsupported = OciError("UNSUPPORTED", 405)
_upload_invalid = OciError("BLOB_UPLOAD_INVALID", 400)
_denied = OciError("DENIED", 403)

OCI_ERRORS: dict[type[errors.Refused], OciError] = {
    errors.AccessDenied: _denied,
    errors.CredentialsInvalid: _denied,
    errors.EmptyUpload: _upload_invalid,
    errors.ImageDigestDoesNotMatch: OciError("MANIFEST_INVALID", 400),
    errors.ImageNotFound: OciError("MANIFEST_UNKNOWN", 404),
    errors.ImageReferenced: _unsupported,
    errors.ImageTagAlreadyExists: OciError("TAG_INVALID", 400),
    errors.InvalidLayer: _upload_invalid,
    errors.InvalidLayerDigest: OciError("DIGEST_INVALID", 400),
    errors.InvalidLayerPart: OciError("BLOB_UPLOAD_INVALID", 416),
    errors.InvalidParameter: _unsupported,
    errors.InvalidTagParameter: _unsupported,
    errors.KmsFailed: _denied,
    errors.LayerInaccessible: OciError("BLOB_UNKNOWN", 404),
    errors.LayerNotFound: OciError("BLOB_UNKNOWN", 404),
    errors.LayerPartTooSmall: _upload_invalid,
    errors.LayerReferenced: _unsupported,
    errors.LayerTooLarge: _denied,
    errors.ManifestLayersNotFound: OciError("MANIFEST_BLOB_UNKNOWN", 400),
    errors.ManifestNotFound: OciError("MANIFEST_UNKNOWN", 404),
    errors.ManifestTooLarge: OciError("MANIFEST_INVALID", 413),
    errors.RateExceeded: OciError("TOOMANYREQUESTS", 429),
    errors.ReferencedImagesNotFound: OciError("MANIFEST_BLOB_UNKNOWN", 400),
    errors.RepositoryAlreadyExists: _denied,
    errors.RepositoryNotEmpty: _denied,
    errors.RepositoryNotFound: OciError("NAME_UNKNOWN", 404),
    errors.RepositoryPolicyNotFound: _denied,
    errors.RegistryPolicyNotFound: _denied,
    errors.ServerBusy: OciError("TOOMANYREQUESTS", 429),
    # 507 is what a full disk is called (RFC 4918, section 11.5); clients print the sentence.
    errors.StorageFull: OciError("DENIED", 507),
    errors.TokenExpired: _denied,
    errors.TooManyImages: _denied,
    errors.TooManyRepositories: _denied,
    errors.TooManyTags: _denied,
    errors.TooManyTagsOnImage: _denied,
    errors.TooManyUploads: _denied,
    errors.UploadBusy: OciError("BLOB_UPLOAD_INVALID", 409),
    errors.UploadNotFound: OciError("BLOB_UPLOAD_UNKNOWN", 404),
    errors.ValidationFailed: _unsupported,
}

UNREACHABLE = (errors.BatchTooLarge, errors.ImageAlreadyExists, errors.LayerAlreadyExists)
"""The AWS door's alone: repeating a push is no failure at this one, and it has no batches."""


def refusal(error: errors.Refused) -> Answer:
    """Return the answer for a refusal from the table."""
    dressed = OCI_ERRORS[type(error)]
    answer = error_answer(dressed.status, dressed.code, str(error))
    if isinstance(error, errors.InvalidLayerPart):
        answer.headers.append((b"location", f"/v2/{error.name}/blobs/uploads/{error.upload}".encode()))
        answer.headers.append((b"range", f"0-{max(error.last_valid_byte, 0)}".encode()))
    if isinstance(error, errors.NotNow):
        answer.headers.append((b"retry-after", b"%d" % ceil(error.seconds)))
    return answer


def error_answer(status: int, code: str, message: str) -> Answer:
    """Return an error in the specification's envelope."""
    body = msgspec.json.encode({"errors": [{"code": code, "message": message}]})
    return Answer(
        status=status, headers=[API_VERSION, (b"content-type", b"application/json; charset=utf-8")], body=body
    )


def unauthorized(host: str, *, secure: bool) -> Answer:
    """Return the challenge of a request without valid credentials, as ECR words it."""
    # A host that says more than where the client is would be more of the challenge.
    shown = host if _plain_host.fullmatch(host) else "localhost"
    realm = f'Basic realm="{"https" if secure else "http"}://{shown}/",service="ecr.amazonaws.com"'
    headers: Headers = [
        API_VERSION,
        (b"www-authenticate", realm.encode()),
        (b"content-type", b"text/plain; charset=utf-8"),
    ]
    return Answer(status=401, headers=headers, body=b"Not Authorized\n")


def not_found() -> Answer:
    """Return what ECR answers to a path that is none of the registry's."""
    return Answer(
        status=404, headers=[API_VERSION, (b"content-type", b"text/plain; charset=utf-8")], body=b"404 page not found\n"
    )
