"""The pages show the files in deploy/ as they are, and name the resources of Terraform that are tried."""

import re

import pytest
from click.testing import CliRunner

from moorage.cli.main import main
from tests.clients.reader import blocks
from tests.engines.programs import ROOT


@pytest.mark.parametrize(
    ("page", "mark", "file"),
    [
        ("systemd.md", "ini", "moorage.service"),
        ("container.md", "dockerfile", "Dockerfile"),
        ("container.md", "yaml", "compose.yaml"),
        ("nginx.md", "nginx", "nginx.conf"),
    ],
)
def test_a_page_shows_the_file_as_it_is(page: str, mark: str, file: str) -> None:
    assert blocks(page, mark) == [(ROOT / "deploy" / file).read_text()]


def test_compose_says_what_docker_run_is_told() -> None:
    line = next(
        line for block in blocks("container.md", "console") for line in block.splitlines() if "--detach" in line
    )
    composed = (ROOT / "deploy" / "compose.yaml").read_text()

    for value in re.findall(r"--(?:publish|volume|restart|stop-timeout|tmpfs|cap-drop|security-opt) (\S+)", line):
        assert value in composed, value
    assert ("--read-only" in line, "read_only: true" in composed) == (True, True)


def test_a_service_whose_settings_are_wrong_is_not_started_again_and_again() -> None:
    status = CliRunner().invoke(main, ["serve", "--workers", "many"]).exit_code

    assert f"RestartPreventExitStatus={status}\n" in (ROOT / "deploy" / "moorage.service").read_text()


@pytest.mark.parametrize("page", ["systemd.md", "container.md", "nginx.md", "shell.md"])
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "docs" / page).read_text())

    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_the_page_on_terraform_names_what_is_tried_and_nothing_besides() -> None:
    tried = (ROOT / "tests" / "clients" / "programs" / "terraform" / "main.tf").read_text()
    page = (ROOT / "docs" / "terraform.md").read_text()
    listed = "\n".join(line for line in page.splitlines() if line.startswith("- "))

    assert set(re.findall(r"`(aws_\w+)`", listed)) == set(
        re.findall(r'^(?:resource|data) "(\w+)"', tried, re.MULTILINE)
    )
