"""Settings: text in, from three sources; one frozen value out."""

from moorage.config.settings import Settings, Tls, account_for, data_folder, named_account, read_settings
from moorage.config.sources import ACCOUNT, KNOWN, Given, InvalidSettings, Setting, gather

__all__ = [
    "ACCOUNT",
    "KNOWN",
    "Given",
    "InvalidSettings",
    "Setting",
    "Settings",
    "Tls",
    "account_for",
    "data_folder",
    "gather",
    "named_account",
    "read_settings",
]
