"""Plain values to YAML that every parser reads alike.

Hera's own ``to_yaml`` joins lines after an unmatched ``{{`` and leaves number-like text such as
``12e5`` bare, which Go reads as a number.  Here every text value is double-quoted and ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

_PLAIN_KEY = re.compile(r"^[A-Za-z][A-Za-z0-9_./-]*$")
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


class _Dumper(yaml.SafeDumper):
    """Double-quotes every text value; never writes anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.MappingNode:
    node = dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=False)
    for key, _ in node.value:
        if _PLAIN_KEY.match(key.value) and key.value.lower() not in _NOT_PLAIN:
            key.style = None
    return node


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _mapping)


def to_yaml(documents: Sequence[dict[str, Any]]) -> str:
    """Return the documents as one text.

    Raises ``AssertionError`` should reading it back not give the same values.
    """
    text = yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=False, width=10**6, allow_unicode=False,
        default_flow_style=False,
    )  # fmt: skip
    if list(yaml.safe_load_all(text)) != list(documents):
        raise AssertionError("a document does not survive its YAML: this is a bug")
    return text
