"""A disk that takes nothing more, and mistakes of ours: weights are restored, and it is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from rig import VS, Rig, bundle, route

from crossfade import record
from crossfade.errors import BackendError
from crossfade.verdict import Outcome
from crossfade_steps.embedded import files
from crossfade_steps.embedded.store import Store
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey
from crossfade_steps.record_file import RecordFile


def full() -> Any:
    raise OSError(28, "No space left on device")


def test_what_cannot_be_written_is_a_backend_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    for write in (files.write, files.replace):
        with pytest.raises(BackendError, match="taken: cannot be written: Is a directory"):
            write(tmp_path / "taken", "x")
    with pytest.raises(BackendError, match="null/x: cannot be written: Not a directory"):
        files.make_folder(Path("/dev/null/x"))
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_watched_file_is_written_into_its_own_room_where_there_is_no_other(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rds.yaml"
    watched = files.Watched(path)
    watched.write("first")
    file = path.stat()
    (tmp_path / ".rds.yaml.new").mkdir()  # nothing can be written beside it any more

    for text in ("second, longer", "third"):
        watched.write(text)

        assert path.read_text().rstrip() == text
    assert (path.stat().st_ino, path.stat().st_size) == (file.st_ino, file.st_size)
    with pytest.raises(BackendError, match="cannot be written"):
        watched.write("x" * 2 * files.ROOM)
    assert path.read_text().rstrip() == "third"


def test_a_change_that_a_subscriber_cannot_carry_out_has_not_happened() -> None:
    store = Store()
    store.create(route())

    def refuse(event: str, stored: Any) -> None:
        if stored["metadata"]["resourceVersion"] != "1":
            raise BackendError("rds.yaml: cannot be written")

    store.subscribe(refuse)
    path = "/spec/http/0/route/0/weight"
    before = store.get(VS)

    with pytest.raises(BackendError):
        store.patch(VS, [{"op": "replace", "path": path, "value": 0}])
    with pytest.raises(BackendError):
        store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})

    assert store.get(VS) == before
    assert store.list("Namespace") == []


def test_a_mistake_of_ours_is_an_outcome_and_users_are_with_the_baseline() -> None:
    rig = Rig(bundle())
    rig.at(15, full)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "unexpected OSError: [Errno 28] No space left on device (" in ended.sentence
    assert rig.weights() == [100, 0]
    assert rig.model("cand") is None
    assert [e["type"] for e in rig.record.list[-2:]] == ["settled", "outcome"]


def test_a_mistake_in_restoring_is_told_with_the_reason() -> None:
    rig = Rig(bundle())

    def begin() -> None:
        rig.store.get = lambda key: full()  # type: ignore[method-assign]

    rig.at(15, begin)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "safe weights are NOT restored: unexpected OSError" in ended.sentence
    assert record.last(rig.record.list, "outcome") is not None


def test_a_mistake_in_removing_a_candidate_is_a_note() -> None:
    rig = Rig(bundle(rewards=(2.0, 1.0)))

    def delete(key: ObjectKey, *, uid: str | None = None) -> None:
        full()

    rig.store.delete = delete  # type: ignore[method-assign]

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.KEPT, ended
    assert any("candidates not removed: unexpected OSError" in note for note in rig.run.notes)


def test_a_full_disk_ends_the_run_and_restores_the_weights() -> None:
    rig = Rig(bundle())
    append = rig.record.append

    def full(entry: Any) -> None:
        if rig.clock.now() > 1025:
            raise BackendError("record.jsonl: cannot be written: No space left on device")
        append(entry)

    rig.record.append = full  # type: ignore[method-assign]

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "No space left on device" in ended.sentence
    assert rig.weights() == [100, 0]
    assert any("outcome not recorded" in note for note in rig.run.notes)


def test_half_a_line_is_taken_back_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = RecordFile(tmp_path / "record.jsonl")
    kept.append({"type": "run"})

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(BackendError, match="No space left on device"):
            kept.append({"type": "decision"})
    kept.append({"type": "outcome"})

    assert [entry["type"] for entry in kept.entries()] == ["run", "outcome"]
