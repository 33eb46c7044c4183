"""The operations of the service ECR: checked input to core types, results to ECR's fields (Amazon ECR API Reference)."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moorage.actions.images import Got, Images
from moorage.actions.layers import Layers
from moorage.actions.repositories import Repositories
from moorage.actions.tokens import Tokens
from moorage.actions.uploads import Uploads
from moorage.core.calls import Call
from moorage.core.digests import looks_like_digest, parse_digest
from moorage.core.downloads import signed_path
from moorage.core.errors import ImageAlreadyExists, InvalidLayerPart, InvalidParameter, LayerAlreadyExists
from moorage.core.images import Image, ImageFailure, ImageId, TagStatus
from moorage.core.names import AccountId, Registry, RegistryNames, RepositoryName, Tag, UploadId, parse_repository
from moorage.core.paging import next_token, page_after
from moorage.core.repositories import Encryption, Mutability, Repository, TagMutability, resource_tags, tag_mutability
from moorage.core.uploads import PART_SIZE
from moorage.web.aws.door import Handler

PAGE = 100
"""Entries of a page where the caller names no other number."""

Given = dict[str, Any]
Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecr:
    """The actions behind the service's operations, and the names that its answers show."""

    repositories: Repositories
    images: Images
    layers: Layers
    uploads: Uploads
    tokens: Tokens
    names: RegistryNames
    secret: bytes

    def operations(self) -> dict[str, Handler]:
        """Return the handler of every operation that is real."""
        return {
            "BatchCheckLayerAvailability": self._batch_check_layer_availability,
            "BatchDeleteImage": self._batch_delete_image,
            "BatchGetImage": self._batch_get_image,
            "CompleteLayerUpload": self._complete_layer_upload,
            "CreateRepository": self._create_repository,
            "DeleteRepository": self._delete_repository,
            "DescribeImages": self._describe_images,
            "DescribeRegistry": self._describe_registry,
            "DescribeRepositories": self._describe_repositories,
            "GetAccountSetting": self._get_account_setting,
            "GetAuthorizationToken": self._get_authorization_token,
            "GetDownloadUrlForLayer": self._get_download_url_for_layer,
            "InitiateLayerUpload": self._initiate_layer_upload,
            "ListImages": self._list_images,
            "ListTagsForResource": self._list_tags_for_resource,
            "PutAccountSetting": self._put_account_setting,
            "PutImage": self._put_image,
            "PutImageScanningConfiguration": self._put_image_scanning_configuration,
            "PutImageTagMutability": self._put_image_tag_mutability,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "UploadLayerPart": self._upload_layer_part,
        }

    # --- the registry -------------------------------------------------------------------------------------------------

    def _get_authorization_token(self, call: Call, given: Given) -> Result:
        password, expires = self.tokens.issue(call)
        token = base64.b64encode(f"AWS:{password}".encode()).decode()
        registries = [Registry(AccountId(each), call.registry.region) for each in given.get("registryIds", ())]
        return {
            "authorizationData": [
                {"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": self.names.endpoint(registry)}
                for registry in registries or [call.registry]
            ]
        }

    def _describe_registry(self, call: Call, _given: Given) -> Result:
        self.repositories.describe_registry(call)
        return {"registryId": call.registry.account, "replicationConfiguration": {"rules": []}}

    def _get_account_setting(self, call: Call, given: Given) -> Result:
        return {"name": given["name"], "value": self.repositories.setting(call, given["name"])}

    def _put_account_setting(self, call: Call, given: Given) -> Result:
        self.repositories.put_setting(call, given["name"], given["value"])
        return {"name": given["name"], "value": given["value"]}

    # --- repositories -------------------------------------------------------------------------------------------------

    def _create_repository(self, call: Call, given: Given) -> Result:
        wanted = Repository(
            registry=call.registry,
            name=given["repositoryName"],
            created_at=call.at,
            mutability=_mutability(given),
            scan_on_push=given.get("imageScanningConfiguration", {}).get("scanOnPush", False),
            encryption=_encryption(call.registry, given.get("encryptionConfiguration")),
        )
        tags = resource_tags([(tag["Key"], tag["Value"]) for tag in given.get("tags", ())])
        return {"repository": self._repository(self.repositories.create(call, wanted, tags))}

    def _describe_repositories(self, call: Call, given: Given) -> Result:
        names = given.get("repositoryNames")
        if names is not None:
            _not_with_paging(given, "repositoryNames")
            return {"repositories": [self._repository(each) for each in self.repositories.named(call, names)]}
        listing, size = f"repositories {call.registry}", given.get("maxResults", PAGE)
        (after,) = page_after(listing, given.get("nextToken"), [""])
        found = self.repositories.page(call, str(after), size + 1)
        return {
            "repositories": [self._repository(each) for each in found[:size]],
            "nextToken": next_token(listing, [found[size - 1].name]) if len(found) > size else None,
        }

    def _delete_repository(self, call: Call, given: Given) -> Result:
        deleted = self.repositories.delete(call, given["repositoryName"], force=given.get("force", False))
        return {"repository": self._repository(deleted)}

    def _put_image_tag_mutability(self, call: Call, given: Given) -> Result:
        put = self.repositories.put_mutability(call, given["repositoryName"], _mutability(given))
        return {**_of(put), **_mutability_fields(put)}

    def _put_image_scanning_configuration(self, call: Call, given: Given) -> Result:
        wanted = given["imageScanningConfiguration"].get("scanOnPush", False)
        put = self.repositories.put_scanning(call, given["repositoryName"], scan_on_push=wanted)
        return {**_of(put), "imageScanningConfiguration": {"scanOnPush": put.scan_on_push}}

    def _tag_resource(self, call: Call, given: Given) -> None:
        tags = resource_tags([(tag["Key"], tag["Value"]) for tag in given["tags"]])
        self.repositories.tag(call, _repository_of_arn(call, given["resourceArn"]), tags)

    def _untag_resource(self, call: Call, given: Given) -> None:
        self.repositories.untag(call, _repository_of_arn(call, given["resourceArn"]), given["tagKeys"])

    def _list_tags_for_resource(self, call: Call, given: Given) -> Result:
        tags = self.repositories.tags(call, _repository_of_arn(call, given["resourceArn"]))
        return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _repository(self, repository: Repository) -> Result:
        return {
            "repositoryArn": repository.arn,
            **_of(repository),
            "repositoryUri": f"{self.names.host(repository.registry)}/{repository.name}",
            "createdAt": repository.created_at,
            **_mutability_fields(repository),
            "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
            "encryptionConfiguration": {
                "encryptionType": repository.encryption.type,
                "kmsKey": repository.encryption.kms_key,
            },
        }

    # --- images -------------------------------------------------------------------------------------------------------

    def _put_image(self, call: Call, given: Given) -> Result:
        name, tag = given["repositoryName"], given.get("imageTag")
        put = self.images.put(
            call,
            name,
            given["imageManifest"].encode(),
            media_type=given.get("imageManifestMediaType"),
            tag=tag,
            digest=given.get("imageDigest"),
        )
        manifest = put.manifest
        if not put.changed:
            raise ImageAlreadyExists(manifest.digest, tag, name, call.registry.account)
        return {
            "image": {
                "registryId": call.registry.account,
                "repositoryName": name,
                "imageId": {"imageDigest": manifest.digest, "imageTag": tag},
                "imageManifest": given["imageManifest"],
                "imageManifestMediaType": manifest.media_type,
            }
        }

    def _batch_get_image(self, call: Call, given: Given) -> Result:
        got, failures = self.images.get(call, given["repositoryName"], _image_ids(given["imageIds"]))
        return {
            "images": [_got(call.registry, given["repositoryName"], each) for each in got],
            "failures": _failures(failures),
        }

    def _batch_delete_image(self, call: Call, given: Given) -> Result:
        removed, failures = self.images.delete(call, given["repositoryName"], _image_ids(given["imageIds"]))
        return {"imageIds": [_image_id(each) for each in removed], "failures": _failures(failures)}

    def _list_images(self, call: Call, given: Given) -> Result:
        name, status, size = given["repositoryName"], _tag_status(given), given.get("maxResults", PAGE)
        listing = f"images {call.registry} {name} {status} {_image_status(given)}"
        image, tag = page_after(listing, given.get("nextToken"), [0, ""])
        found = self.images.pairs(call, name, status, (int(image), str(tag)), size + 1)
        if _image_status(given) not in ("ACTIVE", "ANY"):
            return {"imageIds": []}
        last = found[size - 1] if len(found) > size else None
        return {
            "imageIds": [{"imageDigest": digest, "imageTag": tag} for _, digest, tag in found[:size]],
            "nextToken": next_token(listing, [last[0], last[2] or ""]) if last else None,
        }

    def _describe_images(self, call: Call, given: Given) -> Result:
        name = given["repositoryName"]
        if "imageIds" in given:
            _not_with_paging(given, "imageIds")
            images = self.images.describe(call, name, _image_ids(given["imageIds"]))
            return {"imageDetails": [_details(call.registry, name, each) for each in images]}
        status, size = _tag_status(given), given.get("maxResults", PAGE)
        listing = f"details {call.registry} {name} {status} {_image_status(given)}"
        (after,) = page_after(listing, given.get("nextToken"), [0])
        found = self.images.page(call, name, status, int(after), size + 1)
        if _image_status(given) not in ("ACTIVE", "ANY"):
            return {"imageDetails": []}
        return {
            "imageDetails": [_details(call.registry, name, each) for each in found[:size]],
            "nextToken": next_token(listing, [found[size - 1].id]) if len(found) > size else None,
        }

    # --- layers -------------------------------------------------------------------------------------------------------

    def _batch_check_layer_availability(self, call: Call, given: Given) -> Result:
        texts: list[str] = list(dict.fromkeys(given["layerDigests"]))
        wanted = [digest for digest in map(parse_digest, texts) if digest]
        held = self.layers.available(call, given["repositoryName"], wanted)
        layers: list[Result] = []
        failures: list[Result] = []
        for text in texts:
            digest = parse_digest(text)
            layer = held.get(digest) if digest else None
            if layer:
                layers.append(
                    {
                        "layerDigest": text,
                        "layerAvailability": "AVAILABLE",
                        "layerSize": layer.size,
                        "mediaType": layer.media_type,
                    }
                )
            elif looks_like_digest(text):
                layers.append({"layerDigest": text, "layerAvailability": "UNAVAILABLE"})
            else:
                failures.append(_layer_failure(text))
        return {"layers": layers, "failures": failures}

    def _initiate_layer_upload(self, call: Call, given: Given) -> Result:
        return {"uploadId": self.uploads.start(call, given["repositoryName"]).id, "partSize": PART_SIZE}

    def _upload_layer_part(self, call: Call, given: Given) -> Result:
        name, part = given["repositoryName"], given["layerPartBlob"]
        first, last = given["partFirstByte"], given["partLastByte"]
        session = self.uploads.resume(call, name, given["uploadId"], first, "ecr:UploadLayerPart")
        try:
            if last - first + 1 != len(part):
                raise InvalidLayerPart(
                    f"The layer part has {len(part)} bytes instead of the {last - first + 1} from byte {first} to byte {last}",
                    name,
                    call.registry.account,
                    UploadId(given["uploadId"]),
                    session.upload.size - 1,
                )
            session.write(part)
            upload = self.uploads.keep_part(call, session)
        finally:
            session.close()
        return {
            "registryId": call.registry.account,
            "repositoryName": name,
            "uploadId": upload.id,
            "lastByteReceived": last,
        }

    def _complete_layer_upload(self, call: Call, given: Given) -> Result:
        name = given["repositoryName"]
        session = self.uploads.resume(call, name, given["uploadId"], None, "ecr:CompleteLayerUpload")
        try:
            completed = self.uploads.complete(call, session, tuple(given["layerDigests"]), parts=True)
        finally:
            session.close()
        if not completed.new:
            raise LayerAlreadyExists(completed.digest, name, call.registry.account)
        return {
            "registryId": call.registry.account,
            "repositoryName": name,
            "uploadId": given["uploadId"],
            "layerDigest": completed.digest,
        }

    def _get_download_url_for_layer(self, call: Call, given: Given) -> Result:
        layer = self.layers.downloadable(call, given["repositoryName"], given["layerDigest"])
        path = signed_path(self.secret, call.registry, given["repositoryName"], layer.digest, call.at)
        return {"downloadUrl": self.names.endpoint(call.registry) + path, "layerDigest": layer.digest}


