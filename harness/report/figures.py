"""Draw with matplotlib, where it is installed: SVG that is part of the page, in the reader's own colours.

A drawing goes into the page as an image, so that its style and its ids stay its own.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cache

__all__ = ["can_draw", "draw_phases", "image_of"]

# What is drawn in these is given the colour of the reader's theme afterwards; no drawing has them by chance.
_INK, _MARK, _PALE = "#010203", "#010204", "#010205"
_THEME = (
    "<style>:root{--ink:#24292f;--mark:#0969da;--pale:#afb8c1}"
    "@media(prefers-color-scheme:dark){:root{--ink:#d6dbe1;--mark:#6cb6ff;--pale:#5d6670}}"
    "@media print{:root{--ink:#000;--mark:#0550ae;--pale:#999}}</style>"
)
_MOST_DOTS = 400


@cache
def can_draw() -> bool:
    """Tell whether matplotlib is here (the extra ``report``)."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def image_of(svg: str) -> str:
    """Return an SVG document as a data URI."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def draw_phases(
    title: str, now_s: Mapping[str, Sequence[float]], before_s: Mapping[str, Sequence[float]]
) -> str | None:
    """Draw the duration of each phase of start-up, a dot a boot, with the median; return the SVG document.

    ``before_s`` are those of the baseline, drawn paler below. Seconds. None if there is nothing to draw, or nothing to
    draw with.
    """
    if not now_s or not can_draw():
        return None
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names = list(now_s)
    # Ids and metadata that do not change from one drawing to the next: pages can be compared.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "svsm-harness", "font.family": "sans-serif"}):
        height = 0.6 + 0.34 * len(names)
        figure = Figure(figsize=(7.2, height))
        # Margins in inches: to have them found takes half of the time of a drawing.
        axes = figure.add_axes((1.1 / 7.2, 0.5 / height, 5.95 / 7.2, (height - 0.55) / height))
        for row, name in enumerate(reversed(names)):
            for times, colour, shift in ((before_s.get(name, ()), _PALE, -0.2), (now_s[name], _MARK, 0.1)):
                if times:
                    shown = _thin(sorted(times))
                    axes.plot(shown, [row + shift] * len(shown), "o", color=colour, markersize=4, alpha=0.45, mew=0)
                    middle = sorted(times)[len(times) // 2]
                    axes.plot([middle], [row + shift], "|", color=colour, markersize=12, mew=2.2)
        axes.set_yticks(range(len(names)), list(reversed(names)))
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds from the milestone before", color=_INK)
        axes.tick_params(colors=_INK, length=3)
        axes.grid(axis="x", color=_PALE, linewidth=0.4, alpha=0.6)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(_INK)
        target = io.StringIO()
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Title": title})
    return _in_theme(target.getvalue())


def _in_theme(svg: str) -> str:
    for colour, name in ((_INK, "ink"), (_MARK, "mark"), (_PALE, "pale")):
        svg = svg.replace(colour, f"var(--{name})")
    # Text that has no colour of its own is black in SVG.
    svg = svg.replace("font: ", "fill: var(--ink); font: ")
    begin = svg.index("<svg ")
    end = svg.index(">", begin) + 1
    return svg[begin:end] + _THEME + svg[end:]


def _thin(ordered: Sequence[float]) -> Sequence[float]:
    step = max(1.0, len(ordered) / _MOST_DOTS)
    return [ordered[int(index * step)] for index in range(min(len(ordered), _MOST_DOTS))]
