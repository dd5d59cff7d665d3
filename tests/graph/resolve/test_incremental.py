"""An incremental resolution equals a clean one, and resolves no more than a change can reach."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.resolve.incremental import RecordDamaged, decode, encode
from tests.graph.resolve.project import Sources, resolve

# Each path has several contents; a commit picks one of them, or none where the file may be absent.
VARIANTS: dict[str, list[str | None]] = {
    "shop/__init__.py": ["", "from shop.base import Base\n", "from .base import *\n"],
    "shop/base.py": [
        "class Base:\n    def run(self): ...\n    def stop(self): ...\n",
        "# moved down\n\nclass Base:\n    def run(self): ...\n    def stop(self): ...\n",
        "class Base:\n    def run(self): ...\n",
        "class Other:\n    def run(self): ...\n\nclass Base(Other):\n    def stop(self): ...\n",
    ],
    "shop/make.py": [
        "from shop.base import Base\n\ndef make():\n    return Base()\n",
        "from shop.base import Base\n\ndef make() -> Base:\n    local = 1\n    return Base()\n",
        "def make():\n    return []\n",
        # What is passed here decides what another file gets.
        "from shop.base import Base\n\ndef make(x=None):\n    return x\n\nmake(Base())\n",
        "from shop.base import Base\n\ndef make(x=None):\n    return x\n\nmake(1)\n",
        (
            "import nowhere\nfrom shop.base import Base\n\nkept: nowhere.Type = Base()\n\n"
            "def make():\n    return kept\n"
        ),
        (
            "import nowhere\nfrom shop.base import Base\n\nkept: nowhere.Type = None\n\n"
            "def make():\n    return kept\n"
        ),
        None,
    ],
    "shop/use.py": [
        "from shop.make import make\n\ndef use():\n    make().run()\n    make().stop()\n",
        "import shop\n\ndef use():\n    shop.Base().run()\n",
        "from shop import *\n\ndef use():\n    Base().stop()\n",
    ],
    "shop/cycle.py": [
        "from shop import other\n\ndef a():\n    return other.b()\n\na().run()\n",
        "def a():\n    return None\n",
    ],
    "shop/other.py": [
        (
            "from shop import cycle\nfrom shop.make import make\n\n"
            "def b():\n    return cycle.a() or make()\n\nb().run()\n"
        ),
        "from shop import cycle\n\ndef b():\n    return cycle.a()\n",
    ],
    "tool/a.go": [
        "package tool\n\ntype Shape struct{}\n\nfunc (s Shape) Area() int { return side() }\n",
        "package tool\n\ntype Shape struct{}\n",
    ],
    "tool/b.go": [
        "package tool\n\nfunc side() int { return 1 }\n\ntype Figure interface{ Area() int }\n",
        "package tool\n\nfunc side() int { return 2 }\n\nfunc (s Shape) Area() int { return 1 }\n",
    ],
}


def commits() -> st.SearchStrategy[Sources]:
    """One content for every path that has one."""
    return st.fixed_dictionaries(
        {path: st.sampled_from(variants) for path, variants in VARIANTS.items()}
    ).map(lambda chosen: {path: source for path, source in chosen.items() if source is not None})


@settings(max_examples=60, deadline=None)
@given(st.lists(commits(), min_size=2, max_size=4))
def test_a_chain_of_incremental_commits_equals_clean_ones(history: list[Sources]) -> None:
    previous = None
    for sources in history:
        previous = resolve(sources, previous)
        clean = resolve(sources)
        assert previous.documents == clean.documents
        assert previous.record == clean.record


def first_commit() -> Sources:
    return {path: variants[0] for path, variants in VARIANTS.items() if variants[0] is not None}


@pytest.mark.parametrize(
    ("path", "source", "reached"),
    [
        # Lines moved: nothing that another file depends on is different.
        ("shop/base.py", VARIANTS["shop/base.py"][1], {"shop/base.py"}),
        # A body changed, and what the function gives did not.
        (
            "shop/use.py",
            "from shop.make import make\n\ndef use():\n    make().run()\n",
            {"shop/use.py"},
        ),
    ],
)
def test_a_change_that_others_cannot_see_stays_in_its_file(
    path: str, source: str, reached: set[str]
) -> None:
    before = first_commit()
    after = resolve(before | {path: source}, resolve(before))
    assert after.resolved == reached


def test_a_changed_member_reaches_its_users_and_no_others() -> None:
    before = first_commit()
    changed = {"shop/base.py": "class Base:\n    def run(self): ...\n"}
    after = resolve(before | changed, resolve(before))
    assert "shop/use.py" in after.resolved
    assert not after.resolved & {"tool/a.go", "tool/b.go", "shop/__init__.py"}


def test_a_new_file_is_looked_at_by_all() -> None:
    before = first_commit()
    after = resolve(before | {"shop/new.py": ""}, resolve(before))
    assert after.resolved == frozenset(before) | {"shop/new.py"}


def test_a_new_interface_reaches_the_types_that_fulfil_it() -> None:
    before = first_commit()
    source = (
        "package tool\n\nfunc side() int { return 1 }\n\n"
        "type Figure interface{ Area() int }\n\ntype Sized interface{ Area() int }\n"
    )
    after = resolve(before | {"tool/b.go": source}, resolve(before))
    assert "tool/a.go" in after.resolved
    assert after.documents == resolve(before | {"tool/b.go": source}).documents


def test_a_record_survives_storage_and_damage_is_noticed() -> None:
    record = resolve(first_commit()).record
    stored = encode(record)
    assert decode(stored) == record
    with pytest.raises(RecordDamaged):
        decode(stored[:-9] + bytes(9))
