"""Every address of the product, app by app; each app's own list is its `api` and `pages`.

The highest app comes first: where an address has methods of two apps, the higher one's view serves
all of them.
"""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from apps.core import api_pages
from kanbanai import health, measures

API = (
    "apps.dashboard.api.urls",
    "apps.agents.api.urls",
    "apps.boards.api.urls",
    "apps.projects.api.urls",
    "apps.orgs.api.urls",
    "apps.accounts.api.urls",
)

handler500 = "apps.core.pages.broken"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.alive, name="alive"),
    path("readyz", health.ready, name="ready"),
    path("metrics", measures.page, name="metrics"),
    # The same addresses under both prefixes; the first one is what the product itself uses.
    *(path(prefix, include(module)) for prefix in ("api/v1/", "api/") for module in API),
    *(path(f"{prefix}schema", api_pages.openapi) for prefix in ("api/v1/", "api/")),
    path("api/v1/docs", api_pages.docs, name="api_docs"),
    path("api/v1/redoc", api_pages.redoc, name="api_redoc"),
    path("", include("apps.dashboard.pages.urls")),
    path("", include("apps.agents.pages.urls")),
    path("", include("apps.boards.pages.urls")),
    path("", include("apps.accounts.pages.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
]
