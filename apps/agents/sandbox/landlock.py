"""Confinement by Landlock: a list of paths and ports, enforced by the kernel, needing no rights.

Used in two ways: `Landlock.wrap` makes a command, and this same file, run by its path in an
isolated interpreter, restricts itself and becomes the wrapped program. That part needs nothing
but the standard library.
"""

import ctypes
import os
import struct
import sys

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH, _RULE_PORT = 1, 2
_NO_NEW_PRIVS = 38
_DROP_BOUNDING = 24
_AMBIENT, _AMBIENT_CLEAR = 47, 4
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION = 0x20080522
_CAPABILITIES = 64

_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_CONNECT_TCP = 1 << 1
_SCOPE_ALL = 0b11

_READING = _EXECUTE | _READ | _LIST
_ON_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_FIRST = (1 << 13) - 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def abi() -> int:
    """This will be the version of Landlock the kernel speaks, 0 when it has none."""
    version = int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG))
    return max(version, 0)


def handled(version: int) -> int:
    """This will be the bits of file access that a version can deny."""
    bits = _FIRST
    for since, bit in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL)):
        if version >= since:
            bits |= bit
    return bits


def restrict(
    *, read: list[str], write: list[str], devices: list[str], ports: list[int] | None
) -> None:
    """This will confine this process for ever; `ports` None leaves the network alone.

    Raises:
        OSError: when the kernel refuses.
    """
    version = abi()
    bits = handled(version)
    network = _CONNECT_TCP if ports is not None and version >= 4 else 0  # noqa: PLR2004
    scope = _SCOPE_ALL if version >= 6 else 0  # noqa: PLR2004
    attributes = struct.pack("=QQQ", bits, network, scope)
    size = 24 if version >= 6 else 16 if version >= 4 else 8  # noqa: PLR2004
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0))
    for paths, access in (
        (read, bits & _READING),
        (write, bits & ~_IOCTL),
        (devices, bits & (_READ | _WRITE | _LIST | _TRUNCATE | _IOCTL)),
    ):
        for path in paths:
            _add_path(ruleset, path, access)
    for port in (ports or []) if network else []:
        rule = struct.pack("=QQ", _CONNECT_TCP, port)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PORT, rule, 0))
    _checked(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def drop_capabilities() -> None:
    """This will give up all capabilities for ever; one of them reads around Landlock.

    Only matters for a worker that runs as root; others have none and nothing happens.
    """
    for capability in range(_CAPABILITIES):
        _libc.prctl(_DROP_BOUNDING, capability, 0, 0, 0)
    _libc.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    number = _CAPSET.get(os.uname().machine)
    if number is not None:
        header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
        _checked(_libc.syscall(number, header, bytes(24)))


def _add_path(ruleset: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112
            access &= _ON_FILES
        rule = struct.pack("=Qi", access, handle)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH, rule, 0))
    finally:
        os.close(handle)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def main(arguments: list[str]) -> int:
    """This will read `r:path`, `w:path`, `d:path`, `p:ports` up to `--`, then become the rest."""
    if "--" not in arguments:
        sys.stderr.write("landlock: nothing to run\n")
        return 2
    split = arguments.index("--")
    paths: dict[str, list[str]] = {"r": [], "w": [], "d": []}
    ports: list[int] | None = None
    for argument in arguments[:split]:
        kind, _, value = argument.partition(":")
        if kind == "p":
            ports = [int(port) for port in value.split(",") if port]
        else:
            paths[kind].append(value)
    try:
        restrict(read=paths["r"], write=paths["w"], devices=paths["d"], ports=ports)
        drop_capabilities()
    except OSError as error:
        sys.stderr.write(f"landlock: {error}\n")
        return 125
    command = arguments[split + 1 :]
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
