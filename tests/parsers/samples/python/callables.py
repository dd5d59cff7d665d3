"""Functions as values: higher order, closures, returned functions, decorators, partial results."""

import functools


def greet(name):
    return name


def run(function, argument):
    return function(argument)
    #      ^^^^^^^^ refers call


def choose(flag):
    def left():
        # ^^^^ defines function choose.left
        return greet
        #      ^^^^^ resolves callables.py:greet

    def right():
        return greet

    if flag:
        return left
    return right


choose(True)()
# <- refers call; resolves callables.py:choose
run(greet, "you")
# <- resolves callables.py:run
#   ^^^^^ refers read; resolves callables.py:greet
alias = greet
alias("x")
# <- refers call; resolves callables.py:alias; resolves callables.py:greet


def traced(function):
    # ^^^^ defines function traced
    @functools.wraps(function)
    #          ^^^^^ refers call; resolves external functools.wraps
    def wrapper(*args, **kwargs):
        # ^^^^^ defines function traced.wrapper
        return function(*args, **kwargs)

    return wrapper
    #      ^^^^^^^ refers read; resolves callables.py:traced.wrapper


@traced
#^^^^^^ refers decorator; resolves callables.py:traced
def work(): ...


work()
# <- refers call; resolves callables.py:work


class Registry:
    def __init__(self):
        self.known = {}

    def add(self, name):
        # ^ defines method Registry.add
        def keep(function):
            self.known[name] = function
            #    ^^^^^ refers read; resolves callables.py:Registry.known
            return function

        return keep

    def __call__(self, name):
        # ^^^^^^ defines method Registry.__call__
        return self.known[name]


registry = Registry()
#          ^^^^^^^^ refers call; resolves callables.py:Registry


@registry.add("plain")
#         ^^^ refers call; resolves callables.py:Registry.add
def plain(): ...


registry("plain")
# <- refers call; resolves callables.py:registry; resolves callables.py:Registry.__call__
plain()
# <- refers call; resolves callables.py:plain


def defaults(action=greet, *, other=plain):
    #               ^^^^^ resolves callables.py:greet
    #                               ^^^^^ resolves callables.py:plain
    return action("x")


def numbers():
    yield 1
    received = yield from numbers()
    #                     ^^^^^^^ refers call; resolves callables.py:numbers
    return received
