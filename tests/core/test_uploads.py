from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.digests import Digest, digest_of
from moorage.core.errors import (
    EmptyUpload,
    InvalidLayer,
    InvalidLayerPart,
    LayerPartTooSmall,
    LayerTooLarge,
    TooManyUploads,
)
from moorage.core.names import AccountId, Region, Registry, RepositoryName, UploadId
from moorage.core.quotas import ECR, Quotas
from moorage.core.uploads import (
    MIN_PART,
    Upload,
    chosen,
    completed_parts,
    continues,
    grown,
    one_more,
    with_part,
)

REGISTRY = Registry(AccountId("111122223333"), Region("us-east-1"))
APP = RepositoryName("team/app")
EMPTY = digest_of(b"")
ID = UploadId("6f1c2b1e-0000-4000-8000-000000000001")
FRESH = Upload(
    id=ID, repository_id=1, started_at=datetime(2026, 8, 3, tzinfo=UTC), touched_at=datetime(2026, 8, 3, tzinfo=UTC)
)


def of_parts(*sizes: int) -> Upload:
    upload = FRESH
    for size in sizes:
        upload = with_part(upload, size)
    return upload


def may_complete(upload: Upload) -> bool:
    try:
        completed_parts(upload, REGISTRY, APP)
    except LayerPartTooSmall:
        return False
    return True


def test_a_part_must_begin_where_the_upload_stands() -> None:
    upload = of_parts(100)
    continues(upload, 100, REGISTRY, APP)

    with pytest.raises(InvalidLayerPart, match="First byte of the layer part is 99 instead of 100") as refused:
        continues(upload, 99, REGISTRY, APP)
    assert (refused.value.last_valid_byte, refused.value.upload, refused.value.name) == (99, ID, APP)


@pytest.mark.parametrize("first", [-1, 1, 2**63])
def test_the_first_part_begins_at_byte_zero(first: int) -> None:
    continues(FRESH, 0, REGISTRY, APP)
    with pytest.raises(InvalidLayerPart):
        continues(FRESH, first, REGISTRY, APP)


@pytest.mark.parametrize(
    ("sizes", "complete"),
    [
        ((1,), True),
        ((MIN_PART, 1), True),
        ((MIN_PART - 1, 1), False),
        ((1, MIN_PART), False),
        ((MIN_PART, MIN_PART, MIN_PART), True),
        ((MIN_PART, 1, MIN_PART), False),
    ],
)
def test_only_the_last_part_may_be_small(sizes: tuple[int, ...], complete: bool) -> None:  # noqa: FBT001 - a table's column
    assert may_complete(of_parts(*sizes)) is complete


@given(st.lists(st.integers(1, 2 * MIN_PART), min_size=1, max_size=6))
def test_parts_add_up_and_are_judged_as_a_whole(sizes: list[int]) -> None:
    upload = of_parts(*sizes)

    assert (upload.size, upload.parts) == (sum(sizes), len(sizes))
    assert may_complete(upload) is all(size >= MIN_PART for size in sizes[:-1])


def test_an_upload_of_nothing_cannot_be_completed_by_parts() -> None:
    with pytest.raises(EmptyUpload, match="does not have any parts"):
        completed_parts(FRESH, REGISTRY, APP)


def test_a_layer_may_be_as_large_as_ecr_says_and_not_a_byte_larger() -> None:
    assert grown(FRESH, ECR.layer).size == ECR.layer
    with pytest.raises(LayerTooLarge, match="layer size in bytes"):
        grown(grown(FRESH, ECR.layer), 1)
    with pytest.raises(LayerTooLarge):
        with_part(FRESH, ECR.layer + 1)


def test_a_layer_may_have_as_many_parts_as_ecr_says_and_not_one_more() -> None:
    with pytest.raises(LayerTooLarge, match="number of layer parts which is '4200'"):
        with_part(of_parts(*[1] * ECR.parts), 1)


def test_an_operator_may_want_other_numbers() -> None:
    few = Quotas(layer=10, parts=1)

    assert grown(FRESH, 10, few).size == 10
    with pytest.raises(LayerTooLarge, match="which is '10'"):
        grown(FRESH, 11, few)
    with pytest.raises(LayerTooLarge, match="which is '1'"):
        with_part(with_part(FRESH, 1, few), 1, few)


def test_a_user_may_have_so_many_uploads_open_and_no_more() -> None:
    one_more(ECR.uploads - 1)
    with pytest.raises(TooManyUploads, match="open uploads which is '2'"):
        one_more(2, Quotas(uploads=2))


def test_the_bytes_received_must_have_one_of_the_digests_offered() -> None:
    other = Digest("sha256:" + "0" * 64)

    assert chosen(EMPTY, (other, EMPTY)) == EMPTY
    for offered in ((), (other,), (EMPTY.upper(),)):
        with pytest.raises(InvalidLayer, match="None of the provided layer digests match"):
            chosen(EMPTY, offered)
