"""docs/shell.md: completion, by the shell that the page is for."""

from pathlib import Path

import pytest

from tests.clients.reader import blocks
from tests.engines.programs import plain_environment, run
from tests.engines.server import moorage

pytestmark = pytest.mark.slow

TAB = """
COMP_WORDS=({words}) COMP_CWORD={last}
complete -p moorage
_moorage_completion moorage
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(first: str, words: str, home: Path) -> list[str]:
    """Run the page's lines in a bash, press the tab key after these words, and return what is offered."""
    path = f"{Path(moorage()).parent}:/usr/bin:/bin"
    script = first + TAB.format(words=words, last=len(words.split()) - 1)
    printed = run(["bash", "-euc", script], env=plain_environment(HOME=str(home), PATH=path)).stdout.splitlines()
    assert printed[0] == "complete -o nosort -F _moorage_completion moorage"
    return printed[1:]


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    (line,) = blocks("shell.md", "")

    assert completed(line, "moorage se", tmp_path) == ["serve"]
    assert completed(line, "moorage serve --tls-", tmp_path) == ["--tls-listen", "--tls-certificate", "--tls-key"]


def test_bash_completes_from_the_file(tmp_path: Path) -> None:
    (lines,) = blocks("shell.md", "sh")
    read = ". ~/.local/share/bash-completion/completions/moorage"

    assert completed(f"{lines}{read}", "moorage ver", tmp_path) == ["version"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_have_their_script(shell: str, tmp_path: Path) -> None:
    environment = plain_environment(HOME=str(tmp_path), _MOORAGE_COMPLETE=f"{shell}_source")

    assert f"_MOORAGE_COMPLETE={shell}_source" in blocks("shell.md", shell)[0]
    assert f"{shell}_complete" in run([moorage()], env=environment).stdout
