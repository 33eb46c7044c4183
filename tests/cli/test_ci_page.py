"""The recipes in docs/ci.md that its readers paste into a file of their CI."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.engines.programs import CACHE, ROOT, plain_environment, run
from tests.engines.server import moorage

RECIPES = "".join(re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "ci.md").read_text(), re.DOTALL | re.MULTILINE))
LINES = re.findall(r"^ +(?:- )?run: (.+)$|^    - (?!uses:|if:|run:)(.+ .+)$", RECIPES, re.MULTILINE)
COMMANDS = [one or other for one, other in LINES]
OURS = [line for line in COMMANDS if line.startswith("moorage ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_line_of_a_recipe_is_one_of_a_shell(line: str) -> None:
    subprocess.run(["bash", "-n", "-c", line], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("line", OURS)
def test_a_line_of_a_recipe_that_is_ours_runs(line: str, tmp_path: Path) -> None:
    (tmp_path / "push-test.sh").write_text('test "$MOORAGE_REGISTRY"\n')
    path = f"{Path(moorage()).parent}:{CACHE / 'awscli' / 'bin'}:{plain_environment()['PATH']}"

    run(["bash", "-euc", line], cwd=tmp_path, env=plain_environment(PATH=path))

    assert "Started worker" in (tmp_path / "moorage.log").read_text()


def test_each_recipe_has_lines_of_ours() -> None:
    assert len(OURS) == RECIPES.count("moorage run ") > 0
