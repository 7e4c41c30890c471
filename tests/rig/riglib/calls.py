"""Calls on every way from cluster to cluster, counted: each with a handshake of its own, none repeated.

A caller runs in the curl pod of each cluster's samples, in the background, and is asked for its counts
when it is stopped.
"""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from . import samples
from .report import RigError

INTERVAL = "200ms"  # between two calls of one way


@dataclass(frozen=True)
class Way:
    source: str
    target: str
    answered: int
    failed: int
    failures: dict = field(default_factory=dict)  # what happened to how often


class Calls:
    """Of these clusters, whose samples know each other. `environment` has kubectl, and contexts of
    the clusters' names."""

    def __init__(self, clusters, environment):
        self._clusters = clusters
        self._environment = environment

    def start(self):
        self._everywhere("start", INTERVAL, *map(samples.url_of, self._clusters))

    def stop(self):
        """Ends all callers; returns the ways."""
        targets = {samples.url_of(one): one for one in self._clusters}
        return [
            Way(source, targets[url], counts["answered"], counts["failed"], counts["failures"])
            for source, text in zip(self._clusters, self._everywhere("stop"))
            for url, counts in sorted(json.loads(text).items())
        ]

    def _everywhere(self, *words):
        """What the callers say, cluster by cluster; all are asked, whatever one says."""
        with ThreadPoolExecutor(max_workers=len(self._clusters)) as pool:
            asked = [pool.submit(self._ask, cluster, words) for cluster in self._clusters]
        return [one.result() for one in asked]

    def _ask(self, cluster, words):
        pod = ("kubectl", "--context", cluster, "-n", samples.NAMESPACE, "exec", "deploy/curl", "-c", "curl")
        command = (*pod, "--", "workload", "caller", *words)
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            hint = "'rig calls' starts callers, 'rig calls --stop' ends them; one ends with its pod as well"
            raise RigError(f"{cluster}: {done.stderr.strip()}", hint)
        return done.stdout


def as_json(ways):
    """An object with the ways and the totals."""
    return {
        "ways": [
            {"from": one.source, "to": one.target}
            | {key: value for key, value in asdict(one).items() if key not in ("source", "target")}
            for one in ways
        ],
        "answered": sum(one.answered for one in ways),
        "failed": sum(one.failed for one in ways),
    }


def as_text(ways):
    lines = []
    for one in ways:
        lines.append(f"{one.source} -> {one.target}: {one.answered} answered, {one.failed} failed")
        lines += [f"  {count} x {what}" for what, count in sorted(one.failures.items())]
    total = as_json(ways)
    return "\n".join([*lines, f"total: {total['answered']} answered, {total['failed']} failed"])
