"""An input of every operation that is real, and what a caller can get wrong in it, read from the service model."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from moorage.web.aws.model import service
from tests.hostile.place import ABSENT, APP, POLICY

ARN = "arn:aws:ecr:us-east-1:123456789012:repository/team/app"
UPLOAD = "6f1c2b1e-0000-4000-8000-000000000001"
MANAGED = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'
_IDS = [{"imageTag": "v1"}, {"imageDigest": ABSENT}]

ECR: dict[str, Any] = {
    "BatchCheckLayerAvailability": {"repositoryName": APP, "layerDigests": [ABSENT]},
    "BatchDeleteImage": {"repositoryName": APP, "imageIds": _IDS},
    "BatchGetImage": {"repositoryName": APP, "imageIds": _IDS, "acceptedMediaTypes": ["a/b"]},
    "CompleteLayerUpload": {"repositoryName": APP, "uploadId": UPLOAD, "layerDigests": [ABSENT]},
    "CreateRepository": {
        "repositoryName": "team/new",
        "tags": [{"Key": "a", "Value": "b"}],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/mine"},
    },
    "DeleteRepository": {"repositoryName": APP, "force": True},
    "DescribeImages": {
        "repositoryName": APP,
        "nextToken": "dG9rZW4=",
        "maxResults": 5,
        "filter": {"tagStatus": "ANY", "imageStatus": "ACTIVE"},
    },
    "DescribeRegistry": {},
    "DescribeRepositories": {"nextToken": "dG9rZW4=", "maxResults": 5},
    "GetAccountSetting": {"name": "BLOB_MOUNTING"},
    "GetAuthorizationToken": {"registryIds": ["123456789012"]},
    "GetDownloadUrlForLayer": {"repositoryName": APP, "layerDigest": ABSENT},
    "InitiateLayerUpload": {"repositoryName": APP},
    "ListImages": {"repositoryName": APP, "nextToken": "dG9rZW4=", "maxResults": 5, "filter": {"tagStatus": "TAGGED"}},
    "ListTagsForResource": {"resourceArn": ARN},
    "PutAccountSetting": {"name": "BLOB_MOUNTING", "value": "ENABLED"},
    "PutImage": {
        "repositoryName": APP,
        "imageManifest": "{}",
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "imageTag": "v9",
        "imageDigest": ABSENT,
    },
    "PutImageScanningConfiguration": {"repositoryName": APP, "imageScanningConfiguration": {"scanOnPush": True}},
    "PutImageTagMutability": {
        "repositoryName": APP,
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
    },
    "TagResource": {"resourceArn": ARN, "tags": [{"Key": "a", "Value": "b"}]},
    "UntagResource": {"resourceArn": ARN, "tagKeys": ["team"]},
    "UploadLayerPart": {
        "repositoryName": APP,
        "uploadId": UPLOAD,
        "partFirstByte": 0,
        "partLastByte": 2,
        "layerPartBlob": "YWJj",
    },
}

_PAGE = {"MaxItems": 5, "Marker": "YWRtaW4="}
IAM: dict[str, Any] = {
    "AttachUserPolicy": {"UserName": "ann", "PolicyArn": MANAGED},
    "CreateAccessKey": {"UserName": "ann"},
    "CreateAccountAlias": {"AccountAlias": "lighthouse"},
    "CreateUser": {
        "UserName": "bob",
        "Path": "/staff/",
        "PermissionsBoundary": MANAGED,
        "Tags": [{"Key": "team", "Value": "a"}],
    },
    "DeleteAccessKey": {"UserName": "ann", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
    "DeleteAccountAlias": {"AccountAlias": "harbour"},
    "DeleteUser": {"UserName": "ann"},
    "DeleteUserPolicy": {"UserName": "ann", "PolicyName": "some"},
    "DetachUserPolicy": {"UserName": "ann", "PolicyArn": MANAGED},
    "GetPolicy": {"PolicyArn": MANAGED},
    "GetPolicyVersion": {"PolicyArn": MANAGED, "VersionId": "v1"},
    "GetUser": {"UserName": "ann"},
    "GetUserPolicy": {"UserName": "ann", "PolicyName": "some"},
    "ListAccessKeys": {"UserName": "ann", **_PAGE},
    "ListAccountAliases": {**_PAGE},
    "ListAttachedUserPolicies": {"UserName": "ann", "PathPrefix": "/", **_PAGE},
    "ListPolicies": {"Scope": "AWS", "OnlyAttached": False, "PathPrefix": "/", **_PAGE},
    "ListUserPolicies": {"UserName": "ann", **_PAGE},
    "ListUsers": {"PathPrefix": "/", **_PAGE},
    "PutUserPolicy": {"UserName": "ann", "PolicyName": "other", "PolicyDocument": POLICY},
    "UpdateAccessKey": {"UserName": "ann", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive"},
}

_TAGS = [{"Key": "team", "Value": "a"}]
_OWN = "arn:aws:iam::123456789012:policy/mine"
_ANN = "arn:aws:iam::123456789012:user/ann"
_SCENE = {
    "ActionNames": ["ecr:PutImage", "ecr:BatchGetImage"],
    "ResourceArns": ["arn:aws:ecr:us-east-1:123456789012:repository/team/app"],
    "PermissionsBoundaryPolicyInputList": [POLICY],
    "CallerArn": _ANN,
    "ResourceOwner": "123456789012",
    "ContextEntries": [{"ContextKeyName": "aws:some", "ContextKeyValues": ["1"], "ContextKeyType": "numeric"}],
    "MaxItems": 5,
    "Marker": "MQ==",
}
_ROLE = {"RoleName": "ci", "Description": "builds", "MaxSessionDuration": 7200}
_OF = {"User": {"UserName": "ann"}, "Group": {"GroupName": "devs"}, "Role": {"RoleName": "ci"}}
for _noun, _name in _OF.items():
    _inline = {**_name, "PolicyName": "some"}
    _managed = {**_name, "PolicyArn": MANAGED}
    IAM |= {
        f"Attach{_noun}Policy": _managed,
        f"Detach{_noun}Policy": _managed,
        f"ListAttached{_noun}Policies": {**_name, "PathPrefix": "/", **_PAGE},
        f"Put{_noun}Policy": {**_inline, "PolicyDocument": POLICY},
        f"Get{_noun}Policy": _inline,
        f"List{_noun}Policies": {**_name, **_PAGE},
        f"Delete{_noun}Policy": _inline,
    }
    if _noun != "Group":
        IAM |= {
            f"Put{_noun}PermissionsBoundary": {**_name, "PermissionsBoundary": MANAGED},
            f"Delete{_noun}PermissionsBoundary": _name,
            f"Tag{_noun}": {**_name, "Tags": _TAGS},
            f"Untag{_noun}": {**_name, "TagKeys": ["team"]},
            f"List{_noun}Tags": {**_name, **_PAGE},
        }
IAM |= {
    "AddUserToGroup": {"GroupName": "devs", "UserName": "ann"},
    "CreateGroup": {"GroupName": "devs", "Path": "/teams/"},
    "CreatePolicy": {
        "PolicyName": "mine",
        "Path": "/own/",
        "PolicyDocument": POLICY,
        "Description": "pushes",
        "Tags": _TAGS,
    },
    "CreatePolicyVersion": {"PolicyArn": _OWN, "PolicyDocument": POLICY, "SetAsDefault": True},
    "CreateRole": {
        **_ROLE,
        "AssumeRolePolicyDocument": TRUST,
        "Path": "/ci/",
        "PermissionsBoundary": MANAGED,
        "Tags": _TAGS,
    },
    "CreateServiceLinkedRole": {"AWSServiceName": "ecr.amazonaws.com", "Description": "d", "CustomSuffix": "x"},
    "DeleteGroup": {"GroupName": "devs"},
    "DeleteLoginProfile": {"UserName": "ann"},
    "DeletePolicy": {"PolicyArn": _OWN},
    "DeletePolicyVersion": {"PolicyArn": _OWN, "VersionId": "v2"},
    "DeleteRole": {"RoleName": "ci"},
    "DeleteServiceLinkedRole": {"RoleName": "AWSServiceRoleForECRTemplate"},
    "GetAccountAuthorizationDetails": {"Filter": ["User"], **_PAGE},
    "GetAccessKeyLastUsed": {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
    "GetAccountSummary": {},
    "GetGroup": {"GroupName": "devs", **_PAGE},
    "GetLoginProfile": {"UserName": "ann"},
    "GetRole": {"RoleName": "ci"},
    "GetServiceLinkedRoleDeletionStatus": {"DeletionTaskId": "task/aws-service-role/x"},
    "ListEntitiesForPolicy": {
        "PolicyArn": MANAGED,
        "EntityFilter": "User",
        "PathPrefix": "/",
        "PolicyUsageFilter": "PermissionsPolicy",
        **_PAGE,
    },
    "ListGroups": {"PathPrefix": "/", **_PAGE},
    "ListGroupsForUser": {"UserName": "ann", **_PAGE},
    "ListInstanceProfilesForRole": {"RoleName": "ci", **_PAGE},
    "ListMFADevices": {"UserName": "ann", **_PAGE},
    "ListPolicyTags": {"PolicyArn": _OWN, **_PAGE},
    "ListPolicyVersions": {"PolicyArn": _OWN, **_PAGE},
    "ListRoles": {"PathPrefix": "/", **_PAGE},
    "ListSSHPublicKeys": {"UserName": "ann", **_PAGE},
    "ListServiceSpecificCredentials": {"UserName": "ann", **_PAGE},
    "ListSigningCertificates": {"UserName": "ann", **_PAGE},
    "ListVirtualMFADevices": {"AssignmentStatus": "Any", **_PAGE},
    "GetContextKeysForCustomPolicy": {"PolicyInputList": [POLICY]},
    "GetContextKeysForPrincipalPolicy": {"PolicySourceArn": _ANN, "PolicyInputList": [POLICY]},
    "SimulateCustomPolicy": {"PolicyInputList": [POLICY], **_SCENE},
    "SimulatePrincipalPolicy": {"PolicySourceArn": _ANN, "PolicyInputList": [POLICY], **_SCENE},
    "RemoveUserFromGroup": {"GroupName": "devs", "UserName": "ann"},
    "SetDefaultPolicyVersion": {"PolicyArn": _OWN, "VersionId": "v2"},
    "TagPolicy": {"PolicyArn": _OWN, "Tags": _TAGS},
    "UntagPolicy": {"PolicyArn": _OWN, "TagKeys": ["team"]},
    "UpdateAssumeRolePolicy": {"RoleName": "ci", "PolicyDocument": TRUST},
    "UpdateGroup": {"GroupName": "devs", "NewGroupName": "ops", "NewPath": "/"},
    "UpdateRole": _ROLE,
    "UpdateRoleDescription": {"RoleName": "ci", "Description": "builds"},
    "UpdateUser": {"UserName": "ann", "NewUserName": "eve", "NewPath": "/"},
}
STS: dict[str, Any] = {"GetCallerIdentity": {}}

GOOD = {"ecr": ECR, "iam": IAM, "sts": STS}
EVERY = [(name, operation) for name, operations in GOOD.items() for operation in operations]


class Wrong(NamedTuple):
    """One way to get an input wrong: its name, the whole input, whether a type or a rule of the model is broken."""

    what: str
    document: Any
    kind: str


def wrongs(name: str, operation: str) -> Iterator[Wrong]:
    """Yield every way to break one rule of the model in one place of the good input."""
    document = GOOD[name][operation]
    found = service(name).operation(operation)
    assert found is not None
    if found.input is not None:
        yield from _within(found.input, document, lambda value: value, "")


def _within(shape: Any, value: Any, whole: Callable[[Any], Any], path: str) -> Iterator[Wrong]:
    """Yield the wrong inputs of a part; ``whole`` puts a part in its place."""
    for what, part in _MISTYPED[shape.type_name]:
        yield Wrong(f"{path} is {what}", whole(copy.deepcopy(part)), "type")
    # An image's id is judged by itself, in the answer to a batch.
    if shape.name == "ImageIdentifier":
        return
    yield from (Wrong(f"{path} {what}", whole(part), "rule") for what, part in _broken(shape, value))
    if shape.type_name == "structure":
        for member in shape.required_members:
            yield Wrong(f"{path}.{member} is missing", whole({k: v for k, v in value.items() if k != member}), "rule")
            yield Wrong(f"{path}.{member} is null", whole({**value, member: None}), "rule")
        for member in value:
            yield from _within(shape.members[member], value[member], _member(whole, value, member), f"{path}.{member}")
    if shape.type_name == "list":
        yield from _within(shape.member, value[0], lambda part: whole([part]), f"{path}[0]")


def _member(whole: Callable[[Any], Any], value: Any, member: str) -> Callable[[Any], Any]:
    return lambda part: whole({**value, member: part})


def _broken(shape: Any, value: Any) -> Iterator[tuple[str, Any]]:
    rules, kind = shape.metadata, shape.type_name
    if "max" in rules and rules["max"] <= 200_000:
        yield "is too large", _sized(kind, value, rules["max"] + 1)
    if rules.get("min", 0) > 0:
        yield "is too small", _sized(kind, value, rules["min"] - 1)
    if "pattern" in rules and ".*" not in rules["pattern"] and r"\u0020-\u00FF" not in rules["pattern"]:
        yield "breaks the pattern", "\u2603 \n"
    if "enum" in rules:
        yield "is none of the words", "NONE_OF_THEM"


def _sized(kind: str, value: Any, size: int) -> Any:
    if kind in ("integer", "long"):
        return size
    if kind == "list":
        return [value[0]] * size
    return "a" * size


_TEXTS = (("a number", 1), ("an object", {"a": 1}), ("a list", [1]), ("true", True))
_WHOLE = (
    ("a text", "5"),
    ("a fraction", 1.5),
    ("true", True),
    ("too long for its bits", 2**64),
    ("far below", -(2**64)),
    ("a list", [1]),
)
_MISTYPED: dict[str, tuple[tuple[str, Any], ...]] = {
    "structure": (("a text", "a"), ("a list", []), ("a number", 0), ("false", False)),
    "list": (("a text", "a"), ("an object", {}), ("a number", 0), ("a list of null lists", [[None]])),
    "string": (*_TEXTS, ("NUL", "a\0b")),
    "integer": _WHOLE,
    "long": _WHOLE,
    "boolean": (("a text", "true"), ("a number", 1), ("an object", {"a": 1})),
    "blob": (*_TEXTS, ("not base64", "YW=Jj"), ("half a pair", "YWJ")),
}


def fields(document: Any, prefix: str = "") -> dict[str, str]:
    """Return a document as the fields of the query protocol."""
    if isinstance(document, dict):
        parts = [(str(name), value) for name, value in document.items() if value is not None]
    elif isinstance(document, list):
        parts = [(f"member.{at}", value) for at, value in enumerate(document, 1) if value is not None]
    else:
        text = str(document).lower() if isinstance(document, bool) else str(document)
        return {prefix: text}
    return {key: text for name, value in parts for key, text in fields(value, f"{prefix}.{name}".lstrip(".")).items()}
