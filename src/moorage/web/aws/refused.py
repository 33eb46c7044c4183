"""The operations of ECR's model that Moorage does not answer yet, each with the reason in a user's words."""

_LIFECYCLE = "lifecycle policies come later"
_PULL_THROUGH = "pull through cache rules come later"
_TEMPLATES = "repository creation templates come later"
_SCANNING = "image scanning comes later"
_SIGNING = "managed signing comes later; signatures pushed by clients are stored like any image"
_REPLICATION = "replication comes later"
_EXCLUSIONS = "pull times are recorded for every principal; exclusions come later"

REFUSED: dict[str, str] = {
    "BatchGetRepositoryScanningConfiguration": _SCANNING,
    "CreatePullThroughCacheRule": _PULL_THROUGH,
    "CreateRepositoryCreationTemplate": _TEMPLATES,
    "DeleteLifecyclePolicy": _LIFECYCLE,
    "DeletePullThroughCacheRule": _PULL_THROUGH,
    "DeleteRepositoryCreationTemplate": _TEMPLATES,
    "DeleteSigningConfiguration": _SIGNING,
    "DeregisterPullTimeUpdateExclusion": _EXCLUSIONS,
    "DescribeImageReplicationStatus": _REPLICATION,
    "DescribeImageScanFindings": _SCANNING,
    "DescribeImageSigningStatus": _SIGNING,
    "DescribePullThroughCacheRules": _PULL_THROUGH,
    "DescribeReplicationBackfillResults": _REPLICATION,
    "DescribeRepositoryCreationTemplates": _TEMPLATES,
    "GetLifecyclePolicy": _LIFECYCLE,
    "GetLifecyclePolicyPreview": _LIFECYCLE,
    "GetRegistryScanningConfiguration": _SCANNING,
    "GetSigningConfiguration": _SIGNING,
    "ListImageReferrers": "referrers are listed by the registry itself; the AWS operation comes later",
    "ListPullTimeUpdateExclusions": _EXCLUSIONS,
    "ListReplicationBackfills": _REPLICATION,
    "PutLifecyclePolicy": _LIFECYCLE,
    "PutRegistryScanningConfiguration": _SCANNING,
    "PutReplicationConfiguration": _REPLICATION,
    "PutSigningConfiguration": _SIGNING,
    "RegisterPullTimeUpdateExclusion": _EXCLUSIONS,
    "StartImageScan": _SCANNING,
    "StartLifecyclePolicyPreview": _LIFECYCLE,
    "StartReplicationBackfill": _REPLICATION,
    "StopReplicationBackfill": _REPLICATION,
    "UpdateImageStorageClass": "archive storage comes later; every image is kept in one class",
    "UpdatePullThroughCacheRule": _PULL_THROUGH,
    "UpdateRepositoryCreationTemplate": _TEMPLATES,
    "ValidatePullThroughCacheRule": _PULL_THROUGH,
}
