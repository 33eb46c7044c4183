"""What there is to ask for, and the rights that each question needs: the one table of both doors.

The actions take the names of rights from here, the registry door what its routes are called in the audit log and whose rates
they draw from, and ``docs/actions.md`` is this table. Sources: Service Authorization Reference, "Actions, resources, and condition
keys for Amazon ECR" and "... for AWS Security Token Service".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

# --- rights ---------------------------------------------------------------------------------------------------------------

BATCH_CHECK_LAYER_AVAILABILITY: Final = "ecr:BatchCheckLayerAvailability"
BATCH_DELETE_IMAGE: Final = "ecr:BatchDeleteImage"
BATCH_GET_IMAGE: Final = "ecr:BatchGetImage"
BATCH_IMPORT_UPSTREAM_IMAGE: Final = "ecr:BatchImportUpstreamImage"
COMPLETE_LAYER_UPLOAD: Final = "ecr:CompleteLayerUpload"
CREATE_REPOSITORY: Final = "ecr:CreateRepository"
DELETE_REGISTRY_POLICY: Final = "ecr:DeleteRegistryPolicy"
DELETE_REPOSITORY: Final = "ecr:DeleteRepository"
DELETE_REPOSITORY_POLICY: Final = "ecr:DeleteRepositoryPolicy"
DESCRIBE_IMAGES: Final = "ecr:DescribeImages"
DESCRIBE_REGISTRY: Final = "ecr:DescribeRegistry"
DESCRIBE_REPOSITORIES: Final = "ecr:DescribeRepositories"
GET_ACCOUNT_SETTING: Final = "ecr:GetAccountSetting"
GET_AUTHORIZATION_TOKEN: Final = "ecr:GetAuthorizationToken"  # noqa: S105 - the name of a right
GET_DOWNLOAD_URL_FOR_LAYER: Final = "ecr:GetDownloadUrlForLayer"
GET_REGISTRY_POLICY: Final = "ecr:GetRegistryPolicy"
GET_REPOSITORY_POLICY: Final = "ecr:GetRepositoryPolicy"
INITIATE_LAYER_UPLOAD: Final = "ecr:InitiateLayerUpload"
LIST_IMAGES: Final = "ecr:ListImages"
LIST_TAGS_FOR_RESOURCE: Final = "ecr:ListTagsForResource"
PUT_ACCOUNT_SETTING: Final = "ecr:PutAccountSetting"
PUT_IMAGE: Final = "ecr:PutImage"
PUT_IMAGE_SCANNING_CONFIGURATION: Final = "ecr:PutImageScanningConfiguration"
PUT_IMAGE_TAG_MUTABILITY: Final = "ecr:PutImageTagMutability"
PUT_REGISTRY_POLICY: Final = "ecr:PutRegistryPolicy"
REPLICATE_IMAGE: Final = "ecr:ReplicateImage"
SET_REPOSITORY_POLICY: Final = "ecr:SetRepositoryPolicy"
TAG_RESOURCE: Final = "ecr:TagResource"
UNTAG_RESOURCE: Final = "ecr:UntagResource"
UPLOAD_LAYER_PART: Final = "ecr:UploadLayerPart"

ASSUME_ROLE: Final = "sts:AssumeRole"
DECODE_AUTHORIZATION_MESSAGE: Final = "sts:DecodeAuthorizationMessage"
GET_ACCESS_KEY_INFO: Final = "sts:GetAccessKeyInfo"
GET_SESSION_TOKEN: Final = "sts:GetSessionToken"  # noqa: S105 - the same
SET_SOURCE_IDENTITY: Final = "sts:SetSourceIdentity"
TAG_SESSION: Final = "sts:TagSession"

EXPLAIN: Final = "moorage:Explain"


class Level(StrEnum):
    """What kind of thing a right lets one do."""

    READ = "read"
    LIST = "list"
    WRITE = "write"
    TAGGING = "tagging"
    PERMISSIONS = "permissions management"


_LEVELS = {
    Level.LIST: (DESCRIBE_IMAGES, LIST_IMAGES),
    Level.PERMISSIONS: (
        DELETE_REGISTRY_POLICY,
        DELETE_REPOSITORY_POLICY,
        PUT_REGISTRY_POLICY,
        SET_REPOSITORY_POLICY,
    ),
    Level.READ: (
        BATCH_CHECK_LAYER_AVAILABILITY,
        BATCH_GET_IMAGE,
        DECODE_AUTHORIZATION_MESSAGE,
        DESCRIBE_REGISTRY,
        DESCRIBE_REPOSITORIES,
        EXPLAIN,
        GET_ACCESS_KEY_INFO,
        GET_ACCOUNT_SETTING,
        GET_AUTHORIZATION_TOKEN,
        GET_DOWNLOAD_URL_FOR_LAYER,
        GET_REGISTRY_POLICY,
        GET_REPOSITORY_POLICY,
        LIST_TAGS_FOR_RESOURCE,
    ),
    Level.TAGGING: (TAG_RESOURCE, TAG_SESSION, UNTAG_RESOURCE),
    Level.WRITE: (
        ASSUME_ROLE,
        BATCH_DELETE_IMAGE,
        BATCH_IMPORT_UPSTREAM_IMAGE,
        COMPLETE_LAYER_UPLOAD,
        CREATE_REPOSITORY,
        DELETE_REPOSITORY,
        INITIATE_LAYER_UPLOAD,
        PUT_ACCOUNT_SETTING,
        PUT_IMAGE,
        PUT_IMAGE_SCANNING_CONFIGURATION,
        PUT_IMAGE_TAG_MUTABILITY,
        REPLICATE_IMAGE,
        SET_SOURCE_IDENTITY,
        UPLOAD_LAYER_PART,
    ),
}

_PERMISSIONS_OF_IAM = ("Attach", "Detach", "UpdateAssumeRolePolicy", "SetDefaultPolicyVersion")


def _level_of_iam(operation: str) -> Level:
    """Return the level of an action of IAM (Service Authorization Reference, "... for AWS Identity and Access Management")."""
    if operation.startswith("List") or operation in ("GetAccountSummary", "GetLoginProfile"):
        return Level.LIST
    if operation.startswith(("Get", "Simulate")):
        return Level.READ
    if operation.startswith(("Tag", "Untag")):
        return Level.TAGGING
    of_policy = operation.endswith(("Policy", "PolicyVersion", "PermissionsBoundary"))
    return Level.PERMISSIONS if of_policy or operation.startswith(_PERMISSIONS_OF_IAM) else Level.WRITE


LEVELS: Mapping[str, Level] = MappingProxyType({action: level for level, named in _LEVELS.items() for action in named})
"""The level of every right but those of IAM, whose names tell it."""


class Resource(StrEnum):
    """What a right is for."""

    REPOSITORY = "repository"
    NEW = "repository to be"
    SOURCE = "repository that the layer is in"
    EVERY = "`repository/*`"
    ANY = "`*`"
    ROLE = "role"
    USER = "user"
    GROUP = "group"
    POLICY = "managed policy"
    DEVICE = "device of MFA"
    PRINCIPAL = "principal that is asked about"


REQUEST_TAG, TAG_KEYS = "aws:RequestTag/${TagKey}", "aws:TagKeys"
_TAGS = (REQUEST_TAG, TAG_KEYS)
_OF_RESOURCE = {
    Resource.REPOSITORY: ("aws:ResourceTag/${TagKey}", "ecr:ResourceTag/${TagKey}"),
    Resource.SOURCE: ("aws:ResourceTag/${TagKey}", "ecr:ResourceTag/${TagKey}"),
    **dict.fromkeys(
        (Resource.ROLE, Resource.USER, Resource.POLICY), ("aws:ResourceTag/${TagKey}", "iam:ResourceTag/${TagKey}")
    ),
}


@dataclass(frozen=True, slots=True)
class Right:
    """A right that a question needs.

    ``keys`` are the condition keys that the question itself brings; ``when`` says which questions need it, where not all do.
    """

    action: str
    resource: Resource = Resource.REPOSITORY
    keys: tuple[str, ...] = ()
    when: str = ""

    @property
    def level(self) -> Level:
        """What kind of thing it lets one do."""
        service, _, operation = self.action.partition(":")
        return _level_of_iam(operation) if service == "iam" else LEVELS[self.action]

    @property
    def all_keys(self) -> tuple[str, ...]:
        """The condition keys of the question and of the resource, beside those that every request has."""
        return self.keys + (() if self.action in _OF_NO_TAGS else _OF_RESOURCE.get(self.resource, ()))


_OF_NO_TAGS = frozenset(
    f"iam:{name}"
    for name in (
        *("CreatePolicy", "CreateRole", "CreateServiceLinkedRole", "CreateUser", "DeleteServiceLinkedRole"),
        *("GetAccessKeyLastUsed", "GetServiceLinkedRoleDeletionStatus", "ListPolicies", "ListRoles", "ListUsers"),
    )
)
"""Rights for what is not there yet, what can have no tags, and for lists; and one that is asked for by a key."""


# --- operations -----------------------------------------------------------------------------------------------------------

ECR: Mapping[str, tuple[Right, ...]] = MappingProxyType(
    {
        "BatchCheckLayerAvailability": (Right(BATCH_CHECK_LAYER_AVAILABILITY),),
        "BatchDeleteImage": (Right(BATCH_DELETE_IMAGE),),
        "BatchGetImage": (Right(BATCH_GET_IMAGE),),
        "CompleteLayerUpload": (Right(COMPLETE_LAYER_UPLOAD),),
        "CreateRepository": (
            Right(CREATE_REPOSITORY, Resource.NEW, _TAGS),
            Right(TAG_RESOURCE, Resource.NEW, _TAGS, when="with tags"),
        ),
        "DeleteRegistryPolicy": (Right(DELETE_REGISTRY_POLICY, Resource.ANY),),
        "DeleteRepository": (Right(DELETE_REPOSITORY),),
        "DeleteRepositoryPolicy": (Right(DELETE_REPOSITORY_POLICY),),
        "DescribeImages": (Right(DESCRIBE_IMAGES),),
        "DescribeRegistry": (Right(DESCRIBE_REGISTRY, Resource.ANY),),
        "DescribeRepositories": (
            Right(DESCRIBE_REPOSITORIES, when="of each that is named"),
            Right(DESCRIBE_REPOSITORIES, Resource.EVERY, when="where none is named"),
        ),
        "GetAccountSetting": (Right(GET_ACCOUNT_SETTING, Resource.ANY, ("ecr:AccountSetting",)),),
        "GetAuthorizationToken": (Right(GET_AUTHORIZATION_TOKEN, Resource.ANY),),
        "GetDownloadUrlForLayer": (Right(GET_DOWNLOAD_URL_FOR_LAYER),),
        "GetRegistryPolicy": (Right(GET_REGISTRY_POLICY, Resource.ANY),),
        "GetRepositoryPolicy": (Right(GET_REPOSITORY_POLICY),),
        "InitiateLayerUpload": (Right(INITIATE_LAYER_UPLOAD),),
        "ListImages": (Right(LIST_IMAGES),),
        "ListTagsForResource": (Right(LIST_TAGS_FOR_RESOURCE),),
        "PutAccountSetting": (Right(PUT_ACCOUNT_SETTING, Resource.ANY, ("ecr:AccountSetting",)),),
        "PutImage": (Right(PUT_IMAGE),),
        "PutImageScanningConfiguration": (Right(PUT_IMAGE_SCANNING_CONFIGURATION),),
        "PutImageTagMutability": (Right(PUT_IMAGE_TAG_MUTABILITY),),
        "PutRegistryPolicy": (Right(PUT_REGISTRY_POLICY, Resource.ANY),),
        "SetRepositoryPolicy": (Right(SET_REPOSITORY_POLICY),),
        "TagResource": (Right(TAG_RESOURCE, keys=_TAGS),),
        "UntagResource": (Right(UNTAG_RESOURCE, keys=(TAG_KEYS,)),),
        "UploadLayerPart": (Right(UPLOAD_LAYER_PART),),
    }
)
"""The operations of ECR that are answered, and what each asks for, in that order."""

_OF_SESSIONS = (*_TAGS, "sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys")

STS: Mapping[str, tuple[Right, ...]] = MappingProxyType(
    {
        "AssumeRole": (
            Right(ASSUME_ROLE, Resource.ROLE, _OF_SESSIONS),
            Right(TAG_SESSION, Resource.ROLE, _OF_SESSIONS, when="with tags"),
            Right(SET_SOURCE_IDENTITY, Resource.ROLE, _OF_SESSIONS, when="with a source identity"),
        ),
        "DecodeAuthorizationMessage": (Right(DECODE_AUTHORIZATION_MESSAGE, Resource.ANY),),
        "GetAccessKeyInfo": (Right(GET_ACCESS_KEY_INFO, Resource.ANY),),
        "GetCallerIdentity": (),
        "GetSessionToken": (),
    }
)
"""Those of STS. Whoever has a good key may know whose it is, and may have temporary credentials for it."""

OWN: Mapping[str, tuple[Right, ...]] = MappingProxyType({"Explain": (Right(EXPLAIN, Resource.PRINCIPAL),)})
"""Those of Moorage's own service, which AWS has not."""

