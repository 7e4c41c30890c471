"""The one node of a cluster: what its servers are given to start, and when it is of use."""

import json

from . import istiod, kwok, process, programs
from .files import private_folder

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MANAGER = "rig"


def prepare(layout, block, istiod_program, in_namespace):
    """Writes the files that the servers of the node, and the API server for its sake, will read."""
    private_folder(layout.node)
    private_folder(layout.pods)
    layout.egress.write_text(programs.EGRESS)
    layout.kwok_configuration.write_text(kwok.STAGES)
    configuration = {
        "kubeconfig": str(layout.probe_kubeconfig),
        "pods": str(layout.pods),
        "istiod": istiod_program,
        "pod_range": block.pod_range,
        "balancer_network": block.network,
        "in_namespace": in_namespace,
        "egress": str(layout.egress_socket.relative_to(layout.folder)),
    }
    layout.agent_configuration.write_text(json.dumps(configuration, indent=2) + "\n")


def create_objects(api):
    """The Node, and what kwok looks for when it starts."""
    for crd in kwok.CRDS:
        _apply(api, f"{CRDS}/{crd['metadata']['name']}", crd)
    _apply(api, f"/api/v1/nodes/{kwok.NODE['metadata']['name']}", kwok.NODE)


def create_istiod(api, cluster):
    for path, body in istiod.objects(cluster):
        _apply(api, path, body)


def why_kwok_cannot_start(api):
    """None when the definitions of its objects are served, else what is missing."""
    for crd in kwok.CRDS:
        names = crd["spec"]["names"]
        status, _ = api.get(f"/apis/kwok.x-k8s.io/v1alpha1/{names['plural']}")
        if status != 200:
            return f"the API server does not serve kwok's {names['kind']} yet"
    return None


def why_not_ready(api):
    """None when the node takes pods."""
    status, answer = api.get(f"/api/v1/nodes/{kwok.NODE['metadata']['name']}")
    if status != 200:
        return f"there is no node: HTTP {status}"
    if not _has_condition(answer, "Ready"):
        return "the node is not Ready"
    return "the node has taints" if answer["spec"].get("taints") else None


def why_no_istiod(api):
    """None when istiod answers."""
    status, answer = api.get(istiod.DEPLOYMENT)
    if status == 200 and _has_condition(answer, "Available"):
        return None
    return "istiod's Deployment is not Available"


def stop_pods(layout):
    """Ends the processes of pods that the agent left behind. Nothing of theirs is to be kept."""
    records = layout.pods.glob("*/process.json")
    process.stop([process.Process(**json.loads(path.read_text())) for path in records], grace_seconds=0)


def _apply(api, path, body):
    status, answer = api.apply(path, body, MANAGER)
    if status not in (200, 201):
        raise OSError(f"cannot apply '{path}': HTTP {status}: {answer}")


def _has_condition(answer, kind):
    conditions = answer.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)
