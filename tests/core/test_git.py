import os
import signal
import threading
import time
from pathlib import Path

import pytest

from apps.core import git
from tests import git_world


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return git_world.repository(tmp_path / "repository")


def alias(script: str) -> dict[str, str]:
    return {"alias.probe": f"!{script}"}


def alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and waits to be buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_git_is_new_enough() -> None:
    assert git.require_version() >= git.MINIMUM_VERSION


def test_the_output_is_text_without_its_line_end(repository: Path) -> None:
    assert git.text("symbolic-ref", "HEAD", at=repository) == "refs/heads/main"
    assert git.find_text("config", "--get", "no.such", at=repository) is None


def test_a_hook_that_hangs_is_never_started(repository: Path, tmp_path: Path) -> None:
    git_world.set_hook(repository, "pre-commit", f"touch {tmp_path}/hooked; sleep 600")
    git_world.git(repository, "config", "core.hooksPath", str(repository / ".git" / "hooks"))
    git_world.write(repository, {"a.txt": "other\n"})
    git.run("commit", "-qam", "x", at=repository, environment=git.DEFAULT_IDENTITY.environment())
    assert not (tmp_path / "hooked").exists()


def test_a_planted_fsmonitor_is_never_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    trap = git_world.trapped(tmp_path / "trap", mark)
    git_world.git(trap, "status")
    assert mark.exists()
    mark.unlink()
    git.run("status", at=trap)
    assert not mark.exists()


def test_the_servers_environment_stays_with_the_server(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hush")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    seen = git.shown(git.run("probe", at=repository, settings=alias("env")).stdout)
    assert "hush" not in seen
    assert "GIT_TERMINAL_PROMPT=0" in seen


def test_a_process_that_takes_too_long_ends_with_all_its_children(
    repository: Path, tmp_path: Path
) -> None:
    script = f"sh -c 'echo $$ > {tmp_path}/pid; trap \"\" TERM; while :; do sleep 1; done'"
    with pytest.raises(git.GitTimeout):
        git.run("probe", at=repository, settings=alias(script), timeout=4)
    pid, deadline = int((tmp_path / "pid").read_text()), time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)  # the kernel ends it in its own time
    assert not alive(pid)


def test_a_cancelled_process_ends(repository: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(git.GitCancelled):
        git.run(
            "probe",
            at=repository,
            settings=alias("sleep 60"),
            watch=git.Watch(should_cancel=lambda: True),
        )
    assert time.monotonic() - begun < 30


def test_too_much_output_is_refused_or_cut(repository: Path) -> None:
    endless = alias("yes")
    with pytest.raises(git.OutputTooLarge):
        git.run("probe", at=repository, settings=endless, limit=1000)
    cut = git.run("probe", at=repository, settings=endless, limit=1000, truncate=True)
    assert (len(cut.stdout), cut.truncated) == (1000, True)


def test_progress_is_heard_line_by_line(repository: Path) -> None:
    heard: list[str] = []
    git.run(
        "probe",
        at=repository,
        settings=alias(r"printf 'one\rtwo\nthree\n' >&2"),
        watch=git.Watch(on_line=heard.append),
    )
    assert heard == ["one", "two", "three"]


def test_nothing_is_found_above_the_place(repository: Path) -> None:
    (repository / "folder").mkdir()
    with pytest.raises(git.NotARepository):
        git.run("status", at=repository / "folder")
    git.run("status", at=git.Place(repository / "folder", climb=True))


def test_a_missing_directory_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(git.NotARepository, match="no directory"):
        git.run("status", at=tmp_path / "missing")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away takes root")
def test_a_repository_of_another_account_is_said_plainly(repository: Path) -> None:
    for path in (repository, repository / ".git"):
        os.chown(path, 65534, 65534)
    with pytest.raises(git.NotOurs, match="another account"):
        git.run("status", at=repository)


def test_a_held_lock_is_waited_for_when_patient(repository: Path) -> None:
    lock = repository / ".git" / "index.lock"
    lock.touch()
    git_world.write(repository, {"b.txt": "b\n"})
    with pytest.raises(git.Locked):
        git.run("add", "b.txt", at=repository)
    release = threading.Timer(0.3, lock.unlink)
    release.start()
    git.run("add", "b.txt", at=repository, patient=True)
    release.join()
    assert git.text("diff", "--cached", "--name-only", at=repository) == "b.txt"


def test_a_moved_reference_is_told_from_a_lock(repository: Path) -> None:
    head = git.text("rev-parse", "HEAD", at=repository)
    with pytest.raises(git.RefMoved):
        git.run("update-ref", "refs/heads/main", head, "1" * 40, at=repository)
    with pytest.raises(git.RefMoved):
        git.run("update-ref", "refs/heads/main", head, "", at=repository)
    with pytest.raises(git.RefMoved):
        git.run("update-ref", "refs/heads/main/sub", head, "", at=repository)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("https://ada:hush@host/x.git", "https://***@host/x.git"),
        ("https://token@host/x.git", "https://***@host/x.git"),
        ("https://ada:hu/sh@host/x.git", "https://***@host/x.git"),
        ("https://ada:hu@sh@host/x.git", "https://***@host/x.git"),
        ("ssh://git@host/x.git", "ssh://git@host/x.git"),
        ("ssh://git:hush@host/x.git", "ssh://***@host/x.git"),
        ("https://host:8443/pkg@v1", "https://host:8443/pkg@v1"),
        ("https://host/x?access_token=hush&y=1", "https://host/x?access_token=***&y=1"),
        ("fatal: 'https://a:b@c/' and ftp://d:e@f/", "fatal: 'https://***@c/' and ftp://***@f/"),
    ],
)
def test_secrets_in_addresses_are_not_shown(said: str, shown: str) -> None:
    assert git.redact(said) == shown
    assert git.GitError(said, detail=said).detail == shown


