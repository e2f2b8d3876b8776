"""The Celery app: the broker, the queues and the schedule come from the settings."""

import gc
import os
import sys
import warnings

from celery import Celery
from celery.signals import setup_logging, worker_before_create_process
from django.conf import settings

if "DJANGO_SETTINGS_MODULE" not in os.environ:
    os.environ["DJANGO_SETTINGS_MODULE"] = "kanbanai.settings.base"

# Running as root is dangerous with pickled tasks; ours are JSON and nothing else.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

app = Celery("kanbanai")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add("kanbanai.heartbeats:Pulse")


@setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """This will leave logging as the settings made it, where Celery would replace it."""
    if not settings.configured:
        sys.stderr.write("Settings are not loaded; logging is not set up.\n")


@worker_before_create_process.connect
def share_memory(**_: object) -> None:
    """This will keep the collector from touching, and so copying, what forked processes share."""
    gc.collect()
    gc.freeze()
