"""Run the jobs of the workflows as they are written, each in an environment of its own.

`python tools/ci/jobs.py` runs every job that this system can run, one after another; `python
tools/ci/jobs.py publish/build` those it names; `--list` says which there are. A job gets a copy
of the checkout with a remote of its own, a virtual environment that holds pip alone, and nothing of
the environment that this script is run in; then its `run:` steps, in `bash -e`. What is GitHub's
(`uses:`, jobs on another system or with the files of another job) is left out, and said. Exits with
1 where a job fails. Needs git, bash and PyYAML. A job that runs `make` takes a quarter of an hour.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

# What GitHub would put into `${{ … }}`. Anything else is empty, as it is there.
FORK = "someone/a-fork"
CONTEXT = {
    "github.server_url": "https://github.com",
    "github.repository": FORK,
    "steps.pages.outputs.base_url": "https://someone.github.io/a-fork",
}
# Settings of this environment that a job on another machine does not have.
OURS = ("AMNL_", "PYTHON", "VIRTUAL_ENV", "CONDA", "MAKE", "MFLAGS", "PYTEST_")


def jobs(root: Path = ROOT) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Workflow and job under the name `workflow/job`."""
    found = {}
    for path in sorted((root / ".github" / "workflows").glob("*.yml")):
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        found |= {f"{path.stem}/{name}": (workflow, job) for name, job in workflow["jobs"].items()}
    return found


def left_out(job: dict[str, Any]) -> str | None:
    """Why a job is not run here, or None."""
    if not any("run" in step for step in job["steps"]):
        return "its steps are GitHub's alone"
    if any("download-artifact@" in step.get("uses", "") for step in job["steps"]):
        return "it takes what another job uploaded"
    if any("tools/ci/jobs.py" in step.get("run", "") for step in job["steps"]):
        return "it runs this script"
    if "windows" in job["runs-on"] and sys.platform != "win32":
        return f"it wants {job['runs-on']}"
    return None


def filled(values: dict[str, Any]) -> dict[str, str]:
    """An `env:` with its expressions replaced."""
    return {
        name: re.sub(r"\$\{\{ *(.*?) *\}\}", lambda m: CONTEXT.get(m[1], ""), str(value))
        for name, value in values.items()
    }


def git(*arguments: str | Path, cwd: Path) -> str:
    command = ["git", "-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
    done = subprocess.run([*command, *arguments], cwd=cwd, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def check_out(root: Path, folder: Path) -> tuple[Path, Path]:
    """A copy of the files that git knows or would take, committed, and the remote it pushes to."""
    checkout, remote = folder / "checkout", folder / "remote"
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=root)
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():  # or it is deleted, and not committed yet
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, checkout / name)
    git("init", "--quiet", "--bare", remote, cwd=folder)
    git("init", "--quiet", cwd=checkout)
    git("remote", "add", "origin", remote, cwd=checkout)
    git("add", "--all", cwd=checkout)
    git("commit", "--quiet", "--message", "The checkout", cwd=checkout)
    return checkout, remote


def python_for(job: dict[str, Any]) -> str:
    """The Python that a job sets up, where this machine has it; otherwise the one at hand."""
    asked = [str(s.get("with", {}).get("python-version", "")) for s in job["steps"]]
    version = next((v for v in asked if re.fullmatch(r"3\.\d+", v)), "")
    found = shutil.which(f"python{version}") if version else None
    if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
        return found
    if version and version != platform.python_version().rpartition(".")[0]:
        print(f"no python{version} here: Python {platform.python_version()} takes its place")
    return sys.executable


def clean_environment(python: str, folder: Path) -> dict[str, str]:
    """The variables of a machine with a fresh virtual environment, which `python` and `pip` are."""
    place = folder / "python"
    subprocess.run([python, "-m", "venv", place], check=True)
    tools = place / ("Scripts" if os.name == "nt" else "bin")
    own = Path(sys.prefix, tools.name)
    paths = [p for p in os.environ["PATH"].split(os.pathsep) if Path(p) != own]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    return {**kept, "PATH": os.pathsep.join([str(tools), *paths]), "CI": "true"}


def run(name: str, root: Path, folder: Path) -> bool:
    """Run a job in an empty folder; whether every step ended well."""
    workflow, job = jobs(root)[name]
    checkout, _ = check_out(root, folder)
    base = clean_environment(python_for(job), folder)
    base |= filled(workflow.get("env", {})) | filled(job.get("env", {}))
    for step in job["steps"]:
        if "run" not in step:
            print(f"{name}: left out: {step['uses']}", flush=True)
            continue
        print(f"{name}: {step.get('name') or step['run'].strip()}", flush=True)
        environment = base | filled(step.get("env", {}))
        done = subprocess.run(["bash", "-e", "-c", step["run"]], cwd=checkout, env=environment)
        if done.returncode:
            print(f"{name}: FAILED with exit status {done.returncode}", flush=True)
            return False
    print(f"{name}: done", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("jobs", nargs="*", metavar="WORKFLOW/JOB", help="default: all")
    parser.add_argument("--list", action="store_true", help="say which jobs there are")
    options = parser.parse_args()
    known = jobs()
    if wrong := sorted(set(options.jobs) - set(known)):
        raise SystemExit(f"no job {wrong[0]}; there are {', '.join(known)}")
    failed = []
    for name in options.jobs or known:
        if reason := left_out(known[name][1]):
            print(f"{name}: left out, {reason}", flush=True)
        elif options.list:
            print(name)
        else:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                failed += [] if run(name, ROOT, Path(folder)) else [name]
    if failed:
        print(f"jobs that failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
