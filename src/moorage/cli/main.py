"""``moorage``: serve, env, trust, version."""

import ipaddress
import json
import os
import shlex
import sys
from pathlib import Path

import click

from moorage import __version__
from moorage.config import InvalidSettings, Settings, default_data, read_settings

_DATA = click.option(
    "--data",
    envvar=["MOORAGE_DATA", "MOORAGE_SERVE_DATA"],
    type=click.Path(file_okay=False, path_type=Path),
    help="The data folder. Default: ./moorage-data where there is one, else ~/.local/share/moorage.",
)
_LISTEN = click.option(
    "--listen", default="127.0.0.1:4510", show_default=True, metavar="HOST:PORT", help="Where to listen."
)
_ACCOUNT = click.option(
    "--account",
    default="123456789012",
    show_default=True,
    help="The account that the first start makes: twelve digits.",
)


@click.group(context_settings={"auto_envvar_prefix": "MOORAGE", "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="moorage")
def main() -> None:
    """One's own Amazon ECR: the AWS API and the container registry behind it.

    Every option can also be given as an environment variable, for example MOORAGE_SERVE_LISTEN.
    """


@main.command()
@_DATA
@_LISTEN
@_ACCOUNT
@click.option(
    "--domain", metavar="NAME[:PORT]", help="Show registries as <account>.dkr.ecr.<region>.NAME instead of the address."
)
@click.option("--database", metavar="URL", help="postgresql+psycopg://... instead of SQLite in the data folder.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Server processes.")
@click.option(
    "--log-format",
    default="plain",
    show_default=True,
    type=click.Choice(["plain", "json"]),
    help="Lines for people or for programs.",
)
@click.option(
    "--log-requests",
    default="changes",
    show_default=True,
    type=click.Choice(["all", "changes", "none"]),
    help="Which requests get a line: all, all but successful reads, none.",
)
@click.option("--insecure-listen", is_flag=True, help="Listen beyond loopback although there is no TLS.")
@click.option("--tls-listen", metavar="HOST:PORT", help="Where to listen with TLS, besides.")
@click.option(
    "--tls-certificate",
    type=click.Path(path_type=Path),
    help="The certificate with its chain, PEM. Default: that of `moorage trust`.",
)
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its key, PEM. Default: in the certificate's file.")
def serve(
    data: Path | None,
    listen: str,
    account: str,
    domain: str | None,
    database: str | None,
    workers: int,
    log_format: str,
    log_requests: str,
    tls_listen: str | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    *,
    insecure_listen: bool,
) -> None:
    """Run the server until it is told to stop (Ctrl-C or SIGTERM).

    Example: moorage serve --data /srv/moorage --listen 127.0.0.1:4510
    """
    try:
        settings = read_settings(
            data=data or default_data(Path.home()),
            listen=listen,
            account=account,
            domain=domain,
            database=database,
            workers=workers,
            insecure_listen=insecure_listen,
            tls_listen=tls_listen,
            tls_certificate=tls_certificate,
            tls_key=tls_key,
        )
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None
    # The server's parts take a moment to import; --help and env need not wait for them.
    from moorage.cli.server import run  # noqa: PLC0415 - see above

    sys.exit(run(settings, json_logs=log_format == "json", log_requests=log_requests))


@main.command()
@_DATA
@click.option("--region", default="us-east-1", show_default=True, help="The region for AWS_DEFAULT_REGION.")
def env(data: Path | None, region: str) -> None:
    """Print the environment in which aws, boto3 and Terraform reach this server as its administrator.

    Example: eval "$(moorage env)"
    """
    folder = data or default_data(Path.home())
    try:
        key = json.loads((folder / Settings.CREDENTIALS).read_text())
        endpoint = (folder / Settings.ENDPOINT).read_text().strip()
    except FileNotFoundError:
        raise click.ClickException(
            f"{folder} has no {Settings.CREDENTIALS}: start `moorage serve` first, or name its folder with --data."
        ) from None
    except PermissionError as error:
        raise click.ClickException(f"{error.filename} can only be read by the user that runs the server.") from None
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_DEFAULT_REGION": region,
    }
    authority = folder / Settings.AUTHORITY / "authority.pem"
    if authority.exists():
        variables["AWS_CA_BUNDLE"] = str(authority.absolute())
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    # A token of another session would be sent along and refused.
    if "AWS_SESSION_TOKEN" in os.environ:
        click.echo("unset AWS_SESSION_TOKEN")


@main.command()
@_DATA
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--account", help="Whose names; default: the account that the first start made.")
@click.option(
    "--region", "regions", multiple=True, default=["us-east-1"], show_default=True, help="Whose names; may be repeated."
)
@click.option("--address", help="Where the hosts file puts the names. Default: 127.0.0.1, and nowhere with --server.")
@click.option("--no-hosts", is_flag=True, help="Leave the hosts file alone: the names are in DNS.")
@click.option(
    "--port", default=443, show_default=True, type=click.IntRange(1, 65535), help="Where registries are reached."
)
@click.option("--server", metavar="URL", help="Trust the authority of the server at this URL instead of one's own.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--print", "only_show", is_flag=True, help="Only show what would change.")
@click.option("--undo", is_flag=True, help="Take back what was changed.")
@click.option("--root", type=click.Path(path_type=Path), default="/", hidden=True)
def trust(
    data: Path | None,
    names: tuple[str, ...],
    account: str | None,
    regions: tuple[str, ...],
    address: str | None,
    port: int,
    server: str | None,
    root: Path,
    *,
    no_hosts: bool,
    yes: bool,
    only_show: bool,
    undo: bool,
) -> None:
    """Let this machine reach the server by host names, with TLS: AWS's own names of the account, or those given.

    Makes an authority that can certify those names and no other, and has the hosts file, the container engines and the system know it.

    Example: sudo moorage trust --data /srv/moorage --region us-east-1
    """
    from moorage.cli import trust as work  # noqa: PLC0415 - cryptography takes a moment to import

    folder = (data or default_data(Path.home())).absolute()
    if undo:
        work.undo(folder, root)
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    where = address or (None if server else "127.0.0.1")
    hosts_at = None if no_hosts or where is None else _ip(where)
    wish = work.Wish(folder, work.wanted_names(folder, names, account, regions), hosts_at, port, root)
    work.trust(wish, server=server, sure=yes, only_show=only_show)


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise click.UsageError(f"--address must be an IP address, not {text!r}") from None


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)
