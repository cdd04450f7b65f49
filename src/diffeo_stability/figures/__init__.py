"""The figures: one room each. A room that is put here is found; nothing else lists it."""

from importlib import import_module
from pkgutil import iter_modules

from .registry import SOURCES, Figure


def _figures() -> dict[str, Figure]:
    rooms = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__) if module.ispkg]
    figures = [room.FIGURE for room in rooms]
    return {figure.stem: figure for figure in sorted(figures, key=lambda one: (SOURCES.index(one.source), one.order))}


FIGURES = _figures()
