"""Copies of the API server's objects that follow its changes."""

import threading
import time

from .report import progress

RETRY_SECONDS = 0.5
WATCH_SECONDS = 300


class Watch:
    """All objects of one kind. A thread keeps them; `changed` is set after every change."""

    def __init__(self, api, path, changed):
        self._api = api
        self._path = path
        self._changed = changed
        self._objects = {}
        self._lock = threading.Lock()
        self._synced = threading.Event()
        threading.Thread(target=self._follow_forever, daemon=True).start()

    def objects(self):
        with self._lock:
            return list(self._objects.values())

    def get(self, namespace, name):
        with self._lock:
            return self._objects.get((namespace, name))

    def wait_for_first(self):
        """Waits until the objects are there that were there at the start."""
        self._synced.wait()

    def _follow_forever(self):
        while True:
            try:
                self._follow()
            except OSError as error:
                progress(str(error))
                time.sleep(RETRY_SECONDS)

    def _follow(self):
        status, answer = self._api.get(self._path)
        if status == 404:  # a custom resource that nobody has defined yet
            self._synced.set()
            time.sleep(RETRY_SECONDS)
            return
        if status != 200:
            raise OSError(f"cannot list '{self._path}': HTTP {status}")
        with self._lock:
            self._objects = {_key(one): one for one in answer["items"]}
        self._synced.set()
        self._changed.set()
        version = answer["metadata"]["resourceVersion"]
        for kind, one in self._api.watch(self._path, version, WATCH_SECONDS):
            if kind == "ERROR":  # mostly 410: the version is too old by now
                return
            with self._lock:
                if kind == "DELETED":
                    self._objects.pop(_key(one), None)
                else:
                    self._objects[_key(one)] = one
            self._changed.set()


def _key(one):
    return one["metadata"].get("namespace", ""), one["metadata"]["name"]
