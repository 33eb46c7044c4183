"""Settings: text in, from three sources; one frozen value out."""

from moorage.config.settings import Settings, Tls, data_folder, read_account, read_settings
from moorage.config.sources import ACCOUNT, KNOWN, Given, InvalidSettings, Setting, gather

__all__ = [
    "ACCOUNT",
    "KNOWN",
    "Given",
    "InvalidSettings",
    "Setting",
    "Settings",
    "Tls",
    "data_folder",
    "gather",
    "read_account",
    "read_settings",
]
