"""A network between two machines of the tests' own."""

from tests.engines.box import Box
from tests.engines.programs import run


def cable(one: Box, other: Box) -> tuple[str, str]:
    """Join two boxes and return their addresses; it goes with either of them."""
    first, second = (box.holder() for box in (one, other))
    words = f"nsenter --target {first} --net ip link add cable type veth peer name cable netns {second}"
    run(words.split())
    addresses = ("10.97.0.1", "10.97.0.2")
    for box, address in zip((one, other), addresses, strict=True):
        for words in (f"address add {address}/24 dev cable", "link set cable up"):
            done = box.run("ip", *words.split())
            assert done.returncode == 0, done.stderr
    return addresses
