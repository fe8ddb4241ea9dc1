"""Documents to models, with every mistake as a finding: file, line, field, and a near miss."""

from __future__ import annotations

import copy
import difflib
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from crossfade.errors import Finding, Severity
from crossfade.spec.base import Model
from crossfade.spec.source import Document, Path
from crossfade.spec.urls import REFUSED

M = TypeVar("M", bound=Model)

# Fields of other versions of the schema that stored objects still carry: they change nothing here.
LEGACY: dict[str, tuple[Path, ...]] = {
    "Experiment": (
        ("spec", "metrics"),
        ("spec", "type"),
        ("spec", "strategy", "type"),
        ("spec", "strategy", "handlers"),
    ),
}
# Where a misplaced or misspelt key belongs when its spelling alone does not tell.
KNOWN_MISTAKES: dict[Path, str] = {
    ("spec", "baseline"): "it probably belongs under versionInfo (lost indentation)",
    ("spec", "candidates"): "it probably belongs under versionInfo (lost indentation)",
    ("spec", "duration", "maxIterations"): "did you mean iterationsPerLoop; its default is 15",
}
CONDITION = "did you mean if; a task is never run without its condition"


def validate(document: Document, model: type[M]) -> tuple[M | None, list[Finding]]:
    """Return the model, or None and why not; legacy fields are warnings and change nothing."""
    data, findings = _without_legacy(document)
    try:
        return model.model_validate(data), findings
    except ValidationError as error:
        for details in error.errors(include_url=False, include_context=True):
            findings.append(_finding(document, model, details))
        return None, findings


def _without_legacy(document: Document) -> tuple[Any, list[Finding]]:
    data = copy.deepcopy(document.data)
    findings = []
    for path in LEGACY.get(document.kind, ()):
        parent = data
        for part in path[:-1]:
            parent = parent.get(part) if isinstance(parent, dict) else None
        if isinstance(parent, dict) and parent.pop(path[-1], None) is not None:
            message = f"unknown field {path[-1]} is ignored (another version of the schema had it)"
            findings.append(document.finding(Severity.WARNING, "field", message, path=path))
    return data, findings


def _finding(document: Document, model: type[Model], details: ErrorDetails) -> Finding:
    path = _document_path(document.data, details["loc"])
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown(document, model, path)
    if kind == "missing":
        message = f"{path[-1]} is required"
        return document.finding(Severity.ERROR, "field", message, path=path)
    hint = _near(details.get("input"), _choices(details))
    message = _sentence(details)
    return document.finding(Severity.ERROR, "field", message, path=path, hint=hint)


def _document_path(data: Any, location: tuple[int | str, ...]) -> Path:
    """Return the location without the tags that pydantic adds for unions and validators."""
    path: list[str | int] = []
    node = data
    for i, part in enumerate(location):
        if isinstance(part, int):
            node = node[part] if isinstance(node, list) and part < len(node) else None
        elif isinstance(node, dict) and part in node:
            node = node[part]
        elif i < len(location) - 1:
            continue
        path.append(part)
    return tuple(path)


def _unknown(document: Document, model: type[Model], path: Path) -> Finding:
    key = str(path[-1])
    hint = KNOWN_MISTAKES.get(path, "")
    if not hint and key == "condition" and "actions" in path:
        hint = CONDITION
    hint = hint or _near(key, known_keys(model, path[:-1]))
    message = f"unknown field {key}"
    return document.finding(Severity.ERROR, "field", message, path=path, hint=hint)


def known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that the schema knows at a path; none where it is free."""
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, str) and current is not None:
            current = _child(current, part)
    if current is None:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _child(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return _model_in(field.annotation)
    return model  # a key of a mapping whose values are models


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for arg in get_args(annotation) if (m := _model_in(arg))), None)


def _choices(details: ErrorDetails) -> list[str]:
    expected = str(details.get("ctx", {}).get("expected", ""))
    return [word.strip("' ") for word in expected.replace(" or ", ", ").split(", ")]


def _near(value: Any, known: list[str]) -> str:
    if not isinstance(value, str):
        return ""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(value.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[near[0]]}" if near else ""


_WANTED = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
}


def _sentence(details: ErrorDetails) -> str:
    name = str(details["loc"][-1]) if details["loc"] else "the document"
    value = details.get("input")
    wanted = _WANTED.get(details["type"])
    if wanted is not None:
        extra = " of action name to task list" if name == "actions" else ""
        return f"{name} must be {wanted}{extra}, got {shown(value)}"
    if details["type"] in ("enum", "literal_error"):
        expected = details.get("ctx", {}).get("expected", "")
        return f"{name} is {shown(value)}, expected {expected}"
    if details["type"] == REFUSED:  # which shows as much of it as may be shown
        return f"{name}: {details['msg']}"
    text = details["msg"].removeprefix("Value error, ")
    text = text[:1].lower() + text[1:]
    return f"{name}: {text}" if shown(value) in text else f"{name}: {text}, got {shown(value)}"


def shown(value: Any) -> str:
    """Return a value for a message: its type and as much of it as helps."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    kind = {int: "integer ", bool: "", float: "number ", str: ""}.get(type(value), "")
    text = repr(value)
    return kind + (text if len(text) <= 60 else text[:57] + "...")
