"""What stands before every page: setup while nobody is here, then a password of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect
from django.urls import reverse

from apps.accounts import openness, queries
from apps.accounts.models import User
from apps.core import rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

# Answered for machines, whether or not anybody is here.
MACHINE_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/favicon.ico", "/robots.txt"})


class Entrance:
    """Leads to the setup page until there is a user, and to a new password where one is due.

    While sign-in is off, visitors are the implicit person instead.

    The API needs neither: without users nobody has credentials, and authentication itself answers
    PASSWORD_CHANGE_REQUIRED.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        # Users never go away altogether, so the good news is asked for once a process.
        self._is_set_up = False

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """This will let the request pass or lead it elsewhere."""
        if rest.is_api(request) or request.path in MACHINE_PATHS:
            return self.get_response(request)
        return self._elsewhere(request) or self.get_response(request)

    def _elsewhere(self, request: HttpRequest) -> HttpResponseBase | None:
        if not request.user.is_authenticated and openness.is_open():
            request.user = openness.implicit_user()
            return None
        self._is_set_up = self._is_set_up or queries.has_users()
        if not self._is_set_up:
            return None if request.path == reverse("setup") else redirect("setup")
        user = request.user
        if not isinstance(user, User) or not user.must_change_password:
            return None
        allowed = {reverse("change_password"), reverse("account_logout")}
        return None if request.path in allowed else redirect("change_password")
