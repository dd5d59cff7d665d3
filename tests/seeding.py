"""Small graphs, published through the same doors as an ingestion uses."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from sqlalchemy import update

from graph.model.edges import Certainty, EdgeKind, Rule
from graph.model.ids import ApiKeyId, CredentialId, JobId, NodeId, RepositoryNumber, TenantId
from graph.model.limits import checked
from graph.model.nodes import NodeKind
from graph.model.rows import DocumentRow, DocumentRows, EdgeRow, NodeRow
from graph.model.symbols import definition_symbol, external_symbol, file_symbol, node_id
from graph.settings import Settings
from graph.storage import credentials, jobs, keyring, keys, publish, repositories, tenants
from graph.storage.load import open_load
from graph.storage.publish import NewSnapshot
from graph.storage.repositories import Repository
from graph.storage.reservations import Allowance
from graph.storage.session import system_session, tenant_session
from graph.storage.snapshots import Snapshot

COMMIT = "1" * 40

# More than any attempt of a test uses.
PLENTY = Allowance(clone_bytes=1 << 30, job_seconds=3600)


@dataclass
class Page:
    """One file in the making."""

    number: RepositoryNumber
    path: str
    language: str | None = "python"
    status: str = "parsed"
    skip_reason: str | None = None
    raw_path: bytes | None = None
    version: int = 1
    nodes: list[NodeRow] = field(default_factory=list)
    edges: list[EdgeRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        name = self.path.rpartition("/")[2]
        self.file = node_id(self.number, file_symbol(self.path))
        symbol = file_symbol(self.path)
        row = (self.file, int(NodeKind.FILE), name, self.path, 0, 1, 0, 1, 99, 0, "", "", symbol)
        self.nodes.append(row)

    def define(
        self,
        qualified_name: str,
        line: int,
        *,
        kind: NodeKind = NodeKind.FUNCTION,
        column: int = 4,
        end_line: int | None = None,
        parent: NodeId | None = None,
        flags: int = 1,
        doc: str = "",
    ) -> NodeId:
        """A definition in this file."""
        symbol = definition_symbol(self.path, f"{qualified_name}.")
        made = node_id(self.number, symbol)
        name = qualified_name.rpartition(".")[2]
        parent = self.file if parent is None else parent
        end = end_line or line + 1
        signature = f"def {name}()"
        self.nodes.append(
            (
                made,
                int(kind),
                name,
                qualified_name,
                parent,
                line,
                column,
                line,
                end,
                flags,
                signature,
                doc,
                symbol,
            )
        )
        return made

    def use(self, dotted: str, *, kind: NodeKind = NodeKind.EXTERNAL_SYMBOL) -> NodeId:
        """An external symbol, carried by this file."""
        symbol = external_symbol(dotted)
        made = node_id(self.number, symbol)
        name = dotted.rpartition(".")[2]
        self.nodes.append((made, int(kind), name, dotted, 0, 0, 0, 0, 0, 0, "", "", symbol))
        return made

    def link(
        self,
        source: NodeId,
        target: NodeId,
        line: int,
        column: int = 8,
        *,
        kind: EdgeKind = EdgeKind.CALLS,
        certainty: Certainty = Certainty.EXACT,
        rule: Rule = Rule.LEXICAL,
        candidates: int = 1,
    ) -> None:
        """An edge whose site is in this file."""
        self.edges.append(
            (source, target, int(kind), int(certainty), int(rule), candidates, line, column)
        )

    def rows(self) -> DocumentRows:
        """What is loaded."""
        raw = self.raw_path or self.path.encode()
        document = DocumentRow(
            path=raw,
            display_path=self.path,
            blob_sha="ab" * 20,
            language=self.language,
            fingerprint=f"facts {self.path} {self.version}".encode(),
            resolution=f"resolution {self.version}".encode(),
            status=self.status,
            skip_reason=self.skip_reason,
            lines=99,
            size_bytes=1234,
            resolved=len(self.edges),
            external=1,
            unresolved=1,
        )
        return DocumentRows(document, self.nodes, self.edges)


def allow(settings: Settings, tenant_id: TenantId, **limits: int) -> None:
    """Give the tenant limits of its own, and no others."""
    with system_session("administration", settings=settings) as connection:
        changed = update(tenants.tenants).where(tenants.tenants.c.tenant_id == tenant_id)
        connection.execute(changed.values(limits=checked(limits)))


def register(settings: Settings, tenant_id: TenantId, name: str = "shop") -> Repository:
    """A repository of the tenant."""
    with tenant_session(tenant_id, settings=settings) as connection:
        return repositories.register(connection, url=f"https://example.org/{name}", name=name)


def ingest(
    settings: Settings,
    tenant_id: TenantId,
    repository: Repository,
    pages: list[Page],
    *,
    commit: str = COMMIT,
    heads: tuple[str, ...] = ("HEAD", "main"),
) -> Snapshot:
    """A snapshot of these files, published by a job that went through all its states."""
    job_id, epoch = start(settings, tenant_id, repository)
    with open_load(tenant_id, repository=repository.number, settings=settings) as loader:
        for page in pages:
            loader.add(page.rows())
        loaded = loader.finish()
    with tenant_session(tenant_id, role="worker", settings=settings) as connection:
        return publish.publish(
            connection,
            job_id=job_id,
            epoch=epoch,
            snapshot=NewSnapshot(
                repository=repository.number,
                commit=commit,
                tree="2" * 40,
                pipeline="test",
                loaded=loaded,
                ref="main",
                heads=heads,
            ),
            report=report(pages, commit),
        )


def start(settings: Settings, tenant_id: TenantId, repository: Repository) -> tuple[JobId, int]:
    """A job that runs, and its epoch."""
    with tenant_session(tenant_id, settings=settings) as connection:
        job = jobs.request(connection, repository=repository)
    epoch = dispatch(settings, job.id)
    with tenant_session(tenant_id, role="worker", settings=settings) as connection:
        claimed = jobs.claim(
            connection,
            job_id=job.id,
            epoch=epoch,
            owner="test",
            lease_seconds=600,
            wanted=PLENTY,
        )
        assert claimed is not None
    return job.id, epoch


def report(pages: list[Page], commit: str) -> dict[str, Any]:
    """What a job reports about these files."""
    skipped: dict[str, int] = {}
    for page in pages:
        if page.skip_reason:
            skipped[page.skip_reason] = skipped.get(page.skip_reason, 0) + 1
    edges = sum(len(page.edges) for page in pages)
    return {
        "commit": commit,
        "ref": "main",
        "files": {
            "total": len(pages),
            "parsed": len(pages) - sum(skipped.values()),
            "reused": 0,
            "by_language": {"python": len(pages)},
            "skipped": skipped,
        },
        "lines": 99 * len(pages),
        "nodes": {"function": sum(len(page.nodes) for page in pages)},
        "edges": {"calls": edges},
        "certainty": {"exact": edges},
        "references": {"resolved": edges, "external": 0, "unresolved": len(pages)},
        "stages": [{"name": "parse", "wall_seconds": 1.0, "cpu_seconds": 2.0}],
        "lines_per_second": 99,
        "notes": [],
    }


def dispatch(settings: Settings, job_id: object) -> int:
    # Picked with the jobs of other tests that happen to wait; ours is among them in the end.
    for _ in range(1000):
        with system_session("dispatch", settings=settings) as connection:
            for picked in jobs.pick(connection, slots=10_000, lease_seconds=600):
                if picked.job_id == job_id:
                    return picked.epoch
    raise AssertionError("the job was not picked")


@dataclass(frozen=True)
class Shop:
    """The example that most tests read: two modules, an external package, a skipped file."""

    repository: Repository
    snapshot: Snapshot
    pages: list[Page]
    cart: NodeId
    add: NodeId
    total: NodeId
    checkout: NodeId
    money: NodeId
    dumps: NodeId
    # A key of the tenant that nobody uses.
    key_id: ApiKeyId
    credential_id: CredentialId


def shop(settings: Settings, tenant_id: TenantId, name: str = "shop") -> Shop:
    """`src/cart.py` and `src/checkout.py`, where the second calls the first."""
    repository = register(settings, tenant_id, name)
    number = repository.number
    cart_page = Page(number, "src/cart.py")
    cart = cart_page.define("Cart", 3, kind=NodeKind.CLASS, column=6, end_line=20)
    add = cart_page.define("Cart.add", 5, kind=NodeKind.METHOD, column=8, parent=cart)
    total = cart_page.define(
        "Cart.total", 9, kind=NodeKind.METHOD, column=8, parent=cart, doc="What it costs."
    )
    money = cart_page.define("money", 30)
    dumps = cart_page.use("json.dumps")
    cart_page.link(total, money, 10, 15)
    cart_page.link(add, dumps, 6, 8, rule=Rule.IMPORT)
    checkout_page = Page(number, "src/checkout.py")
    checkout = checkout_page.define("checkout", 4)
    checkout_page.use("json.dumps")
    checkout_page.link(checkout_page.file, cart, 1, 17, kind=EdgeKind.IMPORTS, rule=Rule.IMPORT)
    checkout_page.link(checkout, cart, 5, 11, kind=EdgeKind.INSTANTIATES, rule=Rule.IMPORT)
    checkout_page.link(
        checkout,
        add,
        6,
        9,
        certainty=Certainty.INFERRED,
        rule=Rule.INFERRED_TYPE,
    )
    checkout_page.link(checkout, add, 7, 9, certainty=Certainty.AMBIGUOUS, candidates=2)
    checkout_page.link(checkout, total, 7, 9, certainty=Certainty.AMBIGUOUS, candidates=2)
    checkout_page.link(checkout, dumps, 8, 4, rule=Rule.IMPORT)
    logo = Page(number, "logo.png", language=None, status="skipped", skip_reason="binary")
    odd = Page(number, "src/caf\\xe9.py", raw_path=b"src/caf\xe9.py")
    pages = [cart_page, checkout_page, logo, odd]
    snapshot = ingest(settings, tenant_id, repository, pages)
    with tenant_session(tenant_id, settings=settings) as connection:
        key, _ = keys.create(connection, tenant_id=tenant_id, scopes=["read"], name="spare")
        credential = credentials.create(
            connection,
            keyring.of(settings),
            name="deploy",
            kind="token",
            host="example.org",
            username=None,
            secret=SecretStr("nobody's"),
        )
    symbols = (cart, add, total, checkout, money, dumps)
    return Shop(repository, snapshot, pages, *symbols, key.id, credential.id)
