"""What the registry door reads from a request: its route, the place of a chunk, its paging."""

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs, quote, unquote_to_bytes

from moorage.core.digests import Algorithm, Digest, looks_like_digest, parse_algorithm, parse_digest
from moorage.core.errors import InvalidLayerDigest, InvalidParameter
from moorage.core.names import (
    MAX_TAG,
    REPOSITORY_LENGTHS,
    REPOSITORY_PATTERN,
    TAG_PATTERN,
    RepositoryName,
    Tag,
    parse_repository,
    parse_tag,
)

MAX_PARAMETERS = 100
DEFAULT_PAGE = 100
MAX_PAGE = 1000

_routes = (
    ("manifest", re.compile(r"/v2/(.+)/manifests/([^/]+)")),
    ("uploads", re.compile(r"/v2/(.+)/blobs/uploads/?()")),
    ("upload", re.compile(r"/v2/(.+)/blobs/uploads/([^/]+)")),
    ("blob", re.compile(r"/v2/(.+)/blobs/([^/]+)")),
    ("tags", re.compile(r"/v2/(.+)/tags/list()")),
    ("referrers", re.compile(r"/v2/(.+)/referrers/([^/]+)")),
)


@dataclass(frozen=True, slots=True)
class Route:
    """Which part of the registry a path addresses; ``name`` and ``reference`` are still the client's text."""

    kind: str
    name: str = ""
    reference: str = ""


def route(raw_path: bytes) -> Route | None:
    """Return the route of a path, or None where it is none.

    An escaped slash is no slash: what a proxy in front took for one name never becomes two here.
    """
    if b"%2f" in raw_path.lower():
        return None
    try:
        path = unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return None
    if path in ("/v2/", "/v2"):
        return Route("base")
    if path == "/v2/_catalog":
        return Route("catalog")
    for kind, pattern in _routes:
        if found := pattern.fullmatch(path):
            return Route(kind, found[1], found[2])
    return None


def repository(text: str) -> RepositoryName:
    """Return the repository name; raises InvalidParameter in ECR's words."""
    name = parse_repository(text)
    if name is None:
        if len(text) not in REPOSITORY_LENGTHS:
            edge = (
                f"greater than or equal to {REPOSITORY_LENGTHS.start}"
                if len(text) < REPOSITORY_LENGTHS.start
                else f"less than or equal to {REPOSITORY_LENGTHS.stop - 1}"
            )
            raise InvalidParameter("repositoryName", f"must have length {edge}")
        raise InvalidParameter("repositoryName", f"must satisfy regular expression '{REPOSITORY_PATTERN}'")
    return name


def tag_or_digest(text: str) -> Tag | Digest:
    """Return what a manifest's reference is; raises InvalidParameter for neither, InvalidLayerDigest for another algorithm."""
    return digest(text) if ":" in text else tag(text)


def tag(text: str) -> Tag:
    """Return the tag; raises InvalidParameter in ECR's words."""
    parsed = parse_tag(text)
    if parsed is None:
        rule = (
            f"must have length less than or equal to {MAX_TAG}"
            if len(text) > MAX_TAG
            else f"must satisfy regular expression '{TAG_PATTERN}'"
        )
        raise InvalidParameter("imageTag", rule)
    return parsed


def digest(text: str) -> Digest:
    """Return the digest; raises InvalidLayerDigest."""
    parsed = parse_digest(text)
    if parsed is None:
        raise InvalidLayerDigest(text)
    return parsed


def algorithm(text: str) -> Algorithm:
    """Return the algorithm; raises InvalidLayerDigest for one that is not served."""
    parsed = parse_algorithm(text)
    if parsed is None:
        raise InvalidLayerDigest(text)
    return parsed


def sought(text: str) -> Tag | Digest:
    """Return what a manifest's reference is, also a digest that nothing here can have: who may look is told that it is not there."""
    return Digest(text) if looks_like_digest(text) else tag_or_digest(text)


def sought_blob(text: str) -> Digest:
    """Return the digest of a blob to look for, also one that nothing here can have; raises InvalidLayerDigest."""
    return Digest(text) if looks_like_digest(text) else digest(text)


class Query:
    """The parameters of a query string, read when they are asked for."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        try:
            return parse_qs(self._raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError:
            raise InvalidParameter("query", f"must have at most {MAX_PARAMETERS} parameters") from None

    def get(self, name: str) -> str | None:
        """Return the value of a parameter, the first of several, or None; raises InvalidParameter for one that no database keeps."""
        return next(iter(self.every(name)), None)

    def every(self, name: str) -> list[str]:
        """Return all values of a parameter; raises InvalidParameter for one that no database keeps."""
        values = self._values.get(name, [])
        if any("\0" in value for value in values):
            raise InvalidParameter(name, "must not hold the character NUL")
        return values

    def page_size(self) -> int:
        """Return ``n``; raises InvalidParameter beyond ECR's limits. None at all is the specification's ``n=0``."""
        text = self.get("n")
        if text is None:
            return DEFAULT_PAGE
        if not re.fullmatch("[0-9]+", text):
            raise InvalidParameter("maxResults", "Member must have value greater than or equal to 0")
        if len(text) > len(str(MAX_PAGE)) or int(text) > MAX_PAGE:
            raise InvalidParameter("maxResults", f"Member must have value less than or equal to {MAX_PAGE}")
        return int(text)


def next_link(path: str, size: int, last: str, artifact_type: str | None = None) -> tuple[bytes, bytes]:
    """Return the header that names the next page (RFC 8288)."""
    same = f"artifactType={quote(artifact_type, safe='')}&" if artifact_type is not None else ""
    return b"link", f'<{path}?{same}n={size}&last={quote(last, safe="")}>; rel="next"'.encode()


_content_range = re.compile(rb"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/.*)?")


def content_range(value: bytes | None) -> tuple[int, int] | None:
    """Return first and last byte of a chunk, None without the header; raises InvalidParameter where it makes no sense."""
    if value is None:
        return None
    found = _content_range.fullmatch(value.strip())
    if not found or int(found[2]) < int(found[1]):
        raise InvalidParameter("Content-Range", "must be of the form '<first byte>-<last byte>'")
    return int(found[1]), int(found[2])
