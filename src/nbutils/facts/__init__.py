"""From a series to facts: what code can compute, so that the model need not.

`compute` turns a case into `Facts`; ``Facts.render()`` is the block the prompt carries and
``Facts.brief()`` the analysis that code alone can write.
"""

from nbutils.facts.regression import Predictor, Regression, parse_regression
from nbutils.facts.series import Facts, Point, Step, compute, read_glossary
from nbutils.facts.shape import Shape, fit_shape

__all__ = [
    "Facts",
    "Point",
    "Predictor",
    "Regression",
    "Shape",
    "Step",
    "compute",
    "fit_shape",
    "parse_regression",
    "read_glossary",
]
