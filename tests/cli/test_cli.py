"""The program as a process: its streams, its exits, and its leftovers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner

from support.console import CommandLine
from visavis.capture.portrait import PortraitClip
from visavis.cli import app
from visavis.track import Track

PROGRAM = (sys.executable, "-m", "visavis")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal and signals")


@pytest.fixture(scope="module")
def face_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("face") / "face.png"
    frame = next(iter(PortraitClip()))
    cv2.imwrite(str(path), cv2.cvtColor(frame.image_rgb, cv2.COLOR_RGB2BGR))
    return path


def heed(number: int) -> None:
    """Under nohup, and in some services, programs start with signals ignored."""
    signal.signal(number, signal.SIG_DFL)


@pytest.mark.slow
def test_nothing_is_written_to_the_home_folder(face_file: Path, tmp_path: Path) -> None:
    """ONNX Runtime would keep a device id and a queue of reports there."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    command = [*PROGRAM, "recognize", str(face_file)]
    subprocess.run(command, env={**environment, "HOME": str(tmp_path)}, check=True, capture_output=True)
    assert list(tmp_path.rglob("*")) == []


def test_results_go_to_standard_output_while_a_bar_runs_on_a_terminal(
    face_file: Path, tmp_path: Path
) -> None:
    ours, terminal = os.openpty()
    results = tmp_path / "results.txt"
    with results.open("wb") as file:
        done = subprocess.run([*PROGRAM, "recognize", str(face_file)], stdout=file, stderr=terminal)
    os.close(terminal)
    os.close(ours)
    assert done.returncode == 0
    assert str(face_file) in results.read_text()


