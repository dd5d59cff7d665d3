"""Remembered answers: cycles end, tangles cost little, and what leaned on a cut is not kept."""

from graph.resolve.memo import Memo
from tests.graph.resolve.project import resolve

# So many that their paths outnumber what can be walked, and each is called often enough to count.
_FUNCTIONS = 14


def test_a_tangle_of_functions_is_walked_once() -> None:
    """Every function passes its argument to every other: there are more paths than atoms."""
    lines = ["class Thing:\n    def run(self): ...\n"]
    for number in range(_FUNCTIONS):
        calls = " or ".join(f"f{other}(x)" for other in range(_FUNCTIONS) if other != number)
        lines.append(f"def f{number}(x):\n    x.run()\n    return x or {calls}\n")
    lines.append("f0(Thing()).run()\n")
    found = resolve({"tangle.py": "\n".join(lines)}).documents["tangle.py"]
    names = {node[0]: node[3] for node in found.nodes}
    callers = {names[edge[0]] for edge in found.edges if names.get(edge[1]) == "Thing.run"}
    assert "f0" in callers
    assert "tangle.py" in callers


def test_a_cycle_gives_what_its_other_members_give() -> None:
    memo = Memo()
    graph = {"a": ("b",), "b": ("c", "d"), "c": ("a",), "d": ()}

    def reach(key: str) -> frozenset[str]:
        inner = [
            memo.ask(other, lambda other=other: reach(other), frozenset()) for other in graph[key]
        ]
        return frozenset({key}).union(*inner)

    assert memo.ask("a", lambda: reach("a"), frozenset()) == set(graph)
    assert memo.ask("c", lambda: reach("c"), frozenset()) == set(graph)
    assert memo.ask("d", lambda: reach("d"), frozenset()) == {"d"}


def test_an_answer_carries_what_it_was_drawn_from_each_time_it_is_given() -> None:
    memo = Memo()

    def compute() -> int:
        memo.touched.add(7)
        return 1

    memo.ask("x", compute, 0)
    memo.begin_document()
    assert memo.ask("x", compute, 0) == 1
    assert memo.touched == {7}


def test_too_many_questions_in_one_document_go_unanswered_and_the_next_begins_anew() -> None:
    memo = Memo()
    memo._computed = 10**9
    assert memo.ask("x", lambda: 1, 0) == 0
    memo.begin_document()
    assert memo.ask("x", lambda: 1, 0) == 1


def test_a_chain_of_thousands_of_calls_is_followed_to_its_end() -> None:
    chain = ".step()" * 5_000
    source = (
        "class Walker:\n    def step(self) -> 'Walker': ...\n    def stop(self): ...\n\n"
        f"Walker(){chain}.stop()\n"
    )
    found = resolve({"chain.py": source}).documents["chain.py"]
    stop = next(node[0] for node in found.nodes if node[3] == "Walker.stop")
    assert [edge for edge in found.edges if edge[1] == stop and edge[0] == found.nodes[0][0]]
