"""Logs of a process: events with fields, one line each, to standard error.

Who works for whom (`tenant_id`, `job_id`, `request_id`) is said once, by whoever begins a request
or a task, and stands on every line of it, also of its threads. Never logged: source text, names and
paths of a tenant, credentials, addresses with passwords.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from typing import Literal, ParamSpec, TypeVar
from uuid import UUID

import structlog

from graph.redaction import redacted

Given = ParamSpec("Given")
Result = TypeVar("Result")


def begin(**ids: UUID | str | int) -> None:
    """A request or a task begins: from now on its lines carry these ids, and those of no other."""
    structlog.contextvars.clear_contextvars()
    identify(**ids)


def identify(**ids: UUID | str | int) -> None:
    """From now on the lines of this request or task carry these ids as well."""
    structlog.contextvars.bind_contextvars(**_printed(ids))


def about(**ids: UUID | str | int) -> AbstractContextManager[None]:
    """The lines within the block carry these ids as well."""
    return structlog.contextvars.bound_contextvars(**_printed(ids))


def carried(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """The function, to be called once in another thread: its lines carry the ids of this one."""
    return partial(copy_context().run, function)


def _printed(ids: Mapping[str, UUID | str | int]) -> dict[str, str | int]:
    return {name: str(id_) if isinstance(id_, UUID) else id_ for name, id_ in ids.items()}


def configure(
    process: str,
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["console", "json"] = "console",
) -> None:
    """Every log line of this process, also of libraries, has one form from now on."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(process),
    ]
    structlog.configure(
        processors=[
            # Not by the wrapper's class: a logger that was used keeps that, whatever we say later.
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(form),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries speak at "warning" at the earliest: their "info" is noise for an operator.
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    for room in ("service", "workers", "graph", "parsers", "__main__"):
        logging.getLogger(room).setLevel(_LEVELS[level])


_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def _naming(process: str) -> structlog.typing.Processor:
    def name(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event.setdefault("process", process)
        return event

    return name


def _rendering(form: Literal["console", "json"]) -> list[structlog.typing.Processor]:
    # The line as it will be written, so that no field and no traceback is overlooked.
    if form == "json":
        whole = structlog.processors.JSONRenderer()
        return [structlog.processors.format_exc_info, whole, _hide_secrets]
    # The renderer's own tracebacks show the local variables: source text and credentials.
    plain = structlog.dev.plain_traceback
    colors = sys.stderr.isatty()
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain), _hide_secrets]


def _hide_secrets(
    _logger: object, _method: str, line: structlog.typing.EventDict | str
) -> structlog.typing.EventDict | str:
    # By its type it could be an event still; behind a renderer it is a line.
    return redacted(line) if isinstance(line, str) else line
