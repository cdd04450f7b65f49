"""The figures, each in a room of its own. A room that is put here is found; nothing else lists it."""

from importlib import import_module
from pkgutil import iter_modules

from .registry import SOURCES, Figure


def _place_in_report(figure: Figure) -> tuple[int, int]:
    return SOURCES.index(figure.source), figure.order


def _figures() -> dict[str, Figure]:
    rooms = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__) if module.ispkg]
    figures = [room.FIGURE for room in rooms]
    return {figure.stem: figure for figure in sorted(figures, key=_place_in_report)}


FIGURES = _figures()
