"""Which binding a name has: functions, comprehensions, global, nonlocal, classes, lambdas."""

limit = 10
# <- defines variable limit
total: int = 0
# <- defines variable total


def outer(first, /, second=limit, *rest, third: int = 3, **options):
    # ^^^ defines function outer
    #     ^^^^^ defines parameter first
    #                       ^^^^^ refers read; resolves scopes.py:limit
    #                              ^^^^ defines parameter rest
    #                                           ^^^ refers type; resolves external builtins.int
    count = 0
#   ^^^^^ defines variable count

    def inner():
        # ^^^^^ defines function outer.inner
        nonlocal count
        count = count + first
        # <- refers write; resolves scopes.py:15
        #       ^^^^^ refers read; resolves scopes.py:15
        #               ^^^^^ refers read; resolves scopes.py:first

        def innermost():
            # ^^^^^^^^^ defines function outer.inner.innermost
            return count, inner
            #      ^^^^^ resolves scopes.py:15
            #             ^^^^^ refers read; resolves scopes.py:outer.inner

        return innermost()
        #      ^^^^^^^^^ refers call; resolves scopes.py:outer.inner.innermost

    return inner() + len(rest) + options["x"]
    #      ^^^^^ refers call; resolves scopes.py:outer.inner
    #                ^^^ refers call; resolves external builtins.len
    #                    ^^^^ resolves scopes.py:rest
    #                            ^^^^^^^ refers read; resolves scopes.py:options


def bump():
    global total, fresh
    #      ^^^^^ refers read; resolves scopes.py:total
    total += 1
#   ^^^^^ refers write; resolves scopes.py:total
    fresh = total
#   ^^^^^ defines variable fresh


def shadow(limit):
    #      ^^^^^ defines parameter limit
    return limit
    #      ^^^^^ resolves scopes.py:51


squares = [number * limit for number in range(limit) if number]
#          ^^^^^^ refers read; resolves scopes.py:number
#                   ^^^^^ resolves scopes.py:limit
#                             ^^^^^^ defines variable number
#                                       ^^^^^ refers call; resolves external builtins.range
#                                                       ^^^^^^ resolves scopes.py:number
pairs = {key: value for key, value in zip(squares, squares)}
#        ^^^ resolves scopes.py:key
#             ^^^^^ resolves scopes.py:value
flat = [cell for row in [squares] for cell in row]
#       ^^^^ resolves scopes.py:cell
#                                             ^^^ resolves scopes.py:row
lazy = sum(item for item in squares)
#          ^^^^ resolves scopes.py:item
double = lambda value, step=limit: value * step
# <- defines variable double
#               ^^^^^ defines parameter value
#                           ^^^^^ resolves scopes.py:limit
#                                  ^^^^^ refers read

if (half := limit // 2) > 1:
    #^^^ defines variable half
    print(half)
#         ^^^^ resolves scopes.py:half


class Box:
    # ^^^ defines class Box
    size = 1
    # <- defines field Box.size
    area = size * size
    #      ^^^^ resolves scopes.py:Box.size

    def grow(self):
        # ^^ defines method Box.grow
        return size
        #      ^^^^ refers read; resolves nothing

    class Lid:
        # ^^^ defines class Box.Lid
        def open(self):
            # ^^ defines method Box.Lid.open
            return Box
            #      ^^^ resolves scopes.py:Box

    @staticmethod
    #^^^^^^^^^^^^ refers decorator; resolves external builtins.staticmethod
    def make():
        # ^^ defines method Box.make
        return [size for _ in range(2)]
        #       ^^^^ resolves nothing


try:
    import json as codec
    #      ^^^^ refers import; resolves external json
except ImportError as problem:
    #  ^^^^^^^^^^^ refers read; resolves external builtins.ImportError
    #                 ^^^^^^^ defines variable problem
    codec = None
    print(problem)
    #     ^^^^^^^ resolves scopes.py:problem

with open("x") as handle, open("y") as (left, right):
    # ^^ refers call; resolves external builtins.open
    #             ^^^^^^ defines variable handle
    #                                   ^^^^ defines variable left
    handle.read(left)
    # <- refers read
    #      ^^^^ refers call; resolves nothing
    #           ^^^^ resolves scopes.py:left

for index, (name, *others) in enumerate([]):
    # ^^^ defines variable index
    #       ^^^^ defines variable name
    #              ^^^^^^ defines variable others
    print(index, name, others)
    #            ^^^^ resolves scopes.py:name
    #                  ^^^^^^ resolves scopes.py:others
else:
    del index
    #   ^^^^^ resolves scopes.py:index

first_item, *more = squares
#            ^^^^ defines variable more
again = again_too = outer
# <- defines variable again
#       ^^^^^^^^^ defines variable again_too
again(1)
# <- refers call; resolves scopes.py:again; resolves scopes.py:outer
