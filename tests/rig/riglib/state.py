"""The state folder: the clusters of one rig, and the kubeconfig that leads to all of them."""

import re
from pathlib import Path

from . import inotify
from .cluster import Cluster
from .files import locked, private_folder
from .kubeconfig import write_kubeconfig
from .namespace import Namespace
from .report import EXIT_USAGE, RigError

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class State:
    def __init__(self, folder):
        self.folder = Path(folder).absolute()
        self.kubeconfig = self.folder / "kubeconfig"
        self.namespace = Namespace(self.folder / "namespace.json")
        self._clusters = self.folder / "clusters"

    def locked(self):
        """Holds the folder for one command that changes it; the others wait for their turn."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return locked(self.folder, f"another rig at work in '{self.folder}'")

    def cluster(self, name):
        if not NAME.fullmatch(name):
            raise RigError(
                f"bad cluster name '{name}', wanted a DNS label: lower case letters, digits and '-'",
                exit_code=EXIT_USAGE,
            )
        return Cluster(name, self._clusters / name)

    def all_clusters(self):
        """Those that run, that should run, and that failed to start."""
        if not self._clusters.exists():
            return []
        return [self.cluster(folder.name) for folder in sorted(self._clusters.iterdir())]

    def started_cluster(self, name):
        cluster = self.cluster(name)
        record = cluster.record()
        if record is None or not record.is_ready:
            known = ", ".join(one.name for one in self._started()) or "none"
            raise RigError(
                f"no cluster '{name}' in '{self.folder}', found: {known}", f"'rig up {name}' starts it"
            )
        return cluster

    def make_room(self):
        private_folder(self._clusters)

    def refresh(self):
        """Brings the merged kubeconfig in line with the clusters, and removes what is empty."""
        accesses = [cluster.admin() for cluster in self._started()]
        if accesses:
            write_kubeconfig(self.kubeconfig, accesses)
        else:
            self.kubeconfig.unlink(missing_ok=True)
        if self._clusters.exists() and not any(self._clusters.iterdir()):
            self._clusters.rmdir()
        if not self._clusters.exists():
            self.namespace.remove()
            inotify.put_back(self.namespace.file)

    def _started(self):
        clusters = [(cluster, cluster.record()) for cluster in self.all_clusters()]
        return [cluster for cluster, record in clusters if record is not None and record.is_ready]
