#!/bin/sh
# The commands of the image. Anything else is run as it stands (for example `codeloom --help`).
set -eu
command=${1:-api}
[ $# -eq 0 ] || shift
case "$command" in
  api)        exec python -m uvicorn service.app:app --host 0.0.0.0 --port 8000 \
                --no-access-log --timeout-graceful-shutdown 10 "$@" ;;
  dispatcher) exec python -m workers.dispatcher "$@" ;;
  worker)     exec python -m celery -A workers.celery_app worker "$@" ;;
  beat)       exec python -m celery -A workers.celery_app beat --pidfile= \
                --schedule=/tmp/celerybeat-schedule "$@" ;;
  migrate)    exec codeloom migrate ;;
  *)          exec "$command" "$@" ;;
esac
