"""The command line against a real stack: what is printed, and what the exit code says."""

import re
import stat
from collections.abc import Iterator

import pytest

from tests.service.cli.shell import CART, CHECKOUT, Shell
from tests.workers.gitrepo import Repo


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    repo = Repo(tmp_path_factory.mktemp("work") / "shop")
    repo.commit(
        {
            "shop/__init__.py": "",
            "shop/cart.py": CART,
            "shop/checkout.py": CHECKOUT,
            "logo.png": b"\x89PNG\r\n\x1a\n\0\0",
        }
    )
    return repo


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, repository: Repo) -> Iterator[Shell]:
    """A shell beside a running stack, with the repository ingested."""
    shell = Shell(tmp_path_factory.mktemp("home"), repository.path / "shop")
    with shell.serving() as printed:
        shell.run("ingest", str(repository.path))
        yield shell
    assert re.search(r"^Documentation +http://127\.0\.0\.1:\d+/docs$", printed[0], re.MULTILINE)


def test_an_ingestion_ends_with_a_summary(shell: Shell, repository: Repo) -> None:
    out, err = shell.run("ingest", str(repository.path), "--force")
    for part in (
        r"shop at [0-9a-f]{12} \(main\) 4 files, 3 parsed",
        r"language +files\npython +3",
        r"skipped because +files\n\w+ +1",
        r"node +count",
        r"edge +count",
        r"exact +\d+ +[\d.]+%",
        r"stage +wall s +CPU s",
        r"total +[\d.]+ +[\d.]+",
        r"[\d,]+ lines a second",
    ):
        assert re.search(part, out), part
    assert "codeloom: shop:" in err


def test_the_same_can_be_had_as_json(shell: Shell, repository: Repo) -> None:
    job = shell.json("ingest", str(repository.path), "--force")
    assert job["state"] == "succeeded"
    assert job["report"]["files"]["total"] == 4
    assert sum(job["report"]["files"]["skipped"].values()) == 1
    assert {"checkout", "parse", "publish"} <= {one["name"] for one in job["report"]["stages"]}


def test_a_folder_inside_of_a_work_tree_stands_for_the_whole(shell: Shell) -> None:
    assert shell.json("ingest", ".")["repository"]["name"] == "shop"


@pytest.mark.parametrize(
    ("arguments", "says", "advises"),
    [
        (["/nowhere/at/all"], "There is nothing at /nowhere/at/all.", "https URL"),
        (["/"], "not_a_repository", "folder that holds its .git"),
        ([".", "--ref", "missing"], "ref_not_found", "branch or tag"),
        (["http://example.org/x"], "https", "ALLOW_LOCAL_REPOSITORIES"),
        (["https://user:hunter2@example.org/x"], "password", "https URL"),
        (["https://127.0.0.1:1/x"], "host_unreachable", "Check the address"),
        ([""], "The address is empty.", "https URL"),
        (["  "], "The address is empty.", "https URL"),
        (["git@github.com:pallets/flask.git"], "SSH", "https://github.com/pallets/flask.git"),
        (["ssh://me:hunter2@example.org/x"], "SSH", "https://example.org/x"),
        ([".", "--ref", "0123456"], "ref_not_found", "whole id"),
    ],
)
def test_what_cannot_be_ingested_is_said_with_advice_and_a_code(
    arguments: list[str], says: str, advises: str, shell: Shell
) -> None:
    out, err = shell.run("ingest", *arguments, code=1)
    assert out == ""
    assert says in err
    assert advises in err
    assert "hunter2" not in err


def test_the_beginning_of_a_commits_id_is_not_kept_as_a_ref(shell: Shell) -> None:
    commit = shell.json("query", "symbols", "Cart")["snapshot"]["commit"]
    for length in (7, 12, 39):
        _, err = shell.run("ingest", ".", "--ref", commit[:length], code=1)
        assert f"the beginning of a commit's id, which has to be given whole: {commit}." in err
        _, err = shell.run("query", "symbols", "Cart", "--ref", commit[:length], code=1)
        assert "Ingest it first" in err
    assert shell.json("ingest", ".", "--ref", commit)["state"] == "succeeded"


