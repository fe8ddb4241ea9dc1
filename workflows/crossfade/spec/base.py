"""The base of every model that text is read into."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

_QUANTITY = re.compile(
    r"^(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))"
    r"(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?\d{1,3}))?$"
)
_DECIMAL = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


class Model(BaseModel):
    """Frozen, strict about unknown keys; camelCase in files, snake_case in Python."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
    )


def parse_quantity(value: object) -> float:
    """Return the number a Kubernetes Quantity stands for (``10m`` = 0.01, ``2Ki`` = 2048).

    Accepts int and float as well, unlike Kubernetes, because people write ``upperLimit: 0.01``
    (reference: API field Objective.upperLimit, resource.Quantity).  Raises ValueError.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected a quantity such as 0.01, 10m or 2k, got {value!r}")
    match = _QUANTITY.match(str(value).strip())
    if match is None:
        raise ValueError(f"expected a quantity such as 0.01, 10m or 2k, got {value!r}")
    number, suffix = Decimal(match["number"]), match["suffix"] or ""
    if suffix in _BINARY:
        number *= 2 ** _BINARY[suffix]
    else:
        number = number.scaleb(_DECIMAL[suffix] + int(match["exponent"] or 0))
    result = float(number)
    if not math.isfinite(result):
        raise ValueError(f"quantity {value!r} is too large")
    return result


Quantity = Annotated[float, BeforeValidator(parse_quantity), PlainSerializer(float)]
