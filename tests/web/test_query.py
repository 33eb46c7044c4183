from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from moorage.web.aws.errors import Malformed
from moorage.web.aws.model import Operation, service
from moorage.web.aws.query import MAX_FIELDS, MAX_INDEX, read, read_fields, write, write_error

OPERATIONS = [(name, operation) for name in ("iam", "sts") for operation in sorted(service(name).operations)]
REQUEST_ID = "6f1c2b1e-0000-4000-8000-000000000001"


def operation_of(name: str, operation: str) -> Operation:
    found = service(name).operation(operation)
    assert found is not None
    return found


texts = st.text(st.characters(codec="utf-8"), max_size=8)
# XML cannot carry every character; those have a test of their own.
written = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]) | st.sampled_from("\t\n\r<>&'\""), max_size=8
)


def instances(shape: Any, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Values of a shape; structures and maps hold something, as an empty one leaves no trace on the wire."""
    kinds: dict[str, Any] = {
        "structure": lambda: st.lists(
            st.sampled_from(sorted(shape.members) or [""]), min_size=min(1, len(shape.members)), unique=True, max_size=4
        ).flatmap(lambda names: st.fixed_dictionaries({n: instances(shape.members[n], text) for n in names if n})),
        "list": lambda: st.lists(instances(shape.member, text), max_size=3),
        "map": lambda: st.dictionaries(text, instances(shape.value, text), min_size=1, max_size=3),
        "timestamp": lambda: st.integers(0, 2**35).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
        "integer": lambda: st.integers(-(2**31), 2**31 - 1),
        "long": lambda: st.integers(-(2**63), 2**63 - 1),
        "boolean": st.booleans,
        "blob": lambda: st.binary(max_size=8),
        "string": lambda: text,
    }
    strategy: st.SearchStrategy[Any] = kinds[shape.type_name]()
    return strategy


def test_no_model_uses_what_the_reader_and_the_writer_do_not_speak() -> None:
    for name in ("iam", "sts"):
        for shape_name in service(name).model.shape_names:
            shape = service(name).model.shape_for(shape_name)
            members = shape.members.values() if shape.type_name == "structure" else []
            assert not shape.serialization.keys() - {"resultWrapper"}
            assert all(not member.serialization for member in members)


@given(st.sampled_from([pair for pair in OPERATIONS if operation_of(*pair).input]), st.data())
def test_what_botocore_writes_is_read_unchanged(pair: tuple[str, str], data: st.DataObject) -> None:
    name, operation = pair
    model = service(name).model.operation_model(operation)
    given_input = data.draw(instances(model.input_shape, texts))
    body = urlencode(
        create_serializer("query", include_validation=False).serialize_to_request(given_input, model)["body"]
    )

    assert read(read_fields(body.encode()), model.input_shape) == given_input


@given(st.sampled_from([pair for pair in OPERATIONS if operation_of(*pair).output]), st.data())
def test_what_is_written_botocore_reads_unchanged(pair: tuple[str, str], data: st.DataObject) -> None:
    name, operation = pair
    found = operation_of(name, operation)
    result = data.draw(instances(found.output, written))
    answer = {"status_code": 200, "headers": {}, "body": write(service(name), found, result, REQUEST_ID)}

    parsed = create_parser("query").parse(answer, found.output)

    assert parsed.pop("ResponseMetadata")["RequestId"] == REQUEST_ID
    assert parsed == result


def test_an_operation_without_output_answers_its_request_id() -> None:
    assert write(service("iam"), operation_of("iam", "DeleteUser"), None, "id").decode() == (
        '<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        "<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DeleteUserResponse>\n"
    )


def test_a_time_is_written_without_fractions_in_utc() -> None:
    user = {"CreateDate": datetime(2015, 1, 1, 0, 0, 0, 999999, tzinfo=UTC)}

    assert b"<CreateDate>2015-01-01T00:00:00Z</CreateDate>" in write(
        service("iam"), operation_of("iam", "GetUser"), {"User": user}, "id"
    )


@given(st.text(st.characters(), max_size=8))
def test_any_text_at_all_makes_a_readable_error_document(text: str) -> None:
    body = write_error("https://iam.amazonaws.com/doc/2010-05-08/", "NoSuchEntity", 404, text, REQUEST_ID)

    parsed = create_parser("query").parse({"status_code": 404, "headers": {}, "body": body}, None)

    assert parsed["Error"]["Code"] == "NoSuchEntity"
    assert parsed["Error"]["Type"] == "Sender"
    assert parsed["ResponseMetadata"]["RequestId"] == REQUEST_ID


def test_a_failure_of_the_server_is_the_receivers_fault() -> None:
    assert b"<Type>Receiver</Type>" in write_error("x", "InternalFailure", 500, "", "id")


def test_gaps_in_a_list_are_closed_in_the_order_of_the_indexes() -> None:
    fields = {f"TagKeys.member.{at}": f"k{at}" for at in (10, 2, 7)}

    assert read(fields, operation_of("iam", "UntagUser").input) == {"TagKeys": ["k2", "k7", "k10"]}


@pytest.mark.parametrize("index", ["0", "-1", "01", "x", "", " 1", "\u0661", str(MAX_INDEX + 1), "9" * 5000])
def test_an_index_that_is_none_or_too_large_is_malformed(index: str) -> None:
    with pytest.raises(Malformed):
        read({f"TagKeys.member.{index}": "k"}, operation_of("iam", "UntagUser").input)


@pytest.mark.parametrize(
    "fields",
    [
        {"UserName.member.1": "x"},
        {"TagKeys": "x"},
        {"TagKeys.member": "x"},
        {"TagKeys.member.1.Key": "x"},
        {"TagKeys.member.1": "x", "TagKeys.member.1.Key": "y"},
        {"TagKeys.member.1.Key": "x", "TagKeys.member.1": "y"},
        {"TagKeys" + ".a" * 5000: "x", "TagKeys": "x"},
    ],
)
def test_a_text_for_a_structure_and_the_reverse_are_malformed(fields: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        read(fields, operation_of("iam", "UntagUser").input)


@pytest.mark.parametrize("number", ["", "1.0", "1e3", "1_0", " 1", "\u0663", "0x1", "9" * 100_000])
def test_a_number_has_digits_only(number: str) -> None:
    with pytest.raises(Malformed):
        read({"MaxItems": number}, operation_of("iam", "ListUsers").input)


@pytest.mark.parametrize("word", ["", "True", "1", "yes"])
def test_a_boolean_is_true_or_false(word: str) -> None:
    with pytest.raises(Malformed):
        read({"SetAsDefault": word}, operation_of("iam", "CreatePolicyVersion").input)


@pytest.mark.parametrize(
    "body",
    [b"\xff=1", b"a=%FF", b"a=%ED%A0%80", b"a=1&a=2", b"&".join(b"a%d=1" % at for at in range(MAX_FIELDS + 1))],
)
def test_a_form_that_cannot_be_trusted_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_fields(body)
