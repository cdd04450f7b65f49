"""Figure ``interpolation_curves``: from one image towards another, beside noise of the same norm."""

from ..registry import OCTOBER, Figure
from ..settings import Norms


class InterpolationCurves(Norms):
    """Figure `interpolation_curves`: towards another image, beside isotropic noise of the same norm."""


FIGURE = Figure(__name__, InterpolationCurves, OCTOBER, 7, on_gpu=True)
