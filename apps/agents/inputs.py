"""What agents take in: shape only, shared by REST, sockets and pages."""

from __future__ import annotations

from rest_framework import serializers

from apps.agents.models import Approval
from apps.agents.worktrees.files import Source
from apps.boards.inputs import PROMPT_LENGTH
from apps.boards.models import AgentMode
from apps.core import ids, paging
from apps.core.camel import Serializer
from apps.core.fields import FreeObject, StrictBoolean, Text
from apps.projects.models import MergeStrategy

MESSAGE_LENGTH = 100_000
WORDS_LENGTH = 20_000
SUBJECT_LENGTH = 200
BODY_LENGTH = 10_000
BRANCH_LENGTH = 255
MOST_MESSAGES = 500
CREDENTIAL_NAME_LENGTH = 100
PROVIDER_LENGTH = 40
KEY_LENGTH = 4_000
ADDRESS_LENGTH = 500


class Moment(serializers.DateTimeField):
    """An ISO time; one without an offset is UTC."""


class StartAttempt(Serializer):
    """Who shall work on a card, and on which branches; all of it may be left to the project."""

    agent = Text(max_length=40, required=False, allow_blank=True)
    profile_id = ids.IdField("prof", required=False, allow_null=True)
    mode = serializers.ChoiceField(choices=AgentMode.choices, required=False)
    base_branch = Text(max_length=BRANCH_LENGTH, required=False, allow_blank=True)
    branch_name = Text(max_length=BRANCH_LENGTH, required=False, allow_blank=True, source="branch")
    prompt = Text(
        source="message",
        max_length=MESSAGE_LENGTH,
        required=False,
        allow_blank=True,
        multiline=True,
    )


class ChangeAttempt(Serializer):
    """The one change of an attempt that people make: that it ends."""

    status = serializers.ChoiceField(choices=["stopped"])


class SendPrompt(Serializer):
    """A message to the agent of an attempt."""

    prompt = Text(max_length=MESSAGE_LENGTH, multiline=True)


class SendContent(Serializer):
    """A message to the agent of a card."""

    content = Text(max_length=MESSAGE_LENGTH, multiline=True)


class OpenPreSession(Serializer):
    """Whose prompt is to be sharpened."""

    card_id = ids.IdField("card")


class SendWords(Serializer):
    """A message in a pre-session or to an assistant."""

    content = Text(max_length=WORDS_LENGTH, multiline=True)


class AcceptPreSession(Serializer):
    """The prompt as somebody has edited it; without it is what the agent proposed last."""

    prompt = Text(max_length=PROMPT_LENGTH, multiline=True, required=False, allow_null=True)


class ListConversation(Serializer):
    """Which messages: after or before a moment (both exclusive)."""

    since = Moment(required=False)
    before = Moment(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=MOST_MESSAGES, default=100)


class AnswerApproval(Serializer):
    """A person's answer to what an agent asks; `answer` fills a form."""

    decision = serializers.ChoiceField(choices=Approval.Decision.choices)
    feedback = Text(max_length=MESSAGE_LENGTH, required=False, allow_blank=True, multiline=True)
    answer = FreeObject(required=False)


class ApprovePlan(Serializer):
    """Whether a plan is good, and what is to be said of it."""

    approved = StrictBoolean()
    feedback = Text(max_length=MESSAGE_LENGTH, required=False, allow_blank=True, multiline=True)


class Commit(Serializer):
    """The words of a commit of all changes."""

    subject = Text(max_length=SUBJECT_LENGTH)
    body = Text(max_length=BODY_LENGTH, required=False, allow_blank=True, multiline=True)


class Merge(Serializer):
    """How the branch becomes part of its base; without a strategy as the project has it."""

    strategy = serializers.ChoiceField(choices=MergeStrategy.choices, required=False)


class ReadFile(Serializer):
    """Which file, and as of which place."""

    path = Text(max_length=4096, trim_whitespace=False)
    # DRF takes declared fields off the class; its own attribute of this name is not touched.
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=[str(one) for one in Source], default="worktree"
    )


class ReadDiff(Serializer):
    """Of which file; without one it is all."""

    path = Text(max_length=4096, required=False, trim_whitespace=False)


class DeleteCard(Serializer):
    """Whether work that is not merged may leave its worktree (it is saved first)."""

    force = serializers.CharField(required=False)

    def validate_force(self, value: str) -> bool:
        """`true` and `1` are true, anything else is false."""
        return value.strip().lower() in {"true", "1"}


class ListMessages(Serializer):
    """Which messages: of one session, after or before a moment (both exclusive)."""

    session_id = ids.IdField("sess", required=False)
    since = Moment(required=False)
    before = Moment(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=MOST_MESSAGES, default=100)
    cursor = paging.cursor_field()


class ReadAttempt(Serializer):
    """How much of the transcript: without `sinceSeq` all, with it what is newer."""

    since_seq = serializers.IntegerField(required=False, min_value=0)


class ListLogs(Serializer):
    """How many of the newest lines, or of those before a cursor."""

    limit = serializers.IntegerField(min_value=1, max_value=10_000, default=1_000)
    cursor = paging.cursor_field()


class CreateCredential(Serializer):
    """A key of a provider; whether its form fits is the provider's matter."""

    name = Text(max_length=CREDENTIAL_NAME_LENGTH)
    provider = Text(max_length=PROVIDER_LENGTH)
    api_key = Text(max_length=KEY_LENGTH, required=False, allow_blank=True, allow_null=True)
    base_url = Text(max_length=ADDRESS_LENGTH, required=False, allow_blank=True, allow_null=True)

    def validate_apiKey(self, value: str | None) -> str:  # noqa: N802 - the wire's name
        """None is the same as none."""
        return value or ""

    def validate_baseUrl(self, value: str | None) -> str:  # noqa: N802 - the wire's name
        """None is the same as none."""
        return value or ""


class UpdateCredential(Serializer):
    """What shall be another; what is left out stays."""

    name = Text(max_length=CREDENTIAL_NAME_LENGTH, required=False)
    api_key = Text(max_length=KEY_LENGTH, required=False)
    base_url = Text(max_length=ADDRESS_LENGTH, required=False, allow_blank=True, allow_null=True)

    def validate_baseUrl(self, value: str | None) -> str:  # noqa: N802 - the wire's name
        """None is the provider's own address."""
        return value or ""


class BeginLogin(Serializer):
    """Where to log in, and for which credential; without one a new one is made."""

    provider = Text(max_length=PROVIDER_LENGTH)
    credential_id = ids.IdField("cred", required=False, allow_null=True)


class FinishLogin(Serializer):
    """What a provider sends along with the browser."""

    state = Text(max_length=200)
    code = Text(max_length=4_000, required=False, allow_blank=True, default="")
    error = Text(max_length=200, required=False, allow_blank=True, default="")


class ChooseCredential(Serializer):
    """Which credential; null is none."""

    credential_id = ids.IdField("cred", allow_null=True)
