"""What random requests are made of: pieces that are good, pieces that are bad, and rubbish."""

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

from moorage.web.aws.model import service
from tests.clients.registry import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    digest_of,
    image_manifest,
    index_manifest,
)
from tests.hostile.inputs import EVERY, GOOD, MANAGED, UPLOAD, fields
from tests.hostile.inside import CONFIG, HOST, LAYER, MANIFEST, Inside, Request
from tests.hostile.place import ABSENT, APP, FORM, JSON, OTHER_ACCOUNT, POLICY
from tests.hostile.test_aws_inputs import VERSIONS

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", "\0", "a\0b", "\u2028", "\ufeff", "\ufffe", "../..", "a" * 3000, "*", "%00"]
)
WHOLES = st.sampled_from([0, 1, -1, 5, 1000, 1001, 2**31, 2**63 - 1, 2**63, 2**64, 10**30]) | st.integers(-10, 2000)
RUBBISH: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | WHOLES | TEXTS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=6,
)

NAMES = [APP, "team/other", "team/new", "never/made", "a", "A/b", "a//b"]
DIGESTS = [digest_of(MANIFEST), digest_of(LAYER), digest_of(CONFIG), ABSENT, "sha512:" + "0" * 128, "sha256:x", "", ":"]
TAGS = ["v1", "v2", "latest", "a+b", "a" * 301, "."]
# What a member of that name often is; the rest come from the good inputs and from rubbish.
MEMBERS: dict[str, list[Any]] = {
    "repositoryName": NAMES,
    "repositoryNames": [[APP], [APP, "never/made"], NAMES[:3] * 20],
    "registryId": ["123456789012", OTHER_ACCOUNT, "1"],
    "registryIds": [["123456789012"], [OTHER_ACCOUNT], []],
    "imageTag": TAGS,
    "imageDigest": DIGESTS,
    "layerDigest": DIGESTS,
    "layerDigests": [DIGESTS[:5], [ABSENT], DIGESTS * 13],
    "imageIds": [[{"imageTag": tag, "imageDigest": digest} for tag in TAGS[:3] for digest in DIGESTS[:3]], [{}], []],
    "imageManifest": [MANIFEST.decode(), index_manifest(MANIFEST).decode(), "{}", "[" * 3000],
    "imageManifestMediaType": [OCI_MANIFEST, OCI_INDEX, "text/plain", ""],
    "uploadId": [UPLOAD, "..", ""],
    "UserName": ["ann", "bob", "Ann", "never-made"],
    "PolicyDocument": [POLICY, "{}", "[" * 3000, '{"Version":"2012-10-17","Statement":[]}'],
    "PolicyArn": [MANAGED, "arn:aws:iam::aws:policy/Nothing", "arn:aws:iam::123456789012:policy/x"],
    "Marker": ["YWRtaW4=", "!", "AAA=", "_w==", ""],
    "nextToken": ["dG9rZW4=", "W10=", "!", "", "eyJhIjoxfQ=="],
}


@st.composite
def documents(draw: st.DrawFn, name: str, operation: str, upload: str) -> Any:
    """An input of an operation: the good one, with some members replaced, left out, or made up."""
    found = service(name).operation(operation)
    members = list(found.input.members) if found and found.input is not None else []
    document = dict(GOOD[name][operation])
    if draw(st.booleans()):
        document.pop("nextToken", None)
    if "uploadId" in document and draw(st.booleans()):
        document["uploadId"] = upload
    for member in draw(st.lists(st.sampled_from(members), max_size=3)) if members else []:
        what = draw(st.integers(0, 7))
        if what == 0:
            document.pop(member, None)
        elif what == 1:
            document[member] = draw(RUBBISH)
        elif member in MEMBERS:
            document[member] = draw(st.sampled_from(MEMBERS[member]))
    if draw(st.integers(0, 9)) == 0:
        document[draw(TEXTS)] = draw(RUBBISH)
    return document if draw(st.integers(0, 19)) else draw(RUBBISH)


def spoilt(draw: st.DrawFn, body: bytes) -> bytes:
    """Return the body, and now and then one with bytes cut out, put in, or repeated."""
    if draw(st.integers(0, 2)):
        return body
    at, length = draw(st.integers(0, len(body))), draw(st.integers(0, 8))
    inserted = draw(
        st.sampled_from([b"", b"\xff", b"\0", b"\\ud800", b"NaN", b'"', b"[" * 2000, b"%ff", b"&", b"1e999"])
    )
    return body[:at] + inserted + body[at + length :]


