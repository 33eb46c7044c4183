"""Says at the end how much was tried."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests of this folder have asked."""
    reports = (report for several in terminalreporter.stats.values() for report in several)
    properties = (pair for report in reports for pair in getattr(report, "user_properties", ()))
    # A test reports more than once: when it was called and when what it used was put away.
    said = dict.fromkeys(str(value) for name, value in properties if name == "asked")
    if said:
        terminalreporter.section("rights")
        for line in said:
            terminalreporter.line(line)
