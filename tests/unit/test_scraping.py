"""How far apart scrapes are is measured where the rollout does not say it, and gone by."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kube import Cluster, FakeKube, stage_of
from rig import Rig, bundle, deployment, route

from crossfade.errors import BackendError, SpecError
from crossfade.frame import frame
from crossfade.spec.rollout import Bundle, Policy
from crossfade.verdict import Reading
from crossfade_steps import scraping
from crossfade_steps.cluster import guard, scrapes, steps
from crossfade_steps.ports import MetricRequest
from crossfade_steps.watching import scrape_seconds


class Source:
    """A store whose samples are so far apart; of v2 there are none that anybody may ask for."""

    def __init__(self, *gaps: float | None, broken: bool = False) -> None:
        self.gaps, self.broken, self.asked = list(gaps), broken, list[str]()

    def read(self, request: MetricRequest) -> Reading:
        return Reading(1.0)

    def scrape_gap(self, request: MetricRequest) -> float | None:
        self.asked.append(request.version)
        if self.broken:
            raise BackendError("no answer")
        return self.gaps.pop(0)


def whole(interval: int = 60, policy: str = "evidence", **prometheus: Any) -> Bundle:
    made = bundle()
    document = made.experiment.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["spec"]["duration"]["intervalSeconds"] = interval
    experiment = type(made.experiment).model_validate(document)
    changes = {"experiment": experiment, "prometheus": prometheus, "policy": Policy(name=policy)}
    return made.model_copy(update=changes)


def rig(source: Any, made: Bundle) -> Rig:
    return Rig(made, sources=dict.fromkeys(made.metrics, source))


def test_the_widest_of_the_baseline_s_counters_counts() -> None:
    source = Source(15.0, 30.0)
    run = rig(source, whole(60)).run

    found = scraping.measured(run)

    assert found == 30.0
    assert source.asked == ["v1", "v1"]
    assert scraping.told(run, found) == "scrapes are 30 s apart"


def test_an_interval_under_two_scrapes_is_refused() -> None:
    with pytest.raises(SpecError, match=r"60 is less than two scrapes: .* 31 s apart") as error:
        scraping.measured(rig(Source(31.0, None), whole(60)).run)

    assert error.value.hint == "make it at least 62"


@pytest.mark.parametrize("source", [Source(None, None), Source(broken=True)],
                         ids=["no-samples-yet", "no-answer"])  # fmt: skip
def test_what_cannot_be_measured_is_said(source: Source) -> None:
    run = rig(source, whole(60)).run

    assert scraping.measured(run) is None
    assert "could not be measured, and are taken to be 15 s apart" in scraping.told(run, None)


@pytest.mark.parametrize("made", [whole(60, "iter8"), whole(60, scrape_interval=5)],
                         ids=["a-policy-of-values", "stated"])  # fmt: skip
def test_nothing_is_measured_where_nobody_needs_it(made: Bundle) -> None:
    source = Source()
    run = rig(source, made).run

    assert scraping.measured(run) is None
    assert scraping.told(run, None) == ""
    assert source.asked == []


def test_a_run_goes_by_what_its_first_step_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "start", lambda stage: None)
    fake, made = FakeKube(), whole(60)
    for manifest in (deployment("base", "old"), deployment("cand", "new"), route()):
        fake.create(manifest)
    here = rig(Source(5.0, 4.0), made)
    cluster = Cluster(here, fake, stage_of(here, fake))

    outputs = steps.check(cluster.stage, frame(made), "u1")

    assert outputs["summary"].endswith("; scrapes are 5 s apart")
    assert outputs["digest"] == made.digest
    assert scrapes.measured(cluster.stage.store) == 5.0
    assert scrape_seconds(rig(Source(), made).run) == 15.0
    assert scrape_seconds(Rig(made, measured=5.0).run) == 5.0
    assert scrapes.scraped(made, 5.0)["scrape_interval"] == 5.0
    assert scrapes.scraped(whole(scrape_interval=2), 5.0)["scrape_interval"] == 2


def test_a_run_of_an_older_release_has_no_measure() -> None:
    here = rig(Source(), whole())
    store = stage_of(here, FakeKube()).store

    assert scrapes.measured(store) is None
    store.create({}, {"phase": "checking"})
    assert scrapes.measured(store) is None