def test_a_full_standard_output_is_one_line_and_status_2(face_file: Path) -> None:
    with open("/dev/full", "wb") as full:
        command = [*PROGRAM, "recognize", str(face_file), "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "Error: standard output cannot be written: No space left on device\n"


def test_a_standard_error_that_cannot_be_written_ends_no_work(face_file: Path) -> None:
    with open("/dev/full", "wb") as full:
        missing = [*PROGRAM, "recognize", str(face_file), "none.png", "--json"]
        done = subprocess.run(missing, stdout=subprocess.PIPE, stderr=full, text=True)
    assert done.returncode == 2
    assert len(json.loads(done.stdout)["errors"]) == 1


@pytest.mark.slow
def test_a_terminal_that_closes_ends_a_run_that_keeps_its_results(make_video, tmp_path: Path) -> None:
    source, track = make_video(count=3000, size=(320, 240)), tmp_path / "t.npz"
    ours, terminal = os.openpty()
    pipe = subprocess.PIPE
    command = [*PROGRAM, "run", str(source), "--track", str(track), "--jobs", "1", "--json"]
    shown = {**os.environ, "TERM": "xterm"}  # A dumb terminal shows no bar.
    with subprocess.Popen(
        command, stderr=terminal, stdout=pipe, env=shown, preexec_fn=lambda: heed(signal.SIGHUP)
    ) as run:
        os.close(terminal)
        while b"frames" not in os.read(ours, 4096):  # The progress bar.
            assert run.poll() is None
        time.sleep(0.3)
        os.close(ours)
        run.send_signal(signal.SIGHUP)
        summary = json.loads(run.stdout.read())
    assert (run.returncode, summary["interrupted"]) == (130, True)
    assert len(Track.load(track)) == summary["frames"] > 0


def test_help_that_nobody_reads_ends_the_program_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run([sys.executable, "-m", "visavis", "--help"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.slow
def test_a_reader_that_leaves_early_ends_the_program_without_a_word(unbuffered: str) -> None:
    """A pipe holds 64 KiB; more than that waits for a reader, who has gone."""
    say = "from visavis.base.console import print_json; print_json({'faces': [0.25] * 400_000})"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-c", say]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as program:
        assert program.stdout.read(9) == b'{\n "faces'
        program.stdout.close()
        assert (program.stderr.read(), program.wait()) == (b"", 141)


@pytest.mark.parametrize("form", [[], ["--json"], ["--jsonl"]])
def test_a_pipe_that_nobody_reads_ends_the_program_without_a_word(face_file: Path, form: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*PROGRAM, "recognize", str(face_file), *form], stdout=theirs, stderr=subprocess.PIPE
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_name_that_the_terminal_cannot_show_is_no_error(face_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "\u65e5\u672c.png"
    path.write_bytes(face_file.read_bytes())
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(
        [*PROGRAM, "recognize", str(path)], env=environment, capture_output=True, check=True
    )
    assert rb"\u65e5\u672c.png: " in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.slow
def test_a_run_that_is_ended_from_outside_keeps_its_results(
    make_video, tmp_path: Path, number: signal.Signals
) -> None:
    source = make_video(count=1500, size=(320, 240))
    track, film = tmp_path / "t.npz", tmp_path / "v.mp4"
    command = [*PROGRAM, "run", str(source), "--track", str(track), "--out", str(film)]

    pipe = subprocess.PIPE
    with subprocess.Popen(command, stderr=pipe, stdout=pipe, preexec_fn=lambda: heed(number)) as program:
        partial = tmp_path / "v.mp4.partial"
        while program.poll() is None and not (partial.exists() and partial.stat().st_size):
            time.sleep(0.05)
        for _ in range(4):  # Nobody is patient.
            program.send_signal(number)
            time.sleep(0.03)
        _, told = program.communicate(timeout=60)
        assert program.returncode == 130
    assert told.count(b"please wait") <= 1
    assert b"Traceback" not in told
    assert 0 < len(Track.load(track)) < 1500
    assert film.stat().st_size > 1000
    assert not partial.exists()


AT_THE_END = """
import atexit, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from visavis import cli
run = cli.main
def ended():
    atexit.register(signal.raise_signal, signal.SIGINT)
    run()
cli.main = ended
from visavis.__main__ import main
sys.argv = ["visavis", "--version"]
main()
"""


def test_ctrl_c_while_python_ends_prints_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")


TWICE = """
import signal, sys
from visavis import cli
from visavis.errors import InputError
def program(**options):
    raise InputError("wrong") if sys.argv[1] == "error" else KeyboardInterrupt
cli.app = program
cli.print_error = lambda text: signal.raise_signal(signal.SIGTERM)
class Late:
    def __enter__(self): pass
    def __exit__(self, *error): signal.raise_signal(signal.SIGTERM)
if sys.argv[1] == "late":
    cli.run_plainly = lambda work: 0
    cli.suppress = lambda kind: Late()
sys.argv = ["visavis", sys.argv[1]]
cli.main()
"""


@pytest.mark.parametrize(("moment", "status"), [("error", 130), ("interrupted", 130), ("late", 0)])
def test_a_signal_while_the_end_is_told_is_no_trace(moment: str, status: int) -> None:
    done = subprocess.run([sys.executable, "-c", TWICE, moment], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at once")
def test_signals_after_the_work_change_no_exit_status() -> None:
    """As its last act, Python gives signals back to the system, which would end the process by them."""
    pipe = subprocess.PIPE
    for delay_ms in range(0, 10, 2):
        with subprocess.Popen([*PROGRAM, "--version"], stdout=pipe, stderr=pipe) as program:
            program.stdout.readline()
            time.sleep(delay_ms / 1000)
            while program.poll() is None:
                program.terminate()
                time.sleep(0.0005)
            assert program.returncode in (0, 130)


@pytest.mark.slow
def test_wrong_options_are_one_line() -> None:
    cases = {
        ("serve", "--port", "99999"): "'--port': found '99999'; expected at most 65535",
        ("bench", "nonsense"): "'name': 'nonsense' is not one of 'track', 'expression'",
        ("run",): "Missing argument",
        ("nonsense",): "No such command 'nonsense'",
    }
    for arguments, message in cases.items():
        done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert message in done.stderr
    done = subprocess.run(PROGRAM, capture_output=True, text=True)
    assert "Usage: " in done.stdout


def all_commands() -> dict[str, str]:
    """The help texts of all commands, by name."""
    groups = [((), typer.main.get_command(app))]
    found = {}
    for path, group in groups:
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            if hasattr(command, "list_commands"):
                groups.append(((*path, name), command))
            else:
                found[" ".join([*path, name])] = command.help
    return found


HELP = all_commands()


@pytest.mark.parametrize("name", HELP)
def test_help_shows_each_example_on_its_own_line(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200"})
    lines = [line.strip() for line in shown.stdout.splitlines()]
    examples = re.findall(rf"^ *(visavis {name}\b.*)$", HELP[name], re.MULTILINE)
    assert examples
    assert [one for one in examples if one not in lines] == []


def test_the_handlers_of_signals_are_as_before(command_line: CommandLine) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert command_line("doctor", "--nonsense") == 2
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.parametrize(
    ("command", "modules", "threads"), [("run", ["run"], "1"), ("train", ["run", "serve"], None)]
)
def test_a_command_starts_without_the_others_and_only_research_takes_threads(
    command: str, modules: list[str], threads: str | None
) -> None:
    code = (
        "import atexit, os, sys; from visavis.cli import main; atexit.register(lambda: print("
        "[m for m in ('run', 'serve') if 'visavis.cli.' + m in sys.modules], 'rich.progress' in sys.modules, "
        "[os.environ.get(n) for n in ('OPENBLAS_NUM_THREADS', 'OPENCV_FOR_THREADS_NUM')])); main()"
    )
    unset = {name: value for name, value in os.environ.items() if not name.endswith(("THREADS", "_NUM"))}
    done = subprocess.run([sys.executable, "-c", code, command], env=unset, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == f"{modules} False {[threads, threads]}"


def test_without_a_terminal_nothing_is_imported_for_a_progress_bar() -> None:
    code = (
        "import sys; from visavis.base.console import progress\n"
        "with progress('clip', 3) as advance: advance()\n"
        "print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("module", ["typer.colors", "visavis.cli.recognizer", "onnxruntime.capi._ld_preload"])
@pytest.mark.parametrize(
    ("command", "number", "status"),
    [
        (("recognize", "none.png"), signal.SIGINT, 130),
        (("recognize", "none.png"), signal.SIGTERM, 130),
        (("serve", "--port", "0"), signal.SIGINT, 130),
        (("serve", "--port", "0"), signal.SIGTERM, 0),
    ],
)
@pytest.mark.slow
def test_a_signal_while_modules_are_imported_ends_the_program_silently(
    module: str, command: tuple[str, ...], number: signal.Signals, status: int
) -> None:
    """An extension module would turn the interruption into an ImportError of its own."""
    started = [sys.executable, "-X", "importtime", "-m", "visavis", *command]
    with subprocess.Popen(
        started, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: heed(number)
    ) as program:
        while module not in program.stderr.readline():
            assert program.poll() is None
        program.send_signal(number)
        rest = [line for line in program.stderr if not line.startswith("import time:")]
    assert (program.returncode, rest) == (status, [])
