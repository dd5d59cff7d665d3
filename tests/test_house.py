"""The rules of the house that no linter holds."""

import ast
import builtins
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

import pytest

from graph.model.edges import EDGE_KINDS, RULES, Certainty, EdgeKind, Rule
from graph.model.nodes import NODE_KINDS, NodeKind
from graph.storage.tables import GLOBAL_TABLES, metadata

ROOT = Path(__file__).parent.parent
ROOMS = ("service", "workers", "graph", "parsers")
MODULE_LINES = 300
FUNCTION_LINES = 40
# A name that says nothing about what is inside.
DRAWERS = {"utils", "util", "common", "core", "base", "helpers", "misc"}
# From the glossary's "avoid" column: words that have a better one here, and no other meaning.
AVOIDED = {
    "tenant": {"org", "organisation", "organization", "workspace", "customer"},
    "caller": {"principal", "current_user"},
    "node, edge": {"vertex", "vertices"},
    "certainty": {"confidence", "probability"},
    "qualified name": {"full_name", "fqn"},
    "publish": {"activate_snapshot", "swap_snapshot"},
    "moniker": {"global_id"},
}
# What stored rows mean. A line may be added; none may be changed or removed.
STORED_CODES: dict[type[IntEnum], str] = {
    NodeKind: "file module namespace package class interface trait struct enum enum_member"
    " function method constructor property field variable constant parameter type_alias macro"
    " external_symbol external_package",
    EdgeKind: "contains defines imports calls instantiates references reads writes extends"
    " implements overrides decorates type_of depends_on",
    Certainty: "exact inferred ambiguous",
    Rule: "lexical import wildcard package module_member receiver declared_type inferred_type"
    " super inherited builtin structure flow",
}
# Written in halves, so that this file does not hold what it looks for.
REGISTRIES = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "deb." + "debian.org",
)
MACHINE_PATH = re.compile(r"(?<![A-Za-z0-9_./>-])/(?:work|farm)/")


def tracked() -> list[Path]:
    """Every file that git knows, and those it will when they are added."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def modules() -> list[Path]:
    """The Python modules of the four rooms."""
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Each module of the four rooms by its path, read as a syntax tree."""
    for path in modules():
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()
    }
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{name}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }
    assert long == {}


def test_no_module_is_a_drawer() -> None:
    assert [
        str(path) for path in modules() if path.stem in DRAWERS or path.parent.name in DRAWERS
    ] == []


def test_words_that_have_a_better_one_are_not_identifiers() -> None:
    avoided = {word: better for better, words in AVOIDED.items() for word in words}
    found = [
        f"{name}:{line} {identifier}: say {avoided[identifier]}"
        for name, tree in trees()
        for identifier, line in _declared(tree)
        if identifier in avoided
    ]
    assert found == []


def _declared(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
            case ast.arg():
                yield node.arg, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno


def test_every_error_says_what_it_means_and_has_a_code_of_its_own() -> None:
    errors = _error_classes()
    undocumented = [name for name, node in errors.items() if not ast.get_docstring(node)]
    codes = {name: code for name, node in errors.items() if (code := _code(node)) is not None}
    shared = [code for code, times in Counter(codes.values()).items() if times > 1]
    # What parsers raise ends inside them as a skip with a reason; the other rooms need a code.
    outside = {
        node.name
        for name, tree in trees()
        if name[:7] != "parsers"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    without = [
        name for name in errors.keys() & outside if not _code_or_inherited(errors[name], errors)
    ]
    assert (undocumented, shared, without) == ([], [], [])


def _error_classes() -> dict[str, ast.ClassDef]:
    """The public exception classes of the rooms by name."""
    classes = {
        node.name: node
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    roots = {
        name
        for name, value in vars(builtins).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    errors: dict[str, ast.ClassDef] = {}
    grown = True
    while grown:
        grown = False
        for name, node in classes.items():
            bases = {base.id if isinstance(base, ast.Name) else "" for base in node.bases}
            if name not in errors and bases & (roots | errors.keys()):
                errors[name] = node
                grown = True
    return {name: node for name, node in errors.items() if not name.startswith("_")}


def _code(node: ast.ClassDef) -> str | None:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                return code
            case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str(code))):
                return code
    return None


def _code_or_inherited(node: ast.ClassDef, errors: dict[str, ast.ClassDef]) -> bool:
    if _code(node) is not None:
        return True
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return any(_code_or_inherited(errors[base], errors) for base in bases if base in errors)


def test_a_broad_except_stands_only_where_an_outcome_is_decided() -> None:
    # The task that maps an error to retry, later or fail; the handler that maps it to a status;
    # the guard around one file, which records the fault and goes on.
    allowed = re.compile(r"^(workers/tasks/|service/errors\.py|parsers/sandbox/child\.py)")
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        and not allowed.match(name)
    ]
    assert found == []


def test_nothing_is_promised_for_later_and_no_test_is_passed_over() -> None:
    promise = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
    passed_over = re.compile(r"pytest\.(mark\.)?(" + "sk" + r"ip|xf" + r"ail)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*modules(), *(ROOT / "tests").rglob("test_*.py")]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if promise.search(line) or passed_over.search(line)
    ]
    assert found == []


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        text = path.read_bytes().decode(errors="replace")
        if any(host in text for host in REGISTRIES) or MACHINE_PATH.search(text):
            found.append(str(path.relative_to(ROOT)))
    assert found == []


def test_names_of_tenants_are_made_in_one_place() -> None:
    # What keys of Redis, keys of objects and names of locks begin with, and what makes a lock.
    begins = re.compile(r"codeloom:(?! )|t/|t$")
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        if name != "graph/model/names.py"
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (
                begins.match(node.value)
                or ("pg_advisory" in node.value and name != "graph/storage/locks.py")
            )
        )
        or (isinstance(node, ast.Call) and _called(node) == "LockName")
    ]
    assert found == []


