"""Ranges of bytes: what a header asks for, and that several of them in one body can be taken apart again."""

from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.web.oci.ranges import GATHER, MAX_RANGES, Parts, Span, Unsatisfiable, byte_ranges, content_range, gathered

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)


@st.composite
def apart(draw: st.DrawFn) -> list[Span]:
    """Return ranges that do not overlap, in some order."""
    edges = sorted(draw(st.sets(st.integers(0, SIZE), min_size=4, max_size=60)))
    return draw(st.permutations(list(zip(edges[::2], edges[1::2], strict=False))))


@given(apart())
def test_ranges_that_do_not_overlap_are_taken_in_the_order_in_which_they_are_asked(spans: list[Span]) -> None:
    header = "bytes=" + ",".join(f"{start}-{end - 1}" for start, end in spans)

    assert byte_ranges(header.encode(), SIZE) == spans


@given(apart())
def test_what_is_sent_in_parts_is_taken_apart_to_what_was_asked(spans: list[Span]) -> None:
    parts = Parts(spans, SIZE, "never-in-the-bytes")

    body = b"".join(parts.body(CONTENT[at : at + 1] for span in spans for at in range(*span)))
    message = BytesParser().parsebytes(b"Content-Type: " + parts.media_type + b"\r\n\r\n" + body)

    assert len(body) == parts.length()
    sent = [(part["content-range"], part.get_payload(decode=True)) for part in message.walk()][1:]
    assert sent == [(content_range(span, SIZE).decode(), CONTENT[span[0] : span[1]]) for span in spans]


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        (b"bytes=0-0", [(0, 1)]),
        (b"BYTES=0-0", [(0, 1)]),
        (b"bytes=1000-", [(1000, SIZE)]),
        (b"bytes=1000-9999", [(1000, SIZE)]),
        (b"bytes=1000-" + b"9" * 30, [(1000, SIZE)]),
        (b"bytes=-24", [(1000, SIZE)]),
        (b"bytes=-9999", [(0, SIZE)]),
        (b"bytes=0-1, 4-5", [(0, 2), (4, 6)]),
        (b"bytes=,0-1\t,,4-5,", [(0, 2), (4, 6)]),
        (b"bytes=4-5,0-1", [(4, 6), (0, 2)]),
        (b"bytes=0-1,2-3", [(0, 2), (2, 4)]),
        (b"bytes=0-1,-2", [(0, 2), (SIZE - 2, SIZE)]),
    ],
)
def test_ranges_are_read(header: bytes, spans: list[Span]) -> None:
    assert byte_ranges(header, SIZE) == spans


@pytest.mark.parametrize("header", [None, b"", b"bytes=", b"bytes=,", b"bytes=-", b"bytes=0-1,x"])
def test_a_header_that_means_nothing_asks_for_the_whole(header: bytes | None) -> None:
    assert byte_ranges(header, SIZE) is None


def test_ranges_with_more_bytes_than_there_are_are_not_sent_by_themselves() -> None:
    assert byte_ranges(b"bytes=0-,0-0", SIZE) is None


def test_as_many_ranges_as_podman_asks_for_are_sent_and_no_more() -> None:
    single = [f"{number}-{number}" for number in range(MAX_RANGES)]

    assert byte_ranges(f"bytes={','.join(single)}".encode(), 2 * SIZE) == [(at, at + 1) for at in range(MAX_RANGES)]
    assert byte_ranges(f"bytes={','.join([*single, '1024-1024'])}".encode(), 2 * SIZE) is None


@pytest.mark.parametrize(
    "header", [b"bytes=1024-", b"bytes=" + b"9" * 30 + b"-", b"bytes=-0", b"bytes=5-2", b"bytes=1024-1025,5000-"]
)
def test_ranges_that_all_begin_beyond_the_end_cannot_be_sent(header: bytes) -> None:
    with pytest.raises(Unsatisfiable):
        byte_ranges(header, SIZE)


def test_a_range_beyond_the_end_is_left_out_beside_one_that_is_there() -> None:
    assert byte_ranges(b"bytes=5000-,0-1,5-2", SIZE) == [(0, 2)]


def test_parts_end_where_the_bytes_do() -> None:
    """A file that is shorter than its row says: the answer is cut short, and the client notices."""
    parts = Parts([(0, 4), (8, 12)], SIZE, "edge")

    body = b"".join(parts.body(piece for piece in [b"0123"]))

    assert body == parts.head(0) + b"0123" + parts.head(1)


def test_small_pieces_are_gathered_and_large_ones_go_through() -> None:
    large = bytes(GATHER)

    assert list(gathered(piece for piece in [b"a", b"b", large, b"c"])) == [b"ab", large, b"c"]