def test_an_error_never_tells_a_secret(repository: Path) -> None:
    with pytest.raises(git.GitError) as caught:
        git.run("fetch", "https://ada:hush@127.0.0.1:1/x.git", at=repository)
    assert isinstance(caught.value, git.HostUnreachable)
    assert "hush" not in f"{caught.value}{caught.value.detail}"


def test_a_login_reaches_git_and_nothing_else(repository: Path) -> None:
    login = git.Login("ada", 'hu"sh $HOME\\')
    answer = git.run(
        *("credential", "fill"),
        at=repository,
        stdin=b"protocol=https\nhost=example.org\n\n",
        login=login,
    )
    assert b'username=ada\npassword=hu"sh $HOME\\\n' in answer.stdout
    assert repr(login) == "Login('ada', ***)"


def test_without_a_login_git_does_not_ask(repository: Path) -> None:
    with pytest.raises(git.AuthenticationFailed):
        git.run("credential", "fill", at=repository, stdin=b"protocol=https\nhost=example.org\n\n")


def test_local_files_are_no_remote_unless_allowed(repository: Path) -> None:
    with pytest.raises(git.GitError, match="not allowed"):
        git.run("ls-remote", f"file://{repository}", at=repository)
    git.run("ls-remote", f"file://{repository}", at=repository, protocols=("file",))
    with pytest.raises(git.GitError, match="not allowed"):
        git.run("ls-remote", "ext::sh -c date", at=repository)


def test_an_identity_is_found_for_every_commit(repository: Path) -> None:
    assert git.identity(repository) == git.DEFAULT_IDENTITY
    git_world.git(repository, "config", "user.name", "Bob")
    git_world.git(repository, "config", "user.email", "bob@example.org")
    assert git.identity(repository) == git.Identity("Bob", "bob@example.org")
    given = git.Identity("Ada <x>\n", "ada@example.org")
    assert git.identity(repository, given) == git.Identity("Ada x", "ada@example.org")


def test_bytes_that_are_no_text_are_shown_all_the_same() -> None:
    assert git.shown(b"caf\xc3\xa9 \xff") == "café \\xff"


def test_a_full_disk_is_said_plainly() -> None:
    for words in ("write error: No space left on device", "error: Disk quota exceeded"):
        assert isinstance(git.explain(words, at=Path("/data")), git.DiskFull)
    assert isinstance(git.explain("", at=Path("/data"), code=-signal.SIGXFSZ), git.DiskFull)
    read_only = "fatal: could not create leading directories: Read-only file system"
    assert isinstance(git.explain(read_only, at=Path("/data")), git.Unwritable)
