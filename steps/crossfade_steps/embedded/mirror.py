"""Which folder of this machine a model's URI stands for: nothing is fetched from a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from crossfade.errors import SpecError
from crossfade.spec.rollout import Bundle
from crossfade.spec.source import listed, look

DEMO = "gs://seldon-models/"
"""Seldon's public models; those of the example are installed, without the version in their path."""
FILE = "file://"
URI_PATH = ("graph", "modelUri")


def local_model(uri: str, mirrors: Mapping[str, str], folder: Path) -> Path:
    """Return the folder with the model's file.

    ``mirrors`` maps the beginning of a URI, up to a ``/``, to a local folder; the longest one
    counts.  Without one a path is a path, and a store's URI is looked for in ``folder``: the
    bucket's name and what follows it.  Raises ``SpecError``.
    """
    if not uri.strip():
        raise SpecError("a model has no modelUri, expected the URI or the folder of its files")
    fitting = [prefix for prefix in mirrors if _begins(uri, prefix)]
    if fitting:
        prefix = max(fitting, key=len)
        rest = uri.removeprefix(prefix.rstrip("/")).strip("/")
        return _existing(Path(mirrors[prefix]) / rest, uri)
    if uri.startswith(FILE) or "://" not in uri:
        return _named(uri)
    return _mirrored(uri, folder)


def _begins(uri: str, prefix: str) -> bool:
    bare = prefix.rstrip("/")
    return not prefix or uri.rstrip("/") == bare or uri.startswith(f"{bare}/")


def _named(uri: str) -> Path:
    path = Path(unquote(uri.removeprefix(FILE)) if uri.startswith(FILE) else uri)
    if not path.is_absolute():
        raise SpecError(
            f"model {uri}: a relative folder, expected an absolute one",
            hint="spec.models takes folders that are relative to the rollout's file",
        )
    return _existing(path, uri)


def _mirrored(uri: str, folder: Path) -> Path:
    parts = [part for part in uri.partition("://")[2].split("/") if part]
    whole = folder.joinpath(*parts)
    ends = range(1, len(parts)) if uri.startswith(DEMO) else ()
    for path in (whole, *(folder.joinpath(*parts[start:]) for start in ends)):
        if path.is_dir() and path != folder:
            return path.resolve()
    raise SpecError(
        f"model {uri}: not in the local mirror {folder}",
        hint=f"its store cannot be reached from here: put the model's files into {whole}, or name "
        "their folder under spec.models",
    )


def _existing(path: Path, uri: str) -> Path:
    if not path.is_dir():
        raise SpecError(f"model {uri}: no folder {path}")
    return path.resolve()  # a server has a folder of its own


def served(bundle: Bundle, folder: Path) -> dict[str, Path]:
    """Return the folder of every model that a rollout deploys or promotes, by its URI.

    Raises ``SpecError`` for one that is not there, and for two URIs that come to one folder: the
    second would be compared and promoted without ever having been loaded.
    """
    manifests = [*bundle.deploy, *(m for group in bundle.promote.values() for m in group)]
    predictors = [p for m in manifests for p in listed(m, ("spec", "predictors"))]
    graphs = [p for p in predictors if look(p, ("graph",)) is not None]
    uris = dict.fromkeys(str(look(p, URI_PATH) or "") for p in graphs)
    found = {uri: local_model(uri, bundle.models, folder) for uri in uris}
    owners: dict[Path, str] = {}
    for uri, path in found.items():
        other = owners.setdefault(path, uri)
        if other.rstrip("/") != uri.rstrip("/"):
            raise SpecError(
                f"models {other} and {uri} are both {path} here",
                hint="name a folder for each under spec.models",
            )
    return found
