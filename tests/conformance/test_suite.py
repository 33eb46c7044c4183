"""The page on conformance says what the suite found, and a run in which anything is not passed is a failure."""

from datetime import date

import pytest

from tests.conformance.suite import CONFIGURATIONS, PAGE, Outcome, page, read, sentence

OUTPUT = """\
Test results
OCI Conformance Test: Pass

Configuration:
  registry: localhost:1

OCI Conformance Result: Pass
  Disabled......................:          {left_out}
  Skip..........................:          {skipped}
  Pass..........................:       1030
  FAIL..........................:          {failed}
  Error.........................:          0
  Total.........................:       1032

API conformance:
  Ping..........................:       Pass
"""
RESULTS = """\
config:
  registry: localhost:1
apis:
  Blob upload cancel: Disabled
  Ping: Pass
data:
  Digest Algorithm sha512: FAIL
  Non-distributable Layers: Pass
"""


def outcome(*, left_out: int = 0, skipped: int = 0, failed: int = 0) -> Outcome:
    return read(OUTPUT.format(left_out=left_out, skipped=skipped, failed=failed), RESULTS)


def test_counts_apis_and_data_are_read_from_what_the_suite_wrote() -> None:
    found = outcome(left_out=2)

    assert found.counts == {"Disabled": 2, "Skip": 0, "Pass": 1030, "FAIL": 0, "Error": 0}
    assert (found.apis, found.data) == (
        {"Blob upload cancel": "Disabled", "Ping": "Pass"},
        {"Digest Algorithm sha512": "FAIL", "Non-distributable Layers": "Pass"},
    )


def test_what_the_suite_leaves_out_was_not_asked() -> None:
    assert (outcome(left_out=2).asked, outcome(left_out=2).perfect) == (1030, True)


@pytest.mark.parametrize("found", [outcome(skipped=1), outcome(failed=1), Outcome({"Pass": 0, "Disabled": 9}, {}, {})])
def test_a_check_that_is_skipped_or_failed_or_none_at_all_is_not_perfect(found: Outcome) -> None:
    assert not found.perfect


def test_the_page_has_the_counts_and_a_line_for_each_api_and_each_kind_of_data() -> None:
    both = {each.name: outcome(left_out=2, failed=1) for each in CONFIGURATIONS}
    text = page(both, date(2026, 11, 25), "0.1.0", "suite@v1")

    assert "Run on 2026-11-25 with Moorage 0.1.0 and `suite@v1`." in text
    assert "| everything | 1,031 | 1,030 | 1 | 0 | 2 |" in text
    assert "| Blob upload cancel | left out | left out |" in text
    assert "| Digest Algorithm sha512 | fail | fail |" in text
    assert "1,030 of 1,031 checks of version 1.1 passed" in sentence(text)


def test_the_page_as_it_was_last_written_has_nothing_failed_and_nothing_skipped() -> None:
    rows = [
        line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith(("| 1.1 |", "| everything |"))
    ]

    assert len(rows) == len(CONFIGURATIONS)
    for _, asked, passed, failed, skipped, _ in rows:
        assert (passed, failed, skipped) == (asked, "0", "0")
