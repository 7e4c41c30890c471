"""Plays the kubelet for the pods of istiod: each one becomes a process, fed from the pod's spec.

A pod's root folder is the working directory of its process: istiod looks for all its files below
`./etc` and `./var`. The process listens on the pod's own address, see `addresses.py`. Images are not
looked at, but those of a registry below `.invalid`, where nobody ever answers, cannot be pulled.
"""

import http.client
import json
import os
import time
import urllib.request
from dataclasses import asdict
from datetime import datetime, timezone
from urllib.parse import urlsplit

from . import process
from .addresses import Addresses
from .files import private_folder, write_private
from .mounts import Volumes, field, write_volume
from .report import progress

PORTS = {
    "httpAddr": 8080,
    "grpcAddr": 15010,
    "secureGRPCAddr": 15012,
    "monitoringAddr": 15014,
    "httpsAddr": 15017,
}
LONGEST_BACKOFF_SECONDS = 20
PULL_SECONDS = 2
PROBE_SECONDS = 1
PROBES_TO_FAIL = 3  # as the kubelet has it: one slow answer of a busy machine unmakes nobody ready
SERVICE_ACCOUNT = "var/run/secrets/kubernetes.io/serviceaccount"
KWOK_GROUP = "kwok.x-k8s.io/v1alpha1"


# Where a namespace may be had, so may a mount namespace: in it the pod's secrets are where programs
# expect them, an in-cluster configuration above all, which has a fixed place.
WITH_SECRETS = """\
mount -t tmpfs tmpfs /run && mkdir /run/secrets && mount --bind "$1" /run/secrets && shift && exec "$@"
"""


def is_istiod(pod):
    return pod["metadata"].get("labels", {}).get("app") == "istiod"


class Kubelet:
    """Call `reconcile` whenever something may have changed, and twice a second."""

    def __init__(self, api, program, folder, addresses: Addresses, secrets, config_maps, in_namespace):
        self.api = api
        self.in_namespace = in_namespace
        self.program = program
        self.folder = private_folder(folder)
        self.addresses = addresses
        self.secrets = secrets
        self.config_maps = config_maps
        self._pods = {}  # by UID

    def reconcile(self, pods):
        for pod in pods:
            uid = pod["metadata"]["uid"]
            if is_istiod(pod) and "podIP" in pod.get("status", {}):
                if uid not in self._pods:
                    self._pods[uid] = _IstiodPod(self, pod)
                try:
                    self._pods[uid].reconcile(pod)
                except OSError as error:
                    progress(f"{pod['metadata']['name']}: will try again: {error}")
        for uid in self._pods.keys() - {pod["metadata"]["uid"] for pod in pods}:
            self._pods.pop(uid).kill()  # deleted by force, without a grace period

    def loopback_places(self):
        """(address, port) of all pods' ports as port-forward dials them."""
        return {place for pod in self._pods.values() for place in pod.loopback_places()}


