"""Set up this checkout and run something in it: `python3 dev.py demo`, `test` or `bench`.

Needs nothing but Python 3.11 or newer. The first call makes `.venv` beside this file and installs
the project there; later calls find it ready. Nothing outside the checkout is written.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the project needs 3.11; this line says so to others
    sys.exit(
        "longterm needs Python 3.11 or newer, and this is Python %d.%d (%s).\n"  # noqa: UP031 - as above
        "Try a newer one by its name, as in: python3.12 dev.py demo"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "made-by-dev.json"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

USAGE = """\
usage: python3 dev.py COMMAND [ARGUMENT ...]

  demo     talk to a flow in the terminal; each answer is handled by a new process
  test     run the tests; further arguments go to pytest (dev.py test -k store)
  bench    measure what longterm costs beside bare drivers and plain functions; further arguments
           go to the benchmarks (dev.py bench --help, dev.py bench turn --quick)

The first call makes .venv in this folder and installs what the command needs."""

# What each command runs in the environment, and the extras of pyproject.toml that it needs.
COMMANDS: dict[str, tuple[list[str], list[str]]] = {
    "demo": (["-m", "longterm.demo"], []),
    "test": (["-m", "pytest"], ["test"]),
    "bench": (["-m", "tests.benchmarks"], ["test-postgres"]),
}


def main(arguments: list[str]) -> int:
    """Prepare the environment, run the command in it, and return its exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0 if arguments else 2
    command, *rest = arguments
    if command not in COMMANDS:
        print(f"dev.py has no command {command!r}\n\n{USAGE}", file=sys.stderr)
        return 2
    program, extras = COMMANDS[command]
    try:
        prepare(extras)
        return subprocess.call([str(PYTHON), *program, *rest], cwd=ROOT, env=environment(command))
    except KeyboardInterrupt:
        return 130


def prepare(extras: list[str]) -> None:
    """Leave `.venv` with the project and these extras installed, doing only what is missing."""
    stamp = read_stamp()
    digest = wanted_digest()
    is_usable = PYTHON.exists() and stamp.python in ("", python_name())
    if is_usable and stamp.digest == digest and set(stamp.extras).issuperset(extras):
        return
    if stamp.is_ours and not is_usable:
        shutil.rmtree(VENV)
        stamp = Stamp()
    if not VENV.exists():
        make_venv()
        stamp = Stamp(is_ours=True)
    elif not stamp.is_ours:
        refuse_other_python()
    wanted = sorted({*extras, *stamp.extras})
    write_stamp(Stamp("", python_name(), wanted, stamp.is_ours))
    install(wanted)
    write_stamp(Stamp(digest, python_name(), wanted, stamp.is_ours))


@dataclass(frozen=True)
class Stamp:
    """What is known of `.venv`: the state of things when it was last made ready."""

    digest: str = ""
    python: str = ""
    extras: list[str] = field(default_factory=list)
    is_ours: bool = False


def read_stamp() -> Stamp:
    """Return what the last installation noted, or an empty stamp."""
    try:
        return Stamp(**json.loads(STAMP.read_text()))
    except (OSError, ValueError, TypeError):
        return Stamp()


def write_stamp(stamp: Stamp) -> None:
    """Note how `.venv` stands."""
    STAMP.write_text(json.dumps(asdict(stamp)))


def wanted_digest() -> str:
    """Return a digest of all that an installation depends on."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    digest.update(f"{python_name()} {ROOT}".encode())
    return digest.hexdigest()


def python_name() -> str:
    """Name this Python: implementation, version and place."""
    return f"{sys.implementation.name} {sys.version.split()[0]} {sys.base_prefix}"


def make_venv() -> None:
    """Make `.venv` with this Python, or leave nothing."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"{sys.executable} cannot make virtual environments: venv or ensurepip is missing.\n"
            f"On Debian and Ubuntu: apt install python{version}-venv"
        )
    say(f"making .venv with Python {sys.version.split()[0]}")
    try:
        run_or_exit([sys.executable, "-m", "venv", str(VENV)], "the environment could not be made")
    except BaseException:
        shutil.rmtree(VENV, ignore_errors=True)
        raise


def refuse_other_python() -> None:
    """Exit if `.venv` was made by somebody else with another Python version than this one."""
    probe = [str(PYTHON), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        found = subprocess.run(probe, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        found = ""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    if found != wanted:
        sys.exit(
            f"{VENV} was not made by dev.py, and its Python is {found or 'broken'}, not {wanted}\n"
            "(move it away, or run dev.py with that Python)"
        )


def install(extras: list[str]) -> None:
    """Install the project in place, with these extras."""
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    say("installing longterm" + (f" with {', '.join(extras)}" if extras else ""))
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    run_or_exit([*pip, "--editable", target], "the installation failed; pip's own words are above")


def run_or_exit(command: list[str], otherwise: str) -> None:
    """Run a preparing command, and exit with a sentence if it fails."""
    if subprocess.call(command, cwd=ROOT, env=environment("prepare")) != 0:
        sys.exit(f"dev.py: {otherwise}")


def environment(command: str) -> dict[str, str]:
    """Return the environment for a child: the caller's, without what would bend imports."""
    bending = {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV"}
    kept = {name: value for name, value in os.environ.items() if name not in bending}
    if command == "demo":
        kept["LONGTERM_DEMO_COMMAND"] = "python3 dev.py demo"
    return kept


def say(text: str) -> None:
    """Tell what takes time, apart from the command's own output."""
    print(f"dev.py: {text} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
