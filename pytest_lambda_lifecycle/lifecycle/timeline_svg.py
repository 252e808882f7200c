"""The timeline as a picture: one SVG without links, scripts or fonts of its own.

Phases are as wide as they are long, down to a width that still holds their names.  Time in which
nothing runs is a narrow gap with its length, since an idle hour would leave no room for an invoke.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

from pytest_lambda_lifecycle.lifecycle.events import Event
from pytest_lambda_lifecycle.lifecycle.platform_lines import in_ms
from pytest_lambda_lifecycle.lifecycle.timeline_shapes import Shape, Stretch, lanes_of, stretches

__all__ = ["svg"]

_COLOURS: Final = {
    "init": ("#ffd9ad", "#b85600"),
    "restore": ("#e5d3fb", "#7a3fc0"),
    "invoke": ("#d5ecb8", "#4c7a00"),
    "shutdown": ("#ffd3da", "#b3223a"),
    "runtime": ("#e4e7eb", "#545b64"),
    "HTTP": ("#cfe4fb", "#1b62a8"),
    "AWS": ("#cfe4fb", "#1b62a8"),
}
"""The inside and the edge of the bars of phases, in the colours of AWS's figure, and of lanes."""
_EXTENSION: Final = ("#f5e3a3", "#7d6200")
_BAD: Final = "#b00020"
_TEXT: Final = "#16191f"
_MUTED: Final = "#545b64"
_FONT: Final = 'font-family="system-ui, sans-serif" font-size="11"'

_LABELS: Final = 150
"""The width of the column of the lanes' names."""
_PHASES: Final = 850
_NARROWEST: Final = 88
_GAP: Final = 4
_IDLE: Final = 64
_HEAD: Final = 42
_ROW: Final = 24
_SHORTEST_IDLE_US: Final = 1000
_MOST_PHASES: Final = 100
"""More are left out in the middle: nobody looks at thousands."""
_MOST_SHAPES: Final = 100
"""In one phase."""


class _Place(NamedTuple):
    """A stretch, and where it is drawn."""

    stretch: Stretch
    x: float
    width: float
    idle_us: int
    """The time before it in which nothing ran."""
    left_out: int
    """The phases before it that are not drawn."""

    def at(self, moment: int) -> float:
        """Return where a moment of the stretch is drawn."""
        stretch = self.stretch
        span = max(stretch.ended - stretch.began, 1)
        share = min(max((moment - stretch.began) / span, 0), 1)
        return self.x + share * self.width


def svg(events: Iterable[Event], name: str = "Timeline of a Lambda environment") -> str:
    """Return an SVG image of the events; hovering over a bar shows what it is."""
    found = stretches(events)
    lanes = lanes_of(found)
    places = _places(found)
    width = round(places[-1].x + places[-1].width + 12) if places else _LABELS + _PHASES
    height = _HEAD + _ROW * len(lanes) + 10
    label = escape(f"{name}: {_in_words(found)}", quote=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" {_FONT} '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{label}</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
        *_lane_rows(lanes, width),
        *(part for place in places for part in _drawn(place, lanes, height)),
    ]
    if not found:
        parts.append(_label(_LABELS, 16, "no phase has run"))
    return "\n".join([*parts, "</svg>"])


def _in_words(found: Sequence[Stretch]) -> str:
    shown = [f"{one.title} {in_ms(one.ended - one.began)}" for one in found[:10]]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f", and {more} more phases" if more > 0 else "") or "no phase"


