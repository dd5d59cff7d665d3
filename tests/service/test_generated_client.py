"""A client that is generated from the document does the main job, against all processes that run.

Nothing of the client is written here: whatever it can do, the document has said.
"""

import importlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from tests.workers.gitrepo import Repo

if TYPE_CHECKING:
    from tests.service.serving import Server
    from tests.workers.stand import Stand

NAME = "codeloom_client"
DEADLINE_SECONDS = 90
# What the generator has no reader for is read as text.
TEXT = {"application/x-ndjson": "text/plain"}

CART = """\
class Cart:
    def __init__(self):
        self.items = []

    def add(self, item):
        self.items.append(item)
"""
CHECKOUT = """\
from shop.cart import Cart


def checkout(items):
    cart = Cart()
    for item in items:
        cart.add(item)
    return cart


def gift(item):
    Cart().add(item)
"""


@pytest.fixture
def stand(fresh_database_url: str, redis_url: str, tmp_path: Path) -> Iterator["Stand"]:
    """A repository, and the dispatcher and the worker that ingest it."""
    from graph.settings import Settings
    from tests.workers.stand import Stand

    repo = Repo(tmp_path / "shop")
    repo.commit({"shop/__init__.py": "", "shop/cart.py": CART, "shop/checkout.py": CHECKOUT})
    settings = Settings(
        database_url=fresh_database_url,
        redis_url=redis_url,
        artifacts_url=f"file://{tmp_path / 'artifacts'}",
        codeloom_home=tmp_path / "home",
        allow_local_repositories=True,
        parse_processes=1,
        limits_patience_seconds=5,
    )
    with Stand(settings, repo) as running:
        running.start_dispatcher()
        running.start_worker()
        yield running


@pytest.fixture
def server(stand: "Stand", tmp_path: Path) -> Iterator["Server"]:
    from tests.service.serving import serving

    with serving(stand.settings, tmp_path) as running:
        yield running


