"""The service and the processes of machines are killed in the midst of what they do, at points that a recorded run names."""
import collections

import pytest

from support import kill_verbs, strike
from support.kill_campaign import Campaign

pytestmark = [pytest.mark.recovery, pytest.mark.kill]

# Of each verb in the short form: shares of its recorded points, so that its begin, midst and end all come.
SHORT_OF_SERVICE = {kill_verbs.CreateNamed: (0.3, 0.5), kill_verbs.Rename: (0.2, 0.5, 0.8), kill_verbs.Start: (0.3,),
                    kill_verbs.Delete: (0.4, 0.7), kill_verbs.Persist: (0.5,), kill_verbs.Purge: (0.5,)}
SHORT_OF_LAUNCHED = {kill_verbs.CreateNamedProcess: (0.3,), kill_verbs.StartProcess: (0.6,)}
FEWEST_POINTS = 200

# (verb, process) → what became of its points; of the long form.
results = {}


def hit_all(campaign, verb, points):
    """How many points were reached; prints each that was. All go wrong together, so that one run tells of all."""
    hits, wrong = [], []
    for point in points:
        try:
            has_hit, where = campaign.hit(verb, point)
        except AssertionError as error:
            wrong.append(f"{verb.name}, {verb.process}, {point}: {error}")
            break  # what follows would stumble over it
        hits.append(has_hit)
        if has_hit:
            print(f"  {point.role} {point.syscall}:{point.n} at {where}")
    assert not wrong, "\n".join(wrong)
    return sum(hits)


def some(points, shares):
    assert points, "the recorded run has no point"
    return [points[int(share * len(points))] for share in shares]


@pytest.mark.timeout(300)
def test_verbs_at_some_points_of_the_service():
    with Campaign() as campaign:
        for kind, shares in SHORT_OF_SERVICE.items():
            verb = kind(campaign)
            assert hit_all(campaign, verb, some(campaign.record(verb), shares)) > 0, verb.name


@pytest.mark.timeout(300)
def test_verbs_at_some_points_of_a_machines_process():
    with Campaign("capsem-process") as campaign:
        for kind, shares in SHORT_OF_LAUNCHED.items():
            verb = kind(campaign)
            assert hit_all(campaign, verb, some(campaign.record(verb), shares)) > 0, verb.name


def long_form(kind, wrapped=None):
    with Campaign(wrapped) as campaign:
        verb = kind(campaign)
        recorded = campaign.record(verb)
        points = strike.chosen(recorded)
        hit = hit_all(campaign, verb, points)
        results[verb.name, verb.process] = {"recorded": len(recorded), "tried": len(points), "hit": hit}
        calls = collections.Counter(f"{point.role} {point.syscall}" for point in points)
        print(f"{verb.name}, {verb.process}: {len(recorded)} points recorded, {len(points)} tried, {hit} hit: "
              + ", ".join(f"{count} × {call}" for call, count in calls.items()))


WRAPPED = {kill_verbs.Adopt: "capsem-service", **{kind: "capsem-process" for kind in kill_verbs.LAUNCHED}}


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", [*kill_verbs.OF_SERVICE, *kill_verbs.OF_MACHINE, *WRAPPED],
                         ids=lambda kind: f"{kind.name}, {kind.process}")
def test_a_verb_at_every_point(kind):
    long_form(kind, WRAPPED.get(kind))


@pytest.mark.long
def test_the_campaign_was_long_enough():
    """Comes last, in the same process (one file is one process's)."""
    for (verb, process), counts in results.items():
        print(f"{verb}, {process}: {counts}")
    total = sum(counts["hit"] for counts in results.values())
    print(f"{total} points hit")
    assert total >= FEWEST_POINTS
