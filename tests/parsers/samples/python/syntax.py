"""Newer and rarer syntax: match, type parameters, async, annotations in strings, star expressions."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Generic, Optional, Protocol, TypeVar, Union, cast

T = TypeVar("T")
# <- defines variable T


class Node:
    def __init__(self, value: int, rest: "Optional[Node]" = None):
        #                                          ^^^^ refers type; resolves syntax.py:Node
        self.value = value
        self.rest = rest

    def last(self) -> "Node": ...


class Leaf(Node):
    __match_args__ = ("value",)


def walk(node: "Union[Node, 'Leaf', None]") -> "Iterator[Node]":
    #                 ^^^^ refers type; resolves syntax.py:Node
    #                                           ^^^^^^^^ refers type
    #                                                    ^^^^ resolves syntax.py:Node
    match node:
        #  ^^^^ refers read; resolves syntax.py:node
        case Leaf(value=0) | Leaf(1):
            # ^^^ refers read; resolves syntax.py:Leaf
            #                ^^^^ resolves syntax.py:Leaf
            pass
        case Node(value=number, rest=Node() as tail) if number > 1:
            # ^ resolves syntax.py:Node
            #           ^^^^^^ defines variable number
            #                                  ^^^^ defines variable tail
            #                                           ^^^^^^ resolves syntax.py:number
            yield tail
            #     ^^^^ refers read; resolves syntax.py:tail
        case [first, *others]:
            # ^^^^^ defines variable first
            #         ^^^^^^ defines variable others
            print(first, others)
            #            ^^^^^^ resolves syntax.py:others
        case {"key": found, **remaining}:
            #        ^^^^^ defines variable found
            #                 ^^^^^^^^^ defines variable remaining
            print(found)
            #     ^^^^^ resolves syntax.py:found
        case asyncio.Queue:
            #        ^^^^^ refers read; resolves external asyncio.Queue
            pass
        case (1 | 2) as few:
            #           ^^^ defines variable few
            print(few)
        case anything:
            # ^^^^^^^ defines variable anything
            print(anything)
            #     ^^^^^^^^ resolves syntax.py:anything


class Stack(Generic[T]):
    #       ^^^^^^^ refers base; resolves external typing.Generic
    #               ^ resolves syntax.py:T
    def __init__(self) -> None:
        self.items: list[T] = []

    def pop(self) -> T:
        return self.items.pop()


def use(stack: Stack[Node]) -> None:
    #          ^^^^^ refers type; resolves syntax.py:Stack
    #                ^^^^ refers type; resolves syntax.py:Node
    stack.pop().last()
    #     ^^^ resolves syntax.py:Stack.pop
    #           ^^^^ refers call


type Pair[K] = tuple[K, Node]
#    ^^^^ defines type_alias Pair
#                       ^^^^ refers type; resolves syntax.py:Node


def head[K](items: list[K], default: K) -> K:
    # ^^ defines function head
    #    ^ defines type_parameter K
    #                   ^ refers type
    return items[0] if items else default
    #                             ^^^^^^^ resolves syntax.py:default


class Box[V: Node]:
    # ^^^ defines class Box
    #     ^ defines type_parameter V
    def get(self) -> V: ...


class Runner(Protocol):
    def __call__(self, node: Node) -> int: ...


async def fetch(node: Node) -> Node:
    #     ^^^^^ defines function fetch
    async with asyncio.Lock() as lock:
        #              ^^^^ refers call; resolves external asyncio.Lock
        #                        ^^^^ defines variable lock
        await asyncio.sleep(0)
        #             ^^^^^ refers call; resolves external asyncio.sleep
    async for chunk in stream(node):
        #     ^^^^^ defines variable chunk
        #              ^^^^^^ refers call; resolves syntax.py:stream
        chunk.last()
        #     ^^^^ resolves syntax.py:Node.last
    return node


async def stream(node: Node):
    yield node


async def chain():
    (await fetch(Node(1))).last()
    #      ^^^^^ refers call; resolves syntax.py:fetch
    #            ^^^^ refers call; resolves syntax.py:Node
    #                      ^^^^ resolves syntax.py:Node.last
    results = [await fetch(n) async for n in stream(Node(2))]
    #                ^^^^^ resolves syntax.py:fetch
    #                      ^ resolves syntax.py:n


def apply(action: Callable[[Node], Node], *args: int, **more: str) -> None:
    #                       ^^^^ refers type; resolves syntax.py:Node
    action(Node(1)).last()
    # <- refers call
    #               ^^^^ resolves syntax.py:Node.last
    print(f"{args!r} {more['x']:>{len(args)}} {Node(3).value}")
    #        ^^^^ refers read; resolves syntax.py:args
    #                 ^^^^ resolves syntax.py:more
    #                             ^^^ refers call; resolves external builtins.len
    #                                          ^^^^ refers call; resolves syntax.py:Node
    #                                                  ^^^^^ refers read; resolves syntax.py:Node.value
    cast(Node, args).last()
    #    ^^^^ resolves syntax.py:Node
    #                ^^^^ resolves syntax.py:Node.last


apply(lambda node: node.last(), *[1], **{"a": "b"})
# <- refers call; resolves syntax.py:apply
#            ^^^^ defines parameter node
#                  ^^^^ refers read
handlers = {"fetch": fetch, "walk": walk}
#                    ^^^^^ refers read; resolves syntax.py:fetch
#                                   ^^^^ resolves syntax.py:walk
handlers["walk"](None)
# <- refers read
node = Node(1) if T else Leaf(2)
node.last()
#    ^^^^ resolves syntax.py:Node.last
assert isinstance(node, Leaf), node
#      ^^^^^^^^^^ refers call; resolves external builtins.isinstance
#                       ^^^^ refers read; resolves syntax.py:Leaf
x = y = Node(1)
(x).last()
#   ^^^^ resolves syntax.py:Node.last
naïve, 𝒏 = Node(1), Node(2)
# <- defines variable naïve
#      ^ defines variable 𝒏
print("𝒏", naïve)
#          ^^^^^ refers read; resolves syntax.py:naïve