def _places(found: Sequence[Stretch]) -> list[_Place]:
    """Lay the stretches out from left to right."""
    left_out = len(found) - _MOST_PHASES
    half = _MOST_PHASES // 2
    shown = list(found) if left_out <= 0 else [*found[:half], *found[-half:]]
    total = sum(one.ended - one.began for one in shown) or 1
    places: list[_Place] = []
    x: float = _LABELS
    before: Stretch | None = None
    for index, stretch in enumerate(shown):
        skipped = left_out if left_out > 0 and index == half else 0
        idle = 0 if before is None or skipped else stretch.began - before.ended
        idle = idle if idle >= _SHORTEST_IDLE_US else 0
        x += 0 if before is None else _IDLE if idle or skipped else _GAP
        width = max(_PHASES * (stretch.ended - stretch.began) / total, _NARROWEST)
        places.append(_Place(stretch, round(x, 1), round(width, 1), idle, skipped))
        x, before = x + width, stretch
    return places


def _lane_rows(lanes: Sequence[str], width: int) -> Iterator[str]:
    for index, lane in enumerate(lanes):
        y = _HEAD + index * _ROW
        if index % 2 == 0:
            yield f'<rect y="{y}" width="{width}" height="{_ROW}" fill="#f5f6f8"/>'
        yield _label(10, y + 16, lane if len(lane) <= 22 else f"{lane[:21]}…")


def _drawn(place: _Place, lanes: Sequence[str], height: int) -> Iterator[str]:
    """Yield the gap before a stretch, its head, and its shapes."""
    stretch, x = place.stretch, place.x
    if place.idle_us or place.left_out:
        text = f"{place.left_out} more" if place.left_out else _span(place.idle_us)
        word = "phases" if place.left_out else "idle"
        left = x - _IDLE
        yield (
            f'<rect x="{left + 2:.1f}" y="{_HEAD}" width="{_IDLE - 4}" '
            f'height="{height - _HEAD - 10}" fill="#e4e7eb"/>'
        )
        yield _label(left + 4, 16, word, _MUTED) + _label(left + 4, 31, text, _MUTED)
    yield _label(x, 16, stretch.title, _COLOURS[stretch.kind][1])
    failed = stretch.status != "success"
    length = in_ms(stretch.ended - stretch.began)
    yield _label(x, 31, f"{length} {stretch.status if failed else ''}", _BAD if failed else _TEXT)
    for shape in stretch.shapes[:_MOST_SHAPES]:
        yield _shape(place, shape, lanes.index(shape.lane))
    if len(stretch.shapes) > _MOST_SHAPES:
        more = len(stretch.shapes) - _MOST_SHAPES
        yield _label(x, height - 1, f"{more} more events", _MUTED)


def _shape(place: _Place, shape: Shape, lane: int) -> str:
    """Return a bar, or for a moment a mark, with a text that shows where a pointer hovers."""
    y, x = _HEAD + lane * _ROW, place.at(shape.began)
    inside, edge = _colours(place.stretch, shape)
    title = f"<title>{escape(shape.text)}</title>"
    if shape.ended is None:
        colour = _BAD if shape.bad else _TEXT
        mark = f'<circle cx="{x:.1f}" cy="{y + 12}" r="3.5" stroke="#fff" '
        return f'{mark}fill="{colour}">{title}</circle>'
    width = max(place.at(shape.ended) - x, 3)
    x = min(x, place.x + place.width - 3)
    bar = f'<rect x="{x:.1f}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}" rx="2" '
    stroke = f'stroke="{_BAD}" stroke-width="2.5"' if shape.bad else f'stroke="{edge}"'
    return f'{bar}fill="{inside}" {stroke}>{title}</rect>'


def _colours(stretch: Stretch, shape: Shape) -> tuple[str, str]:
    lane = shape.lane
    if lane in ("platform", "function"):
        return _COLOURS[stretch.kind]
    return _COLOURS.get(lane, _EXTENSION)


def _label(x: float, y: float, text: str, colour: str = _TEXT) -> str:
    return f'<text x="{x:.1f}" y="{y}" fill="{colour}">{escape(text)}</text>'


def _span(us: int) -> str:
    """Return a length of time in its largest unit."""
    for unit, length in (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000)):
        if us >= length:
            return f"{us / length:.4g} {unit}"
    return f"{us / 1_000_000:.3g} s" if us >= 1_000_000 else f"{us / 1000:.3g} ms"
