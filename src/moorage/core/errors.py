"""Everything that Moorage understands and refuses, each with its facts and one sentence.

Four branches below Refused, by the doors that can meet them:

- RegistryError: both doors. The sentences are ECR's own.
- IdentityError: IAM and STS at the AWS door.
- SignatureError: a request at the AWS door that does not prove who sent it.
- TokenError: a registry token that does not let its holder in.

Each door dresses them by one table. Anything outside this tree is a defect and is answered without detail.
Sources: Amazon ECR API Reference (errors of each operation), IAM API Reference, Signature Version 4 troubleshooting.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from moorage.core.digests import Digest
from moorage.core.names import AccountId, RepositoryName, Tag, UploadId


class Refused(Exception):
    """Understood, and refused."""


class RegistryError(Refused):
    """Refused by the registry, at either door."""


class IdentityError(Refused):
    """Refused by IAM or STS."""


class SignatureError(Refused):
    """The request does not prove who sent it."""


class TokenError(Refused):
    """The registry token does not let its holder in."""


def leaves(branch: type[Refused]) -> Iterator[type[Refused]]:
    """Yield every class below ``branch`` that has none below itself."""
    below = branch.__subclasses__()
    if not below:
        yield branch
    for kind in below:
        yield from leaves(kind)


# --- parameters -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class InvalidParameter(RegistryError):
    """A value that breaks a constraint; ``constraint`` is ECR's wording of it."""

    parameter: str
    constraint: str

    def __str__(self) -> str:
        return f"Invalid parameter at '{self.parameter}' failed to satisfy constraint: '{self.constraint}'"


@dataclass(eq=False)
class InvalidTagParameter(RegistryError):
    """A resource tag that may not be."""

    reason: str

    def __str__(self) -> str:
        return f"Invalid parameter at 'tags' failed to satisfy constraint: '{self.reason}'"


@dataclass(eq=False)
class TooManyTags(RegistryError):
    """More resource tags than a repository may carry."""

    arn: str
    limit: int

    def __str__(self) -> str:
        return (
            f"The resource '{self.arn}' would have more than the maximum allowed number of tags which is '{self.limit}'"
        )


@dataclass(eq=False)
class ValidationFailed(RegistryError):
    """A value refused by one of ECR's newer operations; ``reason`` is its sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


# --- repositories -----------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class RepositoryNotFound(RegistryError):
    """No such repository in this registry."""

    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return f"The repository with name '{self.name}' does not exist in the registry with id '{self.account}'"


@dataclass(eq=False)
class RepositoryPolicyNotFound(RegistryError):
    """The repository has no policy of its own."""

    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return f"Repository policy does not exist for the repository with name '{self.name}' in the registry with id '{self.account}'"


@dataclass(eq=False)
class RegistryPolicyNotFound(RegistryError):
    """The registry has no policy."""

    account: AccountId

    def __str__(self) -> str:
        return f"Registry policy does not exist in the registry with id '{self.account}'"


@dataclass(eq=False)
class RepositoryAlreadyExists(RegistryError):
    """The name is taken."""

    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return f"The repository with name '{self.name}' already exists in the registry with id '{self.account}'"


@dataclass(eq=False)
class RepositoryNotEmpty(RegistryError):
    """The repository still holds images."""

    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The repository with name '{self.name}' in registry with id '{self.account}' "
            "cannot be deleted because it still contains images"
        )


@dataclass(eq=False)
class KmsFailed(RegistryError):
    """The key of an encryption configuration cannot be used; ``kms_error`` is KMS's code."""

    key: str
    kms_error: str

    def __str__(self) -> str:
        return f"The kmsKey '{self.key}' cannot be used: {self.kms_error}"


# --- images -----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class ManifestNotFound(RegistryError):
    """The registry door's answer to a tag or digest that names no image."""

    def __str__(self) -> str:
        return "Requested image not found"


@dataclass(eq=False)
class ImageNotFound(RegistryError):
    """DescribeImages of an image that does not exist; the half that was not given is None."""

    digest: str | None
    tag: str | None
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The image with imageId {{imageDigest:'{self.digest or 'null'}', imageTag:'{self.tag or 'null'}'}} does not exist "
            f"within the repository with name '{self.name}' in the registry with id '{self.account}'"
        )


@dataclass(eq=False)
class ImageAlreadyExists(RegistryError):
    """The same image already has that tag; at the registry door repeating a push is no failure."""

    digest: Digest
    tag: Tag | None
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"Image with digest '{self.digest}' and tag '{self.tag or 'null'}' already exists in the repository "
            f"with name '{self.name}' in registry with id '{self.account}'"
        )


