"""``moorage``: serve, run, accounts, access, audit, check, collect, config, env, explain, health, trust, version."""

import ipaddress
import json
import os
import shlex
import sys
from pathlib import Path

import click

from moorage import __version__
from moorage.cli.access import access
from moorage.cli.accounts import accounts
from moorage.cli.audit import audit
from moorage.cli.check import check
from moorage.cli.collect import collect
from moorage.cli.environment import REGION, client_environment, in_the_way, past_proxies
from moorage.cli.explain import explain
from moorage.cli.health import health
from moorage.cli.options import (
    REGION_NAME,
    account_of,
    folder_of,
    gathered,
    region_option,
    server_settings,
    setting_options,
    settings_in_force,
)
from moorage.cli.run import run
from moorage.cli.tables import table
from moorage.config import Settings
from moorage.core.hosts import parse_host
from moorage.core.names import Region, Registry
from moorage.core.trust import Place, address_of, wanted

as_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="moorage")
def main() -> None:
    """One's own Amazon ECR: the AWS API and the container registry behind it.

    Settings are taken from the command line, from the environment (MOORAGE_LISTEN for --listen) and from moorage.toml, in this
    order; `moorage config` shows each with its source.
    """


@main.command()
@setting_options()
def serve(config: Path | None, **options: str | None) -> None:
    """Run the server until it is told to stop (Ctrl-C or SIGTERM).

    Example: moorage serve --data /srv/moorage --listen 127.0.0.1:4510
    """
    settings = server_settings(gathered(config, options))
    # The server's parts take a moment to import; --help and env need not wait for them.
    from moorage.cli import server  # noqa: PLC0415 - see above

    sys.exit(server.run(settings))


@main.command("config")
@setting_options()
@as_json
def show_config(config: Path | None, *, as_json: bool, **options: str | None) -> None:
    """Show each setting, its value and where that came from. What `moorage serve` would refuse is refused.

    Example: moorage config --listen 127.0.0.1:5000
    """
    given = gathered(config, options)
    shown = settings_in_force(given)
    if as_json:
        click.echo(
            json.dumps(
                [{"setting": line.setting, "value": line.value, "source": line.source} for line in shown], indent=2
            )
        )
    else:
        click.echo(
            table(
                ["setting", "value", "source"],
                [[line.setting, line.value or f"({line.otherwise})", line.source] for line in shown],
            )
        )
    server_settings(given)


@main.command()
@setting_options("data")
@region_option
@as_json
def env(config: Path | None, data: str | None, region: str, *, as_json: bool) -> None:
    """Print the variables that lead AWS's clients to this server. Such are aws, boto3 and Terraform; they are its administrator then.

    Example: eval "$(moorage env)"
    """
    folder = folder_of(gathered(config, {"data": data}))
    try:
        variables = client_environment(folder, region) | past_proxies(os.environ)
    except FileNotFoundError as error:
        raise click.ClickException(_missing(folder, Path(error.filename).name)) from None
    except (ValueError, KeyError, TypeError):
        raise click.ClickException(f"{folder / Settings.CREDENTIALS} holds no access key: {_ANOTHER_KEY}") from None
    except PermissionError as error:
        raise click.ClickException(f"{error.filename} can only be read by the user that runs the server.") from None
    if as_json:
        click.echo(json.dumps(variables, indent=2))
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    for name in in_the_way(os.environ):
        click.echo(f"unset {name}")


_ANOTHER_KEY = "put it back from a backup, or make another key with `moorage accounts new-key`."


def _missing(folder: Path, file: str) -> str:
    if file == Settings.CREDENTIALS and (folder / "blobs").is_dir():
        return f"{folder} has a store, but no {file} any more: {_ANOTHER_KEY}"
    return f"{folder} has no {file}: start `moorage serve` first, or name its folder with --data."


@main.command()
@setting_options("data", "account")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--region",
    "regions",
    multiple=True,
    default=[REGION],
    show_default=True,
    type=REGION_NAME,
    help="Whose names; may be repeated.",
)
@click.option("--address", help="Where the hosts file puts the names. Default: 127.0.0.1, and nowhere with --server.")
@click.option("--no-hosts", is_flag=True, help="Leave the hosts file alone: the names are in DNS.")
@click.option(
    "--port", default=443, show_default=True, type=click.IntRange(1, 65535), help="Where registries are reached."
)
@click.option("--server", metavar="URL", help="Trust the authority of the server at this URL instead of one's own.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--print", "only_show", is_flag=True, help="Only show what would change.")
@click.option("--undo", is_flag=True, help="Take back all that was changed on this machine.")
@click.option("--root", type=click.Path(path_type=Path), default="/", hidden=True)
def trust(
    config: Path | None,
    data: str | None,
    account: str | None,
    names: tuple[str, ...],
    regions: tuple[Region, ...],
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
    """Let this machine reach the server by names, with TLS. These are AWS's own names of the account, or those given.

    Makes an authority that can certify those names and what is below them, and no other, and has the hosts file, the container
    engines and the system know it. Names of before stay.

    Example: sudo moorage trust --data /srv/moorage --region us-east-1
    """
    from moorage.cli import trust as work  # noqa: PLC0415 - cryptography takes a moment to import

    given = gathered(config, {"data": data, "account": account})
    folder = folder_of(given)
    if undo:
        if names or server or address or no_hosts:
            raise click.UsageError(
                "--undo takes back everything that was trusted, so it is given no names, and no other option of theirs"
            )
        work.undo(folder, root, only_show=only_show)
        return
    registries = []
    if not names:
        owner = account_of(given, None if server else folder) or work.first_account(folder)
        registries = [Registry(owner, region) for region in regions]
    at = address_of(None if address is None else _ip(address), elsewhere=server is not None, in_dns=no_hosts)
    wish = work.Wish(folder, wanted([_host(name) for name in names], registries), Place(at, port), root)
    work.trust(wish, server=server, sure=yes, only_show=only_show)


def _host(text: str) -> str:
    host = parse_host(text)
    if host is None:
        raise click.UsageError(f"{text!r} is not a host name")
    return host


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise click.UsageError(f"--address must be an IP address, not {text!r}") from None


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


main.add_command(accounts)
main.add_command(access)
main.add_command(audit)
main.add_command(check)
main.add_command(collect)
main.add_command(explain)
main.add_command(run)
main.add_command(health)
