# One image for every process; the command chooses which:
#   api | dispatcher | worker [celery options] | beat | migrate
#   worker-git | worker-parse | worker-embed | worker-maintenance [celery options]

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements-bootstrap.lock requirements.lock ./
RUN python -m venv /opt/codeloom \
 && /opt/codeloom/bin/pip install --no-cache-dir --require-hashes -r requirements-bootstrap.lock \
 && /opt/codeloom/bin/uv pip sync --no-cache --python /opt/codeloom/bin/python \
      --require-hashes requirements.lock
COPY pyproject.toml LICENSE ./
COPY parsers parsers
COPY graph graph
COPY workers workers
COPY service service
COPY migrations migrations
# Not editable: the image holds the packages, not the tree they came from.
RUN /opt/codeloom/bin/uv pip install --no-cache --python /opt/codeloom/bin/python \
      --no-build-isolation --no-deps .

FROM python:3.11-slim-bookworm
# git fetches; tini reaps what a killed fetch leaves behind. A new volume for the artifacts belongs
# to whom their folder belongs to.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git tini ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/codeloom codeloom \
 && install --directory --owner=codeloom --group=codeloom /srv/codeloom/artifacts
COPY --from=build /opt/codeloom /opt/codeloom
COPY --chmod=0755 deploy/entrypoint.sh /usr/local/bin/codeloom-entrypoint
ENV PATH=/opt/codeloom/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CODELOOM_HOME=/var/lib/codeloom
USER codeloom
WORKDIR /var/lib/codeloom
EXPOSE 8000
ENTRYPOINT ["tini", "-g", "--", "codeloom-entrypoint"]
CMD ["api"]