def test_whom_work_is_for_is_said_in_one_place_and_carried_into_every_thread() -> None:
    only_in = {
        "contextvars": "graph/telemetry.py",  # as in structlog.contextvars
        "send_task": "workers/messages.py",
        "apply_async": "workers/messages.py",
        "delay": "workers/messages.py",
    }
    elsewhere = [
        f"{name}:{node.lineno} {node.attr}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and only_in.get(node.attr, name) != name
    ]
    forgotten = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (_called(node) == "submit" and not _is_carried(node.args[0]))
            or (
                _called(node) == "Thread"
                and not any(
                    word.arg == "target" and _is_carried(word.value) for word in node.keywords
                )
            )
        )
    ]
    assert (elsewhere, forgotten) == ([], [])


def _is_carried(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Call) and _called(argument) == "carried"


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def test_every_statement_about_what_tenants_have_names_the_tenant() -> None:
    # What works over all tenants, by roles of its own: chooses jobs, takes them back, counts how
    # the queue stands, and removes what is past its time.
    over_all = {
        "graph/storage/jobs/dispatching.py",
        "graph/storage/jobs/reaping.py",
        "graph/storage/jobs/standing.py",
        "graph/storage/retention.py",
    }
    tables = "|".join(sorted(set(metadata.tables) - set(GLOBAL_TABLES)))
    about = re.compile(rf"\b(from|join|update|using|into)\s+({tables})\b", re.IGNORECASE)
    unnamed = {
        name
        for name, tree in trees()
        for node in _texts(tree)
        if about.search(node.value) and ":tenant" not in node.value
    }
    assert unnamed == over_all


def _texts(tree: ast.Module) -> Iterator[ast.Constant]:
    """The texts of a module that are not documentation."""
    told = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node


@pytest.mark.parametrize("codes", STORED_CODES, ids=lambda codes: codes.__name__)
def test_stored_codes_never_change_their_meaning(codes: type[IntEnum]) -> None:
    recorded = {name: code for code, name in enumerate(STORED_CODES[codes].split(), 1)}
    assert {member.name.lower(): member.value for member in codes} == recorded


def test_every_stored_kind_and_rule_has_its_sentence() -> None:
    assert [row.kind for row in NODE_KINDS] == list(NodeKind)
    assert [row.kind for row in EDGE_KINDS] == list(EdgeKind)
    assert [row.rule for row in RULES] == list(Rule)
    meanings = [row.meaning for row in (*NODE_KINDS, *EDGE_KINDS, *RULES)]
    assert [meaning for meaning in meanings if not meaning.endswith(".")] == []
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-dev.lock", "requirements-bootstrap.lock"]
)
def test_every_locked_requirement_is_pinned_by_version_and_hash(lock: str) -> None:
    entries = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    assert entries
    loose = [
        entry
        for entry in entries
        if not re.match(r"^[a-z0-9.\[\],-]+==\S+ .*--hash=sha256:", entry)
    ]
    assert loose == []
    assert "://" not in (ROOT / lock).read_text()


def test_the_runtime_lock_is_part_of_the_development_lock() -> None:
    pins = {
        lock: set(re.findall(r"^(\S+==\S+)", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    }
    assert pins["requirements.lock"] - pins["requirements-dev.lock"] == set()


def test_every_declared_dependency_is_locked() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[a-z0-9-]+", line).group() for line in declared}  # type: ignore[union-attr]
    lock = (ROOT / "requirements.lock").read_text()
    assert {name for name in names if not re.search(rf"^{name}==", lock, re.MULTILINE)} == set()


def test_every_target_of_the_makefile_says_what_it_is_for() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE).group(1).split())  # type: ignore[union-attr]
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert phony == explained
