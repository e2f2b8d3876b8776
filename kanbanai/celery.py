"""The Celery app: the broker, the queues and the schedule come from the settings."""

import gc
import os
import sys
import warnings

from celery import Celery
from celery.signals import (
    beat_init,
    setup_logging,
    worker_before_create_process,
    worker_init,
    worker_process_init,
)
from django.conf import settings

from kanbanai.supervisor import orphans

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


@worker_init.connect
@beat_init.connect
def end_with_supervisor(**_: object) -> None:
    """This will let no worker and no clock outlive the supervisor that started it."""
    orphans.end_with_supervisor()


@worker_process_init.connect
def end_with_worker(**_: object) -> None:
    """This will let no process of a worker's pool outlive the worker."""
    orphans.end_with_parent()