@st.composite
def api_requests(draw: st.DrawFn, inside: Inside) -> Request:
    """A request at the AWS door that is signed well, whatever it says."""
    name, operation = draw(st.sampled_from(EVERY))
    document = draw(documents(name, operation, inside.upload.rpartition("/")[2]))
    if name == "ecr":
        body = json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
        target = f"{service('ecr').target_prefix}.{operation}"
        headers = {"content-type": JSON, "x-amz-target": target if draw(st.integers(0, 19)) else draw(_words)}
    else:
        spelled = fields(document) if isinstance(document, dict) else {}
        action = {"Action": operation, "Version": VERSIONS[name]}
        body = urlencode({**action, **spelled}, errors="surrogatepass").encode()
        headers = {"content-type": FORM}
    if draw(st.integers(0, 19)) == 0:
        headers["content-type"] = draw(_words)
    return inside.signed(name, headers, spoilt(draw, body))


_words = st.sampled_from(
    ["", "text/plain", JSON, FORM, "a" * 500, "x.y", "AmazonEC2ContainerRegistry_V20150921.Nothing"]
)

# --- the registry door --------------------------------------------------------------------------------------------------

_bits = st.sampled_from(
    [b"", b"/", b"..", b"%2e%2e", b"%2f", b"%00", b"\\", b"%ff", b"%", b"a", b"%0d%0a", b"\xc3\xa9", b"?"]
)
_names = st.sampled_from([name.encode() for name in NAMES]) | st.lists(_bits, max_size=4).map(b"/".join)
_references = st.sampled_from([each.encode() for each in [*DIGESTS, *TAGS, UPLOAD]]) | st.lists(_bits, max_size=3).map(
    b"".join
)
_kinds = st.sampled_from(
    [b"/manifests/", b"/blobs/", b"/blobs/uploads/", b"/tags/list", b"/referrers/", b"/tags/", b"/"]
)
PATHS = st.one_of(
    st.tuples(st.just(b"/v2/"), _names, _kinds, _references).map(b"".join),
    st.tuples(st.just(b"/v2/"), _names, st.sampled_from([b"/tags/list", b"/blobs/uploads/"])).map(b"".join),
    st.sampled_from([b"/v2/", b"/v2", b"/v2/_catalog", b"/v2x"]),
    st.lists(_bits, max_size=8).map(lambda bits: b"/v2" + b"/".join(bits)),
)
_values = [
    b"1",
    b"0",
    b"-1",
    b"x",
    b"%00",
    b"%ff",
    b"9" * 30,
    b"%D9%A1",
    *(digest.encode() for digest in DIGESTS),
    APP.encode(),
]
_parameters = st.tuples(
    st.sampled_from([b"n", b"last", b"digest", b"digest-algorithm", b"mount", b"from", b"tag", b"artifactType", b""]),
    st.sampled_from(_values),
)
QUERIES = st.lists(_parameters.map(b"=".join), max_size=3).map(b"&".join) | st.binary(max_size=12)
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "BREW"])

_ranges = [
    b"0-0",
    b"0-4",
    b"5-2",
    b"bytes=0-3",
    b"bytes=-1",
    b"bytes=9-",
    b"bytes=-",
    b"\xff",
    b"9" * 40 + b"-" + b"9" * 41,
    b"",
]
_hosts = [
    HOST,
    b"",
    b"x",
    b"123456789012.dkr.ecr.us-east-1.x.test",
    b"999988887777.dkr.ecr.us-east-1.x.test",
    b"\xff",
    b"a" * 3000,
]
_kinds_of_content = [
    OCI_MANIFEST.encode(),
    OCI_INDEX.encode(),
    b"",
    b"\xff",
    b"application/json",
    b"a;b;c",
    b"x" * 3000,
]
HEADERS: dict[bytes, list[bytes]] = {
    b"content-range": _ranges,
    b"range": _ranges,
    b"host": _hosts,
    b"content-type": _kinds_of_content,
    b"user-agent": [b"\xff", b"a" * 3000, b""],
    b"authorization": [b"", b"Basic", b"Basic QVdTOng=", b"Bearer x", b"\xff", b"Basic QVdTOgA="],
}


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    """A manifest with members replaced by rubbish, or bytes of it spoilt."""
    documents: list[dict[str, Any]] = [json.loads(MANIFEST), json.loads(index_manifest(MANIFEST))]
    document = draw(st.sampled_from(documents))
    for member in draw(
        st.lists(st.sampled_from([*document, "subject", "artifactType", "annotations", "manifests"]), max_size=2)
    ):
        document = {**document, member: draw(RUBBISH | descriptors() | st.lists(descriptors(), max_size=3))}
    return spoilt(draw, json.dumps(document).encode("utf-8", "surrogatepass"))