@dataclass(eq=False)
class ImageTagAlreadyExists(RegistryError):
    """The tag is taken and must not move."""

    tag: Tag
    name: RepositoryName

    def __str__(self) -> str:
        return (
            f"The image tag '{self.tag}' already exists in the '{self.name}' repository "
            "and cannot be overwritten because the repository is immutable."
        )


@dataclass(eq=False)
class ImageDigestDoesNotMatch(RegistryError):
    """The bytes of a manifest have another digest than the one stated."""

    digest: str
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The image with digest '{self.digest}' in repository '{self.name}' and registry ID '{self.account}' "
            "does not match the image digest that Amazon ECR has calculated."
        )


@dataclass(eq=False)
class ManifestTooLarge(RegistryError):
    """More bytes than a manifest may have."""

    limit: int

    def __str__(self) -> str:
        return f"Invalid parameter at 'imageManifest' failed to satisfy constraint: 'must have length less than or equal to {self.limit}'"


MOST_NAMED = 10
"""Indexes that a refusal names: a hundred thousand may refer to one image."""


@dataclass(eq=False)
class ImageReferenced(RegistryError):
    """An image that an index or manifest list refers to cannot be deleted; the first ``MOST_NAMED`` are named."""

    indexes: tuple[Digest, ...]

    def __str__(self) -> str:
        more = ["and more"] if len(self.indexes) > MOST_NAMED else []
        return f"Requested image referenced by manifest list: [{', '.join([*self.indexes[:MOST_NAMED], *more])}]"


@dataclass(eq=False)
class ReferencedImagesNotFound(RegistryError):
    """An index names images that the repository does not hold."""

    digests: tuple[Digest, ...]
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return _required("Images", self.digests, self.name, self.account)


@dataclass(eq=False)
class ManifestLayersNotFound(RegistryError):
    """A manifest names blobs that the repository does not hold."""

    digests: tuple[Digest, ...]
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return _required("Layers", self.digests, self.name, self.account)


def _required(kind: str, digests: Iterable[Digest], name: RepositoryName, account: AccountId) -> str:
    return (
        f"{kind} with digests '[{', '.join(digests)}]' required for pushing image into repository with name '{name}' "
        f"in the registry with id '{account}' do not exist"
    )


# --- limits -----------------------------------------------------------------------------------------------------------


class LimitExceeded(RegistryError):
    """A quota is used up."""


@dataclass(eq=False)
class TooManyRepositories(LimitExceeded):
    """The registry is full."""

    account: AccountId
    limit: int

    def __str__(self) -> str:
        return f"The registry with id '{self.account}' already has the maximum allowed number of repositories which is '{self.limit}'"


@dataclass(eq=False)
class TooManyImages(LimitExceeded):
    """The repository is full."""

    name: RepositoryName
    account: AccountId
    limit: int

    def __str__(self) -> str:
        return (
            f"The repository with name '{self.name}' in registry with id '{self.account}' "
            f"already has the maximum allowed number of images which is '{self.limit}'"
        )


@dataclass(eq=False)
class TooManyTagsOnImage(LimitExceeded):
    """The image has as many tags as one may have."""

    tag: Tag
    name: RepositoryName
    account: AccountId
    limit: int

    def __str__(self) -> str:
        return (
            f"Adding tag '{self.tag}' to an image in the repository with name '{self.name}' in registry with id "
            f"'{self.account}' exceeds the maximum allowed number of tags per image which is '{self.limit}'"
        )


@dataclass(eq=False)
class LayerTooLarge(LimitExceeded):
    """An upload has more bytes or more parts than a layer may have."""

    upload: UploadId
    what: str
    limit: int

    def __str__(self) -> str:
        return f"The upload with id '{self.upload}' exceeds the maximum allowed {self.what} which is '{self.limit}'"


@dataclass(eq=False)
class TooManyUploads(LimitExceeded):
    """The user has as many uploads open as one may have; those that are completed, cancelled or collected do not count."""

    limit: int

    def __str__(self) -> str:
        return f"You already have the maximum allowed number of open uploads which is '{self.limit}': complete or cancel some first"


@dataclass(eq=False)
class BatchTooLarge(LimitExceeded):
    """The manifests of a batch have more bytes than one answer may have (AWS API only)."""

    size: int
    limit: int

    def __str__(self) -> str:
        return (
            f"The manifests of the images asked for have {self.size} bytes and one answer has {self.limit} at most: "
            "ask for fewer images at once, or for an image by one of its tags"
        )


