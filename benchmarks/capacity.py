"""How many computers many streams or a large corpus need: closed forms, checked by simulation of events.

    python benchmarks/capacity.py --steps benchmarks/results/corpus.json --answer-ms 10 [--out R.json]

``--answer-ms`` is the server's processor time for one answer as ``visavis lab soak`` measures it. All other
assumptions are options, and are in the result.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import quantiles
from typing import Any

from visavis.base.files import json_text, write_json
from visavis.corpus.ray_data import MOST_PORTIONS

FPS = 25
P95_MS = 100.0
MOST_DROPPED = 0.01
RESERVES = (0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True, slots=True)
class Server:
    """Assumptions about a server.

    Attributes:
        answer_ms: processor time of an answer.
        spread: standard deviation of an answer's time divided by its mean.
        cores: processors of a replica.
        used: share of a processor's time that is planned for.
        visit_s: mean length of a visit (exponential).
        reserve: share of places that are kept free for imbalance and for replicas that die.
    """

    answer_ms: float
    spread: float = 0.5
    cores: int = 16
    used: float = 0.75
    visit_s: float = 600.0
    reserve: float = 0.1

    @property
    def streams(self) -> int:
        """People of one replica by the closed form: planned processor time over the time for one person."""
        return int(self.used * self.cores / (FPS * self.answer_ms / 1e3))

    def replicas(self, people: int) -> int:
        """Replicas for so many people at a time."""
        return math.ceil(people * (1 + self.reserve) / self.streams)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Assumptions about a corpus; times in seconds of one processor.

    Attributes:
        watch_s: for one frame of one person.
        finish_s: for one clip.
        plan_s: for one clip, in the program that distributes the work.
        task_s: for the distribution of one clip, in the same program.
        mean_s: mean length of a clip (lognormal).
        spread: standard deviation of the logarithm of the length.
        between_deaths_s: mean time between two deaths of a worker.
    """

    watch_s: float
    finish_s: float
    plan_s: float
    task_s: float
    mean_s: float = 10.0
    spread: float = 0.8
    between_deaths_s: float = 24 * 3600.0

    def clip_s(self, length_s: float) -> float:
        """Work for a clip of this length."""
        return 2 * FPS * length_s * self.watch_s + self.finish_s

    def hours(self, clips: int, workers: int) -> float:
        """Time by the closed form: first planning, then the slower of the workers and the distribution."""
        work_s = clips * self.clip_s(self.mean_s) / workers
        return (clips * self.plan_s + max(work_s, clips * self.task_s)) / 3600


@dataclass(slots=True)
class Replica:
    """A replica in simulation: free processors, and for each person at most one frame that waits."""

    free: int
    waiting: deque[int] = field(default_factory=deque)
    newest_s: dict[int, float] = field(default_factory=dict)


def simulate_replica(server: Server, people: int, seconds: float = 60.0, seed: int = 0) -> dict[str, float]:
    """Latency and drops of one replica: 25 frames a second come from each person; the newest one replaces one
    that waits.
    """
    chance = random.Random(seed)
    sigma = math.sqrt(math.log(1 + server.spread**2))
    mu = math.log(server.answer_ms / 1e3) - sigma**2 / 2
    events = [(chance.uniform(0, 1 / FPS), person, True, 0.0) for person in range(people)]
    heapq.heapify(events)
    replica, latencies_ms, dropped, sent = Replica(server.cores), [], 0, 0
    while events and events[0][0] < seconds:
        now_s, person, arrives, sent_s = heapq.heappop(events)
        if arrives:
            sent += 1
            heapq.heappush(events, (now_s + 1 / FPS, person, True, 0.0))
            dropped += person in replica.newest_s
            if person not in replica.newest_s:
                replica.waiting.append(person)
            replica.newest_s[person] = now_s
        else:
            replica.free += 1
            latencies_ms.append(1e3 * (now_s - sent_s))
        while replica.free and replica.waiting:
            following = replica.waiting.popleft()
            replica.free -= 1
            took_s = chance.lognormvariate(mu, sigma)
            begun_s = replica.newest_s.pop(following)
            heapq.heappush(events, (now_s + took_s, following, False, begun_s))
    return {"p95_ms": round(quantiles(latencies_ms, n=20)[-1], 1), "dropped": round(dropped / sent, 4)}


