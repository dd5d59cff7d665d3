"""Two beats, of which one leads: what they say of themselves, and their faults."""

import re
import signal
from collections.abc import Sequence
from random import Random

from tests.chaos.yard import BEATS, Place, Yard


def kill_beats(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    return yard.kill_of_two(random, BEATS)


def silence_the_leading_beat(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    """It dies, or stands still until the other one leads."""
    number = random.choice((signal.SIGKILL, signal.SIGSTOP))
    yard.until(lambda: any(leads(yard, name) for name in BEATS), "a beat leads")
    leading, other = sorted(BEATS, key=lambda name: leads(yard, name)[-1:], reverse=True)
    before = len(leads(yard, other))
    if number is signal.SIGKILL:
        yard.kill(leading)
    else:
        yard.processes[leading].send_signal(signal.SIGSTOP)
    yard.until(lambda: len(leads(yard, other)) > before, "the other beat leads")
    if number is signal.SIGSTOP:
        yard.processes[leading].send_signal(signal.SIGCONT)
    return f"{leading} {number.name}"


def leads(yard: Yard, name: str) -> list[str]:
    """When it began to lead."""
    return [line for line in _said(yard, name) if "beat.leads" in line]


def fired(yard: Yard) -> list[tuple[str, str]]:
    """Each row and run that was told to the workers, as often as it was told."""
    lines = [line for name in BEATS for line in _said(yard, name) if "beat.fired" in line]
    found = [re.search(r"name=(\w+).* run=(\d+)", line) for line in lines]
    return [(match[1], match[2]) for match in found if match]


def _said(yard: Yard, name: str) -> list[str]:
    return (yard.logs / f"{name}.log").read_text().splitlines()
