"""What the tests of builders have in common."""

import json
from typing import Any

from tests.clients.registry import Registry

# A step whose outcome differs each time: the same outcome twice was not built twice.
RANDOM = 'RUN ["/bin/busybox", "sh", "-c", "/bin/busybox head -c 32 /dev/urandom > /made"]'


def manifest_of(registry: Registry, repository: str, reference: str) -> Any:
    """Return a manifest or an index as a document."""
    return json.loads(registry.must(200, "GET", f"/v2/{repository}/manifests/{reference}").body)
