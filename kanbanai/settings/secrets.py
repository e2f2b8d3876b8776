"""The keys that an installation makes for itself."""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RANDOM_BYTES = 48
KEY_BYTES = 32


def own_secret_key(data_dir: Path) -> str:
    """This will give the data folder's secret key, made on first use for its owner's eyes only."""
    return _own(data_dir, "secret-key", lambda: secrets.token_urlsafe(RANDOM_BYTES))


def own_encryption_keys(data_dir: Path) -> str:
    """This will give the data folder's encryption keys, one a line, the first made on first use."""
    return _own(data_dir, "encryption-keys", _encryption_key)


def _encryption_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def _own(data_dir: Path, name: str, make: Callable[[], str]) -> str:
    """The text of a file that is made where it is missing.

    Several processes may start at once: the first to link its file into place decides.
    """
    path = data_dir / name
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = data_dir / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(make() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii").strip()