def test_symbols_are_listed_in_a_table(shell: Shell) -> None:
    out, err = shell.run("query", "symbols", "Cart")
    assert re.search(r"^Cart +class +shop/cart\.py:4 +[0-9a-f]{16} *$", out, re.MULTILINE)
    assert re.search(r"commit [0-9a-f]{12} \(main\), 3 of 4 files parsed", err)
    fuzzy, _ = shell.run("query", "symbols", "--match", "fuzzy", "HECKO", "--kind", "function")
    assert [line.split()[0] for line in fuzzy.splitlines()] == ["symbol", "checkout"]


def test_a_commit_answers_by_its_id(shell: Shell) -> None:
    commit = shell.json("query", "symbols", "Cart")["snapshot"]["commit"]
    assert shell.json("query", "symbols", "Cart", "--ref", commit)["snapshot"]["commit"] == commit


def test_no_answer_is_said_and_a_wrong_word_is_refused_with_the_right_ones(shell: Shell) -> None:
    _, err = shell.run("query", "symbols", "NoSuchName")
    assert "Nothing is known to fit." in err
    _, err = shell.run("query", "symbols", "--match", "almost", "Cart", code=2)
    assert "fuzzy" in err
    _, err = shell.run("query", "files", "--status", "lost", code=2)
    assert "partial" in err


def test_an_unchanged_commit_is_said_to_be_one(shell: Shell) -> None:
    out, _ = shell.run("ingest", ".")
    assert "Nothing to do: this commit was in the graph already." in out
    assert "lines a second" not in out


@pytest.mark.parametrize("name", ["Cart.add", "shop.cart.Cart.add"])
def test_callers_are_asked_for_by_name(name: str, shell: Shell) -> None:
    out, _ = shell.run("query", "callers", name)
    row = out.splitlines()[1].split()
    assert row[:3] == ["checkout", "function", "calls"]
    assert row[-1] == "shop/checkout.py:6:9"


def test_a_symbol_can_be_named_by_its_id_everywhere(shell: Shell) -> None:
    found = shell.json("query", "symbols", "money", "--match", "exact")["items"][0]["id"]
    references = shell.json("query", "references", found)["items"]
    kinds = {one["edge"]["kind"] for one in references}
    assert {"imports", "calls"} <= kinds
    callees = shell.json("query", "callees", "checkout")["items"]
    assert callees[0]["symbol"]["qualified_name"] == "Cart"


def test_an_ambiguous_name_lists_its_candidates(shell: Shell) -> None:
    out, err = shell.run("query", "callers", "add", code=1)
    assert "2 symbols are called add." in err
    assert re.search(r"^Cart\.add +method +shop/cart\.py:7", out, re.MULTILINE)
    assert re.search(r"^add +function +shop/cart\.py:18", out, re.MULTILINE)


def test_an_unknown_name_suggests_similar_ones(shell: Shell) -> None:
    _, err = shell.run("query", "callers", "check", code=1)
    assert "No symbol is called check." in err
    assert "checkout" in err


def test_a_place_has_a_definition(shell: Shell) -> None:
    out, _ = shell.run("query", "definition", "shop/checkout.py:6:9")
    assert "Cart.add" in out
    _, err = shell.run("query", "definition", "shop/checkout.py:2:0", code=1)
    assert "No name with a known target" in err
    assert "column" not in err
    _, err = shell.run("query", "definition", "shop/checkout.py:6:0", code=1)
    assert "The known names of this line begin at column 9." in err
    _, err = shell.run("query", "definition", "logo.png:1:0", code=1)
    assert "not parsed" in err
    _, err = shell.run("query", "definition", "nowhere", code=1)
    assert "PATH:LINE" in err


def test_a_line_without_a_column_stands_for_its_first_known_name(shell: Shell) -> None:
    out, err = shell.run("query", "definition", "shop/checkout.py:6")
    assert "Cart.add" in out
    assert "others" not in err
    out, err = shell.run("query", "definition", "shop/checkout.py:7")
    assert re.search(r"^money +function", out, re.MULTILINE)
    assert "others begin at column 22." in err
    _, err = shell.run("query", "definition", "shop/checkout.py:2", code=1)
    assert "No name with a known target" in err
    assert shell.json("query", "definition", "shop/checkout.py:7")["columns"] == [11, 22]


