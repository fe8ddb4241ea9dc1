"""XGBoost models for Seldon's Python server, behaving as its prepackaged XGBOOST_SERVER.

That class is not part of the ``seldon-core`` distribution.  Like it, this one answers the
booster's prediction, and lets an exception pass: the server then answers 500.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xgboost


class XGBoostServer:
    """Serves ``model.json`` of a folder."""

    def __init__(self, model_uri: str) -> None:
        self._booster = xgboost.Booster(model_file=str(Path(model_uri) / "model.json"))

    def predict(self, features: Any, names: Any, meta: Any = None) -> Any:
        """Return the booster's prediction, one row a row of features."""
        rows = np.asarray(features, dtype=float)
        wanted = self._booster.num_features()
        if rows.shape[-1] != wanted:
            raise ValueError(f"Expected {wanted} features, got {rows.shape[-1]}")
        return self._booster.predict(xgboost.DMatrix(rows))
