"""Switches off Istio's own metrics, whose filter the Envoy of the rig's pods does not have.

Envoy refuses a configuration with a filter that it does not know, so without this no gateway and no
sidecar would listen. The object stands where a mesh has its configuration, and is owned by that: it
goes with it, and nobody who takes a mesh away finds it in the way.
"""

from .report import progress

PATH = "/apis/telemetry.istio.io/v1/namespaces/{namespace}/telemetries/{name}"
NAME = "rig-without-metrics"


class Telemetry:
    def __init__(self, api):
        self._api = api
        self._done = set()

    def reconcile(self, config_maps):
        """Once for each configuration of a mesh among them."""
        for one in config_maps:
            metadata = one["metadata"]
            if not _configures_mesh(one) or metadata["uid"] in self._done:
                continue
            path = PATH.format(namespace=metadata["namespace"], name=NAME)
            status, _ = self._api.apply(path, _without_metrics(metadata), "rig")
            if status in (200, 201):  # until then nobody has defined the kind
                self._done.add(metadata["uid"])
                progress(f"{metadata['namespace']}: switched Istio's metrics off")


def _configures_mesh(config_map):
    """It is called istio or, with a revision, istio-REVISION; so are others."""
    return {"mesh", "meshNetworks"} <= (config_map.get("data") or {}).keys()


def _without_metrics(owner):
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["name"], "uid": owner["uid"]}
    off = {"match": {"metric": "ALL_METRICS"}, "disabled": True}
    metrics = [{"providers": [{"name": "prometheus"}], "overrides": [off]}]
    return {
        "apiVersion": "telemetry.istio.io/v1",
        "kind": "Telemetry",
        "metadata": {"name": NAME, "ownerReferences": [reference]},
        "spec": {"metrics": metrics},
    }
