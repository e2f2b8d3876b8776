import base64
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apps.core import git
from apps.projects import repositories
from tests import git_world


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = git_world.repository(tmp_path / "source")
    git_world.commit(path, {f"file-{number}.txt": f"{number}\n" * 50 for number in range(50)})
    git_world.git(path, "branch", "other")
    return path


@dataclass
class Host:
    """A host that serves repositories over http, to those with a login."""

    address: str = ""
    asked: list[str] = field(default_factory=list)


class Files(SimpleHTTPRequestHandler):
    host: Host

    def __init__(self, host: Host, *arguments: Any, **named: Any) -> None:
        self.host = host
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        self.host.asked.append(self.path)
        wanted = "Basic " + base64.b64encode(b"ada:hush/hush").decode()
        if self.headers["Authorization"] != wanted and "/open/" not in self.path:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="here"')
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def host(tmp_path: Path, source: Path) -> Iterator[Host]:
    served = tmp_path / "served"
    served.mkdir()
    git_world.git(served, "clone", "--quiet", "--bare", str(source), "closed.git")
    git_world.git(served / "closed.git", "update-server-info")
    (served / "open").mkdir()
    found = Host()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, found, directory=str(served)))
    found.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def left(folder: Path) -> list[str]:
    return sorted({one.name for one in folder.iterdir()} - {"source", "served"})


def test_a_clone_is_whole_and_tells_how_far_it_is(tmp_path: Path, source: Path) -> None:
    heard: list[tuple[int, str]] = []
    found = repositories.clone(
        f"file://{source}",
        tmp_path / "cl ü",
        allow_files=True,
        on_progress=lambda percent, phase: heard.append((percent, phase)),
    )
    assert (found.usable, found.dirty, found.current_branch) == (True, False, "main")
    percents = [percent for percent, _ in heard]
    assert percents == sorted(percents)
    assert heard[-1] == (100, "Done")
    assert "Receiving objects" in {phase for _, phase in heard}
    assert left(tmp_path) == ["cl ü"]


def test_a_branch_may_be_asked_for(tmp_path: Path, source: Path) -> None:
    found = repositories.clone(
        f"file://{source}", tmp_path / "clone", allow_files=True, branch="other"
    )
    assert found.current_branch == "other"


def test_an_empty_directory_is_taken_and_a_filled_one_is_not(tmp_path: Path, source: Path) -> None:
    (tmp_path / "empty").mkdir()
    repositories.clone(f"file://{source}", tmp_path / "empty", allow_files=True)
    git_world.write(tmp_path / "full", {"mine.txt": "mine"})
    with pytest.raises(git.PathOccupied):
        repositories.clone(f"file://{source}", tmp_path / "full", allow_files=True)
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_cancelled_clone_leaves_nothing(tmp_path: Path, source: Path) -> None:
    with pytest.raises(git.GitCancelled):
        repositories.clone(
            f"file://{source}", tmp_path / "clone", allow_files=True, should_cancel=lambda: True
        )
    assert left(tmp_path) == []


def test_a_hook_of_the_machines_template_is_not_copied(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_world.write(tmp_path / "template", {"hooks/post-checkout": "#!/bin/sh\nsleep 600\n"})
    (tmp_path / "template/hooks/post-checkout").chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    repositories.clone(f"file://{source}", tmp_path / "clone", allow_files=True)
    assert not (tmp_path / "clone/.git/hooks").exists()


def test_the_login_in_an_address_is_used_and_kept_nowhere(tmp_path: Path, host: Host) -> None:
    address = f"http://ada:hush%2Fhush@{host.address}/closed.git"
    found = repositories.clone(address, tmp_path / "clone")
    assert found.remotes == {"origin": f"http://{host.address}/closed.git"}
    kept = b"".join(
        path.read_bytes() for path in (tmp_path / "clone/.git").rglob("*") if path.is_file()
    )
    assert b"hush" not in kept


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("http://ada:wrong@{host}/closed.git", git.AuthenticationFailed),
        ("http://{host}/closed.git", git.AuthenticationFailed),
        ("http://{host}/open/missing.git", git.RemoteNotFound),
        ("http://127.0.0.1:1/x.git", git.HostUnreachable),
    ],
)
def test_a_failed_clone_says_why_and_leaves_nothing(
    tmp_path: Path, host: Host, address: str, error: type[git.GitError]
) -> None:
    with pytest.raises(error) as caught:
        repositories.clone(address.format(host=host.address), tmp_path / "clone")
    assert type(caught.value) is error
    assert "wrong" not in f"{caught.value} {caught.value.detail}"
    assert left(tmp_path) == []


@pytest.mark.parametrize("size", [2 * 1024 * 1024, 40 * 1024 * 1024])
def test_a_repository_over_the_limit_is_given_up(tmp_path: Path, size: int) -> None:
    source = git_world.repository(tmp_path / "source")
    (source / "big").write_bytes(os.urandom(size))
    git_world.commit(source, {})
    with pytest.raises(repositories.RepositoryTooLarge, match="1 MiB"):
        repositories.clone(
            f"file://{source}", tmp_path / "clone", allow_files=True, max_bytes=1024 * 1024
        )
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "-oProxyCommand=touch /tmp/x",
        "ext::sh -c date",
        "file:///etc",
        "/etc",
        "../other",
        "ftp://example.org/x.git",
        "ssh://-oProxyCommand=x/y",
        "ssh://-oX@example.org/y",
        "https://",
        "https://exa mple.org/x",
        "https://example.org:port/x",
        "git@example.org:-x",
        "https://example.org/x\n--upload-pack=y",
    ],
)
def test_an_address_of_another_kind_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(repositories.UnsupportedAddress):
        repositories.clone(address, tmp_path / "clone")
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("address", "url", "login"),
    [
        ("https://example.org/x.git", "https://example.org/x.git", None),
        ("git@example.org:x/y.git", "git@example.org:x/y.git", None),
        ("ssh://git:p@example.org:22/y", "ssh://git@example.org:22/y", None),
        ("https://t%40k@[::1]:8443/y?a=b", "https://[::1]:8443/y?a=b", git.Login("t@k", "")),
    ],
)
def test_an_address_is_split_from_its_secret(
    address: str, url: str, login: git.Login | None
) -> None:
    found = repositories.check_address(address)
    assert (found.url, found.login) == (url, login)
