"""``moorage run``: a command beside a server of its own, and nothing of it left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage.cli import throwaway
from moorage.cli.throwaway import NotStarted, ThrowAway, reserved_port
from tests.engines.programs import plain_environment, run, wait_until
from tests.engines.server import moorage

pytestmark = pytest.mark.slow

CREATE = (
    'import boto3; print(boto3.client("ecr").create_repository(repositoryName="app")["repository"]["repositoryUri"])'
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of this test's own, to see what is left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def ran(*command: str, options: tuple[str, ...] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    return run([moorage(), "run", *options, "--", *command], env=plain_environment(**environment), check=False)


def servers(place: Path) -> list[str]:
    """Return the processes that were given a folder in there."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes()
        except OSError:
            continue
        if str(place / "moorage-run-").encode() in line:
            found.append(file.parent.name)
    return found


def nothing_left(place: Path) -> bool:
    return wait_until(lambda: not servers(place) and not list(place.iterdir()), seconds=15)


@pytest.fixture
def started(place: Path, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """A function that runs a script beside a server, in a process group of its own, and returns once the script says so."""
    processes = []

    def start(script: str) -> subprocess.Popen[bytes]:
        up = tmp_path / "up"
        command = [moorage(), "run", "--", "bash", "-c", f"{script}\ntouch {up}\nwhile :; do sleep 0.05; done"]
        with (tmp_path / "said").open("wb") as said:
            process = subprocess.Popen(command, env=plain_environment(), stderr=said, start_new_session=True)
        processes.append(process)
        assert wait_until(up.exists, seconds=30, alive=lambda: process.poll() is None)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


# --- the command --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["sh", "-c", "kill -KILL $$"], 137),
    ],
)
def test_the_exit_status_is_that_of_the_command(place: Path, command: list[str], status: int) -> None:
    done = ran(*command)

    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
    assert nothing_left(place)