def _of(repository: Repository) -> Result:
    return {"registryId": repository.registry.account, "repositoryName": repository.name}


def _mutability(given: Given) -> TagMutability:
    filters = given.get("imageTagMutabilityExclusionFilters", ())
    mode = Mutability(given.get("imageTagMutability", Mutability.MUTABLE))
    return tag_mutability(mode, tuple(each["filter"] for each in filters))


def _mutability_fields(repository: Repository) -> Result:
    filters = [{"filterType": "WILDCARD", "filter": each} for each in repository.mutability.exclusions]
    return {
        "imageTagMutability": repository.mutability.mode,
        "imageTagMutabilityExclusionFilters": filters or None,
    }


def _encryption(registry: Registry, given: Given | None) -> Encryption:
    if given is None:
        return Encryption()
    key = given.get("kmsKey")
    if given["encryptionType"] == "AES256":
        if key is not None:
            raise InvalidParameter("encryptionConfiguration", "kmsKey is not allowed when encryptionType is AES256")
        return Encryption()
    # There is no KMS to ask; a name is kept in the form that ECR returns, an ARN.
    arn = f"arn:aws:kms:{registry.region}:{registry.account}:"
    name = key or "alias/aws/ecr"
    return Encryption(given["encryptionType"], name if name.startswith("arn:") else arn + _key_resource(name))


