"""``moorage accounts``: the accounts of a store, and a key for an administrator who has none any more."""

import json
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from moorage.cli.environment import REGION, in_the_way, past_proxies, server_environment
from moorage.cli.options import ACCOUNT_ID, Command, Parsed, gathered, server_settings, setting_options
from moorage.cli.server import store_problem
from moorage.cli.tables import table
from moorage.cli.upkeep import refuse_other_users, user_name
from moorage.config import Settings, values
from moorage.core.errors import Refused
from moorage.core.identities import AccessKey
from moorage.core.managed_policies import ADMINISTRATOR_ACCESS
from moorage.core.names import AccountId

if TYPE_CHECKING:
    from moorage.actions.accounts import Accounts

as_json = click.option("--json", "as_json", is_flag=True, help="For programs.")
account_argument = click.argument("account", metavar="ACCOUNT", type=ACCOUNT_ID)
ALIAS = Parsed("alias", values.alias)
USER_NAME = Parsed("user", values.user_name)


def store_options() -> Callable[[Command], Command]:
    """Give a command the options that say where the store is."""
    return setting_options("data", "database", "secrets-key")


@click.group()
def accounts() -> None:
    """Make, name and disable accounts; give one a new key.

    This is done on the machine of the store, by the user that owns it, and needs no key; a server may run meanwhile. What
    an account's users may do is then theirs to say, with `aws iam`.
    """


@accounts.command()
@store_options()
@click.option("--account", metavar="ID", type=ACCOUNT_ID, help="Twelve digits. Default: some that nobody has.")
@click.option("--alias", metavar="NAME", type=ALIAS, help="A name for it.")
@as_json
def create(
    config: Path | None, account: AccountId | None, alias: str | None, *, as_json: bool, **options: str | None
) -> None:
    """Make an account, and print a key of its administrator.

    That is the user admin, who may do everything in it. The key is shown once, as commands that put it into a profile of the
    AWS CLI.

    Example: eval "$(moorage accounts create --alias team-b)"
    """
    settings = server_settings(gathered(config, options))
    with _store(settings, "create", sealing=True) as store:
        key = store.create(datetime.now(UTC), account, alias)
    _record(settings, key.user.account, "CreateAccount", alias=alias, accessKeyId=key.id)
    _show(settings, key, alias, as_json=as_json)


@accounts.command("list")
@store_options()
@as_json
def list_(config: Path | None, *, as_json: bool, **options: str | None) -> None:
    """Show all accounts.

    Example: moorage accounts list
    """
    with _store(server_settings(gathered(config, options)), "list") as store:
        found = store.all()
    if as_json:
        shown = [
            {
                "account": account.id,
                "alias": account.alias,
                "disabled": account.disabled,
                "users": users,
                "created": account.created_at.isoformat(),
            }
            for account, users in found
        ]
        click.echo(json.dumps(shown, indent=2))
        return
    rows = [
        [
            account.id,
            account.alias or "",
            str(users),
            f"{account.created_at:%F}",
            "disabled" if account.disabled else "",
        ]
        for account, users in found
    ]
    click.echo(table(["account", "alias", "users", "created", ""], rows))


@accounts.command("alias")
@store_options()
@account_argument
@click.argument("name", type=ALIAS)
def alias_(config: Path | None, account: AccountId, name: str, **options: str | None) -> None:
    """Name an account, in place of the name it had.

    Example: moorage accounts alias 123456789012 team-a
    """
    settings = server_settings(gathered(config, options))
    with _store(settings, "alias") as store:
        store.name(account, name)
    _record(settings, account, "CreateAccountAlias", accountAlias=name)


@accounts.command("new-key")
@store_options()
@account_argument
@click.option(
    "--user",
    default="admin",
    type=USER_NAME,
    show_default=True,
    metavar="NAME",
    help="The user, who is made if need be.",
)
@click.option(
    "--secrets-lost", is_flag=True, help="The file of secrets-key is lost: give up all keys, and make a new file."
)
@as_json
def new_key(
    config: Path | None, account: AccountId, user: str, *, secrets_lost: bool, as_json: bool, **options: str | None
) -> None:
    """Give an administrator of an account a new key.

    The user may do everything then, and is made where there is none of that name. The key is shown once, as by create.

    With --secrets-lost every access key of every account goes first, and every login with it: nobody can open them any more.

    Example: moorage accounts new-key 123456789012 --user rescue
    """
    settings = server_settings(gathered(config, options))
    if secrets_lost:
        _give_up(settings, account)
    with _store(settings, "new-key", sealing=True) as store:
        key = store.give_key(account, user, datetime.now(UTC))
        alias = store.get(account).alias
    _record(settings, account, "CreateAccessKey", userName=user, accessKeyId=key.id, policyArn=ADMINISTRATOR_ACCESS.arn)
    _show(settings, key, alias, as_json=as_json)


