"""Text to documents: YAML and JSON with the line of every value, bounded in size and depth.

The limits keep hostile input (alias bombs, endless nesting, recursive aliases) from costing more
than a moment; people's files stay far below them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from crossfade.errors import Finding, Severity
from crossfade.spec.rollout import Bundle, JobLoad
from crossfade.spec.source import Document, field_path
from crossfade.spec.source import Path as FieldPath

MOST_BYTES = 2 * 1024 * 1024
MOST_DEPTH = 64
MOST_VALUES = 100_000

_TEXT_TAGS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_BINARY = "tag:yaml.org,2002:binary"
_TEMPLATE = re.compile(r"\{\{-?\s*[\w.$(]")
_TAB_INDENT = re.compile(r"^ *\t", re.MULTILINE)
_DAMAGED = ("expected <block end>", "mapping values are not allowed", "did not find expected")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Refused(Exception):
    """A file cannot be read as a whole; ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def read_file(path: Path) -> tuple[list[Document], list[Finding]]:
    """Return a file's documents and what is wrong with its text."""
    name = str(path)
    try:
        if path.exists() and not path.is_file():
            return [], [_error(name, "not a regular file")]
        size = path.stat().st_size
        if size > MOST_BYTES:
            return [], [_error(name, f"{size} bytes, expected at most {MOST_BYTES}")]
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [], [_error(name, f"not UTF-8 text at byte {error.start}")]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return [], [_error(name, f"cannot be read: {reason}")]
    return parse(text, name)


def parse(text: str, file: str) -> tuple[list[Document], list[Finding]]:
    """Return the documents of a text and its findings; ``kind: List`` becomes its items."""
    findings: list[Finding] = []
    documents: list[Document] = []
    try:
        for node in _nodes(text, file):
            build = _Build(file)
            data = build.value(node, ())
            findings += build.findings
            if data is not None:
                documents.append(Document(file, data, build.lines))
    except Refused as refused:
        return [], [*findings, refused.finding]
    except RecursionError:
        return [], [*findings, _error(file, f"nested deeper than {MOST_DEPTH} levels")]
    return [item for document in documents for item in _items(document)], findings


def _nodes(text: str, file: str) -> Iterator[yaml.Node]:
    """Compose one node a document, after a look at the events has shown that it is safe to."""
    if text.lstrip()[:1] in ("{", "[") and _is_json(text):
        text = text.replace("\t", " ")  # legal between JSON's tokens, not between YAML's
    try:
        _bound(text, file)
        yield from yaml.compose_all(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise Refused(_yaml_finding(error, text, file)) from error
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise Refused(_error(file, f"not YAML: {reason}")) from error


def _bound(text: str, file: str) -> None:
    depth = 0
    for values, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise Refused(_error(file, f"nested deeper than {MOST_DEPTH} levels", line=line))
        if values > MOST_VALUES:
            raise Refused(_error(file, f"more than {MOST_VALUES} values"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Build:
    """Turns nodes into plain values and keeps the line of each path."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[FieldPath, int] = {}
        self.findings: list[Finding] = []
        self._values = 0
        self._constructor = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        line = node.start_mark.line + 1
        self._values += 1
        if self._values > MOST_VALUES:
            message = f"aliases expand to more than {MOST_VALUES} values"
            raise Refused(_error(self.file, message, line=line))
        if len(path) > MOST_DEPTH:
            message = f"nested deeper than {MOST_DEPTH} levels (an alias to itself?)"
            raise Refused(_error(self.file, message, line=line))
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        own = {key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                message = "a key is a list or mapping, expected text"
                raise Refused(_error(self.file, message, line=key.start_mark.line + 1))
            if key.tag == "tag:yaml.org,2002:merge":
                self._merge(item, path, own, result)
                continue
            name = str(key.value)
            if name in result:
                self._duplicate(name, key, path)
            self.lines[(*path, name)] = key.start_mark.line + 1
            result[name] = self.value(item, (*path, name))
        return result

    def _merge(
        self, node: yaml.Node, path: FieldPath, own: set[str], result: dict[str, Any]
    ) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            merged = self.value(source, path)
            for name, value in merged.items() if isinstance(merged, dict) else ():
                if name not in own:
                    result.setdefault(name, value)

    def _duplicate(self, name: str, key: yaml.Node, path: FieldPath) -> None:
        first = self.lines.get((*path, name), 0)
        line = key.start_mark.line + 1
        message = f"key {name!r} stands twice (first in line {first}), the last one would win"
        self.findings.append(_error(self.file, message, line=line))

    def _scalar(self, node: yaml.Node, path: FieldPath) -> Any:
        if node.tag in _TEXT_TAGS:
            return node.value
        if node.tag == _BINARY:  # bytes have no place in JSON
            where = Finding(Severity.ERROR, "file", "binary data, expected text",
                            "write it as base64 text, without !!binary", self.file,
                            node.start_mark.line + 1, field_path(path))  # fmt: skip
            self.findings.append(where)
            return node.value
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            line = node.start_mark.line + 1
            raise Refused(_error(self.file, f"not a plain value: {reason}", line=line)) from error


def _items(document: Document) -> Iterator[Document]:
    """Yield the document, or the items of a ``kind: List``."""
    data = document.data
    if not isinstance(data, dict) or document.kind != "List" or "items" not in data:
        yield document
        return
    items = data["items"] if isinstance(data["items"], list) else []
    for i, item in enumerate(items):
        prefix = ("items", i)
        lines = {p[2:]: line for p, line in document.lines.items() if p[:2] == prefix}
        yield Document(document.file, item, lines)


def documents_of(bundle: Bundle) -> tuple[Document, ...]:
    """Return the manifests of a bundle as documents, for what judges documents; of no file."""
    manifests = [*bundle.deploy, *(m for group in bundle.promote.values() for m in group)]
    manifests += [job for load in bundle.load if isinstance(load, JobLoad) for job in load.jobs]
    return tuple(item for m in manifests for item in _items(Document("", m, inline=True)))


def _error(file: str, message: str, *, line: int = 0, hint: str = "") -> Finding:
    return Finding(Severity.ERROR, "file", message, hint, file, line)


def _yaml_finding(error: yaml.MarkedYAMLError, text: str, file: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    problem = error.problem or error.context or "not YAML"
    message = f"not YAML: {problem} (line {line}, column {column})"
    return _error(file, message, line=line, hint=_yaml_hint(problem, text))


def _yaml_hint(problem: str, text: str) -> str:
    if _TEMPLATE.search(text) and ("{{-" in text or ".Values" in text or "| quote" in text):
        return "this looks like an unrendered Helm template: render it first (helm template)"
    if "cannot start any token" in problem and _TAB_INDENT.search(text):
        return "a tab is used for indentation: use spaces"
    if any(words in problem for words in _DAMAGED):
        return "the indentation looks damaged, as by copy and paste"
    return ""
