"""Every refusal that the registry door can meet has a code and a status there, or a reason why it is never met."""

import pytest

from moorage.core.errors import (
    BatchTooLarge,
    CredentialsInvalid,
    ImageAlreadyExists,
    LayerAlreadyExists,
    Refused,
    RegistryError,
    TokenError,
    TokenInvalid,
    leaves,
)
from moorage.web.oci.errors import OCI_ERRORS, UNREACHABLE

# OCI distribution specification, "Error Codes".
CODES = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNSUPPORTED",
}

# Refusal: why the table has no entry for it.
NOT_DRESSED: dict[type[Refused], str] = {
    BatchTooLarge: "a pull is of one manifest",
    ImageAlreadyExists: "repeating a push is no failure at this door",
    LayerAlreadyExists: "repeating a push is no failure at this door",
    TokenInvalid: "it is answered with the challenge, which is no error of the envelope",
}

MET = [
    *leaves(RegistryError),
    *leaves(TokenError),
    # A token dies with the access key that it was made with.
    CredentialsInvalid,
]


@pytest.mark.parametrize("refusal", MET)
def test_every_refusal_that_the_registry_door_meets_is_dressed_or_has_a_reason_not_to_be(
    refusal: type[Refused],
) -> None:
    assert (refusal in OCI_ERRORS) != (refusal in NOT_DRESSED)


def test_nothing_is_dressed_that_the_registry_door_never_meets() -> None:
    assert set(OCI_ERRORS) - set(MET) == set()


def test_every_reason_is_about_a_refusal_of_the_tree() -> None:
    assert set(NOT_DRESSED) <= set(MET)


def test_what_the_door_calls_unreachable_is_what_has_a_reason_here() -> None:
    assert set(UNREACHABLE) == set(NOT_DRESSED) - {TokenInvalid}


@pytest.mark.parametrize("refusal", OCI_ERRORS)
def test_every_code_is_one_of_the_specification_with_a_status_that_blames_the_client_or_a_full_disk(
    refusal: type[Refused],
) -> None:
    error = OCI_ERRORS[refusal]

    assert error.code in CODES
    assert 400 <= error.status < 500 or error.status == 507
    # 401 makes clients ask for a password; a refusal is no reason to.
    assert error.status != 401
