"""Where requests are tried out: a running server with two twin tenants, and how to ask it."""

import itertools
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import requests
from schemathesis import Case, CheckContext, Response
from schemathesis.core.parameters import ParameterLocation

from graph.storage import erasures, plans, tenants
from graph.storage.session import system_session
from tests.service.fuzz.described import OPERATED
from tests.service.isolation.building import place
from tests.service.isolation.wire import ids_in
from tests.service.isolation.world import Side, World

if TYPE_CHECKING:
    from graph.settings import Settings
    from tests.service.serving import Server

PLAYED_WITH = "played with"
# In a path these name what a tenant has.
OWNED = {"repository_id", "job_id", "task_id", "snapshot_id", "credential_id", "api_key_id"}
CheckFunction = Callable[[CheckContext, Response, Case], bool | None]

# What is good of a field whose schema cannot say it.
SAYABLE: dict[str, Callable[[Any], Any]] = {
    "url": lambda url: f"https://example.org/{len(url)}",
    "host": lambda _: "git.example.org",
    "plan": lambda plan: plan and "standard",
    "expires_at": lambda at: at and (datetime.now(UTC) + timedelta(days=1)).isoformat(),
}


@dataclass
class Grounds:
    """The server, the tenants in turn, and what there is of each."""

    server: "Server"
    settings: "Settings"
    world: World
    session: requests.Session
    turns: Iterator[Side] = field(init=False)
    number: Iterator[int] = field(default_factory=itertools.count)
    # Ids that a tenant named in a request: what is told of that later may repeat them.
    named: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    own_keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.turns = itertools.cycle((self.world.one, self.world.other))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def renewed(self) -> "Grounds":
        """With something new of each tenant, that may be changed and removed."""
        number = next(self.number)
        one, other = (
            replace(side, twin=place(self.settings, side.tenant_id, f"{side.mark}-{number}"))
            for side in (self.world.one, self.world.other)
        )
        found = self.world.ids_of
        ids_of = {side.mark: found[side.mark] | {*side.twin.values()} for side in (one, other)}
        return replace(self, world=replace(self.world, one=one, other=other, ids_of=ids_of))

    def operated(self) -> dict[str, str]:
        """A tenant, a plan and an erasure for operators, on which nothing else depends."""
        with system_session("administration", settings=self.settings) as connection:
            plan = plans.create(connection, code=f"fuzz-{uuid4().hex[:8]}").code
            tenant = tenants.create(connection, name=PLAYED_WITH, plan=plan)
            gone = tenants.create(connection, name="on its way out", plan=plan)
            erasure = erasures.request(connection, tenant_id=gone.id)
        return {"tenant_id": str(tenant.id), "plan": plan, "erasure_id": str(erasure.id)}

    def ask(self, case: Case, operated: Mapping[str, str]) -> None:
        """Ask as an operator, or as one tenant and then the other; fail for any odd answer."""
        number = _digest(case)
        if case.path.startswith(OPERATED):
            put_right(case, operated if number % 2 else {})
            case.call_and_validate(**self.how(self.world.operator))
            return
        side = next(self.turns)
        # What the tenant has, what nobody has, and what only the other one has.
        stranger = self.world.stranger(side)
        put_right(case, (side.twin, side.own, {}, stranger.own)[number % 4])
        checks = [self.nothing_of_the_other(side)]
        case.call_and_validate(**self.how(side.keys["admin"]), additional_checks=checks)

    def is_kept_from_the_other(self, side: Side, case: Case) -> bool:
        """Whether the request was about something of this tenant, which the other one has not."""
        if not OWNED & (case.path_parameters or {}).keys():
            return False
        other = self.world.stranger(side)
        answer = case.call(**self.how(other.keys["admin"]))
        assert answer.status_code == 404, answer.text
        return True

    def spare(self, side: Side, case: Case) -> None:
        """Nothing is done to the key that a tenant asks with: it would be its last request."""
        if side.mark not in self.own_keys:
            asked = {"headers": self.how(side.keys["admin"])["headers"], "timeout": 10}
            self.own_keys[side.mark] = self.session.get(f"{self.url}/v1/tenant", **asked).json()[
                "key_id"
            ]
        if (case.path_parameters or {}).get("api_key_id") == self.own_keys[side.mark]:
            case.path_parameters["api_key_id"] = str(uuid4())

    def how(self, key: str) -> dict[str, Any]:
        """How the library is to ask with this key."""
        return {
            "base_url": self.url,
            "session": self.session,
            # Spelled as the library looks for it when it tries the same without a key.
            "headers": {"Authorization": f"Bearer {key}"},
        }

    def nothing_of_the_other(self, side: Side) -> CheckFunction:
        """A check that an answer to one tenant tells nothing of the other one."""
        other = self.world.stranger(side)

        def check(_context: CheckContext, response: Response, _case: Case) -> None:
            self.named[side.mark] |= ids_in(f"{response.request.url} {response.request.body!r}")
            told = f"{response.headers} {response.text}"
            assert other.mark not in told
            assert ids_in(told) & self.world.ids_of[other.mark] - self.named[side.mark] == set()

        return check


def apart(superuser: psycopg.Connection[Any], world: World) -> None:
    """The tenants are on a plan that no request can name."""
    superuser.execute("insert into codeloom.plans (code, title, weight) values ('twins', '', 1)")
    both = [world.one.tenant_id, world.other.tenant_id]
    superuser.execute(
        "update codeloom.tenants set plan = 'twins' where tenant_id = any(%s)", [both]
    )


def put_right(case: Case, known: Mapping[str, str]) -> None:
    """Say what a schema cannot say, wherever a request is meant to be good.

    Ids are those of things that there are, a cursor is left out, one thing at most chooses the
    snapshot, an address is one of a Git host, a key ends in the future, a plan is one that there
    is, a tenant is named by its name, a job is about a repository, nothing changed meanwhile, and
    no idempotency key was used before.
    """
    if _is_good(case, ParameterLocation.PATH):
        found = case.path_parameters or {}
        case.path_parameters = {
            # What follows from a field that was null is about nothing that there is.
            name: known.get(name, value if value not in {None, "None", "null"} else str(uuid4()))
            for name, value in found.items()
        }
    if _is_good(case, ParameterLocation.QUERY) and case.query:
        query = {name: value for name, value in case.query.items() if name != "cursor"}
        for more in [name for name in ("ref", "commit", "snapshot") if name in query][1:]:
            del query[more]
        case.query = query
    if _is_good(case, ParameterLocation.HEADER) and case.headers:
        case.headers.pop("if-match", None)
        if "idempotency-key" in case.headers:
            case.headers["idempotency-key"] = str(uuid4())
        if case.headers.get("last-event-id") == "0":
            # What the library takes for the shortest text of every pattern.
            case.headers["last-event-id"] = "0-0"
    if _is_good(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        case.body = _put_right(case.path, case.body, known)


def _put_right(path: str, body: dict[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    right = {name: SAYABLE.get(name, lambda value: value)(value) for name, value in body.items()}
    if path.endswith("/erase"):
        right = {"name": PLAYED_WITH}
    if path.endswith("/{tenant_id}") and right.get("name"):
        right["name"] = PLAYED_WITH  # or nobody could erase it afterwards
    if "parameters" in right:
        right["parameters"] = {"repository_id": known.get("repository_id", str(uuid4()))}
    return right


def _is_good(case: Case, location: ParameterLocation) -> bool:
    made = case.meta.components.get(location) if case.meta is not None else None
    return made is None or made.mode.is_positive


def _digest(case: Case) -> int:
    """The same number for the same request, so that one that fails can be repeated."""
    return zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
