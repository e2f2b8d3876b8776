"""Which level is chosen, and when agents may run at all."""

from pathlib import Path

import pytest

from apps.agents.sandbox import base, choice, landlock, system
from tests.agents.adapters import stage


def test_the_strongest_level_that_works_is_chosen() -> None:
    found = choice.find("auto")

    assert found.level == stage.levels()[-1]
    assert choice.choose("auto") is found.sandbox


def test_a_level_by_name_is_taken_or_refused() -> None:
    assert choice.find("none").level is base.Level.NONE
    for level in (base.Level.LANDLOCK, base.Level.BUBBLEWRAP):
        if level in stage.levels():
            assert choice.find(level).level is level
        else:
            with pytest.raises(choice.Unavailable):
                choice.find(level)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(choice.Unavailable, match="no sandbox level 'docker'"):
        choice.find("docker")


@pytest.mark.parametrize(
    ("level", "multi_user", "override", "allowed"),
    [
        (base.Level.BUBBLEWRAP, True, False, True),
        (base.Level.LANDLOCK, True, False, True),
        (base.Level.NONE, False, False, True),
        (base.Level.NONE, True, False, False),
        (base.Level.NONE, True, True, True),
    ],
)
def test_many_users_need_a_sandbox_or_a_decree(
    level: base.Level, *, multi_user: bool, override: bool, allowed: bool
) -> None:
    assert choice.allowed(level, multi_user=multi_user, override=override) is allowed


def test_landlock_handles_what_the_kernel_knows() -> None:
    assert [landlock.handled(version).bit_length() for version in (1, 2, 3, 4, 5, 6)] == [
        13,
        14,
        15,
        15,
        16,
        16,
    ]


def test_the_wrapper_says_what_is_wrong(capfd: pytest.CaptureFixture[str]) -> None:
    assert landlock.main(["r:/usr"]) == 2
    assert capfd.readouterr().err == "landlock: nothing to run\n"


def test_a_launcher_is_followed_to_its_package(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "node_modules" / "agent"
    package.mkdir(parents=True)
    script = package / "cli.js"
    script.write_text("#!/usr/bin/env sh\n")
    script.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "agent").symlink_to(script)

    paths = system.program_paths("agent", search=f"{tmp_path}/bin:/usr/bin:/bin")

    assert paths == [tmp_path / "bin", tmp_path / "lib" / "node_modules"]


def test_an_environment_is_readable_with_its_interpreter(tmp_path: Path) -> None:
    base_python = tmp_path / "pythons" / "3.12" / "bin"
    base_python.mkdir(parents=True)
    (base_python / "python").write_text("")
    environment = tmp_path / "tools" / "vibe"
    (environment / "bin").mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text("")
    (environment / "bin" / "python").symlink_to(base_python / "python")
    program = environment / "bin" / "vibe-acp"
    program.write_text(f"#!{environment}/bin/python\n")
    program.chmod(0o755)

    paths = system.program_paths("vibe-acp", search=str(environment / "bin"))

    assert environment in paths
    assert tmp_path / "pythons" / "3.12" in paths


def test_a_program_of_the_system_needs_nothing_more() -> None:
    assert system.program_paths("sh", search="/usr/bin:/bin") == []
    assert system.program_paths("no-such-program") == []
