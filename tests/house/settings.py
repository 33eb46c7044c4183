"""The settings as the table of docs/settings.md."""

from moorage.config import KNOWN


def table() -> str:
    """Return what stands between the markers."""
    lines = ["", "| option | variable | in the file | default | |", "|---|---|---|---|---|"]
    for setting in KNOWN:
        option = f"{setting.option} {setting.form}" if setting.form else setting.option
        default = f"`{setting.default}`" if setting.default else setting.otherwise
        cells = [f"`{option}`", f"`{setting.variable}`", f"`{setting.name}`", default, setting.sentence]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |")
    return "\n".join([*lines, ""])