@accounts.command()
@store_options()
@account_argument
@click.option(
    "--hours", type=click.IntRange(1, 12), default=1, show_default=True, help="How long the credentials last."
)
@click.option("--region", default=REGION, show_default=True, help="The region to print.")
def root(config: Path | None, account: AccountId, hours: int, region: str, **options: str | None) -> None:
    """Print credentials of the root user of an account, for a shell.

    No policy of the account limits that user. What the policy of a repository or the registry denies to everyone is denied to
    it too, but the policy itself it can always read, replace and delete. The credentials are good for requests over the loopback
    of this machine alone. Where a server has run on the data folder, its endpoint is printed too.

    Example: eval "$(moorage accounts root 123456789012)"
    """
    settings = server_settings(gathered(config, options))
    with _store(settings, "root", sealing=True) as store:
        made = store.root(account, datetime.now(UTC), hours * 3600)
    _record(settings, account, "GetRootCredentials", accessKeyId=made.id, hours=hours)
    click.echo(f"export AWS_ACCESS_KEY_ID={made.id}")
    click.echo(f"export AWS_SECRET_ACCESS_KEY={made.secret}")
    click.echo(f"export AWS_SESSION_TOKEN={made.token}")
    where: dict[str, str] = {}
    with suppress(OSError):
        where = server_environment(settings.data, region) | past_proxies(os.environ)
    for name, value in where.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    for name in in_the_way(os.environ):
        if name != "AWS_SESSION_TOKEN":
            click.echo(f"unset {name}")


@accounts.command()
@store_options()
@account_argument
def disable(config: Path | None, account: AccountId, **options: str | None) -> None:
    """Refuse every key and login of an account.

    A running server does so from the next request on. What the account has stays.

    Example: moorage accounts disable 123456789012
    """
    settings = server_settings(gathered(config, options))
    with _store(settings, "disable") as store:
        store.switch(account, disabled=True)
    _record(settings, account, "DisableAccount")


@accounts.command()
@store_options()
@account_argument
def enable(config: Path | None, account: AccountId, **options: str | None) -> None:
    """Let the keys and logins of a disabled account in again.

    Example: moorage accounts enable 123456789012
    """
    settings = server_settings(gathered(config, options))
    with _store(settings, "enable") as store:
        store.switch(account, disabled=False)
    _record(settings, account, "EnableAccount")


@contextmanager
def _store(settings: Settings, command: str, *, sealing: bool = False) -> Iterator["Accounts"]:
    """Open the accounts of a store; what is refused is said in one sentence."""
    from moorage.wiring import accounts as opened  # noqa: PLC0415 - the database's library takes a moment; --help need not wait

    refuse_other_users(settings.data, f"accounts {command}")
    try:
        with opened(settings, sealing=sealing) as store:
            yield store
    except Refused as refusal:
        raise click.ClickException(str(refusal)) from None
    except Exception as error:
        problem = store_problem(error)
        if problem is None:
            raise
        raise click.ClickException(problem) from None


def _record(settings: Settings, account: AccountId, operation: str, **parameters: object) -> None:
    """Tell the audit log; what was done stands all the same where that cannot be written."""
    from moorage.wiring import record_command  # noqa: PLC0415 - see _store

    try:
        record_command(settings, f"moorage accounts, run by {user_name(os.getuid())}", account, operation, parameters)
    except Exception as error:  # noqa: BLE001 - whatever it is, a key that was made is still to be shown
        click.echo(f"This could not be recorded in {settings.audit}: {error}", err=True)


def _give_up(settings: Settings, account: AccountId) -> None:
    from moorage.wiring import give_up_secrets  # noqa: PLC0415 - see _store

    with _store(settings, "new-key") as store:
        # Nothing goes for the sake of an account that is not there.
        store.get(account)
        gone = give_up_secrets(settings)
        known = [each.id for each, _ in store.all()]
    for each in known:
        _record(settings, each, "GiveUpSecrets")
    click.echo(
        f"{gone} access keys are gone, and {settings.secrets_key} is the new key. A server that runs is to be started again.",
        err=True,
    )


def _show(settings: Settings, key: AccessKey, alias: str | None, *, as_json: bool) -> None:
    """Print a new key, for programs as `credentials.json` has it."""
    from moorage.wiring import key_document  # noqa: PLC0415 - see _store

    if as_json:
        click.echo(json.dumps(key_document(key), indent=2))
        return
    profile = f"moorage-{alias or key.user.account}"
    click.echo(
        f"The user {key.user.name} of account {key.user.account} has a new key, which is shown here and never again.",
        err=True,
    )
    # By a built-in of the shell: the arguments of a program can be read by everybody on the machine.
    lines = [f"[{profile}]", f"aws_access_key_id = {key.id}", f"aws_secret_access_key = {key.secret}"]
    here, until_next = rf"/^\[{profile}\]$/", r"/^\[/"
    without = f"{here},{until_next}{{ {here}d; {until_next}!d; }}"
    click.echo(
        '(umask 077; mkdir -p "$HOME/.aws"; file="${AWS_SHARED_CREDENTIALS_FILE:-$HOME/.aws/credentials}"; touch "$file"; '
        f'{{ sed {shlex.quote(without)} "$file"; printf "%s\\n" {shlex.join(lines)}; }} > "$file.new"; mv "$file.new" "$file")'
    )
    url = settings.endpoint.read_text() if settings.endpoint.exists() else settings.url
    for name, value in (("region", REGION), ("endpoint_url", url)):
        click.echo(f"aws configure set {name} {shlex.quote(value)} --profile {profile}")