@dataclass(eq=False)
class StorageFull(RegistryError):
    """The disk or the object store takes no more bytes; nothing of the request was kept."""

    def __str__(self) -> str:
        return "The registry has no space left to store what was sent"


@dataclass(eq=False)
class NotNow(RegistryError):
    """Refused for the moment: after so many ``seconds`` it may be asked again."""

    seconds: float


class RateExceeded(NotNow):
    """More requests in a second than ECR takes."""

    def __str__(self) -> str:
        return "Rate exceeded"


class ServerBusy(NotNow):
    """The bodies that are being received fill the room that there is for them."""

    def __str__(self) -> str:
        return "The server has no room for another large body at this moment; try again later"


# --- layers and uploads -----------------------------------------------------------------------------------------------


@dataclass(eq=False)
class LayerNotFound(RegistryError):
    """The repository does not hold that blob."""

    digest: str
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The layer with digest '{self.digest}' does not exist within the repository with name '{self.name}' "
            f"in the registry with id '{self.account}'"
        )


@dataclass(eq=False)
class LayerInaccessible(RegistryError):
    """Only layers that an image refers to can be downloaded through the AWS API."""

    digest: Digest
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The layer with digest '{self.digest}' in the repository with name '{self.name}' in the registry with id "
            f"'{self.account}' is not referenced by any image"
        )


@dataclass(eq=False)
class LayerReferenced(RegistryError):
    """A layer that an image of the repository refers to cannot be deleted (registry API only)."""

    digest: Digest
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The layer with digest '{self.digest}' in the repository with name '{self.name}' in the registry with id "
            f"'{self.account}' is referenced by an image"
        )


@dataclass(eq=False)
class LayerAlreadyExists(RegistryError):
    """The repository holds that blob already; at the registry door that is no failure."""

    digest: Digest
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The layer with digest '{self.digest}' already exists in the repository with name '{self.name}' "
            f"in the registry with id '{self.account}'"
        )


@dataclass(eq=False)
class InvalidLayer(RegistryError):
    """The bytes that were received have none of the digests stated."""

    def __str__(self) -> str:
        return "None of the provided layer digests match the calculated layer digest"


@dataclass(eq=False)
class InvalidLayerDigest(RegistryError):
    """A digest that is none, or of an algorithm that is not served; or such an algorithm by itself."""

    digest: str

    def __str__(self) -> str:
        return f"Invalid parameter at 'digest' failed to satisfy constraint: 'must be a sha256 or sha512 digest, not '{self.digest[:200]}''"


@dataclass(eq=False)
class LayerPartTooSmall(RegistryError):
    """A part other than the last had fewer than 5 MiB (AWS API only)."""

    def __str__(self) -> str:
        return "All layer parts except the last part should be at least 5MB"


@dataclass(eq=False)
class InvalidLayerPart(RegistryError):
    """A part that does not continue where the upload stands, or that is not as long as it says."""

    reason: str
    name: RepositoryName
    account: AccountId
    upload: UploadId
    last_valid_byte: int

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class UploadBusy(RegistryError):
    """Another request is writing to that upload."""

    upload: UploadId

    def __str__(self) -> str:
        return f"The upload with id '{self.upload}' is being written to by another request"


@dataclass(eq=False)
class EmptyUpload(RegistryError):
    """The upload received nothing (AWS API only)."""

    upload: UploadId
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The upload with id '{self.upload}' in the repository with name '{self.name}' in registry with id "
            f"'{self.account}' cannot be completed because it does not have any parts."
        )


@dataclass(eq=False)
class UploadNotFound(RegistryError):
    """No such upload in this repository: never started, completed, cancelled or expired."""

    upload: str
    name: RepositoryName
    account: AccountId

    def __str__(self) -> str:
        return (
            f"The upload with id '{self.upload}' in the repository with name '{self.name}' in registry with id "
            f"'{self.account}' does not exist"
        )


# --- rights -----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class AccessDenied(RegistryError):
    """Not allowed; ``because`` is empty or starts with ``because`` or ``with``.

    ``shown`` is what the refusal calls the resource where its ARN would tell what the caller may not know.
    """

    caller: str
    action: str
    resource: str
    because: str
    shown: str = ""

    def __str__(self) -> str:
        resource = self.shown or self.resource
        return (
            f"User: {self.caller} is not authorized to perform: {self.action} on resource: {resource} {self.because}"
        ).rstrip()


