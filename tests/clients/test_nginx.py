"""docs/nginx.md on a machine of its own: the real nginx with the page's configuration, and clients that see only nginx."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from moorage.adapters.authority import AuthorityFolder
from tests.clients.deploying import NAMES, REGISTRY, at_a_terminal, commands, is_up, split_certificate, typed
from tests.clients.images import layer_archive
from tests.engines.box import Box
from tests.engines.programs import CACHE, ROOT, found, tail, wait_until
from tests.engines.server import moorage

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "nginx.md"
SITE = ROOT / "deploy" / "nginx.conf"
CLIENT = "192.0.2.9"
"""An address of the machine itself, so that nginx is asked from another one than Moorage."""
MIB = 1024 * 1024
SETUP = f"""
mkdir -p /etc/nginx/conf.d
cp "$1/nginx.conf" /etc/nginx/conf.d/moorage.conf
cp "$1/moorage.pem" "$1/moorage.key" /etc/ssl/
ip address add {CLIENT} dev lo
echo "{CLIENT} api.example.org {REGISTRY}" >> /etc/hosts
"""
NEAR_AND_SECURE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "ecr:*",
            "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": CLIENT}},
        },
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ],
}
LIES = "--header 'X-Forwarded-For: 203.0.113.1' --header 'X-Forwarded-Proto: http'"
IMAGE = f"{REGISTRY}/team/app:v1"


def main_configuration(folder: Path, site: str) -> str:
    """Return what Debian's nginx.conf says around the page's file, with folders of the test's."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    return (
        f"user root; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn; events {{}}\n"
        f"http {{ access_log off; {temporary} include {site}; }}\n"
    )


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[Box, dict[str, str]]]:
    """A machine with Moorage behind nginx, and the environment of a client that has its administrator's key."""
    nginx = found("nginx", remedy="make slow-tests unpacks it in .cache/peers", also_in=[CACHE / "peers/usr/sbin"])
    authority, files = AuthorityFolder(tmp_path / "authority"), tmp_path / "files"
    files.mkdir()
    authority.ensure(NAMES, datetime.now(UTC))
    split_certificate(authority.server, files / "moorage.pem", files / "moorage.key")
    (files / "nginx.conf").write_text(SITE.read_text())
    (tmp_path / "main.conf").write_text(main_configuration(tmp_path, "/etc/nginx/conf.d/*.conf"))
    data, trusted = tmp_path / "data", str(authority.folder / "authority.pem")
    with Box() as box:
        made = box.run("sh", "-ec", SETUP, "setup", str(files))
        assert made.returncode == 0, made.stderr
        serve = re.findall(r"^ {4}moorage (serve .*)$", PAGE.read_text(), re.MULTILINE)[0].split()
        serve[serve.index("--data") + 1] = str(data)
        box.start([moorage(), *serve, "--log-requests", "all"], at_a_terminal())
        box.start([str(nginx), "-c", str(tmp_path / "main.conf"), "-e", "stderr"], at_a_terminal())
        ask = [*is_up("https://api.example.org/readyz"), "--cacert", trusted]
        assert wait_until(lambda: box.run(*ask).returncode == 0, seconds=30), tail(box.log)
        key = json.loads((data / "credentials.json").read_text())
        yield (
            box,
            at_a_terminal(
                AWS_ACCESS_KEY_ID=key["AccessKeyId"],
                AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"],
                AWS_DEFAULT_REGION="us-east-1",
                AWS_CA_BUNDLE=trusted,
                SSL_CERT_FILE=trusted,
                DOCKER_CONFIG=str(tmp_path / "logins"),
            ),
        )


def test_images_go_through_nginx_without_being_written_down(
    proxied: tuple[Box, dict[str, str]], tmp_path: Path
) -> None:
    box, environment = proxied
    (tmp_path / "content").write_bytes(os.urandom(8 * MIB))
    (tmp_path / "layer.tar").write_bytes(layer_archive({"content": (tmp_path / "content").read_bytes()}))
    described = "aws ecr describe-repositories --query 'repositories[].repositoryUri' --output text"
    url = (
        "aws ecr get-download-url-for-layer --repository-name team/app --query downloadUrl --output text --layer-digest"
    )
    steps = typed(
        box,
        [
            *commands("nginx.md")[0],
            f"crane append --new_layer layer.tar --new_tag {IMAGE}",
            f"crane export {IMAGE} - | tar -xO content | cmp - content",
            f'skopeo --insecure-policy copy --src-creds "AWS:$(aws ecr get-login-password)" docker://{IMAGE} dir:copied',
            "aws ecr list-images --repository-name team/app --query 'imageIds[].imageTag' --output text",
            described,
            f"LAYER=$(crane manifest {IMAGE} | python3 -c \"import json, sys; print(json.load(sys.stdin)['layers'][0]['digest'])\")",
            f'curl --silent --show-error --fail --output signed "$({url} "$LAYER")"',
            'test "sha256:$(sha256sum < signed | cut -d " " -f 1)" = "$LAYER"',
        ],
        tmp_path,
        environment,
    )

    said = {step.line: step.output.strip() for step in steps}
    assert said["aws ecr list-images --repository-name team/app --query 'imageIds[].imageTag' --output text"] == "v1"
    assert said[described] == f"{REGISTRY}/team/app"
    assert "buffered to a temporary file" not in tail(tmp_path / "error.log")
    assert [file for kind in ("client_body", "proxy") for file in (tmp_path / kind).rglob("*") if file.is_file()] == []


def test_moorage_sees_the_client_behind_nginx_and_not_whom_it_says_it_is(
    proxied: tuple[Box, dict[str, str]], tmp_path: Path
) -> None:
    box, environment = proxied
    (tmp_path / "policy.json").write_text(json.dumps(NEAR_AND_SECURE))
    steps = typed(
        box,
        [
            "export AWS_ENDPOINT_URL=https://api.example.org",
            "aws iam create-user --user-name careful",
            "aws iam put-user-policy --user-name careful --policy-name secure --policy-document file://policy.json",
            'KEY=$(aws iam create-access-key --user-name careful --query "AccessKey.[AccessKeyId,SecretAccessKey]" --output text)',
            "export AWS_ACCESS_KEY_ID=${KEY%%[[:space:]]*} AWS_SECRET_ACCESS_KEY=${KEY##*[[:space:]]}",
            "aws ecr describe-registry --query registryId --output text",
            f"curl --silent --show-error --include {LIES} https://{REGISTRY}/v2/",
        ],
        tmp_path,
        environment,
    )

    assert steps[-2].output.strip() == "123456789012"
    assert f'Basic realm="https://{REGISTRY}/"' in steps[-1].output
    clients = re.findall(r"moorage\.access (\S+) (?:POST|GET /v2/)", box.log.read_text())
    assert set(clients) == {CLIENT}
