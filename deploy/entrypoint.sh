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
  worker-git | worker-parse | worker-maintenance)
              group=${command#worker-}
              exec python -m celery -A workers.celery_app worker \
                --queues="$group" --hostname="$group@%h" "$@" ;;
  # A graphics processor is used by one process.
  worker-embed)
              exec python -m celery -A workers.celery_app worker \
                --queues=embed --hostname=embed@%h --pool=solo "$@" ;;
  beat)       exec python -m celery -A workers.celery_app beat --pidfile= \
                --schedule=/tmp/celerybeat-schedule "$@" ;;
  migrate)    exec codeloom migrate ;;
  *)          exec "$command" "$@" ;;
esac
