"""``moorage health``: whether a server is ready, for scripts and for whatever starts containers."""

from pathlib import Path
from urllib.parse import urlsplit

import click

from moorage.cli.options import folder_of, gathered, setting_options
from moorage.config import Settings

TIMEOUT_SECONDS = 4
NO_URL = "that is not the URL of a server"


@click.command()
@setting_options("data")
@click.option("--url", help="Where the server is. Default: that of the data folder's server.")
def health(config: Path | None, data: str | None, url: str | None) -> None:
    """Say whether a server is ready. The exit status is 0 where it is, and 1 where it is not.

    Example: moorage health --url http://127.0.0.1:4510
    """
    where = url or _endpoint(folder_of(gathered(config, {"data": data})))
    problem = why_not_ready(where, TIMEOUT_SECONDS)
    if problem:
        raise click.ClickException(f"{where} is not ready: {problem}")
    click.echo(f"{where} is ready")


def why_not_ready(url: str, seconds: float) -> str | None:
    """Return why the server there does not say that it is ready, or None where it does. No proxy is asked."""
    import http.client  # noqa: PLC0415 - takes a moment, and every command loads this module

    doors = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        parts = urlsplit(url)
        if not parts.hostname:
            return NO_URL
        connection = doors[parts.scheme](parts.hostname, parts.port, timeout=seconds)
    except (KeyError, ValueError, http.client.HTTPException):
        return NO_URL
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except OSError as error:
        return str(error)
    except http.client.HTTPException:
        return "it does not speak HTTP"
    finally:
        connection.close()
    return None if status == http.HTTPStatus.OK else f"it answers {status}"


def _endpoint(folder: Path) -> str:
    try:
        return (folder / Settings.ENDPOINT).read_text()
    except OSError as error:
        raise click.ClickException(
            f"{folder} does not say where a server is ({error.strerror}): name its folder with --data, or its --url."
        ) from None
