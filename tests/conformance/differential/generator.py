"""A program from a seed."""

from __future__ import annotations

import random
import re
import textwrap
from typing import Any

from .blocks import BLOCKS, Block
from .blocks.values import EVENTS, HEADERS, VALUES
from .programs import Program, Step, Turn

__all__ = ["alone", "generate", "make_step"]

_NAME = re.compile(r"\$({})".format("|".join(VALUES)))
_OF_A_TURN = re.compile(r"\b(event|context)\b")

_IN_MODULES = [
    block
    for block in BLOCKS
    if block.place in ("anywhere", "init") and not _OF_A_TURN.search(block.code)
]
_IN_TURNS = [block for block in BLOCKS if block.place in ("anywhere", "turn")]
_ENDS = [block for block in BLOCKS if block.place == "end"]
_LAST = [block for block in BLOCKS if block.place == "last"]
_ANSWERS = [block for block in _ENDS if block.kind == "returns"]
# These end the process, or its Init: they would hide what comes after them if they came often.
_FATAL = re.compile(r"in init$")


def generate(seed: int) -> Program:
    """Return the program of *seed*."""
    chance = random.Random(seed)
    init = [_step(chance, block) for block in _some(chance, _IN_MODULES, (5, 3, 1, 1))]
    turns = tuple(_turn(chance) for _ in range(chance.choice((1, 1, 2, 2, 3, 4))))
    last = [_step(chance, chance.choice(_LAST))] if chance.random() < 0.05 else []
    return Program(seed, _settings(chance), tuple(init), turns, tuple(last))


def alone(times: int) -> list[Program]:
    """Return programs of one building block each, *times* for each block."""
    programs = []
    for number in range(times):
        for position, block in enumerate(BLOCKS):
            seed = 10**8 + number * 10**4 + position
            chance = random.Random(seed)
            step = _step(chance, block)
            parts = [(step,) if block.place == place else () for place in ("init", "last")]
            steps = () if block.place in ("init", "last") else (step,)
            if block.place == "anywhere" and block in _IN_MODULES and number % 2:
                parts[0], steps = (step,), ()
            turns = tuple(Turn(steps) for _ in range(2))
            programs.append(Program(seed, _settings(chance), parts[0], turns, parts[1]))
    return programs


def _some(chance: random.Random, blocks: list[Block], weights: tuple[int, ...]) -> list[Block]:
    (number,) = chance.choices(range(len(weights)), weights)
    chosen = [chance.choice(blocks) for _ in range(number)]
    return [one for one in chosen if not _FATAL.search(one.name) or chance.random() < 0.2]


def _turn(chance: random.Random) -> Turn:
    steps = [_step(chance, block) for block in _some(chance, _IN_TURNS, (1, 4, 4, 2, 1))]
    draw = chance.random()
    if draw < 0.85:
        steps.append(_step(chance, chance.choice(_ANSWERS if draw < 0.4 else _ENDS)))
    event = chance.choice(EVENTS) if chance.random() < 0.4 else "{}"
    headers = chance.choice(HEADERS) if chance.random() < 0.1 else {}
    return Turn(tuple(steps), event, headers)


def _step(chance: random.Random, block: Block) -> Step:
    guarded = block.place in ("anywhere", "turn") and chance.random() < 0.3
    return make_step(chance, block, guarded=guarded)


def make_step(chance: random.Random, block: Block, *, guarded: bool = False) -> Step:
    """Return *block* with values in the place of its names with a dollar sign."""

    def fill(found: re.Match[str]) -> str:
        return chance.choice(VALUES[found[1]])

    code, init = _NAME.sub(fill, block.code), _NAME.sub(fill, block.init)
    return Step(block.name, textwrap.dedent(code), init, guarded, dict(block.files))


def _settings(chance: random.Random) -> dict[str, Any]:
    settings: dict[str, Any] = {"environment": {"OWN": "own", "SECOND": "2"}}
    if chance.random() < 0.4:
        settings["runtime"] = chance.choice(("python3.11", "python3.12", "python3.13"))
    if chance.random() < 0.2:
        settings["log_format"] = "JSON"
    if chance.random() < 0.2:
        settings["application_log_level"] = chance.choice(("DEBUG", "INFO", "ERROR", "TRACE"))
    if chance.random() < 0.1:
        settings["memory_size"] = 512
    return settings