@st.composite
def descriptors(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "mediaType": draw(st.sampled_from([OCI_LAYER, OCI_CONFIG, OCI_MANIFEST, "", "a/b\n"]) | RUBBISH),
        "digest": draw(st.sampled_from(DIGESTS) | RUBBISH),
        "size": draw(WHOLES | RUBBISH),
        "urls": draw(st.sampled_from([None, [], ["x"], "x"])),
    }


# Requests that would succeed as they stand; ``{upload}`` is the path of the open upload.
_IMAGE, _BLOB = digest_of(MANIFEST), digest_of(LAYER)
_LONG_IMAGE, _LONG = digest_of(MANIFEST, "sha512"), digest_of(LAYER, "sha512")
SENSIBLE: list[tuple[str, str, str]] = [
    ("GET", f"/v2/{APP}/manifests/v1", ""),
    ("HEAD", f"/v2/{APP}/manifests/{_IMAGE}", ""),
    ("PUT", f"/v2/{APP}/manifests/v2", ""),
    ("PUT", f"/v2/{APP}/manifests/{_IMAGE}", ""),
    ("PUT", f"/v2/{APP}/manifests/{_IMAGE}", "tag=v2&tag=v3"),
    ("PUT", f"/v2/{APP}/manifests/{_LONG_IMAGE}", "tag=v4"),
    ("DELETE", f"/v2/{APP}/manifests/v2", ""),
    ("DELETE", f"/v2/{APP}/manifests/{_IMAGE}", ""),
    ("GET", f"/v2/{APP}/blobs/{_BLOB}", ""),
    ("HEAD", f"/v2/{APP}/blobs/{_BLOB}", ""),
    ("POST", f"/v2/{APP}/blobs/uploads/", ""),
    ("POST", f"/v2/{APP}/blobs/uploads/", f"digest={_BLOB}"),
    ("POST", f"/v2/{APP}/blobs/uploads/", f"digest={_LONG}"),
    ("POST", f"/v2/{APP}/blobs/uploads/", "digest-algorithm=sha512"),
    ("POST", "/v2/team/other/blobs/uploads/", f"mount={_BLOB}&from={APP}"),
    ("POST", "/v2/team/other/blobs/uploads/", f"mount={_BLOB}"),
    ("DELETE", f"/v2/{APP}/blobs/{_BLOB}", ""),
    ("DELETE", f"/v2/{APP}/blobs/{_LONG}", ""),
    ("GET", "{upload}", ""),
    ("PATCH", "{upload}", ""),
    ("PATCH", "{upload}", ""),
    ("PUT", "{upload}", f"digest={_BLOB}"),
    ("PUT", "{upload}", f"digest={_LONG}"),
    ("DELETE", "{upload}", ""),
    ("GET", f"/v2/{APP}/tags/list", "n=1&last=a"),
    ("GET", "/v2/_catalog", "n=1"),
    ("GET", f"/v2/{APP}/referrers/{_IMAGE}", "artifactType=a/b"),
]
_bodies = (
    manifests()
    | st.sampled_from([b"", LAYER, CONFIG, MANIFEST, image_manifest(CONFIG), b"\0" * 5000])
    | st.binary(max_size=20)
)


@st.composite
def registry_requests(draw: st.DrawFn, inside: Inside) -> Request:
    """A request at the registry door, mostly of somebody who may do everything; each part may have been made up."""
    method, path, query = draw(st.sampled_from(SENSIBLE))
    made_up = draw(st.sets(st.sampled_from(["method", "path", "query", "headers"]), max_size=2))
    headers = {b"host": HOST, inside.token[0]: inside.token[1], b"content-type": OCI_MANIFEST.encode()}
    for name in draw(st.lists(st.sampled_from(list(HEADERS)), min_size=1, max_size=2)) if "headers" in made_up else []:
        headers[name] = draw(st.sampled_from(HEADERS[name]))
    body = draw(_bodies)
    cut = draw(st.integers(0, len(body)))
    return Request(
        draw(METHODS) if "method" in made_up else method,
        draw(PATHS) if "path" in made_up else path.format(upload=inside.upload).encode(),
        draw(QUERIES) if "query" in made_up else query.encode(),
        list(headers.items()),
        [body[:cut], body[cut:]],
        gone=draw(st.integers(0, 19)) == 0,
    )
