"""Every operation of ECR and STS and every route of the registry, asked so that nothing but a right could be missing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moorage.core.operations import ECR, OWN, ROUTES, STS, Resource, Right
from moorage.web.aws.model import service
from tests.clients.registry import OCI_MANIFEST, digest_of
from tests.engines.server import ACCOUNT
from tests.hostile.inside import CONFIG, LAYER, MANIFEST
from tests.rights.scene import APP, REGION, Said, Scene, Who, policy

Ask = Callable[[Scene, Who, str], Said]

DIGEST, MORE = digest_of(LAYER), b"a layer that is not there yet"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci"
ADMIN = f"arn:aws:iam::{ACCOUNT}:user/admin"
NEVER = "0" * 64
OPEN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ecr:BatchGetImage"}],
    }
)


def arn_of(name: str) -> str:
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"


@dataclass(frozen=True)
class Question:
    """One question, the rights of the table that it needs, and whether it can name another account's registry."""

    name: str
    rights: tuple[Right, ...]
    ask: Ask
    door: str
    goes_abroad: bool

    def needs(self, name: str) -> list[tuple[str, str]]:
        """Return each action and the resource that a refusal names."""
        resources = {
            Resource.REPOSITORY: arn_of(name),
            Resource.NEW: arn_of(name),
            Resource.SOURCE: arn_of(APP),
            Resource.EVERY: arn_of("*"),
            Resource.ANY: "*",
            Resource.ROLE: ROLE,
            Resource.PRINCIPAL: ADMIN,
        }
        return [(right.action, resources[right.resource]) for right in self.rights]


def _ecr(operation: str, *which: int, said: str = "", **given: Any) -> Question:
    """Return the question of an operation with this input; NAME and UPLOAD in it stand for those of the moment."""
    members = service("ecr").operation(operation)
    assert members
    assert members.input
    abroad = "registryId" in members.input.members

    def ask(scene: Scene, who: Who, name: str) -> Said:
        text = json.dumps(given).replace("NAME", name)
        if "UPLOAD" in text:
            text = text.replace("UPLOAD", scene.upload)
        return scene.ecr(who, operation, json.loads(text) | ({"registryId": ACCOUNT} if abroad else {}))

    rights = tuple(right for number, right in enumerate(ECR[operation]) if number in (which or (0,)))
    return Question(f"{operation}{said}", rights, ask, "ecr", goes_abroad=abroad)


def _sts(operation: str, *which: int, said: str = "", **fields: str) -> Question:
    def ask(scene: Scene, who: Who, _name: str) -> Said:
        return scene.ask_sts(who, operation, fields)

    rights = tuple(right for number, right in enumerate(STS[operation]) if number in (which or (0,)))
    return Question(f"{operation}{said}", rights, ask, "sts", goes_abroad="RoleArn" in fields)


def _own(operation: str, **given: Any) -> Question:
    def ask(scene: Scene, who: Who, _name: str) -> Said:
        return scene.json(who, "moorage", operation, given)

    return Question(operation, OWN[operation], ask, "ecr", goes_abroad=False)


def _v2(kind: str, method: str, path: str, *which: int, said: str = "", body: bytes = b"", media: str = "") -> Question:
    def ask(scene: Scene, who: Who, name: str) -> Said:
        return scene.v2(who, method, path.replace("NAME", name).replace("UPLOAD", scene.upload), body, media)

    rights = tuple(right for number, right in enumerate(ROUTES[kind, method].rights) if number in (which or (0,)))
    return Question(f"{method} {kind}{said}", rights, ask, "v2", goes_abroad=True)


_TAGS = [{"Key": "stage", "Value": "test"}]
_NAMED: dict[str, Any] = {"repositoryName": "NAME"}
_ARN: dict[str, Any] = {"resourceArn": arn_of("NAME")}
_PLACE: dict[str, Any] = {"uploadId": "UPLOAD", "partFirstByte": 0, "partLastByte": 2, "layerPartBlob": "YWJj"}

