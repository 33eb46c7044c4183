"""``moorage``: serve, env, version."""

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
def serve(
    data: Path | None,
    listen: str,
    account: str,
    domain: str | None,
    database: str | None,
    workers: int,
    log_format: str,
    log_requests: str,
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
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    # A token of another session would be sent along and refused.
    if "AWS_SESSION_TOKEN" in os.environ:
        click.echo("unset AWS_SESSION_TOKEN")


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)
