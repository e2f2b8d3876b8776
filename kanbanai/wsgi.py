"""The WSGI application: every ordinary page and REST answer."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kanbanai.settings.base")

application = get_wsgi_application()
