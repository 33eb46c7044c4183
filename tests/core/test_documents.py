import pytest

from moorage.core.documents import MOST_VALUES, Unreadable, read_document


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1", b'""'])
def test_a_document_has_so_many_values_and_no_more(value: bytes) -> None:
    marks = 2 if value in (b"[]", b"{}") else 1
    many = b"[" + b",".join([value] * (MOST_VALUES // marks - 1)) + b"]"

    assert len(read_document(many)) == MOST_VALUES // marks - 1
    with pytest.raises(Unreadable, match="has more than 150000 values"):
        read_document(many[:-1] + b"," + value * 2 + b"," + value + b"]")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":NaN}'])
def test_what_is_not_json_cannot_be_read(content: bytes) -> None:
    with pytest.raises(Unreadable, match="is not valid JSON"):
        read_document(content)
