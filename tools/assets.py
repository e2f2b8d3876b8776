"""Fetch what browsers load beside our own files, and collect everything into `build/static`.

Third-party scripts are never committed: npm brings them by lock file, a short list of files is
copied to `build/vendor`, and Django's collectstatic gives every file a name with its hash. Each
step is left out when nothing it reads has changed, so that the second start pays nothing for it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
BUILD = PROJECT / "build"
VENDOR = BUILD / "vendor"
STATIC = BUILD / "static"
TESTS = BUILD / "tests"

# From the npm package's folder to the name that templates use.
FILES = {
    "idiomorph/dist/idiomorph.min.js": "idiomorph.min.js",
    "sortablejs/Sortable.min.js": "sortable.min.js",
    "idiomorph/LICENSE": "idiomorph.LICENSE.txt",
    "sortablejs/LICENSE": "sortablejs.LICENSE.txt",
}
# What only tests put into a page, in a folder of its own that is never served. The packages stay
# beside it: the tests run the identity provider among them.
TEST_FILES = {"axe-core/axe.min.js": "axe.min.js"}
# Libraries ship these too, but no page of ours loads them; compressing them takes half a minute.
UNUSED = (
    "*.map",
    "rest_framework",
    "swagger-ui-es-*",
    "swagger-ui.js",
    "htm*-4*",
    "hx-*-4*",
)
# A source map that is named but absent stops collectstatic.
SOURCE_MAP = re.compile(rb"^//# sourceMappingURL=.*$", re.MULTILINE)


def digest(paths: Iterable[Path]) -> str:
    """This will give a text that changes with any of these files' names or contents."""
    seen = hashlib.sha256()
    for path in sorted(paths):
        seen.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes())
    return seen.hexdigest()


def is_done(stamp: Path, wanted: str) -> bool:
    """True when the stamp says that this very state was reached before."""
    return stamp.is_file() and stamp.read_text(encoding="ascii") == wanted


def fetch(target: Path, files: dict[str, str], *options: str, keep_packages: bool = False) -> str:
    """This will fill a folder with files of npm packages and give the state's digest."""
    wanted = digest([PROJECT / "package.json", PROJECT / "package-lock.json", Path(__file__)])
    stamp = target.with_suffix(".stamp")
    if is_done(stamp, wanted) and target.is_dir():
        return wanted
    modules = BUILD / "npm"
    shutil.rmtree(modules, ignore_errors=True)
    modules.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PROJECT / name, modules / name)
    run([*npm(), "ci", "--no-progress", *options], folder=modules)
    fresh = target.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for source, name in files.items():
        content = (modules / "node_modules" / source).read_bytes()
        (fresh / name).write_bytes(SOURCE_MAP.sub(b"", content))
    if keep_packages:
        (modules / "node_modules").rename(fresh / "node_modules")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    shutil.rmtree(modules)
    stamp.write_text(wanted, encoding="ascii")
    return wanted


def npm() -> list[str]:
    """This will give the command of the npm that the build requirements brought."""
    beside = Path(sys.executable).parent / "npm"
    if beside.exists():
        return [str(beside)]
    found = shutil.which("npm")
    if found is None:
        sys.exit("npm was not found; install requirements/build.txt.")
    return [found]


def collect(vendor_state: str) -> None:
    """This will fill `build/static` with every file under its hashed name."""
    ours = [path for path in (PROJECT / "static").rglob("*") if path.is_file()]
    ours.append(PROJECT / "requirements" / "base.txt")
    wanted = hashlib.sha256((vendor_state + digest(ours)).encode()).hexdigest()
    stamp = BUILD / "static.stamp"
    if is_done(stamp, wanted) and (STATIC / "staticfiles.json").is_file():
        return
    fresh = BUILD / "static.new"
    shutil.rmtree(fresh, ignore_errors=True)
    # Collecting touches no data: these only satisfy the settings.
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "kanbanai.settings.embedded",
        "KANBANAI_SECRET_KEY": "only for collecting files, which signs and encrypts nothing at all",
        "KANBANAI_ENCRYPTION_KEYS": "A" * 43 + "=",
        "KANBANAI_STATIC_ROOT": str(fresh),
    }
    for name in ("KANBANAI_SECRET_KEY_FILE", "KANBANAI_ENCRYPTION_KEYS_FILE"):
        environment.pop(name, None)
    command = [sys.executable, str(PROJECT / "manage.py"), "collectstatic", "--no-input", "-v", "0"]
    command += [f"--ignore={pattern}" for pattern in UNUSED]
    run(command, folder=PROJECT, environment=environment)
    shutil.rmtree(STATIC, ignore_errors=True)
    fresh.rename(STATIC)
    stamp.write_text(wanted, encoding="ascii")


def run(command: list[str], *, folder: Path, environment: dict[str, str] | None = None) -> None:
    """This will run a command, show what it prints only when it fails, and then end."""
    # npm looks for its own node on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=(environment or dict(os.environ)) | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode("utf-8", "replace"))
        sys.exit(f"{Path(command[0]).name} failed with exit code {done.returncode}.")


if __name__ == "__main__":
    BUILD.mkdir(exist_ok=True)
    if "--tests" in sys.argv:
        fetch(TESTS, TEST_FILES, keep_packages=True)
    else:
        collect(fetch(VENDOR, FILES, "--omit=dev"))
