"""One mail: plain text and a simple page of it, to one address, through Django's mail."""

from __future__ import annotations

import smtplib
from email.utils import parseaddr
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

if TYPE_CHECKING:
    from apps.accounts.models import OutgoingMail

# An answer of a mail server from here on says: do not try again.
FOR_GOOD = 500


class NotSent(Exception):
    """The mail did not go; `for_good` where another try would end the same."""

    def __init__(self, why: str, *, for_good: bool) -> None:
        super().__init__(why)
        self.why = why
        self.for_good = for_good


def send(mail: OutgoingMail) -> None:
    """This will hand a mail to the mail server, or raise NotSent.

    Its Message-ID is always the same, so that a mail sent twice by a crash is shown once.
    """
    context = {"mail": mail, "paragraphs": mail.text.split("\n\n")}
    message = EmailMultiAlternatives(
        subject=" ".join(mail.subject.split()),
        body=f"{mail.text}\n\n{mail.action}: {mail.link}\n",
        to=[mail.to],
        headers={
            "Message-ID": f"<kanbanai.{mail.pk}.{int(mail.created_at.timestamp())}@{_domain()}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string("mail/notice.html", context), "text/html")
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _said in error.recipients.values()]
        for_good = bool(codes) and min(codes) >= FOR_GOOD
        raise NotSent("The address was refused.", for_good=for_good) from error
    except smtplib.SMTPAuthenticationError as error:
        # An operator can mend that; what the server said may hold the login.
        raise NotSent("The mail server refused our login.", for_good=False) from error
    except smtplib.SMTPResponseException as error:
        # What is wrong with this mail stays wrong; a sender can be set right by the operator.
        for_good = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= FOR_GOOD
        raise NotSent(f"The mail server answered {error.smtp_code}.", for_good=for_good) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent("The mail server cannot be reached.", for_good=False) from error


def _domain() -> str:
    address = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return address.rpartition("@")[2] or "localhost"