class _IstiodPod:
    """One pod and its process: waiting for volumes, running, ended and to be restarted, stopping."""

    def __init__(self, kubelet, pod):
        self._kubelet = kubelet
        self._pod = pod
        self._path = "/api/v1/namespaces/{namespace}/pods/{name}".format(**pod["metadata"])
        self._folder = private_folder(kubelet.folder / pod["metadata"]["uid"])
        self._root = private_folder(self._folder / "root")
        self._log = self._folder / "istiod.log"
        self._served_log = self._folder / "served.log"
        self._copied = 0  # bytes of the log
        self._tokens = {}
        self._child = None
        self._process = None
        self._restarts = 0
        self._start_at = 0.0
        self._kill_at = None
        self._failed_probes = PROBES_TO_FAIL
        self._told = None  # the status that was written last

    def reconcile(self, pod):
        self._pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            self._end()
            return
        self._copy_log()
        is_complete = self._mount()
        if self._child is not None and self._child.poll() is not None:
            self._note_end()
        if self._child is None and is_complete and self._has_image() and time.monotonic() >= self._start_at:
            self._start()
        self._tell_status(is_complete)

    def kill(self):
        if self._process is not None:
            process.stop([self._process], grace_seconds=0)
            self._child.wait()

    # Volumes

    def _mount(self):
        """Brings all volumes up to date; False while one of them cannot be made."""
        volumes = Volumes(self._pod, self._kubelet.secrets, self._kubelet.config_maps, self._token)
        is_complete = True
        by_name = {volume["name"]: volume for volume in self._pod["spec"].get("volumes", [])}
        for mount in self._container().get("volumeMounts", []):
            folder = self._root / mount["mountPath"].lstrip("/")
            volume = by_name[mount["name"]]
            if "emptyDir" in volume:
                folder.mkdir(parents=True, exist_ok=True)
                continue
            files = volumes.files(volume)
            if files is None:
                is_complete = False
            elif write_volume(folder, files):
                progress(
                    f"{self._name()}: wrote {mount['mountPath']}: {', '.join(sorted(files)) or 'nothing'}"
                )
        return is_complete

    def _token(self, audience, seconds):
        """The same as long as the pod lives: API servers give a year, or half a day to istio-token."""
        if audience not in self._tokens:
            metadata = self._pod["metadata"]
            account = self._pod["spec"]["serviceAccountName"]
            path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
            reference = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
            wanted = {
                "audiences": [audience] if audience else [],
                "expirationSeconds": seconds,
                "boundObjectRef": reference,
            }
            status, answer = self._kubelet.api.request("POST", path, {"spec": wanted})
            if status != 201:
                raise OSError(f"no token for the service account '{account}': HTTP {status}: {answer}")
            self._tokens[audience] = answer["status"]["token"].encode()
        return self._tokens[audience]

    # Process

    def _start(self):
        self._forward_ports()
        self._serve_log()
        arguments = [*self._arguments(), "--ctrlz_address=127.0.0.1", "--ctrlz_port=0"]
        address = self._address()
        arguments += [f"--{flag}={address}:{port}" for flag, port in PORTS.items()]
        command = [self._kubelet.program, *arguments]
        if self._kubelet.in_namespace:
            secrets = str(self._root / "var/run/secrets")
            command = ["unshare", "--mount", "sh", "-c", WITH_SECRETS, "sh", secrets, *command]
        self._process, self._child = process.spawn_child(
            "istiod", command, self._root, self._log, self._environment()
        )
        write_private(self._folder / "process.json", json.dumps(asdict(self._process)))
        progress(f"{self._name()}: started istiod, pid {self._process.pid}, on {address}")

    def _arguments(self):
        container = self._container()
        return [*container.get("command", [])[1:], *container.get("args", [])]

    def _environment(self):
        container = self._container()
        values = {}
        for one in container.get("env", []):
            source = one.get("valueFrom", {})
            if "fieldRef" in source:
                values[one["name"]] = field(self._pod, source["fieldRef"]["fieldPath"])
            elif not source:
                values[one["name"]] = one.get("value", "")
        # A file that the pod would find at its root is to be found below the root folder here.
        mounts = tuple(mount["mountPath"] for mount in container.get("volumeMounts", []))
        for name, value in values.items():
            if value.startswith(mounts):
                values[name] = str(self._root / value.lstrip("/"))
        if not os.path.exists(values.get("KUBECONFIG", "")):
            values["KUBECONFIG"] = str(self._write_kubeconfig())
        server = urlsplit(self._kubelet.api.server)
        values |= {"KUBERNETES_SERVICE_HOST": server.hostname, "KUBERNETES_SERVICE_PORT": str(server.port)}
        return process.environment() | values

    def _write_kubeconfig(self):
        """In place of the in-cluster configuration, whose files have a place that not every rig can give."""
        account = self._root / SERVICE_ACCOUNT
        here = {"name": "here"}
        cluster = {"server": self._kubelet.api.server, "certificate-authority": str(account / "ca.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [here | {"cluster": cluster}],
            "users": [here | {"user": {"tokenFile": str(account / "token")}}],
            "contexts": [here | {"context": {"cluster": "here", "user": "here"}}],
        }
        path = self._folder / "kubeconfig"
        write_private(path, json.dumps(config))
        return path

    def _note_end(self):
        backoff = min(2**self._restarts, LONGEST_BACKOFF_SECONDS)
        self._copy_log()
        progress(f"{self._name()}: istiod ended with {self._child.returncode}, again in {backoff} s")
        self._child = self._process = None
        self._failed_probes = PROBES_TO_FAIL
        self._restarts += 1
        self._start_at = time.monotonic() + backoff

    def _end(self):
        """The end of a pod: SIGTERM, SIGKILL after its grace period, then the object goes."""
        now = time.monotonic()
        if self._kill_at is None:
            self._kill_at = now + self._pod["metadata"].get("deletionGracePeriodSeconds", 30)
            if self._child is not None:
                self._child.terminate()
        if self._child is not None and self._child.poll() is None:
            if now < self._kill_at:
                return
            self.kill()
        self._child = self._process = None
        # The garbage collector would do so as well, once it has heard of kwok's kinds: half a minute.
        for plural in ("portforwards", "logs"):
            self._kubelet.api.request("DELETE", self._path_of_kwok(plural))
        uid = self._pod["metadata"]["uid"]
        self._kubelet.api.request(
            "DELETE", self._path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        )

    # What others see

    def loopback_places(self):
        address = self._kubelet.addresses.loopback(self._pod["status"]["podIP"])
        return {(address, port) for port in PORTS.values()}

    def _forward_ports(self):
        """Tells kwok, whose kubelet serves port-forward, where this pod's ports are."""
        # As on a real node it comes from inside the pod: istiod tells more to whoever is there.
        places = sorted(self.loopback_places())
        targets = [{"ports": [port], "target": {"address": address, "port": port}} for address, port in places]
        self._tell_kwok("PortForward", "portforwards", {"forwards": targets})

    def _serve_log(self):
        """Tells it where the log of this pod is."""
        container = self._container()["name"]
        self._tell_kwok("Logs", "logs", {"logs": [{"containers": [container], "logsFile": str(self._served_log)}]})

    def _tell_kwok(self, kind, plural, spec):
        metadata = self._pod["metadata"]
        owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        body = {
            "apiVersion": KWOK_GROUP,
            "kind": kind,
            "metadata": {"name": metadata["name"], "ownerReferences": [owner]},
            "spec": spec,
        }
        self._kubelet.api.apply(self._path_of_kwok(plural), body, "rig")

    def _path_of_kwok(self, plural):
        return "/apis/{group}/namespaces/{namespace}/{plural}/{name}".format(
            group=KWOK_GROUP, plural=plural, **self._pod["metadata"]
        )

    def _copy_log(self):
        """What istiod wrote since the last time, as container runtimes keep it and kubelets read it."""
        if not self._log.exists():
            return
        with open(self._log, "rb") as log, open(self._served_log, "a", encoding="utf-8") as served:
            log.seek(self._copied)
            for line in log:
                if not line.endswith(b"\n"):
                    break  # the rest of it comes
                self._copied += len(line)
                text = line.decode(errors="replace").rstrip("\n")
                served.write(f"{_now()} stderr F {text}\n")

    def _tell_status(self, is_complete):
        is_ready = self._child is not None and self._is_ready()
        state = {"waiting": {"reason": "ContainerCreating"}}
        if self._child is not None:
            state = {"running": {}}
        elif not self._has_image():
            turn = int(time.monotonic() / PULL_SECONDS) % 2  # tries, and rests before the next try
            state = {"waiting": {"reason": ("ErrImagePull", "ImagePullBackOff")[turn]}}
        elif self._restarts > 0:
            state = {"waiting": {"reason": "CrashLoopBackOff"}}
        elif is_complete:
            return
        told = (is_ready, self._restarts, json.dumps(state))
        if told == self._told:
            return
        container = self._container()
        status = {
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": container["image"],
                    "containerID": f"rig://{self._process.pid if self._process else 0}",
                    "ready": is_ready,
                    "started": is_ready,
                    "restartCount": self._restarts,
                    "state": state,
                }
            ],
            "conditions": [
                {"type": kind, "status": str(ready), "lastTransitionTime": _now()}
                for kind, ready in (
                    ("PodScheduled", True),
                    ("Initialized", True),
                    ("ContainersReady", is_ready),
                    ("Ready", is_ready),
                )
            ],
        }
        code, _ = self._kubelet.api.merge(f"{self._path}/status", {"status": status})
        if code == 200:
            self._told = told

    def _is_ready(self):
        self._failed_probes = 0 if self._answers() else self._failed_probes + 1
        return self._failed_probes < PROBES_TO_FAIL

    def _answers(self):
        probe = self._container().get("readinessProbe", {}).get("httpGet", {"path": "/ready", "port": 8080})
        url = f"http://{self._address()}:{probe['port']}{probe['path']}"
        try:
            urllib.request.urlopen(url, timeout=PROBE_SECONDS).close()
            return True
        except (OSError, http.client.HTTPException):  # urllib's own errors are OSErrors
            return False

    def _has_image(self):
        registry = self._container()["image"].partition("/")[0]
        return not registry.endswith(".invalid")

    def _container(self):
        return self._pod["spec"]["containers"][0]

    def _address(self):
        return self._kubelet.addresses.here(self._pod["status"]["podIP"])

    def _name(self):
        return "{namespace}/{name}".format(**self._pod["metadata"])


def _now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
