"""The names Go declares before any package does."""

_NAMES = """
    any bool byte comparable complex128 complex64 error float32 float64 int int16 int32
    int64 int8 rune string uint uint16 uint32 uint64 uint8 uintptr true false iota nil
    append cap clear close complex copy delete imag len make max min new panic print println
    real recover
"""

BUILTINS = frozenset(_NAMES.split())