@pytest.fixture
def package(server: "Server", tmp_path: Path) -> Iterator[Path]:
    """The generated client, which can be imported under its name."""
    folder = tmp_path / "generated" / NAME
    folder.parent.mkdir()
    config = Config.from_sources(
        # Its style is nobody's business.
        ConfigFile(content_type_overrides=TEXT, post_hooks=[]),
        MetaType.NONE,
        f"http://127.0.0.1:{server.port}/openapi.json",
        "utf-8",
        overwrite=False,
        output_path=folder,
    )
    assert [(each.header, each.detail) for each in generate(config=config)] == []
    sys.path.insert(0, str(folder.parent))
    yield folder
    sys.path.remove(str(folder.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


class Client:
    """Calls the generated functions by the ids of their operations."""

    def __init__(self, package: Path, port: int, key: str) -> None:
        self.models = importlib.import_module(f"{NAME}.models")
        self._modules = {
            path.stem: f"{NAME}.api.{path.parent.name}.{path.stem}"
            for path in package.glob("api/*/[a-z]*.py")
        }
        made = importlib.import_module(NAME).AuthenticatedClient
        self._client = made(
            base_url=f"http://127.0.0.1:{port}",
            token=key,
            raise_on_unexpected_status=True,
            timeout=30,
        )

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__(None, None, None)

    def operations(self) -> set[str]:
        for name in self._modules.values():
            importlib.import_module(name)
        return set(self._modules)

    def detailed(self, operation: str, *given: object, **more: object) -> Any:
        """The status and the headers, and what was made of the body."""
        function = importlib.import_module(self._modules[operation]).sync_detailed
        return function(*given, client=self._client, **more)

    def __call__(self, operation: str, *given: object, **more: object) -> Any:
        answer = self.detailed(operation, *given, **more).parsed
        assert not isinstance(answer, self.models.Problem), answer
        return answer


@pytest.fixture
def client(stand: "Stand", server: "Server", package: Path) -> Iterator[Client]:
    from tests.service.conftest import make_tenant

    with Client(package, server.port, make_tenant(stand.settings).admin) as made:
        yield made


def test_a_generated_client_does_the_main_job(
    client: Client, stand: "Stand", server: "Server"
) -> None:
    document = json.loads(server.get("/openapi.json").body)
    described = {
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    }
    assert client.operations() == described

    repository = registered(client, stand.repo)
    job = ingested(client, repository)
    assert job.snapshot_id is not None
    asked_about(client, repository, job.snapshot_id)
    walked(client, repository)
    refused(client)
    accounted(client, repository, job.id)
    assert server.healthy()


def registered(client: Client, repo: Repo) -> UUID:
    body = client.models.NewRepository(url=repo.path.as_uri(), name="acme/shop")
    answer = client.detailed("register_repository", body=body)
    assert answer.status_code == 201
    assert answer.parsed.name == "acme/shop"
    assert isinstance(answer.parsed.id, UUID)
    assert answer.parsed.created_at.tzinfo is not None
    assert answer.headers["location"] == f"/v1/repositories/{answer.parsed.id}"
    (listed,) = client("list_repositories").items
    assert listed == answer.parsed == client("get_repository", answer.parsed.id)
    return answer.parsed.id


def ingested(client: Client, repository: UUID) -> Any:
    """The job of an ingestion that was asked for twice with one idempotency key, when it ended."""
    wanted = {"body": client.models.Ingestion(ref="main"), "idempotency_key": str(uuid4())}
    first = client.detailed("request_ingestion", repository, **wanted)
    again = client.detailed("request_ingestion", repository, **wanted)
    assert first.status_code == again.status_code == 202
    assert first.parsed == again.parsed
    assert again.headers["idempotency-replayed"] == "true"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (job := client("get_job", first.parsed.id)).finished_at is None:
        assert time.monotonic() < deadline, job
        time.sleep(0.1)
    assert job.state is client.models.JobState.SUCCEEDED, job
    assert job.error is None
    assert job.report["files"]["total"] == 3
    assert job.finished_at > job.created_at
    # Nothing has changed since: whoever asks without a body gets the same snapshot.
    assert client.detailed("request_ingestion", repository).status_code == 202
    return job


def asked_about(client: Client, repository: UUID, snapshot: UUID) -> None:
    methods = [client.models.NodeKindName.METHOD]
    found = client("search_symbols", repository, q="Cart.add", kind=methods)
    assert found.snapshot.id == snapshot
    assert found.coverage.files == 3
    (add,) = [symbol for symbol in found.items if symbol.name == "add"]
    assert add.kind is client.models.NodeKindName.METHOD
    callers = client("list_callers", repository, add.id)
    assert {link.symbol.qualified_name for link in callers.items} == {"checkout", "gift"}
    for link in callers.items:
        assert link.edge.kind is client.models.EdgeKindName.CALLS
        assert link.edge.site.path == "shop/checkout.py"
    told = client.detailed("get_symbol", repository, add.id)
    assert told.parsed.symbol.signature == add.signature
    seen = client.detailed("get_symbol", repository, add.id, if_none_match=told.headers["etag"])
    assert (seen.status_code, seen.content) == (304, b"")
    outline = client("get_outline", repository, "shop/cart.py")
    assert "add" in {symbol.name for symbol in outline.items}


def walked(client: Client, repository: UUID) -> None:
    """Every page of a list, one item on each."""
    paths = []
    more: dict[str, Any] = {}
    for _ in range(4):
        page = client("list_files", repository, limit=1, **more)
        paths += [file.path for file in page.items]
        more = {"cursor": page.next_cursor}
        if page.next_cursor is None:
            break
    assert paths == ["shop/__init__.py", "shop/cart.py", "shop/checkout.py"]
    assert page.next_cursor is None
    assert page.items[0].status is client.models.FileStatus.PARSED


def refused(client: Client) -> None:
    absent = client.detailed("get_repository", uuid4())
    assert absent.status_code == 404
    assert isinstance(absent.parsed, client.models.Problem)
    assert absent.parsed.code == "repository_not_found"
    assert absent.parsed.action
    assert absent.parsed.request_id == absent.headers["x-request-id"]
    wrong = client.models.NewRepository(url="ftp://example.org/x")
    told = client.detailed("register_repository", body=wrong)
    assert (told.status_code, told.parsed.code) == (422, "remote_not_allowed")
    odd = client.detailed("list_repositories", limit=0)
    assert [place.location for place in odd.parsed.errors] == ["query.limit"]


def accounted(client: Client, repository: UUID, job: UUID) -> None:
    used = {each.resource: each for each in client("get_usage").resources}
    assert used["repositories"].used == 1
    assert used["files"].used == 3
    assert used["job_minutes"].resets_at is not None
    events = client("list_audit_events").items
    succeeded = client.models.OutcomeName.SUCCEEDED
    done = [(event.action, event.target.id) for event in events if event.outcome is succeeded]
    assert ("register_repository", str(repository)) in done
    assert ("request_ingestion", str(job)) in done
    assert events[-1].actor.kind is client.models.ActorKind.KEY
    lines = client("export_audit_events").splitlines()
    assert {json.loads(line)["id"] for line in lines} == {str(event.id) for event in events}