def test_an_outline_shows_what_encloses_what(shell: Shell) -> None:
    out, _ = shell.run("query", "outline", "shop/cart.py")
    lines = out.splitlines()
    cart = next(line for line in lines if " class " in line)
    add = next(line for line in lines if " method " in line)
    assert cart.index("Cart") + 2 == add.index("add")
    _, err = shell.run("query", "outline", "shop/none.py", code=1)
    assert "codeloom query files" in err


def test_files_and_repositories_are_listed(shell: Shell, repository: Repo) -> None:
    out, _ = shell.run("query", "files", "--status", "skipped")
    assert re.search(r"^logo\.png +skipped +\w+", out, re.MULTILINE)
    listed = shell.json("query", "repositories")["items"]
    assert [one["url"] for one in listed if one["name"] == "shop"] == [f"file://{repository.path}"]


def test_a_repository_is_named_by_name_address_or_id(shell: Shell, repository: Repo) -> None:
    (known,) = [
        one for one in shell.json("query", "repositories")["items"] if one["name"] == "shop"
    ]
    for named in ("shop", str(repository.path), known["url"], known["id"]):
        out, _ = shell.run("query", "symbols", "Cart", "--repo", named)
        assert "shop/cart.py:4" in out, named
    _, err = shell.run("query", "symbols", "Cart", "--repo", "other", code=1)
    assert "No repository is called other." in err


def test_the_limit_is_a_limit_and_says_that_there_is_more(shell: Shell) -> None:
    out, err = shell.run("query", "symbols", "--limit", "2")
    assert len(out.splitlines()) == 3
    assert "raise --limit" in err


def test_the_key_is_kept_for_its_owner_only(shell: Shell) -> None:
    key = shell.home / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    out, err = shell.run("admin", "seed")
    assert out == ""
    assert str(key) in err


def test_tenants_and_keys_are_made_on_the_command_line(shell: Shell) -> None:
    made, _ = shell.run("admin", "tenant", "create", "acme")
    assert made.strip() in shell.run("admin", "tenant", "list")[0]
    secret, err = shell.run("admin", "key", "create", "acme", "--scope", "read")
    assert re.fullmatch(r"cl_live_[0-9A-Za-z]{42}\n", secret)
    assert "only time" in err
    address = str(shell.address())
    api = {"CODELOOM_API_URL": address, "CODELOOM_API_KEY": secret.strip()}
    _, err = shell.run("query", "symbols", "Cart", code=1, **api)
    assert "There is no repository yet." in err
    _, err = shell.run("ingest", ".", code=1, **api)
    assert "scope ingest" in err
    _, err = shell.run("admin", "key", "create", "nobody", code=1)
    assert "No tenant is called nobody." in err
    _, err = shell.run("admin", "key", "create", "acme", "--scope", "root", code=1)
    assert "read, ingest, admin" in err


def test_an_api_that_is_not_there_is_said_to_be(shell: Shell) -> None:
    nowhere = {"CODELOOM_API_URL": "http://127.0.0.1:1", "CODELOOM_API_KEY": "x"}
    _, err = shell.run("query", "symbols", "x", code=1, **nowhere)
    assert "Nothing answers at http://127.0.0.1:1" in err
    _, err = shell.run("query", "symbols", "x", code=1, CODELOOM_API_URL="http://127.0.0.1:1")
    assert "CODELOOM_API_KEY" in err


def test_a_lost_key_is_replaced(shell: Shell) -> None:
    (shell.home / "key").write_text("cl_live_nonsense\n")
    out, _ = shell.run("query", "symbols", "Cart")
    assert "shop/cart.py:4" in out
    assert len((shell.home / "key").read_text().strip()) == 50


def test_a_reader_that_has_enough_ends_the_command_quietly(shell: Shell) -> None:
    process = shell.start("query", "symbols")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Error" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)


def test_every_command_explains_itself(shell: Shell) -> None:
    for command in ([], ["ingest"], ["query"], ["query", "callers"], ["admin", "key", "create"]):
        out, _ = shell.run(*command, "--help")
        assert "Usage:" in out
    _, err = shell.run("nonsense", code=2)
    assert "No such command" in err


def test_records_that_cannot_be_written_are_said_to_be(shell: Shell) -> None:
    _, err = shell.run("scan", ".", "--jsonl", "/nowhere/at/all.jsonl", code=1)
    assert "/nowhere/at/all.jsonl cannot be written" in err
    assert "Traceback" not in err
