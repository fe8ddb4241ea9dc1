"""Scikit-learn models for Seldon's Python server, behaving as its prepackaged SKLEARN_SERVER.

That class is not part of the ``seldon-core`` distribution.  Like it, this one answers class
probabilities, and swallows an exception of the model: the server then answers 400.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import joblib


class SKLearnServer:
    """Serves ``model.joblib`` of a folder."""

    def __init__(self, model_uri: str, method: str = "predict_proba") -> None:
        self._model: Any = joblib.load(Path(model_uri) / "model.joblib")
        self._method = method

    def predict(self, features: Any, names: Any, meta: Any = None) -> Any:
        """Return the probabilities of the classes, one row a row of features."""
        try:
            return getattr(self._model, self._method)(features)
        except Exception:
            logging.exception("prediction failed")
            return None