# --- registry tokens --------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class TokenInvalid(TokenError):
    """No token, or one that this registry did not issue for this region."""

    def __str__(self) -> str:
        return "Not Authorized"


@dataclass(eq=False)
class TokenExpired(TokenError):
    """The twelve hours are over."""

    def __str__(self) -> str:
        return "Your authorization token has expired. Reauthenticate and try again."


# --- signatures -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class CredentialsInvalid(SignatureError):
    """An access key that does not exist (any more), is inactive, whose user is gone or whose account is disabled. Tokens die with it too."""

    def __str__(self) -> str:
        return "The security token included in the request is invalid."


@dataclass(eq=False)
class SessionExpired(SignatureError):
    """Temporary credentials whose time is over."""

    def __str__(self) -> str:
        return "The security token included in the request is expired"


@dataclass(eq=False)
class SignatureDoesNotMatch(SignatureError):
    """Signed with another secret, or changed on its way."""

    def __str__(self) -> str:
        return (
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details."
        )


@dataclass(eq=False)
class SignatureExpired(SignatureError):
    """Signed too long ago."""

    signed: datetime
    now: datetime
    window: timedelta

    def __str__(self) -> str:
        return (
            f"Signature expired: {_basic(self.signed)} is now earlier than {_basic(self.now - self.window)} "
            f"({_basic(self.now)} - {int(self.window.total_seconds() // 60)} min.)"
        )


@dataclass(eq=False)
class SignatureNotYetCurrent(SignatureError):
    """Signed in the future."""

    signed: datetime
    now: datetime
    window: timedelta

    def __str__(self) -> str:
        return (
            f"Signature not yet current: {_basic(self.signed)} is still later than {_basic(self.now + self.window)} "
            f"({_basic(self.now)} + {int(self.window.total_seconds() // 60)} min.)"
        )


def _basic(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


@dataclass(eq=False)
class ScopeInvalid(SignatureError):
    """The credential's scope names another service or no region; ``reason`` is the sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class SignatureMissing(SignatureError):
    """No Authorization header."""

    def __str__(self) -> str:
        return "Missing Authentication Token"


@dataclass(eq=False)
class SignatureIncomplete(SignatureError):
    """An Authorization header that lacks something; ``reason`` says what."""

    reason: str

    def __str__(self) -> str:
        return self.reason


# --- identities -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class NoSuchEntity(IdentityError):
    """No such user, key, policy or alias; ``reason`` is IAM's sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class EntityAlreadyExists(IdentityError):
    """The name is taken; ``reason`` is IAM's sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class DeleteConflict(IdentityError):
    """Something still hangs on what was to be deleted; ``reason`` is IAM's sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class IdentityLimitExceeded(IdentityError):
    """A quota of IAM is used up; ``reason`` is IAM's sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class MalformedPolicy(IdentityError):
    """A policy document that breaks the grammar; ``reason`` is IAM's sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class PackedPolicyTooLarge(IdentityError):
    """Policies of a session that have no room in it; ``hundredths`` of the room is what they would take."""

    hundredths: int

    def __str__(self) -> str:
        return f"Packed policy consumes {self.hundredths}% of allotted space, please use smaller policy."


@dataclass(eq=False)
class InvalidAuthorizationMessage(IdentityError):
    """A text that was not encoded here: no refusal of Moorage is."""

    def __str__(self) -> str:
        return "The authorization message is not valid."


@dataclass(eq=False)
class IdentityInvalid(IdentityError):
    """A value that IAM refuses; ``reason`` is its sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class IdentityInputInvalid(IdentityError):
    """Values that each are well formed and that IAM refuses together; ``reason`` is its sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class PolicyEvaluationFailed(IdentityError):
    """A stored policy that cannot be read any more, so that what it would decide cannot be told."""

    policy: str

    def __str__(self) -> str:
        return f"The policy {self.policy} cannot be evaluated."


@dataclass(eq=False)
class UnmodifiableEntity(IdentityError):
    """A service-linked role, which only its service changes."""

    name: str

    def __str__(self) -> str:
        return f"Cannot perform the operation on the protected role '{self.name}' - this role is only modifiable by AWS"


@dataclass(eq=False)
class PolicyNotAttachable(IdentityError):
    """The policy of a service-linked role, which no other role can have."""

    def __str__(self) -> str:
        return "Cannot attach a Service Role Policy to a Customer Role."


@dataclass(eq=False)
class PolicyOfAws(IdentityError):
    """A managed policy of AWS's, which no account changes."""

    def __str__(self) -> str:
        return "Policy is outside your own account."