QUESTIONS: tuple[Question, ...] = (
    _ecr("BatchCheckLayerAvailability", **_NAMED, layerDigests=[DIGEST]),
    _ecr("BatchGetImage", **_NAMED, imageIds=[{"imageTag": "v1"}]),
    _ecr("CreateRepository", **_NAMED),
    _ecr("CreateRepository", 0, 1, said=" with tags", **_NAMED, tags=_TAGS),
    _ecr("DescribeImages", **_NAMED),
    _ecr("DescribeImages", said=" by their ids", **_NAMED, imageIds=[{"imageTag": "v1"}]),
    _ecr("DescribeRegistry"),
    _ecr("DescribeRepositories", 0, said=" by name", repositoryNames=["NAME"]),
    _ecr("DescribeRepositories", 1),
    _ecr("GetAccountSetting", name="BLOB_MOUNTING"),
    _ecr("GetAuthorizationToken"),
    _ecr("GetDownloadUrlForLayer", **_NAMED, layerDigest=DIGEST),
    _ecr("GetRegistryPolicy"),
    _ecr("GetRepositoryPolicy", **_NAMED),
    _ecr("InitiateLayerUpload", **_NAMED),
    _ecr("ListImages", **_NAMED),
    _ecr("ListTagsForResource", **_ARN),
    _ecr("PutAccountSetting", name="BLOB_MOUNTING", value="ENABLED"),
    _ecr("PutImage", **_NAMED, imageManifest=MANIFEST.decode(), imageTag="v2"),
    _ecr("PutImageScanningConfiguration", **_NAMED, imageScanningConfiguration={"scanOnPush": True}),
    _ecr("PutImageTagMutability", **_NAMED, imageTagMutability="IMMUTABLE"),
    _ecr("PutRegistryPolicy", policyText=policy("ecr:BatchGetImage", Principal="*")),
    _ecr("SetRepositoryPolicy", **_NAMED, policyText=OPEN),
    _ecr("TagResource", **_ARN, tags=_TAGS),
    _ecr("UntagResource", **_ARN, tagKeys=["stage"]),
    _ecr("UploadLayerPart", **_NAMED, **_PLACE),
    _ecr("CompleteLayerUpload", **_NAMED, uploadId="UPLOAD", layerDigests=[digest_of(b"abc")]),
    _sts("AssumeRole", RoleArn=ROLE, RoleSessionName="build"),
    _sts(
        "AssumeRole",
        *(0, 1, 2),
        said=" with tags and a source identity",
        RoleArn=ROLE,
        RoleSessionName="build",
        SourceIdentity="ann",
        ExternalId="outside",
        **{"Tags.member.1.Key": "stage", "Tags.member.1.Value": "test", "TransitiveTagKeys.member.1": "stage"},
    ),
    _sts("DecodeAuthorizationMessage", EncodedMessage="abc"),
    _sts("GetAccessKeyInfo", AccessKeyId="AKIAIOSFODNN7EXAMPLE"),
    _sts("GetCallerIdentity"),
    _sts("GetSessionToken"),
    _own("Explain", principal=ADMIN, action="iam:GetUser"),
    _v2("base", "GET", "/v2/"),
    _v2("base", "HEAD", "/v2/"),
    _v2("catalog", "GET", "/v2/_catalog"),
    _v2("tags", "GET", "/v2/NAME/tags/list"),
    _v2("referrers", "GET", f"/v2/NAME/referrers/{digest_of(MANIFEST)}"),
    _v2("manifest", "GET", "/v2/NAME/manifests/v1"),
    _v2("manifest", "HEAD", "/v2/NAME/manifests/v1"),
    _v2("manifest", "GET", f"/v2/NAME/manifests/{digest_of(MANIFEST)}", said=" by digest"),
    _v2("manifest", "GET", f"/v2/NAME/manifests/sha3:{NEVER}", said=" by a digest that cannot be"),
    _v2("manifest", "PUT", "/v2/NAME/manifests/v3", body=MANIFEST, media=OCI_MANIFEST),
    _v2("manifest", "PUT", "/v2/NAME/manifests/v3", said=" that is none", body=b"{", media=OCI_MANIFEST),
    _v2("blob", "GET", f"/v2/NAME/blobs/{DIGEST}"),
    _v2("blob", "HEAD", f"/v2/NAME/blobs/{DIGEST}"),
    _v2("blob", "GET", f"/v2/NAME/blobs/sha3:{NEVER}", said=" by a digest that cannot be"),
    _v2("blob", "HEAD", f"/v2/NAME/blobs/sha3:{NEVER}", said=" by a digest that cannot be"),
    _v2("uploads", "POST", "/v2/NAME/blobs/uploads/"),
    _v2(
        "uploads",
        "POST",
        f"/v2/NAME/blobs/uploads/?digest={digest_of(MORE)}",
        *(0, 1, 2),
        said=" with a layer",
        body=MORE,
    ),
    _v2("uploads", "POST", f"/v2/NAME/blobs/uploads/?mount={DIGEST}&from={APP}", 0, 2, 3, said=" to mount a layer"),
    _v2("uploads", "POST", f"/v2/NAME/blobs/uploads/?mount={DIGEST}", 0, 2, 3, said=" to mount a layer of anywhere"),
    _v2("upload", "GET", "/v2/NAME/blobs/uploads/UPLOAD"),
    _v2("upload", "PATCH", "/v2/NAME/blobs/uploads/UPLOAD", body=b"abc"),
    _v2("upload", "PUT", f"/v2/NAME/blobs/uploads/UPLOAD?digest={digest_of(b'')}"),
    _v2("upload", "PUT", f"/v2/NAME/blobs/uploads/UPLOAD?digest={digest_of(b'abc')}", 0, 1, said=" it", body=b"abc"),
    _v2("upload", "DELETE", "/v2/NAME/blobs/uploads/UPLOAD"),
    # What takes away what the others ask for comes last.
    _v2("manifest", "DELETE", "/v2/NAME/manifests/v1", said=" by tag"),
    _v2("manifest", "DELETE", f"/v2/NAME/manifests/{digest_of(MANIFEST)}"),
    _v2("manifest", "DELETE", f"/v2/NAME/manifests/sha3:{NEVER}", said=" by a digest that cannot be"),
    _v2("blob", "DELETE", f"/v2/NAME/blobs/{digest_of(CONFIG)}"),
    _v2("blob", "DELETE", f"/v2/NAME/blobs/sha3:{NEVER}", said=" by a digest that cannot be"),
    _ecr("BatchDeleteImage", **_NAMED, imageIds=[{"imageTag": "v1"}]),
    _ecr("DeleteRegistryPolicy"),
    _ecr("DeleteRepositoryPolicy", **_NAMED),
    _ecr("DeleteRepository", **_NAMED, force=True),
)