IAM: Mapping[Resource, tuple[str, ...]] = MappingProxyType(
    {
        kind: tuple(names.split())
        for kind, names in {
            Resource.USER: (
                "AttachUserPolicy CreateAccessKey CreateUser DeleteAccessKey DeleteLoginProfile DeleteUser "
                "DeleteUserPermissionsBoundary DeleteUserPolicy DetachUserPolicy GetAccessKeyLastUsed "
                "GetContextKeysForPrincipalPolicy GetLoginProfile "
                "GetUser GetUserPolicy ListAccessKeys ListAttachedUserPolicies ListGroupsForUser ListMFADevices "
                "ListSSHPublicKeys ListServiceSpecificCredentials ListSigningCertificates ListUserPolicies "
                "ListUserTags ListUsers PutUserPermissionsBoundary PutUserPolicy SimulatePrincipalPolicy TagUser UntagUser UpdateAccessKey "
                "UpdateUser"
            ),
            Resource.GROUP: (
                "AddUserToGroup AttachGroupPolicy CreateGroup DeleteGroup DeleteGroupPolicy DetachGroupPolicy "
                "GetGroup GetGroupPolicy ListAttachedGroupPolicies ListGroupPolicies ListGroups PutGroupPolicy "
                "RemoveUserFromGroup UpdateGroup"
            ),
            Resource.ROLE: (
                "AttachRolePolicy CreateRole CreateServiceLinkedRole DeleteRole DeleteRolePermissionsBoundary "
                "DeleteRolePolicy DeleteServiceLinkedRole DetachRolePolicy GetRole GetRolePolicy "
                "GetServiceLinkedRoleDeletionStatus ListAttachedRolePolicies ListInstanceProfilesForRole "
                "ListRolePolicies ListRoleTags ListRoles PutRolePermissionsBoundary PutRolePolicy TagRole UntagRole "
                "UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription"
            ),
            Resource.POLICY: (
                "CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion "
                "ListEntitiesForPolicy ListPolicies ListPolicyTags ListPolicyVersions SetDefaultPolicyVersion "
                "TagPolicy UntagPolicy"
            ),
            Resource.DEVICE: "ListVirtualMFADevices",
            Resource.ANY: (
                "CreateAccountAlias DeleteAccountAlias GetAccountAuthorizationDetails GetAccountSummary "
                "GetContextKeysForCustomPolicy ListAccountAliases SimulateCustomPolicy"
            ),
        }.items()
    }
)
"""The operations of IAM that are answered, by what they are about: each asks for the action of its own name."""