def _key_resource(name: str) -> str:
    return name if name.startswith("alias/") else f"key/{name}"


_arn = re.compile(r"arn:aws[a-z-]*:ecr:([a-z0-9-]+):([0-9]{12}):repository/(.+)")


def _repository_of_arn(call: Call, arn: str) -> RepositoryName:
    """Return the repository that an ARN names; raises InvalidParameter for one of another kind, account or region."""
    found = _arn.fullmatch(arn)
    name = parse_repository(found[3]) if found else None
    if not found or name is None or arn != call.registry.repository_arn(name):
        raise InvalidParameter("resourceArn", "Invalid ARN")
    return name


def _not_with_paging(given: Given, member: str) -> None:
    for paging in ("nextToken", "maxResults"):
        if paging in given:
            raise InvalidParameter(paging, f"{paging} cannot be used together with {member}")


def _tag_status(given: Given) -> TagStatus:
    return TagStatus(given.get("filter", {}).get("tagStatus", TagStatus.ANY))


def _image_status(given: Given) -> str:
    return str(given.get("filter", {}).get("imageStatus", "ACTIVE"))


def _image_ids(given: list[Given]) -> list[ImageId]:
    return [ImageId(each.get("imageDigest"), each.get("imageTag")) for each in given]


def _image_id(wanted: ImageId) -> Result:
    return {"imageDigest": wanted.digest, "imageTag": wanted.tag}


def _failures(failures: list[ImageFailure]) -> list[Result]:
    return [
        {"imageId": _image_id(each.id), "failureCode": each.code, "failureReason": each.reason} for each in failures
    ]


def _layer_failure(text: str) -> Result:
    if not text:
        return {"failureCode": "MissingLayerDigest", "failureReason": "Invalid request parameters: layer digest cannot be null"}
    reason = "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    return {"layerDigest": text, "failureCode": "InvalidLayerDigest", "failureReason": reason}


def _got(registry: Registry, name: RepositoryName, got: Got) -> Result:
    return {
        "registryId": registry.account,
        "repositoryName": name,
        "imageId": {"imageDigest": got.image.digest, "imageTag": got.tag},
        "imageManifest": got.content.decode(),
        "imageManifestMediaType": got.image.media_type,
    }


def _details(registry: Registry, name: RepositoryName, image: Image) -> Result:
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
