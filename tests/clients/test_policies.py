"""The page on policies, typed with a real Docker Engine: what was to be denied was, and what was to be granted was."""

import json

import pytest

from tests.clients.reader import Reader
from tests.clients.test_docs import run_page
from tests.engines.server import Server

pytestmark = pytest.mark.slow


def test_two_accounts_three_users_and_a_role_get_what_the_page_says(reader: Reader, own_server: Server) -> None:
    printed = run_page("policies.md", reader, own_server)

    pushed, explained, granted, stopped, role = (
        printed.index(part)
        for part in (
            "is not authorized to perform: ecr:InitiateLayerUpload",
            "What would change it:",
            "Downloaded newer image",
            "with an explicit deny in a resource-based policy",
            '"imageDigest"',
        )
    )
    assert '"allowed":false' in printed[explained:granted]  # the same, asked over the network
    assert pushed < explained < granted < stopped < role
    assert "Deny by statement 1 of the policy of repository team/app" in printed
    assert printed.count("is not authorized to perform: ecr:DescribeImages") == 1
    assert "is not authorized to perform: ecr:DeleteRepository" in printed
    proposed = next(line for line in printed.splitlines() if line.startswith("  {") and "InitiateLayerUpload" in line)
    assert json.loads(proposed)["Action"] == "ecr:InitiateLayerUpload"
