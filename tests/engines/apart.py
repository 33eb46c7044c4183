"""Namespaces with the machine's own network: what runs in there meets no other engine of the machine."""

from tests.engines.namespaces import Namespaces

SETUP = """
mount --make-rprivate /
folder=$1; shift
for place; do
  mkdir -p "$folder$place" && mount --bind "$folder$place" "$place"
done
touch "$folder/up"
exec sleep infinity
"""


class Apart(Namespaces):
    """The namespaces; ``own`` are the machine's folders that have others bound over them, which lie in ``folder``."""

    def __init__(self, *own: str) -> None:
        super().__init__(SETUP, *own)
