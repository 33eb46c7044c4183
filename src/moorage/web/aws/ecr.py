"""The operations of the service ECR: checked input to core types, results to ECR's fields (Amazon ECR API Reference)."""

import base64
from dataclasses import dataclass, field

from moorage.actions.images import Images
from moorage.actions.layers import Layers
from moorage.actions.repositories import Repositories
from moorage.actions.tokens import Tokens
from moorage.actions.uploads import Uploads
from moorage.core.calls import Call
from moorage.core.digests import SHA256, looks_like_digest, parse_digest
from moorage.core.downloads import signed_path
from moorage.core.errors import ImageAlreadyExists, InvalidLayerPart, LayerAlreadyExists
from moorage.core.names import AccountId, Registry, RegistryNames, UploadId
from moorage.core.operations import COMPLETE_LAYER_UPLOAD, UPLOAD_LAYER_PART
from moorage.core.paging import next_token, page_after
from moorage.core.repositories import Repository, resource_tags
from moorage.core.uploads import PART_SIZE
from moorage.web.aws.door import Handler
from moorage.web.aws.ecr_fields import (
    Given,
    Result,
    details,
    encryption,
    failure_fields,
    got_fields,
    image_id,
    image_ids,
    image_status,
    layer_failure,
    mutability,
    mutability_fields,
    not_with_paging,
    of,
    repository_of_arn,
    tag_status,
)

PAGE = 100
"""Entries of a page where the caller names no other number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecr:
    """The actions behind the service's operations, and the names that its answers show."""

    repositories: Repositories
    images: Images
    layers: Layers
    uploads: Uploads
    tokens: Tokens
    names: RegistryNames
    secret: bytes = field(repr=False)

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
            mutability=mutability(given),
            scan_on_push=given.get("imageScanningConfiguration", {}).get("scanOnPush", False),
            encryption=encryption(call.registry, given.get("encryptionConfiguration")),
        )
        tags = resource_tags([(tag["Key"], tag["Value"]) for tag in given.get("tags", ())])
        return {"repository": self._repository(self.repositories.create(call, wanted, tags))}

    def _describe_repositories(self, call: Call, given: Given) -> Result:
        names = given.get("repositoryNames")
        if names is not None:
            not_with_paging(given, "repositoryNames")
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
        put = self.repositories.put_mutability(call, given["repositoryName"], mutability(given))
        return {**of(put), **mutability_fields(put)}

    def _put_image_scanning_configuration(self, call: Call, given: Given) -> Result:
        wanted = given["imageScanningConfiguration"].get("scanOnPush", False)
        put = self.repositories.put_scanning(call, given["repositoryName"], scan_on_push=wanted)
        return {**of(put), "imageScanningConfiguration": {"scanOnPush": put.scan_on_push}}

    def _tag_resource(self, call: Call, given: Given) -> None:
        tags = resource_tags([(tag["Key"], tag["Value"]) for tag in given["tags"]])
        self.repositories.tag(call, repository_of_arn(call, given["resourceArn"]), tags)

    def _untag_resource(self, call: Call, given: Given) -> None:
        self.repositories.untag(call, repository_of_arn(call, given["resourceArn"]), given["tagKeys"])

    def _list_tags_for_resource(self, call: Call, given: Given) -> Result:
        tags = self.repositories.tags(call, repository_of_arn(call, given["resourceArn"]))
        return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _repository(self, repository: Repository) -> Result:
        return {
            "repositoryArn": repository.arn,
            **of(repository),
            "repositoryUri": f"{self.names.host(repository.registry)}/{repository.name}",
            "createdAt": repository.created_at,
            **mutability_fields(repository),
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
            tags=[tag] if tag is not None else [],
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
        got, failures = self.images.get(call, given["repositoryName"], image_ids(given["imageIds"]))
        return {
            "images": [got_fields(call.registry, given["repositoryName"], each) for each in got],
            "failures": failure_fields(failures),
        }

    def _batch_delete_image(self, call: Call, given: Given) -> Result:
        removed, failures = self.images.delete(call, given["repositoryName"], image_ids(given["imageIds"]))
        return {"imageIds": [image_id(each) for each in removed], "failures": failure_fields(failures)}

    def _list_images(self, call: Call, given: Given) -> Result:
        name, status, size = given["repositoryName"], tag_status(given), given.get("maxResults", PAGE)
        listing = f"images {call.registry} {name} {status} {image_status(given)}"
        image, tag = page_after(listing, given.get("nextToken"), [0, ""])
        found = self.images.pairs(call, name, status, (int(image), str(tag)), size + 1)
        if image_status(given) not in ("ACTIVE", "ANY"):
            return {"imageIds": []}
        last = found[size - 1] if len(found) > size else None
        return {
            "imageIds": [{"imageDigest": digest, "imageTag": tag} for _, digest, tag in found[:size]],
            "nextToken": next_token(listing, [last[0], last[2] or ""]) if last else None,
        }

    def _describe_images(self, call: Call, given: Given) -> Result:
        name = given["repositoryName"]
        if "imageIds" in given:
            not_with_paging(given, "imageIds")
            images = self.images.describe(call, name, image_ids(given["imageIds"]))
            return {"imageDetails": [details(call.registry, name, each) for each in images]}
        status, size = tag_status(given), given.get("maxResults", PAGE)
        listing = f"details {call.registry} {name} {status} {image_status(given)}"
        (after,) = page_after(listing, given.get("nextToken"), [0])
        found = self.images.page(call, name, status, int(after), size + 1)
        if image_status(given) not in ("ACTIVE", "ANY"):
            return {"imageDetails": []}
        return {
            "imageDetails": [details(call.registry, name, each) for each in found[:size]],
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
                failures.append(layer_failure(text))
        return {"layers": layers, "failures": failures}

    def _initiate_layer_upload(self, call: Call, given: Given) -> Result:
        return {"uploadId": self.uploads.start(call, given["repositoryName"]).id, "partSize": PART_SIZE}

    def _upload_layer_part(self, call: Call, given: Given) -> Result:
        name, part = given["repositoryName"], given["layerPartBlob"]
        first, last = given["partFirstByte"], given["partLastByte"]
        session = self.uploads.resume(call, name, given["uploadId"], first, UPLOAD_LAYER_PART)
        try:
            if last - first + 1 != len(part):
                raise InvalidLayerPart(
                    f"The layer part has {len(part)} bytes instead of the {last - first + 1} from byte {first} to byte {last}",
                    name,
                    call.registry.account,
                    UploadId(given["uploadId"]),
                    session.upload.size - 1,
                )
            session.write([part])
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
        session = self.uploads.resume(call, name, given["uploadId"], None, COMPLETE_LAYER_UPLOAD, SHA256)
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