_BOUNDARY, _POLICY = "iam:PermissionsBoundary", "iam:PolicyARN"
_KEYS_OF_IAM: Mapping[str, tuple[str, ...]] = {
    "CreateServiceLinkedRole": ("iam:AWSServiceName",),
    "CreatePolicy": _TAGS,
    "TagPolicy": _TAGS,
    "UntagPolicy": (TAG_KEYS,),
    "AttachGroupPolicy": (_POLICY,),
    "DetachGroupPolicy": (_POLICY,),
} | {
    name.format(kind): keys
    for kind in ("User", "Role")
    for name, keys in {
        "Create{}": (_BOUNDARY, *_TAGS),
        "Tag{}": _TAGS,
        "Untag{}": (TAG_KEYS,),
        "Attach{}Policy": (_BOUNDARY, _POLICY),
        "Detach{}Policy": (_BOUNDARY, _POLICY),
        "Put{}Policy": (_BOUNDARY,),
        "Delete{}Policy": (_BOUNDARY,),
        "Put{}PermissionsBoundary": (_BOUNDARY,),
        "Delete{}PermissionsBoundary": (_BOUNDARY,),
    }.items()
}

IAM_RIGHTS: Mapping[str, Right] = MappingProxyType(
    {
        name: Right(f"iam:{name}", kind, _KEYS_OF_IAM.get(name, ()))
        for kind, names in IAM.items()
        for name in sorted(names)
    }
)
"""The right that each of them asks for."""