def test_a_command_that_is_not_there_is_127_and_one_that_cannot_be_run_126(place: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")

    missing, text = ran("no-such-command"), ran(str(tmp_path / "text"))

    assert (missing.returncode, text.returncode) == (127, 126)
    assert missing.stderr == "Error: no-such-command cannot be run: No such file or directory\n"
    assert text.stderr == f"Error: {tmp_path / 'text'} cannot be run: Permission denied\n"
    assert nothing_left(place)


def test_options_after_the_command_are_its_own() -> None:
    done = run([moorage(), "run", "echo", "--region", "--help", "--"], env=plain_environment())

    assert done.stdout == "--region --help --\n"


def test_options_of_run_are_checked_before_anything_starts() -> None:
    for options, sentence in [
        (("--account", "12"), "Error: --account must be twelve digits, not '12'"),
        (("--region", "no where"), "Error: --region must be a region such as us-east-1, not 'no where'"),
        (("--acount", "1"), "Error: No such option '--acount'"),
    ]:
        done = ran("true", options=options)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith(sentence)


def test_standard_input_and_output_are_the_commands() -> None:
    done = run([moorage(), "run", "cat"], env=plain_environment(), stdin="through\n")

    assert (done.stdout, done.stderr) == ("through\n", "")


# --- its environment ----------------------------------------------------------------------------------------------------


def test_boto3_finds_the_server(place: Path) -> None:
    done = ran(sys.executable, "-c", CREATE, options=("--account", "111122223333", "--region", "eu-central-1"))

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("localhost:")
    assert nothing_left(place)


def test_moorage_env_finds_its_data() -> None:
    done = ran(
        "sh", "-c", f'eval "$({moorage()} env)"; test "$AWS_ENDPOINT_URL" && cat "$MOORAGE_DATA/credentials.json"'
    )

    assert json.loads(done.stdout)["Account"] == "123456789012"


def test_the_callers_own_settings_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moorage.toml").write_text("database = 'postgresql://nowhere/none'\n")

    done = ran(
        sys.executable,
        "-c",
        CREATE,
        MOORAGE_DATA="/nowhere",
        MOORAGE_WORKERS="many",
        MOORAGE_CONFIG="/nowhere.toml",
        AWS_SESSION_TOKEN="of-another-session",
        AWS_PROFILE="nobody",
        AWS_REGION="eu-north-1",
        AWS_ENDPOINT_URL_ECR="http://127.0.0.1:9",
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true",
        AWS_USE_FIPS_ENDPOINT="true",
        HTTP_PROXY="http://127.0.0.1:9",
        http_proxy="http://127.0.0.1:9",
    )

    assert done.returncode == 0, done.stderr


def test_two_at_once_know_nothing_of_each_other(place: Path) -> None:
    command = [moorage(), "run", "--", sys.executable, "-c", CREATE]
    both = [subprocess.Popen(command, env=plain_environment(), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert said[0] != said[1]
    assert nothing_left(place)


# --- the end ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_passed_on_and_the_status_is_the_commands(
    started: Callable[[str], subprocess.Popen[bytes]], place: Path, number: signal.Signals
) -> None:
    process = started(f"trap 'exit 7' {number.name.removeprefix('SIG')}")

    process.send_signal(number)

    assert process.wait(20) == 7
    assert nothing_left(place)


def test_an_interrupted_group_leaves_nothing_and_the_command_still_has_its_server(
    started: Callable[[str], subprocess.Popen[bytes]], place: Path
) -> None:
    ask = f"{sys.executable} -c '{CREATE}' >/dev/null && exit 9"
    process = started(f"trap 'trap \"\" INT; {ask.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}' INT")

    os.killpg(process.pid, signal.SIGINT)

    assert process.wait(20) == 9
    assert nothing_left(place)


def test_a_terminals_interrupt_reaches_the_command_once(tmp_path: Path, place: Path) -> None:
    ours, its = os.openpty()
    up = tmp_path / "up"
    script = (
        f"trap 'n=$((n + 1))' INT; touch {up}; until test $n -gt 0; do sleep 0.05; done; sleep 0.5; exit $((10 + n))"
    )
    command = ["setsid", "--wait", "--ctty", moorage(), "run", "bash", "-c", f"n=0; {script}"]
    with subprocess.Popen(command, env=plain_environment(), stdin=its) as process:
        assert wait_until(up.exists, seconds=30)

        os.write(ours, b"\x03")

        assert process.wait(20) == 11
    os.close(ours)
    os.close(its)
    assert nothing_left(place)


def test_killing_it_leaves_neither_server_nor_folder_nor_command(
    started: Callable[[str], subprocess.Popen[bytes]], place: Path, tmp_path: Path
) -> None:
    process = started(f"echo $$ >{tmp_path / 'pid'}")
    command = int((tmp_path / "pid").read_text())
    assert servers(place)

    process.kill()

    assert process.wait(20) == -signal.SIGKILL
    assert nothing_left(place)
    assert wait_until(lambda: not Path(f"/proc/{command}").exists(), seconds=5)


@pytest.mark.parametrize("moment", [0.05, 0.2, 0.4])
def test_a_start_that_is_ended_leaves_nothing(place: Path, moment: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen([moorage(), "run", "sleep", "60"], env=plain_environment())
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(moment)
        process.send_signal(number)
        assert process.wait(20) in (143, -number)
        assert nothing_left(place)


def test_a_server_that_ends_before_the_command_is_told_of(
    started: Callable[[str], subprocess.Popen[bytes]], place: Path, tmp_path: Path
) -> None:
    process = started("trap 'exit 0' TERM")

    for pid in servers(place):
        os.kill(int(pid), signal.SIGKILL)

    said = tmp_path / "said"
    assert wait_until(lambda: "The server has ended before the command" in said.read_text(), seconds=10)
    process.terminate()
    assert process.wait(20) == 0
    assert nothing_left(place)


# --- the server ---------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_meanwhile_is_replaced_by_another(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", 0))
        rival.listen()
        taken = socket.socket(fileno=os.dup(rival.fileno()))
        ports = iter([taken])
        monkeypatch.setattr(throwaway, "reserved_port", lambda: next(ports, None) or reserved_port())

        with ThrowAway() as server:
            assert server.registry != f"localhost:{rival.getsockname()[1]}"

    assert nothing_left(place)


def test_a_port_is_not_given_to_two() -> None:
    held = [reserved_port() for _ in range(50)]

    assert len({one.getsockname()[1] for one in held}) == 50
    for one in held:
        one.close()


def test_a_server_that_cannot_start_shows_its_log(place: Path) -> None:
    with pytest.raises(NotStarted, match="--account must be twelve digits"), ThrowAway(account="1"):
        pass

    assert nothing_left(place)


def test_words_in_a_log_of_before_do_not_have_it_started_again(place: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("Error: Something else listens on 127.0.0.1:1.\n")

    with pytest.raises(NotStarted), ThrowAway(account="1", log=log):
        pass

    assert log.read_text().count("--account must be twelve digits") == 1


def test_its_log_can_be_read_when_its_folder_is_gone(place: Path) -> None:
    with ThrowAway() as server:
        pass

    assert nothing_left(place)
    assert "Granian shutdown completed" in server.log()


def test_its_log_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    done = ran(sys.executable, "-c", CREATE, options=("--log", str(tmp_path / "server.log")))

    assert done.returncode == 0
    assert "CreateRepository" in (tmp_path / "server.log").read_text()


def test_a_log_that_cannot_be_written_is_said(place: Path) -> None:
    done = ran("true", options=("--log", "/nowhere/server.log"))

    assert done.returncode == 1
    assert done.stderr == "Error: /nowhere/server.log: No such file or directory\n"
    assert nothing_left(place)
