"""Imports of every form, and what lies behind them."""

# --- path: shop/__init__.py ---
from .cart import Cart, checkout as pay
#    ^^^^^ refers nothing
#                 ^^^^ refers import; resolves shop/cart.py:Cart
#                       ^^^^^^^^ refers import; resolves shop/cart.py:checkout
from . import prices
#             ^^^^^^ refers import; resolves shop/prices.py:1
from .stock import *

__all__ = ["Cart", "pay", "prices"]
# --- path: shop/cart.py ---
from __future__ import annotations

import shop.prices
import shop.prices as price_list
from .stock import Item
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shop.people import Person
    #                       ^^^^^^ refers import; resolves shop/people.py:Person


class Cart:
    owner: Person
    #      ^^^^^^ refers type; resolves shop/people.py:Person

    def __init__(self, owner: Person):
        self.items: dict[str, Item] = {}
        self.owner = owner

    def add(self, item: Item) -> Cart:
        self.items[item.code()] = item
        #    ^^^^^ resolves shop/cart.py:Cart.items
        #               ^^^^ refers call; resolves shop/stock.py:Item.code
        return self

    def cost(self):
        shop.prices.of("x")
        #    ^^^^^^ refers read; resolves shop/prices.py:1
        #           ^^ refers call; resolves shop/prices.py:of
        for item in self.items.values():
            item.code()
            #    ^^^^ resolves shop/stock.py:Item.code
        for code, item in self.items.items():
            item.code()
            #    ^^^^ resolves shop/stock.py:Item.code
        return price_list.of(self.owner.name())
        #                 ^^ resolves shop/prices.py:of
        #                               ^^^^ resolves shop/people.py:Person.name


def checkout(cart: Cart | None = None):
    #              ^^^^ refers type; resolves shop/cart.py:Cart
    if cart:
        cart.add(Item()).cost()
        #    ^^^ resolves shop/cart.py:Cart.add
        #        ^^^^ refers call; resolves shop/stock.py:Item
        #                ^^^^ resolves shop/cart.py:Cart.cost
# --- path: shop/stock.py ---
import importlib

class Item:
    def code(self):
        return "c"

def restock(): ...

_hidden = 1
# --- path: shop/prices.py ---
def of(code): ...
# --- path: shop/people.py ---
class Person:
    def name(self) -> str: ...
# --- path: main.py ---
import shop
# <- refers nothing
#      ^^^^ refers import; resolves shop/__init__.py:1
import os.path
#      ^^ resolves external os.path
import os.path as p
#      ^^ resolves external os.path
from shop import Cart, pay, restock, prices
#                ^^^^ refers import; resolves shop/cart.py:Cart
#                      ^^^ resolves shop/cart.py:checkout
#                           ^^^^^^^ resolves shop/stock.py:restock
#                                    ^^^^^^ resolves shop/prices.py:1
from shop.cart import (
    Cart as Basket,
    # <- refers import; resolves shop/cart.py:Cart
    checkout,
)
from missing.module import gone
#                          ^^^^ resolves external missing.module.gone

basket = Basket(None).add(None)
#        ^^^^^^ refers call; resolves shop/cart.py:Cart
#                     ^^^ resolves shop/cart.py:Cart.add
basket.cost()
#      ^^^^ resolves shop/cart.py:Cart.cost
shop.Cart(None)
# <- refers read; resolves shop/__init__.py:1
#    ^^^^ refers call; resolves shop/cart.py:Cart
shop.pay()
#    ^^^ resolves shop/cart.py:checkout
pay()
# <- refers call; resolves shop/cart.py:checkout
restock()
# <- resolves shop/stock.py:restock
prices.of(1)
#      ^^ resolves shop/prices.py:of
os.path.join("a")
# <- refers read; resolves external os
#       ^^^^ refers call; resolves external os.path.join
p.join("a")
#  ^^^ resolves external os.path.join
gone.away()
#    ^^^^ refers call; resolves external missing.module.gone.away


def late():
    from shop.people import Person as Human
    #                       ^^^^^^ resolves shop/people.py:Person
    return Human().name()
    #      ^^^^^ resolves shop/people.py:Person
    #              ^^^^ resolves shop/people.py:Person.name
