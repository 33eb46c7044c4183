"""Images for the clients to carry about: made without a network, and looked into afterwards."""

import gzip
import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.clients.registry import Registry, digest_of, image_manifest
from tests.engines.docker import DockerEngine


class DockerImages:
    """Makes images in a Docker Engine, and reads what is in them."""

    def __init__(self, engine: DockerEngine, scratch: Path) -> None:
        self._engine = engine
        self._scratch = scratch

    def build(self, name: str, files: Mapping[str, bytes]) -> None:
        """Build an image with a layer for each file."""
        context = self._scratch / uuid.uuid4().hex
        context.mkdir()
        lines = ["FROM scratch"]
        for file, content in files.items():
            (context / file).write_bytes(content)
            lines.append(f"COPY {file} /{file}")
        (context / "Dockerfile").write_text("\n".join([*lines, 'CMD ["/none"]', ""]))
        self._engine.run("build", "--quiet", "--tag", name, context)

    def files(self, name: str) -> dict[str, bytes]:
        """Return the files of an image, from a container that is made of it and never run."""
        container = self._engine.run("create", name).stdout.strip()
        exported = self._scratch / f"{container}.tar"
        self._engine.run("export", "--output", exported, container)
        self._engine.run("rm", container)
        made_by_docker = ("dev", "etc", "proc", "sys", ".dockerenv")
        with tarfile.open(exported) as tar:
            return {
                each.name: reader.read()
                for each in tar
                if each.name.split("/")[0] not in made_by_docker and (reader := tar.extractfile(each))
            }

    def layers(self, name: str) -> list[str]:
        """Return the digests of an image's layers, unpacked, in order."""
        shown = self._engine.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", name).stdout
        return list(json.loads(shown))

    def forget(self, *names: str) -> None:
        self._engine.run("rmi", *names)


def push_of_layer(registry: Registry, repository: str, layer: bytes) -> None:
    """Push an image that engines can unpack, of that one layer, as ``v1``."""
    rootfs = {"type": "layers", "diff_ids": [digest_of(layer)]}
    config = json.dumps({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs}).encode()
    for blob in (layer, config):
        registry.push_blob(repository, blob)
    assert registry.put_manifest(repository, "v1", image_manifest(config, layer)).status == 201


def layer_archive(files: Mapping[str, bytes]) -> bytes:
    """Return the tar archive of a layer; the same files give the same bytes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def unpacked_layers(registry: Registry, repository: str, reference: str) -> list[str]:
    """Fetch an image's every blob, hold each to its digest, and return the digests of its layers, unpacked."""
    manifest = registry.must(200, "GET", f"/v2/{repository}/manifests/{reference}").body
    digests = []
    for each in (document := json.loads(manifest))["layers"]:
        blob = whole_blob(registry, repository, each["digest"], each["size"])
        content = gzip.decompress(blob) if each["mediaType"].endswith("gzip") else blob
        digests.append(f"sha256:{hashlib.sha256(content).hexdigest()}")
    config = whole_blob(registry, repository, document["config"]["digest"], document["config"]["size"])
    assert json.loads(config)["rootfs"]["diff_ids"] == digests
    return digests


def whole_blob(registry: Registry, repository: str, digest: str, size: int) -> bytes:
    blob = registry.must(200, "GET", f"/v2/{repository}/blobs/{digest}").body
    assert (digest_of(blob), len(blob)) == (digest, size)
    return blob
