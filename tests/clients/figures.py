"""What a server has counted by now: what a client did not have to ask for is seen there alone."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.engines.server import Server


def counted(server: Server, name: str, **labels: str) -> float:
    """Return the sum of all of a counter's samples that have these labels."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(each.value for each in samples if labels.items() <= each.labels.items())
