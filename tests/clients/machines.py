"""A box in which ``moorage serve`` has AWS's names, with TLS, and what its administrator needs there."""

from dataclasses import dataclass
from pathlib import Path

from tests.engines.box import Box
from tests.engines.programs import CACHE, found, plain_environment, tail, wait_until
from tests.engines.server import moorage

ACCOUNT = "180789647333"
REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
API = "api.ecr.us-east-1.amazonaws.com"
SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian keeps all authorities that the system trusts: botocore brings a list of its own unless told."""


def must(box: Box, *command: str) -> str:
    """Run a command in a box, insist on its success and return what it printed."""
    done = box.run(*command)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}\n{tail(box.log)}"
    return done.stdout


def trust(box: Box, data: Path, *words: str) -> str:
    return must(box, moorage(), "trust", "--data", str(data), *words)


def trusted(box: Box) -> dict[str, str]:
    """Return all that trust may touch: kinds, modes, owners, where links lead, and digests of files.

    Java's store is made anew each time and holds the time.
    """
    places = "find /etc /usr/local/share /var/lib/moorage* -not -path '*/java/cacerts'"
    kinds = must(box, "sh", "-c", rf"{places} -printf '%p\t%y %m %u:%g %l\n' 2>/dev/null || true")
    digests = must(box, "sh", "-c", f"{places} -type f -exec sha256sum {{}} + 2>/dev/null || true")
    found = dict(line.split("\t", 1) for line in kinds.splitlines())
    for line in digests.splitlines():
        digest, _, path = line.partition("  ")
        found[path] += f" {digest}"
    return found


def trusted_before(box: Box) -> dict[str, str]:
    """As ``trusted``, after the system's own tool has made its folder, which somebody may have put a file into by hand."""
    must(box, "update-ca-certificates")
    return trusted(box)


@dataclass(frozen=True)
class Keys:
    """An administrator's access key, with which the AWS CLI is run in any box."""

    variables: tuple[str, ...]

    def aws(self, box: Box, *words: str) -> str:
        """Run the AWS CLI, which goes by AWS's names and trusts what the system trusts."""
        command = found(
            "aws", remedy="make slow-tests installs it in .cache/awscli", also_in=[CACHE / "awscli" / "bin"]
        )
        return must(box, "env", *self.variables, f"AWS_CA_BUNDLE={SYSTEM}", str(command), *words)

    def password(self, box: Box) -> str:
        return self.aws(box, "ecr", "get-login-password").strip()


def serve_in(box: Box, data: Path, *words: str) -> Keys:
    """Trust and serve AWS's names in a box; return the key once the registry's name answers there with TLS."""
    data.mkdir()
    trust(box, data, "--account", ACCOUNT, "--yes")
    own = ["--data", str(data), "--account", ACCOUNT, "--domain", "amazonaws.com"]
    box.start([moorage(), "serve", *own, *words], plain_environment())
    ready = ["curl", "--fail", "--silent", f"https://{REGISTRY}/readyz"]
    assert wait_until(lambda: box.run(*ready).returncode == 0, seconds=30), tail(box.log)
    printed = must(box, moorage(), "env", "--data", str(data))
    exported = [line.removeprefix("export ") for line in printed.splitlines()]
    kept = [line for line in exported if line.startswith(("AWS_ACCESS_KEY_ID", "AWS_SECRET", "AWS_DEFAULT_REGION"))]
    return Keys((*kept, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_PAGER="))
