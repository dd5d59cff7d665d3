"""Files that nobody writes by accident, for any language: what broke parsers before, and worse."""

import random
from collections.abc import Iterator

from parsers import registry
from tests import annotated

_DEPTHS = (5_000, 100_000)
_PLAIN = ("parentheses", "brackets", "members")
_NESTING = {
    "parentheses": (b"(", b")"),
    "brackets": (b"[", b"]"),
    "braces": (b"{", b"}"),
    "generics": (b"a<", b">"),
    "calls": (b"f(", b")"),
    "blocks": (b"if (a) {", b"}"),
    "objects": (b"{a:", b"}"),
    "functions": (b"function f() {", b"}"),
    "arrows": (b"x => ", b""),
    "lambdas": (b"lambda x: ", b""),
    "classes": (b"class A { ", b"}"),
    "members": (b"a.", b""),
    "negations": (b"!", b""),
    "signs": (b"-", b""),
    "sums": (b"a+", b""),
    "conditions": (b"a?b:", b""),
    "templates": (b"`${", b"}`"),
    "elements": (b"<a>", b"</a>"),
    "comments": (b"/*", b"*/"),
    "decorators": (b"@a ", b""),
    "pointers": (b"*", b""),
    "arrays": (b"x: []", b""),
}


def corpus(*, whole: bool) -> Iterator[tuple[str, bytes]]:
    """Every hostile file by what it is; not the whole, without most of the deepest."""
    for name, (opening, closing) in _NESTING.items():
        for depth in _DEPTHS if whole or name in _PLAIN else _DEPTHS[:1]:
            yield f"{depth} {name}", opening * depth + b"x" + closing * depth
        yield f"unclosed {name}", opening * (20_000 if whole else 3_000)
    steps = b"".join(b" " * level + b"if x:\n" for level in range(600))
    yield "indented", steps
    yield "one megabyte of a<", b"a<" * (1 << 19)
    yield "empty", b""
    yield "only newlines", b"\n" * 100_000
    yield "only comments", b"// a\n# a\n" * 10_000
    yield "only NULs", b"\0" * 100_000
    yield "NULs inside", b"def f():\n    a\0b = '\0'\n" * 100
    yield "byte order mark", b"\xef\xbb\xbfx = 1\n"
    yield "two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbfx = 1\n"
    yield "UTF-16", "class A { f() { return '\u20ac'; } }\n".encode("utf-16") * 20
    yield "UTF-16, cut", "x = 1\n".encode("utf-16")[:-1]
    yield "Latin-1", "x = 'f\u00fcr'; \u00fc = 1 # \u00e9\n".encode("latin-1") * 100
    yield "surrogates", b"x = '\xed\xa0\x80\xed\xb0\x80'\n" * 100
    yield "cut characters", b"x = '\xf0\x9f\x98'\n\xf0\x9f y = 1\n" * 100
    yield "beyond Unicode", b"\xf8\x88\x80\x80\x80 \xfe\xff\n" * 1000
    yield "one line", b"x = '" + b"a" * 1_000_000 + b"'\n"
    yield "one name", b"a" * 1_000_000
    yield "many names", b" ".join(b"a%d" % number for number in range(100_000))
    yield "carriage returns", b"a = 1\rb = 2\r" * 1000
    yield "unended string", b"x = '''" + b"a\n" * 50_000
    yield "quotes", b"\"'`" * 50_000
    yield "backslashes", b"\\\n" * 50_000
    source = random.Random(1)
    yield "random bytes", source.randbytes(200_000)
    yield "random ASCII", bytes(source.choices(range(32, 127), k=200_000))
    yield "random punctuation", bytes(source.choices(b"(){}[]<>;:,.=+-*/'\"`@#\n ", k=100_000))


def languages() -> list[str]:
    """The languages that are present."""
    return sorted(registry.languages())


def harmless(language: str) -> list[bytes]:
    """Ordinary files of a language: its samples, or a line that is valid nearly anywhere."""
    files = [
        text.encode()
        for path in annotated.samples()
        for name, text in annotated.read(path).files.items()
        if (found := annotated.language_or_none(name)) and found.name == language
    ]
    return files or [b"x = 1\n"]
