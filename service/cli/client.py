"""A client of the HTTP API, and how a command finds the API it is to ask."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NoReturn, Self

import httpx

from graph.settings import Settings
from service.cli import kept
from service.cli.screen import CommandFailed, remarks

# What to do, where the API says it in terms of its own addresses.
_HINTS = {
    "file_not_found": "`codeloom query files` lists the files of the commit.",
    "snapshot_not_found": "Ingest it first: `codeloom ingest PATH|URL --ref REF`.",
    "symbol_not_found": "`codeloom query symbols NAME` finds its id.",
}
_TIMEOUT = httpx.Timeout(30, connect=5)


class ApiProblem(CommandFailed):
    """The API answered with an error."""

    code = "api_problem"

    def __init__(self, problem: Mapping[str, Any]) -> None:
        """What the API said went wrong."""
        hint = _HINTS.get(str(problem.get("code")), str(problem.get("action", "")))
        super().__init__(str(problem.get("detail")), hint)
        self.problem = problem

    @property
    def reason(self) -> str:
        """The stable code of the problem."""
        return str(self.problem.get("code"))


class Unreachable(CommandFailed):
    """Nothing answers at the API's address."""

    code = "api_unreachable"


class Client:
    """The API as this command's key sees it."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self._http = httpx.Client(
            base_url=address,
            headers={"authorization": f"Bearer {key}"},
            timeout=_TIMEOUT,
            # A proxy of the environment is meant for the internet.
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, /, **query: Any) -> Any:  # noqa: ANN401 - JSON
        """The JSON answer to a read; parameters that are None are left out.

        Raises ApiProblem for an error, CommandFailed when the API cannot be reached.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, params=given)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """The JSON answer to a write. Raises as `get`."""
        return self._ask("POST", path, json=body)

    def pages(self, path: str, /, *, limit: int, **query: Any) -> dict[str, Any]:  # noqa: ANN401
        """Up to `limit` items of a list, with the rest of its last page's answer."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            size = max(1, min(500, limit - len(items)))
            page: dict[str, Any] = self.get(path, limit=size, cursor=cursor, **query)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None or len(items) >= limit:
                return {**page, "items": items}

    @contextmanager
    def stream(self, path: str, *, after: str | None = None) -> Iterator[httpx.Response]:
        """An answer that goes on, from behind the event of this id; it is read as it comes.

        Raises as `get` before it begins, httpx.TransportError when it breaks off.
        """
        headers = {"accept": "text/event-stream"}
        if after is not None:
            headers["last-event-id"] = after
        request = self._http.build_request("GET", path, headers=headers)
        answer = self._sent(request, stream=True)
        try:
            if not answer.is_success:
                answer.read()
                self._fail(answer)
            yield answer
        finally:
            answer.close()

    def _ask(self, method: str, path: str, **arguments: Any) -> Any:  # noqa: ANN401
        answer = self._sent(self._http.build_request(method, path, **arguments))
        if not answer.is_success:
            self._fail(answer)
        return answer.json() if answer.content else None

    def _sent(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            return self._http.send(request, stream=stream)
        except httpx.TransportError as error:
            raise Unreachable(
                f"Nothing answers at {self.address} ({type(error).__name__}).",
                "Start a server with `codeloom up`, or check CODELOOM_API_URL.",
            ) from error

    def _fail(self, answer: httpx.Response) -> NoReturn:
        try:
            raise ApiProblem(answer.json())
        except ValueError as error:
            raise CommandFailed(
                f"{self.address} answered {answer.status_code} without saying why.",
                "Check that CODELOOM_API_URL is the address of a Codeloom API.",
            ) from error


@contextmanager
def connected(settings: Settings, *, start: bool) -> Iterator[Client]:
    """The API to ask: the one that the settings name, else the stack of `CODELOOM_HOME`.

    A stack that does not run is started for the time of the context if `start` says so. Raises
    CommandFailed when there is nothing to ask, and whatever keeps the stack from starting.
    """
    if settings.codeloom_api_url is not None:
        if settings.codeloom_api_key is None:
            raise CommandFailed("CODELOOM_API_URL is set, but CODELOOM_API_KEY is not.")
        with Client(settings.codeloom_api_url, settings.codeloom_api_key) as client:
            yield client
        return
    with _of_stack(settings, start=start) as client:
        yield client


@contextmanager
def _of_stack(settings: Settings, *, start: bool) -> Iterator[Client]:
    from service.embedded.state import StateDirectory

    server = StateDirectory(settings.codeloom_home).running()
    if server is not None and server.address is None:
        raise CommandFailed(
            f"Another command is working on {settings.codeloom_home}.",
            "Wait until it has ended, or set CODELOOM_HOME to another directory.",
        )
    if server is not None and server.address is not None:
        with Client(server.address, _key(settings, server.address)) as client:
            yield client
    elif start:
        with _started(settings) as client:
            yield client
    else:
        raise CommandFailed(
            f"No server runs on {settings.codeloom_home}.",
            "Start one with `codeloom up`, or set CODELOOM_API_URL and CODELOOM_API_KEY.",
        )


@contextmanager
def _started(settings: Settings) -> Iterator[Client]:
    from service.cli.seed import ensure_key
    from service.embedded import services, stack

    # Nobody else needs to find this server: any free port will do.
    anywhere = settings.model_copy(update={"codeloom_port": 0})
    with stack.opened(anywhere, everything=True, say=_say) as opened:
        key = settings.codeloom_api_key or ensure_key(opened).secret
        with Client(services.address(opened), key) as client:
            yield client


def _key(settings: Settings, address: str) -> str:
    """The key that is kept, if it still opens the API; else a new one."""
    known = settings.codeloom_api_key or kept.read(settings)
    if known is not None:
        with Client(address, known) as client:
            try:
                client.get("/v1/tenant")
            except ApiProblem as problem:
                if problem.problem.get("status") != httpx.codes.UNAUTHORIZED:
                    raise
            else:
                return known
    # Only now, because whatever speaks to the database takes long to import.
    from service.cli.seed import ensure_key
    from service.embedded import stack

    with stack.opened(settings) as opened:
        return ensure_key(opened).secret


def _say(line: str) -> None:
    remarks().print(f"codeloom: {line}", style="dim")
