#!/bin/sh
# The commands of the image. Anything else is run as it stands (for example `codeloom --help`).
set -eu
command=${1:-api}
[ $# -eq 0 ] || shift
case "$command" in
  api)        export CODELOOM_HOST="${CODELOOM_HOST:-0.0.0.0}"
              exec python -m service.server ;;
  dispatcher) exec python -m workers.dispatcher "$@" ;;
  worker)     exec python -m celery -A workers.celery_app worker "$@" ;;
  # One group per queue: housekeeping and erasures do not wait behind ingestions.
  worker-*)   exec python -m workers.group "${command#worker-}" "$@" ;;
  beat)       exec python -m celery -A workers.celery_app beat --pidfile= \
                --schedule=/tmp/celerybeat-schedule "$@" ;;
  migrate)    exec codeloom migrate ;;
  *)          exec "$command" "$@" ;;
esac