SERVICES: Mapping[str, Mapping[str, tuple[Right, ...]]] = MappingProxyType({"ecr": ECR, "sts": STS, "moorage": OWN})


# --- routes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RouteUse:
    """A method of a route of the registry: the operation of ECR's that it is, and what it asks for.

    The operation is what ECR's own registry calls: whose rate is drawn from, and what the audit log says. ECR has none for a login that
    is tried, and for an upload that is asked about or cancelled; those names are ours.
    """

    operation: str
    rights: tuple[Right, ...]


PATHS: Mapping[str, str] = MappingProxyType(
    {
        "base": "/v2/",
        "catalog": "/v2/_catalog",
        "tags": "/v2/<name>/tags/list",
        "referrers": "/v2/<name>/referrers/<digest>",
        "manifest": "/v2/<name>/manifests/<tag or digest>",
        "blob": "/v2/<name>/blobs/<digest>",
        "uploads": "/v2/<name>/blobs/uploads/",
        "upload": "/v2/<name>/blobs/uploads/<id>",
    }
)
"""What a kind of route looks like."""

ROUTES: Mapping[tuple[str, str], RouteUse] = MappingProxyType(
    {
        ("base", "GET"): RouteUse("GetRegistry", ()),
        ("base", "HEAD"): RouteUse("GetRegistry", ()),
        ("catalog", "GET"): RouteUse("DescribeRepositories", (Right(DESCRIBE_REPOSITORIES, Resource.EVERY),)),
        ("tags", "GET"): RouteUse("ListImages", (Right(LIST_IMAGES),)),
        ("referrers", "GET"): RouteUse("ListImageReferrers", (Right(BATCH_GET_IMAGE),)),
        ("manifest", "GET"): RouteUse("BatchGetImage", (Right(BATCH_GET_IMAGE),)),
        ("manifest", "HEAD"): RouteUse("BatchGetImage", (Right(BATCH_GET_IMAGE),)),
        ("manifest", "PUT"): RouteUse("PutImage", (Right(PUT_IMAGE),)),
        ("manifest", "DELETE"): RouteUse("BatchDeleteImage", (Right(BATCH_DELETE_IMAGE),)),
        ("blob", "GET"): RouteUse("GetDownloadUrlForLayer", (Right(GET_DOWNLOAD_URL_FOR_LAYER),)),
        ("blob", "HEAD"): RouteUse("BatchCheckLayerAvailability", (Right(BATCH_CHECK_LAYER_AVAILABILITY),)),
        ("blob", "DELETE"): RouteUse("BatchDeleteImage", (Right(BATCH_DELETE_IMAGE),)),
        ("uploads", "POST"): RouteUse(
            "InitiateLayerUpload",
            (
                Right(INITIATE_LAYER_UPLOAD),
                Right(UPLOAD_LAYER_PART, when="with the whole layer"),
                Right(COMPLETE_LAYER_UPLOAD, when="with the whole layer, or to mount it"),
                Right(GET_DOWNLOAD_URL_FOR_LAYER, Resource.SOURCE, when="to mount it"),
            ),
        ),
        ("upload", "GET"): RouteUse("GetLayerUpload", (Right(UPLOAD_LAYER_PART),)),
        ("upload", "PATCH"): RouteUse("UploadLayerPart", (Right(UPLOAD_LAYER_PART),)),
        ("upload", "PUT"): RouteUse(
            "CompleteLayerUpload", (Right(COMPLETE_LAYER_UPLOAD), Right(UPLOAD_LAYER_PART, when="with bytes"))
        ),
        ("upload", "DELETE"): RouteUse("CancelLayerUpload", (Right(UPLOAD_LAYER_PART),)),
    }
)
"""The routes of the registry and the methods of each, and what each asks for, in that order."""

ASKED: frozenset[str] = frozenset(
    right.action
    for rights in (
        *(each for operations in SERVICES.values() for each in operations.values()),
        *(route.rights for route in ROUTES.values()),
        IAM_RIGHTS.values(),
    )
    for right in rights
)
"""Every right that something asks for."""
