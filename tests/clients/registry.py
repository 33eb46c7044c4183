"""The registry door by plain HTTP, and images made of a few bytes."""

import base64
import hashlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@dataclass(frozen=True)
class Reply:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["errors"][0]["code"])

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["errors"][0]["message"])


@dataclass(frozen=True)
class Registry:
    """The registry on a port of the loopback, as the holder of a password sees it; each request has its own connection."""

    port: int
    password: str | None
    user: str = "AWS"

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """Send one request; headers are spelled with underscores."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, {**self.authorization(), "Content-Length": str(len(body)), **named})
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def authorization(self) -> dict[str, str]:
        if self.password is None:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()}

    def start_upload(self, repository: str) -> str:
        """Start an upload and return its location."""
        return self.must(202, "POST", f"/v2/{repository}/blobs/uploads/").headers["location"]

    def push_blob(self, repository: str, content: bytes) -> str:
        digest = digest_of(content)
        self.must(201, "PUT", f"{self.start_upload(repository)}?digest={digest}", content)
        return digest

    def put_manifest(self, repository: str, reference: str, manifest: bytes, media_type: str = OCI_MANIFEST) -> Reply:
        return self.send("PUT", f"/v2/{repository}/manifests/{reference}", manifest, Content_Type=media_type)

    def push(self, repository: str, reference: str, seed: str = "image") -> bytes:
        """Push an image of one small layer that differs by ``seed``, and return its manifest."""
        manifest = self.push_parts(repository, seed)
        assert self.put_manifest(repository, reference, manifest).status == 201
        return manifest

    def push_parts(self, repository: str, seed: str, config_type: str = OCI_CONFIG) -> bytes:
        """Push the blobs of such an image, and return the manifest that is still to be put."""
        layer, config = f"layer of {seed}".encode(), json.dumps({"seed": seed}).encode()
        self.push_blob(repository, layer)
        self.push_blob(repository, config)
        return image_manifest(config, layer, config_type=config_type)

    def must(self, status: int, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """Send one request and insist on its status."""
        reply = self.send(method, path, body, **headers)
        assert reply.status == status, (method, path, reply)
        return reply


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def image_manifest(config: bytes, *layers: bytes, config_type: str = OCI_CONFIG, **more: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config_type, config),
        "layers": [descriptor(OCI_LAYER, layer) for layer in layers],
        **more,
    }
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


def index_manifest(*manifests: bytes) -> bytes:
    children = [descriptor(OCI_MANIFEST, each) for each in manifests]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}).encode()
