"""The names Python provides without an import, and what some members of its types give back."""

BUILTINS = frozenset(
    """ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup
    BlockingIOError BrokenPipeError BufferError BytesWarning ChildProcessError
    ConnectionAbortedError ConnectionError ConnectionRefusedError ConnectionResetError
    DeprecationWarning EOFError Ellipsis EncodingWarning EnvironmentError Exception ExceptionGroup
    False FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError
    ImportError ImportWarning IndentationError IndexError InterruptedError IsADirectoryError
    KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError None
    NotADirectoryError NotImplemented NotImplementedError OSError OverflowError
    PendingDeprecationWarning PermissionError ProcessLookupError RecursionError ReferenceError
    ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError
    SyntaxWarning SystemError SystemExit TabError TimeoutError True TypeError UnboundLocalError
    UnicodeDecodeError UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning
    UserWarning ValueError Warning ZeroDivisionError __build_class__ __debug__ __doc__ __file__
    __import__ __loader__ __name__ __package__ __path__ __spec__ abs aiter all anext any ascii bin
    bool breakpoint bytearray bytes callable chr classmethod compile complex copyright credits
    delattr dict dir divmod enumerate eval exec exit filter float format frozenset getattr globals
    hasattr hash help hex id input int isinstance issubclass iter len license list locals map max
    memoryview min next object oct open ord pow print property quit range repr reversed round set
    setattr slice sorted staticmethod str sum super tuple type vars zip""".split()
)

BUILTIN_MEMBERS = {
    "list.pop": "element",
    "list.copy": "self",
    "deque.pop": "element",
    "deque.popleft": "element",
    "set.pop": "element",
    "set.copy": "self",
    "set.union": "self",
    "set.intersection": "self",
    "set.difference": "self",
    "dict.get": "value",
    "dict.pop": "value",
    "dict.setdefault": "value",
    "dict.values": "values",
    "dict.keys": "keys",
    "dict.items": "items",
    "dict.copy": "self",
    "str.join": "str",
    "str.strip": "str",
    "str.lower": "str",
    "str.upper": "str",
    "str.format": "str",
    "str.replace": "str",
    "str.encode": "bytes",
    "bytes.decode": "str",
}

_TYPING = {
    "Optional": "union",
    "Union": "union",
    "ClassVar": "first",
    "Final": "first",
    "Annotated": "first",
    "Required": "first",
    "NotRequired": "first",
    "ReadOnly": "first",
    "Awaitable": "first",
    "Coroutine": "last",
    "TypeGuard": "=builtins.bool",
    "Type": "class",
    "Callable": "callable",
    "List": "=builtins.list",
    "Dict": "=builtins.dict",
    "DefaultDict": "=builtins.dict",
    "OrderedDict": "=builtins.dict",
    "Mapping": "=builtins.dict",
    "MutableMapping": "=builtins.dict",
    "Set": "=builtins.set",
    "FrozenSet": "=builtins.frozenset",
    "Tuple": "=builtins.tuple",
    "Deque": "=builtins.list",
    "Sequence": "=builtins.list",
    "MutableSequence": "=builtins.list",
    "Iterable": "=builtins.list",
    "Iterator": "=builtins.list",
    "Collection": "=builtins.list",
    "Generator": "=builtins.list",
    "AsyncIterator": "=builtins.list",
    "AsyncIterable": "=builtins.list",
    "AsyncGenerator": "=builtins.list",
    "ContextManager": "first",
    "AsyncContextManager": "first",
    "Self": "self",
}

TYPE_FORMS = {
    f"{module}.{name}": form
    for module in ("typing", "typing_extensions", "collections.abc", "collections")
    for name, form in _TYPING.items()
} | {
    "builtins.type": "class",
    "contextlib.AbstractContextManager": "first",
    "weakref.ref": "callable",
}

CALL_FORMS = {
    "builtins.iter": "same",
    "builtins.sorted": "sequence",
    "builtins.reversed": "sequence",
    "builtins.list": "sequence",
    "builtins.tuple": "sequence",
    "builtins.set": "sequence",
    "builtins.frozenset": "sequence",
    "builtins.next": "element",
    "builtins.min": "element",
    "builtins.max": "element",
    "builtins.enumerate": "pairs",
    "builtins.type": "class",
    "copy.copy": "same",
    "copy.deepcopy": "same",
    "functools.partial": "same",
    "typing.cast": "cast",
    "t.cast": "cast",
}
