# One image for every process. Build: docker build -t kanbanai .

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements/base.txt requirements/flower.txt requirements/
RUN python -m venv /venv && /venv/bin/pip install --require-hashes -r requirements/base.txt

# Node is needed to fetch the files for browsers, and stays behind in this stage.
FROM build AS assets
COPY requirements/build.txt requirements/
RUN /venv/bin/pip install --require-hashes -r requirements/build.txt
COPY package.json package-lock.json .npmrc ./
COPY tools tools
COPY static static
COPY apps apps
COPY kanbanai kanbanai
COPY templates templates
COPY manage.py ./
RUN /venv/bin/python tools/assets.py

FROM build AS monitor-build
RUN /venv/bin/pip install --require-hashes -r requirements/base.txt -r requirements/flower.txt

FROM python:3.11-slim-bookworm AS product
# git and bubblewrap are what agents are run with; openssh-client fetches from private repositories.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap git openssh-client tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 kanbanai \
    && install -d -o kanbanai -g kanbanai /data /projects
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    REMAP_SIGTERM=SIGQUIT \
    DJANGO_SETTINGS_MODULE=kanbanai.settings.base \
    KANBANAI_DATA_DIR=/data \
    KANBANAI_PROJECT_ROOTS=/projects
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=assets /app/build/static build/static
COPY manage.py ./
COPY requirements requirements
COPY kanbanai kanbanai
COPY apps apps
COPY templates templates
COPY static static
RUN python -m compileall -q apps kanbanai
USER kanbanai
EXPOSE 37100
ENTRYPOINT ["tini", "--"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "37100"]

FROM product AS monitor
COPY --from=monitor-build /venv /venv
CMD ["celery", "-A", "kanbanai.celery", "flower", "--port=5555", "--url-prefix=flower"]
