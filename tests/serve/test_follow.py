"""The page's follower and timeline, run by Node: the target is reached, nothing jumps, shares are counted."""

from __future__ import annotations

from itertools import pairwise

from support.node import in_node, needs_node

pytestmark = needs_node


def test_a_step_is_reached_smoothly_and_soon() -> None:
    shown = in_node(
        "follow.js",
        "Follower",
        """const f = new Follower(() => 0.5), shown = [];
        for (let i = 0; i < 120; i += 1) {
          const t = i / 60;
          f.lead({ ParamAngleX: i < 60 ? 0 : 10 }, t);
          shown.push(f.at(t).ParamAngleX);
        }
        console.log(JSON.stringify(shown));""",
    )
    assert max(abs(value) for value in shown[:60]) < 1e-6
    after = shown[60:]
    assert all(late >= early - 1e-9 for early, late in pairwise(after))
    assert max(after) <= 10 + 1e-9
    assert after[6] > 9.5  # 100 ms


def test_alone_it_breathes_blinks_and_never_jumps() -> None:
    shown = in_node(
        "follow.js",
        "Follower",
        """const f = new Follower(() => 0.5), shown = [];
        f.lead({ ParamAngleX: 25, ParamEyeLOpen: 1, ParamEyeROpen: 1, ParamBreath: 1 }, 0);
        for (let i = 0; i < 1200; i += 1) shown.push({ ...f.at(i / 60) });
        console.log(JSON.stringify(shown));""",
    )
    angle = [pose["ParamAngleX"] for pose in shown]
    assert max(abs(late - early) for early, late in pairwise(angle)) < 2
    assert max(angle[120:]) < 8
    eyes = [pose["ParamEyeLOpen"] for pose in shown[120:]]
    assert min(eyes) < 0.1
    assert sum(eye > 0.9 for eye in eyes) > 0.8 * len(eyes)
    breath = [pose["ParamBreath"] for pose in shown[120:]]
    assert max(breath) - min(breath) > 0.5


def test_reconnections_back_off_with_jitter() -> None:
    low, high, far = in_node(
        "socket.js",
        "backoffMs",
        """const at = (r) => [1, 2, 3, 4].map((n) => backoffMs(n, () => r));
        console.log(JSON.stringify([at(0), at(1), backoffMs(50, () => 1)]));""",
    )
    assert low == [200, 400, 800, 1600]
    assert high == [400, 800, 1600, 3200]
    assert far == 10_000


def test_percentiles() -> None:
    assert in_node(
        "stats.js",
        "Percentiles",
        """const p = new Percentiles(100);
        for (let i = 1; i <= 250; i += 1) p.add(i);
        console.log(JSON.stringify(p.at(0, 0.5, 0.95)));""",
    ) == [151, 201, 246]


def test_the_timeline_counts_how_often_an_expression_was_the_strongest() -> None:
    told = in_node(
        "timeline.js",
        "Timeline",
        """const t = new Timeline({ getContext() {} }, {});
        t.name(["happy", "sad"]);
        [0.9, 0.8, 0.6, 0.1].forEach((happy, i) => t.add(i, { expressions: [happy, 1 - happy] }));
        console.log(JSON.stringify(t.summary()));""",
    )
    assert told == "Most often happy (75 %)"
