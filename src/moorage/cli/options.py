"""The settings as options of commands, made of the one list of them."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from moorage.config import (
    KNOWN,
    Given,
    InvalidSettings,
    Setting,
    Settings,
    data_folder,
    gather,
    read_account,
    read_settings,
)
from moorage.core.names import AccountId, Region, parse_region

Command = TypeVar("Command", bound=Callable[..., None])


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


def account_of(given: Given) -> AccountId:
    """Return the account that was given; raises UsageError, which names it as its giver did."""
    try:
        return read_account(given)
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None


def region_of(text: str) -> Region:
    """Return the region that ``--region`` names; raises UsageError."""
    region = parse_region(text)
    if region is None:
        raise click.UsageError(f"--region {text!r} is not a region")
    return region


def settings_in_force(given: Mapping[str, Given]) -> list[Shown]:
    """Return all settings with their sources; the password of a database is not shown."""
    return [_shown(setting, given) for setting in KNOWN]


def _shown(setting: Setting, given: Mapping[str, Given]) -> Shown:
    value = given[setting.name]
    text = value.text
    if setting.name == "data":
        text = str(folder_of(given))
    elif setting.name == "database" and text:
        text = re.sub(r"(://[^:@/]*):.*@|([?&]password)=[^&]*", _hidden, text)
    return Shown(setting.name, text, value.source or "default", setting.otherwise)


def _hidden(match: re.Match[str]) -> str:
    return f"{match[1]}:***@" if match[1] else f"{match[2]}=***"


def _option(setting: Setting) -> Callable[[Command], Command]:
    default = f" Default: {setting.default or setting.otherwise}."
    if setting.form is None:
        return click.option(setting.option, is_flag=True, flag_value="true", default=None, help=setting.sentence)
    return click.option(setting.option, metavar=setting.form, help=setting.sentence + default)
