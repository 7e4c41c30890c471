"""The volumes of a pod as folders, kept as the kubelet keeps them.

The files of a volume are links to `..data/KEY`, and `..data` is a link to a folder that is never
changed: a new version is written beside it, then `..data` is replaced in one step. So a program sees
all files of one version or all of the next, and is told of the change once.
"""

import base64
import os
import shutil
import tempfile


def write_volume(folder, files):
    """Makes `folder` hold exactly `files` (name: bytes); True when that changed anything."""
    folder.mkdir(parents=True, exist_ok=True)
    if files == _read(folder):
        return False
    version = tempfile.mkdtemp(dir=folder, prefix="..")
    for name, content in files.items():
        path = os.path.join(version, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)
    before = (folder / "..data").readlink() if (folder / "..data").is_symlink() else None
    (folder / "..next").symlink_to(os.path.basename(version))
    os.replace(folder / "..next", folder / "..data")
    _link_names(folder, {name.split("/")[0] for name in files})
    if before is not None:
        shutil.rmtree(folder / before)
    return True


def _link_names(folder, wanted):
    found = {path.name for path in folder.iterdir() if not path.name.startswith("..")}
    for name in wanted - found:
        (folder / name).symlink_to(f"..data/{name}")
    for name in found - wanted:
        (folder / name).unlink()


def _read(folder):
    """What the volume holds, None when it holds no version yet."""
    data = folder / "..data"
    if not data.is_symlink():
        return None
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


class Volumes:
    """Finds what the volumes of one pod hold. `tokens` gives a new service account token."""

    def __init__(self, pod, secrets, config_maps, tokens):
        self._pod = pod
        self._namespace = pod["metadata"]["namespace"]
        self._secrets = secrets
        self._config_maps = config_maps
        self._tokens = tokens

    def files(self, volume):
        """Name to bytes; None while something is missing that the pod cannot start without."""
        if "secret" in volume:
            return self._of_secret(volume["secret"], volume["secret"]["secretName"])
        if "configMap" in volume:
            return self._of_config_map(volume["configMap"])
        if "downwardAPI" in volume:
            return self._of_fields(volume["downwardAPI"])
        if "projected" in volume:
            return self._projected(volume["projected"]["sources"])
        return {}  # an emptyDir, or what istiod has no use for

    def _projected(self, sources):
        files = {}
        for source in sources:
            part = {}
            if "secret" in source:
                part = self._of_secret(source["secret"], source["secret"]["name"])
            elif "configMap" in source:
                part = self._of_config_map(source["configMap"])
            elif "downwardAPI" in source:
                part = self._of_fields(source["downwardAPI"])
            elif "serviceAccountToken" in source:
                token = source["serviceAccountToken"]
                part = {token["path"]: self._tokens(token.get("audience"), token["expirationSeconds"])}
            if part is None:
                return None
            files |= part
        return files

    def _of_secret(self, source, name):
        secret = self._secrets.get(self._namespace, name)
        data = {key: base64.b64decode(value) for key, value in (secret or {}).get("data", {}).items()}
        return _chosen(secret, data, source)

    def _of_config_map(self, source):
        config_map = self._config_maps.get(self._namespace, source["name"])
        data = {key: value.encode() for key, value in (config_map or {}).get("data", {}).items()}
        return _chosen(config_map, data, source)

    def _of_fields(self, source):
        return {
            item["path"]: field(self._pod, item["fieldRef"]["fieldPath"]).encode() for item in source["items"]
        }


def field(pod, path):
    """A field of the pod as the downward API writes it: only the plain ones."""
    value = pod
    for name in path.split("."):
        value = value.get(name, {})
    return value if isinstance(value, str) else ""


def _chosen(found, data, source):
    if found is None:
        return {} if source.get("optional") else None
    if "items" in source:
        return {item["path"]: data[item["key"]] for item in source["items"] if item["key"] in data}
    return data
