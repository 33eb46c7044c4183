"""A program that keeps files in a registry by oras' SDK for Python: push, in pieces too, pull, tags and what refers to what."""

import json
import sys
from pathlib import Path
from typing import Any

import oras.client
import oras.oci

host, repository, password = sys.argv[1:]
name = f"{host}/{repository}"
client = oras.client.OrasClient(hostname=host, insecure=True, auth_backend="basic")
client.login(username="AWS", password=password, hostname=host, tls_verify=False)
told: dict[str, Any] = {}

Path("one.txt").write_bytes(b"one")
Path("large.bin").write_bytes(b"0123456789" * 300_000)
client.push(target=f"{name}:v1", files=["one.txt:text/plain", "large.bin"], disable_path_validation=True)
# Pieces of a megabyte, each with its place.
client.push(target=f"{name}:pieces", files=["large.bin"], do_chunked=True, chunk_size=1_000_000)

told["Pulled"] = sorted(Path(each).name for each in client.pull(target=f"{name}:v1", outdir="pulled"))
told["Same"] = Path("pulled/large.bin").read_bytes() == Path("large.bin").read_bytes()
told["Tags"] = client.get_tags(name)
told["Some"] = client.get_tags(name, N=1)

subject = oras.oci.Subject.from_manifest(client.get_manifest(f"{name}:v1"))
client.push(target=f"{name}:attached", files=["one.txt"], subject=subject)
told["Subject"] = client.get_manifest(f"{name}:attached")["subject"]["digest"]

told["Deleted"] = client.delete_tags(name, ["pieces"])
told["Left"] = client.get_tags(name)
json.dump(told, sys.stdout)
