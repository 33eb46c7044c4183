"""The settings as options of commands, made of the one list of them."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from moorage.cli.environment import REGION
from moorage.config import (
    KNOWN,
    Given,
    InvalidSettings,
    Setting,
    Settings,
    account_for,
    data_folder,
    gather,
    named_account,
    read_settings,
    values,
)
from moorage.core.names import AccountId

Command = TypeVar("Command", bound=Callable[..., None])


class Parsed(click.ParamType[Any]):
    """An option that means what a setting means, and is refused in the same words."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the text means; raises UsageError."""
        try:
            return self._parse(value)
        except values.Wrong as wrong:
            raise click.UsageError(f"{param.opts[0] if param else self.name} {wrong}", ctx) from None


class Form(click.ParamType[str]):
    """The form of a setting's text, for shells to complete; what the text means is looked at where all settings are."""

    def __init__(self, form: str) -> None:
        self.name = form

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - as click calls it
        """Return the words that it can be, or have the shell look for files or folders."""
        if self.name in ("DIR", "FILE"):
            return [CompletionItem(incomplete, type=self.name.lower())]
        words = self.name.split("|")
        return [CompletionItem(word) for word in words if len(words) > 1 and word.startswith(incomplete)]


ACCOUNT_ID = Parsed("account", values.account)
REGION_NAME = Parsed("region", values.region)
region_option = click.option(
    "--region",
    default=REGION,
    show_default=True,
    type=REGION_NAME,
    help="The region for AWS_REGION and AWS_DEFAULT_REGION.",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as ``moorage config`` shows it; ``otherwise`` says what holds where it has no value."""

    setting: str
    value: str | None
    source: str
    otherwise: str


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Give a command the options of these settings, or of all, and ``--config``."""

    def decorate(command: Command) -> Command:
        for setting in reversed([one for one in KNOWN if not names or one.name in names]):
            command = _option(setting)(command)
        return click.option(
            "--config",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="A file of settings. Default: MOORAGE_CONFIG, else moorage.toml in the current folder where there is one.",
        )(command)

    return decorate


def gathered(config: Path | None, options: Mapping[str, str | None]) -> dict[str, Given]:
    """Return every setting as it was given; raises UsageError."""
    texts = {name.replace("_", "-"): value for name, value in options.items()}
    try:
        return gather(texts, os.environ, config)
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None


def server_settings(given: Mapping[str, Given]) -> Settings:
    """Return what a server is told; raises UsageError."""
    try:
        return read_settings(given, Path.home())
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None


def folder_of(given: Mapping[str, Given]) -> Path:
    """Return the data folder; raises UsageError."""
    try:
        return data_folder(given, Path.home())
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None


def account_of(given: Mapping[str, Given], folder: Path | None) -> AccountId | None:
    """Return the account that was named, which must be the data folder's where one is given, or None; raises UsageError."""
    try:
        return account_for(given, folder) if folder else named_account(given)
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None


def settings_in_force(given: Mapping[str, Given]) -> list[Shown]:
    """Return all settings with their sources; the password of a database is not shown."""
    return [_shown(setting, given) for setting in KNOWN]


def _shown(setting: Setting, given: Mapping[str, Given]) -> Shown:
    value = given[setting.name]
    text = value.text
    if setting.name == "data":
        text = str(folder_of(given))
    elif setting.name == "database" and text:
        text = re.sub(r"(://[^:@/]*):.*@|([?&]\w*password)=[^&]*", _hidden, text)
    return Shown(setting.name, text, value.source or "default", setting.otherwise)


def _hidden(match: re.Match[str]) -> str:
    return f"{match[1]}:***@" if match[1] else f"{match[2]}=***"


def _option(setting: Setting) -> Callable[[Command], Command]:
    default = f" Default: {setting.default or setting.otherwise}."
    if setting.form is None:
        return click.option(setting.option, is_flag=True, flag_value="true", default=None, help=setting.sentence)
    return click.option(setting.option, metavar=setting.form, type=Form(setting.form), help=setting.sentence + default)
