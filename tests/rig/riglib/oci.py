"""Images as folders (OCI image layout 1.0): one layer each, uncompressed, written without a builder."""

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
NAME = "org.opencontainers.image.ref.name"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Content:
    """What the layer holds, by the path in the image."""

    files: dict  # from files of this machine
    links: dict  # to paths in the image
    texts: dict


def write_layer(folder, content):
    """Makes the layer in `folder`, named by its digest; returns its path."""
    descriptor, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "w+b") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _fill(archive, content)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path = Path(folder, digest)
    os.replace(temporary, path)
    return path


def write_image(folder, name, layer, settings):
    """Makes the layout of an image in the empty `folder`. `settings` are the config's: Env, Entrypoint."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    os.link(layer, blobs / layer.name)
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.name}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _write_json(blobs, CONFIG, config),
        "layers": [{"mediaType": LAYER, "digest": f"sha256:{layer.name}", "size": layer.stat().st_size}],
    }
    described = _write_json(blobs, MANIFEST, manifest) | {"annotations": {NAME: name}}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_text(json.dumps(index))


def manifests(folder):
    """Name to digest of the images of a layout."""
    index = json.loads((folder / "index.json").read_text())
    return {one["annotations"][NAME]: one["digest"] for one in index["manifests"]}


def blob(folder, digest):
    """The file with that content, whether it is there or not."""
    return folder / "blobs" / digest.replace(":", "/", 1)


def _write_json(blobs, kind, document):
    content = json.dumps(document).encode()
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


def _fill(archive, content):
    """The same bytes for the same content: no times, no owners."""
    folders = set()
    for path in sorted({*content.files, *content.links, *content.texts, "/tmp/"}):
        for parent in reversed(Path(path).parents[:-1]):
            _add_folder(archive, folders, str(parent), 0o755)
        entry = tarfile.TarInfo(path.strip("/"))
        if path == "/tmp/":
            _add_folder(archive, folders, "/tmp", 0o1777)
        elif path in content.links:
            entry.type, entry.linkname = tarfile.SYMTYPE, content.links[path]
            archive.addfile(entry)
        elif path in content.texts:
            text = content.texts[path].encode()
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text))
        else:
            _add_file(archive, entry, content.files[path])


def _add_folder(archive, folders, path, mode):
    if path not in folders:
        folders.add(path)
        entry = tarfile.TarInfo(path.strip("/"))
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        archive.addfile(entry)


def _add_file(archive, entry, source):
    with open(source, "rb") as file:
        status = os.fstat(file.fileno())
        entry.size = status.st_size
        entry.mode = 0o755 if status.st_mode & 0o111 else 0o644
        archive.addfile(entry, file)
