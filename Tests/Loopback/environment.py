"""The virtual environment that the tests run in: made from requirements.txt once, in .build/venv."""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / ".build/venv"
REQUIREMENTS = HERE / "requirements.txt"


def enter():
    """Runs this program again inside the environment, unless it is in it; makes or renews that first."""
    python = FOLDER / "bin/python"
    make(python)
    if pathlib.Path(sys.prefix).resolve() != FOLDER.resolve():
        os.execv(python, [python, *sys.argv])


def make(python):
    # what it was made from: other versions, or another Python, make it anew
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    mark = FOLDER / "made-from"
    FOLDER.parent.mkdir(exist_ok=True)
    # two runs at once: one makes it, the other waits
    with (FOLDER.parent / "venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists() and mark.read_text() == wanted and python.exists():
            return
        print(f"making {FOLDER} from {REQUIREMENTS.name}", flush=True)
        shutil.rmtree(FOLDER, ignore_errors=True)
        step([sys.executable, "-m", "venv", FOLDER], "Debian has it as python3-venv")
        step([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
              "--only-binary", ":all:", "-r", REQUIREMENTS], "it needs a way to PyPI, once (pip's own settings and variables apply)")
        mark.write_text(wanted)


def step(command, advice):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip().splitlines()[-8:]
        raise SystemExit("\n".join([*said, f"`{' '.join(map(str, command[:4]))} ...` failed: {advice}"]))
