"""Classes: fields, properties, inheritance, super, decorators, enums, dataclasses, overloads."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Annotated, ClassVar, overload


class Shape(ABC):
    # ^^^^^ defines class Shape
    #       ^^^ refers base; resolves external abc.ABC
    """A thing with an area."""

    count: ClassVar[int] = 0
    # ^^^ defines field Shape.count
    #      ^^^^^^^^ refers type; resolves external typing.ClassVar
    unit: str
    # <- defines field Shape.unit

    def __init__(self, name: str) -> None:
        # ^^^^^^ defines constructor Shape.__init__
        #        ^^^^ defines parameter self
        self.name = name
        #    ^^^^ defines field Shape.name
        self.parts: list[Part] = []
        #    ^^^^^ defines field Shape.parts
        #                ^^^^ refers type; resolves classes.py:Part
        self.name = name.strip()
        #    ^^^^ refers write; resolves classes.py:Shape.name
        self._cache, self.size = {}, 0
        #    ^^^^^^ defines field Shape._cache
        #                 ^^^^ defines field Shape.size

    @abstractmethod
    #^^^^^^^^^^^^^^ refers decorator; resolves external abc.abstractmethod
    def area(self) -> float:
        # ^^ defines method Shape.area
        return 0.0

    @property
    def label(self) -> str:
        # ^^^ defines property Shape.label
        return self.name + self.unit
        #           ^^^^ refers read; resolves classes.py:Shape.name
        #                       ^^^^ resolves classes.py:Shape.unit

    @label.setter
    #^^^^^ refers read
    def label(self, value: str) -> None:
        # ^^^ defines property Shape.label
        self.name = value

    @cached_property
    def corners(self) -> "list[Part]":
        # ^^^^^ defines property Shape.corners
        #                      ^^^^ refers type; resolves classes.py:Part
        return self.parts

    @classmethod
    def parse(cls, text: str) -> "Shape":
        # ^^^ defines method Shape.parse
        #                         ^^^^^ refers type; resolves classes.py:Shape
        cls.count += 1
        #   ^^^^^ refers write; resolves classes.py:Shape.count
        return cls(text)
        #      ^^^ refers call


class Part:
    # ^^^^ defines class Part
    def weigh(self) -> int:
        # ^^^ defines method Part.weigh
        return 1


class Square(Shape):
    # ^^^^^^ defines class Square
    #        ^^^^^ refers base; resolves classes.py:Shape
    def __init__(self, side: float) -> None:
        super().__init__("square")
        #       ^^^^^^^^ refers call; resolves classes.py:Shape.__init__
        self.side = side
        #    ^^^^ defines field Square.side

    def area(self) -> float:
        return self.side * self.scale()
        #           ^^^^ refers read; resolves classes.py:Square.side
        #                       ^^^^^ refers call; resolves classes.py:Square.scale

    def scale(self) -> float:
        first = self.parts[0]
        #            ^^^^^ resolves classes.py:Shape.parts
        return first.weigh() + self.corners[0].weigh()
        #            ^^^^^ refers call; resolves classes.py:Part.weigh
        #                                      ^^^^^ resolves classes.py:Part.weigh


def total(shapes: list[Shape]) -> float:
    # ^^^ defines function total
    return sum(shape.area() for shape in shapes)
    #                ^^^^ refers call; resolves classes.py:Shape.area


square = Square(2.0)
#        ^^^^^^ refers call; resolves classes.py:Square
square.area()
#      ^^^^ resolves classes.py:Square.area
square.label
#      ^^^^^ refers read; resolves classes.py:Shape.label
Square.parse("x").area()
#      ^^^^^ resolves classes.py:Shape.parse
#                 ^^^^ resolves classes.py:Shape.area
square.missing()
#      ^^^^^^^ refers call; resolves nothing


class Colour(Enum):
    # ^^^^^^ defines class Colour
    RED = 1
    # <- defines field Colour.RED

    def dark(self):
        return self is Colour.RED
        #              ^^^^^^ resolves classes.py:Colour
        #                     ^^^ refers read; resolves classes.py:Colour.RED


@dataclass(frozen=True)
#^^^^^^^^^ refers call; resolves external dataclasses.dataclass
class Point:
    x: int = 0
    # <- defines field Point.x
    tags: list[str] = field(default_factory=list)
    # <- defines field Point.tags
    #                                       ^^^^ resolves external builtins.list

    def shifted(self, by: int) -> "Point":
        return Point(self.x + by)
        #      ^^^^^ resolves classes.py:Point
        #                 ^ resolves classes.py:Point.x


@overload
def twice(value: int) -> int: ...
@overload
def twice(value: str) -> str: ...
def twice(value):
    # ^^^ defines function twice
    return value * 2


class Meta(type):
    def __call__(cls, *args, **kwargs):
        # ^^^^^^ defines method Meta.__call__
        return super().__call__(*args, **kwargs)
        #              ^^^^^^^^ refers call


class Made(Part, metaclass=Meta):
    #      ^^^^ refers base; resolves classes.py:Part
    #                      ^^^^ resolves classes.py:Meta
    def weigh(self) -> int:
        return super().weigh() + super(Made, self).weigh()
        #              ^^^^^ resolves classes.py:Part.weigh
        #                              ^^^^ resolves classes.py:Made
        #                                          ^^^^^ resolves classes.py:Part.weigh


def factory():
    class Local(Part):
        # ^^^^^ defines class factory.Local
        #       ^^^^ resolves classes.py:Part
        def run(self):
            # ^ defines method factory.Local.run
            return self.weigh()
            #           ^^^^^ resolves classes.py:Part.weigh

    return Local()
    #      ^^^^^ refers call; resolves classes.py:factory.Local


factory().run()
#         ^^^ refers call; resolves classes.py:factory.Local.run


Sized = Annotated[Shape, "by area"]


def measured(shape: Sized):
    return shape.area()
    #            ^^^^ resolves classes.py:Shape.area
