"""What agents say when something is wrong, sorted into the closed list."""

import pytest
from acp import RequestError

from apps.agents.adapters import failures
from apps.agents.adapters.acp import errors


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("API Error: 429 rate_limit_error", "usage_limit"),
        ("Error: You have hit your usage limit", "usage_limit"),
        ("You've hit your limit · resets 3pm", "usage_limit"),
        ("API Error: 401 invalid x-api-key", "credential_invalid"),
        ("Invalid API key · Please run /login", "agent_login_required"),
        ("Failed to authenticate. API Error: 401 invalid key", "credential_invalid"),
        (
            (
                "Info: Request failed due to a transient API error. Retrying..."
                "Error: Authentication failed with provider (HTTP 401)."
            ),
            "credential_invalid",
        ),
        ("Info: Request failed due to a transient API error. Retrying...All is done.", None),
        ("unexpected status 400 Bad Request: no such model", "model_error"),
        ("stream disconnected before completion", "model_error"),
        ('{"error": {"message": "overloaded"}}', "model_error"),
        ("I fixed the error: the port was wrong.", None),
        ("Done. Error handling is better now.", None),
        ("Error rates are shown on the page now, as the card asks.", None),
        ("", None),
        ("Error: " + "x" * 5_000, None),
    ],
)
def test_a_last_message_is_an_error_or_prose(text: str, failure: str | None) -> None:
    assert failures.from_last_message(text) == failure


@pytest.mark.parametrize(
    ("error", "failure", "words"),
    [
        (RequestError(-32000, "Authentication required"), "agent_login_required", "required"),
        (
            RequestError(-32603, "Internal error", {"details": "credit balance is too low"}),
            "usage_limit",
            "Internal error: credit balance is too low",
        ),
        (RequestError(-32603, "boom", ["x"]), "model_error", 'boom: ["x"]'),
    ],
)
def test_an_error_answer_has_a_name_and_words(
    error: RequestError, failure: str, words: str
) -> None:
    found = errors.from_answer(error)

    assert found.failure == failure
    assert words in found.detail


@pytest.mark.parametrize(
    ("stderr", "answered", "failure"),
    [
        ("bwrap: No permissions to create new namespace", False, "sandbox_unavailable"),
        ("landlock: Operation not permitted", False, "sandbox_unavailable"),
        ("nice: agent: No such file or directory", False, "agent_not_installed"),
        ("env: node: command not found", False, "agent_not_installed"),
        ("open config: No such file or directory", False, "agent_crashed"),
        ("bwrap: something", True, "agent_crashed"),
    ],
)
def test_last_words_tell_why_it_did_not_start(stderr: str, answered: bool, failure: str) -> None:  # noqa: FBT001
    assert errors.from_exit(1, stderr=stderr, answered=answered).failure == failure


def test_every_failure_an_adapter_can_report_is_on_the_list() -> None:
    assert len(failures.FAILURES) == 16
