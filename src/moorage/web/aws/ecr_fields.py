"""ECR's fields: from checked input to core types, and from core types to what the API answers."""

from collections.abc import Mapping
from typing import Any

from moorage.actions.images import Got
from moorage.core.arns import repository_of
from moorage.core.calls import Call
from moorage.core.errors import InvalidParameter
from moorage.core.images import Image, ImageFailure, ImageId, TagStatus
from moorage.core.names import Registry, RepositoryName, Tag, parse_repository, partition
from moorage.core.repositories import Encryption, Mutability, Repository, TagMutability, tag_mutability

Given = dict[str, Any]
Result = Mapping[str, Any]


def of(repository: Repository) -> Result:
    """Return the fields that name a repository."""
    return {"registryId": repository.registry.account, "repositoryName": repository.name}


def mutability(given: Given) -> TagMutability:
    """Return which tags may move; raises InvalidParameter where mode and filters do not go together."""
    filters = given.get("imageTagMutabilityExclusionFilters", ())
    mode = Mutability(given.get("imageTagMutability", Mutability.MUTABLE))
    return tag_mutability(mode, tuple(each["filter"] for each in filters))


def mutability_fields(repository: Repository) -> Result:
    """Return the fields that say which tags may move."""
    filters = [{"filterType": "WILDCARD", "filter": each} for each in repository.mutability.exclusions]
    return {
        "imageTagMutability": repository.mutability.mode,
        "imageTagMutabilityExclusionFilters": filters or None,
    }


def encryption(registry: Registry, given: Given | None) -> Encryption:
    """Return the encryption that is asked for; raises InvalidParameter for a key that would not be used."""
    if given is None:
        return Encryption()
    key = given.get("kmsKey")
    if given["encryptionType"] == "AES256":
        if key is not None:
            raise InvalidParameter("encryptionConfiguration", "kmsKey is not allowed when encryptionType is AES256")
        return Encryption()
    # There is no KMS to ask; a name is kept in the form that ECR returns, an ARN.
    arn = f"arn:{partition(registry.region)}:kms:{registry.region}:{registry.account}:"
    name = key or "alias/aws/ecr"
    return Encryption(given["encryptionType"], name if name.startswith("arn:") else arn + _key_resource(name))


def _key_resource(name: str) -> str:
    return name if name.startswith("alias/") else f"key/{name}"


def repository_of_arn(call: Call, arn: str) -> RepositoryName:
    """Return the repository that an ARN names; raises InvalidParameter for one of another kind, account or region."""
    found = repository_of(arn)
    name = parse_repository(found[1]) if found else None
    if name is None or arn != call.registry.repository_arn(name):
        raise InvalidParameter("resourceArn", "Invalid ARN")
    return name


def not_with_paging(given: Given, member: str) -> None:
    """Raise InvalidParameter where a page of named things is asked for."""
    for paging in ("nextToken", "maxResults"):
        if paging in given:
            raise InvalidParameter(paging, f"{paging} cannot be used together with {member}")


def tag_status(given: Given) -> TagStatus:
    """Return the filter by tags."""
    return TagStatus(given.get("filter", {}).get("tagStatus", TagStatus.ANY))


def image_status(given: Given) -> str:
    """Return the filter by storage class; all images here are ACTIVE."""
    return str(given.get("filter", {}).get("imageStatus", "ACTIVE"))


def image_ids(given: list[Given]) -> list[ImageId]:
    """Return the ids of a batch as they came."""
    return [ImageId(each.get("imageDigest"), each.get("imageTag")) for each in given]


def image_id(wanted: ImageId) -> Result:
    """Return the fields of an image's id."""
    return {"imageDigest": wanted.digest, "imageTag": wanted.tag}


def failure_fields(failures: list[ImageFailure]) -> list[Result]:
    """Return the fields of what a batch could not serve."""
    return [{"imageId": image_id(each.id), "failureCode": each.code, "failureReason": each.reason} for each in failures]


def layer_failure(text: str) -> Result:
    """Return the fields of a digest that is none."""
    if not text:
        return {
            "failureCode": "MissingLayerDigest",
            "failureReason": "Invalid request parameters: layer digest cannot be null",
        }
    reason = "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    return {"layerDigest": text, "failureCode": "InvalidLayerDigest", "failureReason": reason}


def got_fields(registry: Registry, name: RepositoryName, got: Got) -> Result:
    """Return the fields of an image with its manifest."""
    return {
        "registryId": registry.account,
        "repositoryName": name,
        "imageId": {"imageDigest": got.image.digest, "imageTag": got.tag},
        "imageManifest": got.content.decode(),
        "imageManifestMediaType": got.image.media_type,
    }


def details(registry: Registry, name: RepositoryName, image: Image) -> Result:
    """Return the fields of DescribeImages."""
    tags: tuple[Tag, ...] | None = image.tags or None
    return {
        "registryId": registry.account,
        "repositoryName": name,
        "imageDigest": image.digest,
        "imageTags": tags,
        "imageSizeInBytes": image.size,
        "imagePushedAt": image.pushed_at,
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": image.artifact_type,
        "lastRecordedPullTime": image.pulled_at,
        "subjectManifestDigest": image.subject,
        "imageStatus": "ACTIVE",
    }
