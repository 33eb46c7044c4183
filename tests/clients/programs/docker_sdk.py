"""A program that drives Docker's engine by Docker's SDK for Python: build, login, push, pull, and what is refused."""

import json
import sys
from typing import Any

import docker
from docker.errors import APIError, NotFound

host, repository, password, context = sys.argv[1:]
name = f"{host}/{repository}"
client = docker.from_env(timeout=120)
told: dict[str, Any] = {}

client.login("AWS", password, registry=host)
image, _ = client.images.build(path=context, tag=f"{name}:v1")
said = list(client.images.push(name, tag="v1", stream=True, decode=True))
told["Pushed"] = [line["aux"]["Digest"] for line in said if "aux" in line]
told["Errors"] = [line["error"] for line in said if "error" in line]
told["Layers"] = image.attrs["RootFS"]["Layers"]

# What the engine knows of an image in a registry, without pulling it.
data = client.images.get_registry_data(f"{name}:v1")
told["Digest"], told["Platform"] = data.id, data.has_platform("linux/amd64")

client.images.remove(f"{name}:v1")
pulled = client.images.pull(name, tag="v1")
told["Pulled"] = pulled.attrs["RepoDigests"]

image.tag(name, tag="v2")
client.images.push(name, tag="v2")
client.images.remove(f"{name}:v1")
client.images.remove(f"{name}:v2")
told["AllTags"] = sorted(tag for each in client.images.pull(name, all_tags=True) for tag in each.tags)

try:
    client.images.pull(name, tag="never")
except NotFound as error:
    told["NotFound"] = error.explanation
try:
    client.login("AWS", "wrong", registry=host, reauth=True)
except APIError as error:
    told["Refused"] = error.explanation
json.dump(told, sys.stdout)