def simulate_visits(server: Server, people: int, hours: float = 3.0, seed: int = 0) -> dict[str, float]:
    """Share of refused visits: people come at random, and go to the emptier of two replicas."""
    chance = random.Random(seed)
    count, places = server.replicas(people), server.streams
    used = [0] * count
    events: list[tuple[float, int]] = []
    refused = begun = 0
    now_s, most = 0.0, 0
    while now_s < 3600 * hours:
        now_s += chance.expovariate(people / server.visit_s)
        while events and events[0][0] <= now_s:
            used[heapq.heappop(events)[1]] -= 1
        choice = min(chance.randrange(count), chance.randrange(count), key=lambda n: used[n])
        settled = now_s > 5 * server.visit_s
        begun += settled
        if used[choice] >= places:
            refused += settled
            continue
        used[choice] += 1
        most = max(most, len(events) + 1)
        heapq.heappush(events, (now_s + chance.expovariate(1 / server.visit_s), choice))
    return {"refused": round(refused / begun, 5), "most_people": most}


def simulate_corpus(corpus: Corpus, clips: int, workers: int, seed: int = 0) -> float:
    """Hours for a corpus: workers take clips in turn, sometimes die, and then lose the clip in work."""
    chance = random.Random(seed)
    mu = math.log(corpus.mean_s) - corpus.spread**2 / 2
    given_s = clips * corpus.plan_s
    free_s = [given_s] * workers
    last_s = 0.0
    for _ in range(clips):
        begin_s = max(heapq.heappop(free_s), given_s)
        given_s = max(given_s, begin_s - corpus.task_s) + corpus.task_s
        took_s = corpus.clip_s(chance.lognormvariate(mu, corpus.spread))
        end_s = begin_s + took_s
        if chance.random() < took_s / corpus.between_deaths_s:
            end_s += chance.random() * took_s
        heapq.heappush(free_s, end_s)
        last_s = max(last_s, end_s)
    return last_s / 3600


def most_people(server: Server) -> int:
    """Largest number of people of a replica with a p95 of at most 100 ms and at most 1% dropped."""
    number = server.streams // 2
    while True:
        found = simulate_replica(server, number + 1, 20.0)
        if found["p95_ms"] > P95_MS or found["dropped"] > MOST_DROPPED:
            return number
        number += 1


def describe_server(server: Server, people: int) -> dict[str, Any]:
    """Replicas by the closed form, and what simulation says of them, for several reserves."""
    return {
        "people_per_replica": {"closed_form": server.streams, "simulated_limit": most_people(server)},
        "full_replica": simulate_replica(server, server.streams),
        "by_reserve": {
            reserve: {
                "replicas": (wider := replace(server, reserve=reserve)).replicas(people),
                "cores": wider.replicas(people) * server.cores,
                **simulate_visits(wider, people),
            }
            for reserve in RESERVES
        },
    }


def main() -> None:
    """Compute, simulate and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=Path, required=True, help="result of benchmarks/corpus.py")
    parser.add_argument("--answer-ms", type=float, required=True, help="from visavis lab soak")
    parser.add_argument("--cores", type=int, nargs="+", default=[2, 16], help="processors of a replica")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--clip-seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 100, 1000])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    steps = json.loads(given.steps.read_text("utf-8"))["steps"]
    corpus = Corpus(
        steps["watch_ms_per_person_and_frame"] / 1e3,
        steps["finish_ms_per_clip"] / 1e3,
        steps["plan_ms_per_clip"] / 1e3,
        steps.get("ray_ms_per_task", 0.0) / 1e3 * min(1.0, MOST_PORTIONS / given.clips),
        given.clip_seconds,
    )
    servers = [Server(given.answer_ms, cores=cores) for cores in given.cores]
    result = {
        "people": given.people,
        "server": asdict(servers[0]) | {"cores": given.cores},
        "replicas_by_cores": {one.cores: describe_server(one, given.people) for one in servers},
        "corpus": asdict(corpus),
        "core_hours_per_hour_of_call": round(corpus.clip_s(3600.0) / 3600, 3),
        "clips": given.clips,
        "core_hours": round(given.clips * corpus.clip_s(corpus.mean_s) / 3600, 1),
        "hours": {
            workers: {
                "closed_form": round(corpus.hours(given.clips, workers), 2),
                "simulated": round(simulate_corpus(corpus, given.clips, workers), 2),
            }
            for workers in given.workers
        },
    }
    print(json_text(result))
    if given.out:
        write_json(given.out, result)


if __name__ == "__main__":
    main()
