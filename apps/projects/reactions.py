"""What follows after events of projects."""

from apps.core import events
from apps.projects import tasks


def connect() -> None:
    """This will set the reactions up; called once, when the apps are ready."""
    events.on("project.clone_requested", tasks.clone_repository)
    events.on("member.invited", tasks.mail_invitation)
