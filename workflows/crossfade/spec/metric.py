"""The Metric of group ``iter8.tools/v2alpha2``: how one number is read from a metric store."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from crossfade.spec.base import Model, Quantity
from crossfade.spec.experiment import Metadata, qualified


class MetricType(StrEnum):
    """Whether the value only grows (Counter) or moves both ways (Gauge)."""

    COUNTER = "Counter"
    GAUGE = "Gauge"


class AuthType(StrEnum):
    """How a request to the metric store authenticates."""

    BASIC = "Basic"
    BEARER = "Bearer"
    API_KEY = "APIKey"


class Method(StrEnum):
    """The HTTP method of the request."""

    GET = "GET"
    POST = "POST"


class NamedValue(Model):
    """A query parameter or a header template."""

    name: str
    value: str = ""


class MockLevel(Model):
    """The level of a mock metric for one version."""

    name: str
    level: Quantity


PLAIN = ".data.result[0].value[1]"


def _capital(value: Any) -> Any:
    return value.capitalize() if value in ("gauge", "counter") else value


class MetricSpec(Model):
    """``spec`` of a Metric; every field is optional, as in the CRD."""

    description: str | None = None
    units: str | None = None
    type: Annotated[MetricType, BeforeValidator(_capital)] = MetricType.GAUGE
    sample_size: str | None = None
    provider: str | None = None
    method: Method = Method.GET
    url_template: str | None = None
    params: tuple[NamedValue, ...] = ()
    body: str | None = None
    header_templates: tuple[NamedValue, ...] = ()
    auth_type: AuthType | None = None
    secret: str | None = None
    jq_expression: str | None = None
    mock: tuple[MockLevel, ...] = Field(default=())


class Metric(Model, extra="ignore"):
    """A Metric as people wrote it."""

    api_version: Literal["iter8.tools/v2alpha2"]
    kind: Literal["Metric"]
    metadata: Metadata
    spec: MetricSpec

    def key(self, default_namespace: str = "default") -> str:
        """Return ``namespace/name``."""
        return qualified(self.metadata.name or "", self.metadata.namespace or default_namespace)

    def sample_size_key(self, default_namespace: str = "default") -> str | None:
        """Return the metric that counts this one's samples as ``namespace/name``."""
        if self.spec.sample_size is None:
            return None
        return qualified(self.spec.sample_size, self.metadata.namespace or default_namespace)

    @property
    def query(self) -> str | None:
        """Return the parameter called ``query``, where a PromQL or SQL text usually stands."""
        return next((p.value for p in self.spec.params if p.name == "query"), None)

    @property
    def plain(self) -> bool:
        """Return whether the value is what a Prometheus query gives, and nothing made of it."""
        own = self.spec.jq_expression
        return own is None or _spelt_simply(own) == PLAIN

    @property
    def chooses(self) -> bool:
        """Return whether a jq expression makes one number of several series, not of the first."""
        return not self.plain and "result[0]" not in _spelt_simply(self.spec.jq_expression or "")

    @property
    def countable(self) -> bool:
        """Return whether the query says what is counted.

        A value that goes through another jq has a unit of its own, and so have its limits.
        """
        return self.spec.provider == "prometheus" and not self.spec.mock and self.plain


def _spelt_simply(jq: str) -> str:
    """Return a jq expression without what changes nothing in a path to one number."""
    text = re.sub(r'\["(\w+)"\]', r".\1", "".join(jq.split()))
    for old, new in (("(", ""), (")", ""), ("?", ""), (".[", "["), ("|.", "."), ("|[", "["),
                     ("..", ".")):  # fmt: skip
        text = text.replace(old, new)
    return text.removesuffix("|tonumber")
