"""Which parts of the machine every agent may read: programs and their settings, no secrets."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

# Not /opt: whole products live there, with their settings and data.
SYSTEM = ("/usr",)
# On merged systems these are links into /usr, elsewhere folders of their own.
ROOT_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# Chosen one by one: /etc as a whole also holds password hashes and services' keys.
ETC = (
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "gai.conf",
    "gitconfig",
    "group",
    "host.conf",
    "hosts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "lsb-release",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "perl",
    "pki/ca-trust",
    "pki/tls/certs",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "resolv.conf",
    "services",
    "shells",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
)
CODE = Path(__file__).resolve().parents[3]


def etc_paths() -> list[Path]:
    """This will list the settings of the machine that exist and may be read."""
    return existing(Path("/etc", name) for name in ETC)


def python_paths() -> list[Path]:
    """This will list what our own agents need: the interpreter, its packages and our code.

    Only the folder of the apps: beside it may lie settings files and the data directory.
    """
    prefixes = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1]}
    return sorted({*prefixes, CODE / "apps"} - {Path("/usr"), Path("/")})


def program_paths(program: str, *, search: str | None = None) -> list[Path]:
    """This will list the folders a program is installed in, beyond the system's own.

    A launcher is followed to its package (`node_modules`, a virtual environment, a version
    folder), and to the interpreter that its first line names.
    """
    found = shutil.which(program, path=search)
    if found is None:
        return []
    launcher = Path(found)
    real = launcher.resolve()
    folders = [launcher.parent, _package_root(real)]
    interpreter = _interpreter(real, search=search)
    if interpreter is not None:
        folders += [interpreter.parent, _package_root(interpreter.resolve())]
    for folder in list(folders):
        if (folder / "pyvenv.cfg").is_file():
            folders += _base_of_environment(folder)
    return sorted({folder for folder in folders if _is_extra(folder)})


def _package_root(real: Path) -> Path:
    for parent in real.parents:
        if parent.name == "node_modules":
            return parent
        if (parent / "pyvenv.cfg").is_file():
            return parent
    if real.parent.name == "bin" and _is_extra(real.parents[1]):
        return real.parents[1]
    return real.parent


def _interpreter(script: Path, *, search: str | None) -> Path | None:
    try:
        with script.open("rb") as file:
            first = file.readline(512)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    words = first[2:].decode(errors="replace").split()
    if not words:
        return None
    if Path(words[0]).name == "env":
        names = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        found = shutil.which(names[0], path=search) if names else None
        return Path(found) if found else None
    return Path(words[0])


def _base_of_environment(folder: Path) -> list[Path]:
    python = (folder / "bin" / "python").resolve()
    return [python.parents[1]] if python.exists() else []


def _is_extra(folder: Path) -> bool:
    """Whether a folder lies outside the system's and is not so high that it shows everything."""
    if not folder.is_dir() or folder in {Path("/"), Path("/home"), Path("/root"), Path.home()}:
        return False
    return not any(folder.is_relative_to(root) for root in (*SYSTEM, *ROOT_FOLDERS))


def existing(paths: Iterable[Path]) -> list[Path]:
    """This will be the paths that exist and may be seen, in order and once each."""
    return list(dict.fromkeys(path for path in paths if _exists(path)))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
