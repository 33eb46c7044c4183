"""``moorage explain`` on a store without a server; the page on policies has it explain what a server denied."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moorage.cli.main import main
from moorage.config import gather, read_settings
from moorage.wiring import prepare
from tests.engines.server import ACCOUNT

ADMIN = f"arn:aws:iam::{ACCOUNT}:user/admin"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with an account and its administrator."""
    prepare(read_settings(gather({"data": str(tmp_path), "account": ACCOUNT}, {}, None), tmp_path))
    return tmp_path


def explain(data: Path, *words: str) -> Result:
    result = CliRunner().invoke(main, ["explain", "--data", str(data), *words], env={"MOORAGE_DATA": None})
    assert "Traceback" not in result.output
    return result


def test_what_is_allowed_names_the_statement(data: Path) -> None:
    told = explain(data, "--principal", ADMIN, "--action", "ecr:BatchGetImage")

    assert told.exit_code == 0
    assert told.stdout.startswith(f"Allowed: {ADMIN}: ecr:BatchGetImage on *\n")
    assert "Allow by statement 1 of" in told.stdout
    assert told.stderr == ""


@pytest.mark.parametrize(
    ("action", "hint"),
    [
        ("ecr:BatchGetImages", "; did you mean ecr:BatchGetImage?"),
        ("iam:creatuser", "; did you mean iam:CreateUser?"),
        ("s3:XyzzyXyzzyXyzzyXyzzyXyzzy", "."),
    ],
)
def test_an_action_that_nothing_asks_for_is_pointed_out(data: Path, action: str, hint: str) -> None:
    told = explain(data, "--principal", ADMIN, "--action", action, "--json")

    assert told.exit_code == 0
    assert told.stderr == f"Nothing in Moorage asks for {action}{hint}\n"
    assert json.loads(told.stdout)["allowed"]


def test_the_case_of_an_action_is_no_matter(data: Path) -> None:
    assert explain(data, "--principal", ADMIN, "--action", "ecr:batchgetimage").stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Give --principal and --action, or --last-denial, or --request"),
        (["--principal", ADMIN, "--action", "pull"], "pull is no action"),
        (["--principal", ADMIN, "--action", "ecr:PutImage", "--resource", "app"], "app is no ARN"),
        (
            ["--principal", ADMIN, "--action", "ecr:PutImage", "--context", "aws:SourceIp"],
            "a condition key and its value",
        ),
        (["--principal", "ann", "--action", "ecr:PutImage"], "ann is no user, role, session of a role or root user"),
        (["--last-denial"], "No such denial is on record."),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_sentence(data: Path, words: list[str], said: str) -> None:
    told = explain(data, *words)

    assert told.exit_code != 0
    assert said in told.stderr
