"""Dynamic volumes of one node: every volume is an ext4 file system of exactly the size that was claimed.

One of these runs on each node, beside kubelet. It makes an image file for every claim of the lab's storage
class that the scheduler gave to its node, mounts it through a loop device, and publishes it as a `local`
PersistentVolume; it removes the volumes whose claim is gone. Filling one fills neither the host nor another.
Standard library only and run as a file: it is a part of the machine, not of the lab's command line.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

STORAGE_CLASS = "lab"
PROVISIONER = "routerfleet.lab/volumes"
NODE_LABEL = "routerfleet.lab/node"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
WATCH_SECONDS = 60
WATCH_SECONDS_AFTER_FAILURE = 5
"""How soon everything is listed again, and with it what failed is tried again."""
RETRY_SECONDS = 1.0
UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{f"{letter}i": Decimal(2) ** (10 * power) for power, letter in enumerate("KMGTPE", 1)},
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", 1)},
}

Json = dict[str, Any]


def size_bytes(quantity: str) -> int:
    """Return a Kubernetes storage quantity in bytes, rounded up to a whole one.

    Raises:
        ValueError: Not a positive decimal number with one of Kubernetes' suffixes or an exponent.
    """
    match = re.fullmatch(r"\+?(\d+\.?\d*|\.\d+)(?:([KMGTPE]i|[mkMGTPE]|)|([eE][+-]?\d{1,2}))", quantity)
    size = Decimal(match[1] + (match[3] or "")) * UNITS[match[2] or ""] if match else Decimal(0)
    if size <= 0:
        raise ValueError(f"storage: {quantity!r} is not a size such as 5Gi")
    return math.ceil(size)


def wants_volume(claim: Json, node: str) -> bool:
    """Tell whether a claim waits for a volume of this class on this node."""
    spec, meta = cast("Json", claim["spec"]), cast("Json", claim["metadata"])
    return (
        spec.get("storageClassName") == STORAGE_CLASS
        and not spec.get("volumeName")
        and not meta.get("deletionTimestamp")
        and cast("Json", meta.get("annotations", Json())).get(SELECTED_NODE) == node
    )


def is_released(volume: Json, node: str) -> bool:
    """Tell whether a volume is this node's and its claim is gone."""
    status: Json = volume.get("status", Json())
    return is_of(volume, node) and status.get("phase") in ("Released", "Failed")


def is_of(volume: Json, node: str) -> bool:
    """Tell whether a volume is this node's."""
    meta: Json = volume["metadata"]
    labels: Json = meta.get("labels", Json())
    return labels.get(NODE_LABEL) == node


def volume_object(claim: Json, node: str, path: Path) -> Json:
    """Return the PersistentVolume that answers a claim."""
    meta = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume_name(claim),
            "labels": {NODE_LABEL: node},
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "local": {"path": str(path)},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
                            ]
                        }
                    ]
                }
            },
        },
    }


def volume_name(claim: Json) -> str:
    """Return the name of the volume of a claim: one per claim, however often it is asked for."""
    return f"pvc-{claim['metadata']['uid']}"


class Volumes:
    """The image files of one node and their mounts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def create(self, name: str, size: int) -> Path:
        """Make and mount the volume `name` of `size` bytes; does nothing where it is there already."""
        image, target = self.folder / f"{name}.img", self.folder / name
        if not image.exists():
            partial = self.folder / f"{name}.partial"
            try:
                with partial.open("wb") as file:
                    file.truncate(size)
                options = "lazy_itable_init=1,lazy_journal_init=1"
                run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", options, str(partial))
                partial.replace(image)
            finally:
                partial.unlink(missing_ok=True)
        self.mount(image, target)
        return target

    def mount(self, image: Path, target: Path) -> None:
        """Mount an image if it is not; where that fails no folder is left for a pod to write into."""
        target.mkdir(exist_ok=True)
        if not target.is_mount():
            try:
                run("mount", "-o", "loop", str(image), str(target))
            except OSError:
                target.rmdir()
                raise

    def mount_all(self) -> None:
        """Mount every volume again, as a machine does with its disks when it boots."""
        for image in sorted(self.folder.glob("*.img")):
            try:
                self.mount(image, self.folder / image.stem)
            except OSError as error:
                log(f"{image.stem}: {error}")

    def mount_again(self, name: str) -> None:
        """Mount a volume whose mount failed when the machine booted."""
        if (self.folder / f"{name}.img").exists():
            self.mount(self.folder / f"{name}.img", self.folder / name)

    def remove(self, name: str) -> None:
        """Unmount and delete the volume."""
        target = self.folder / name
        if target.is_mount():
            run("umount", str(target))
        if target.exists():
            target.rmdir()
        (self.folder / f"{name}.img").unlink(missing_ok=True)


def run(*command: str) -> None:
    """Run a command; its error output is the error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


class Api:
    """The few calls this agent makes to the API server, with the node's own certificate."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.host = str(urllib.parse.urlsplit(str(cluster["server"])).netloc)
        self.tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self.tls.load_cert_chain(user["client-certificate"], user["client-key"])

    def open(
        self, method: str, path: str, body: Json | None = None, timeout: float = 10
    ) -> http.client.HTTPResponse:
        """Send one request and return its answer, whose body is still to be read."""
        connection = http.client.HTTPSConnection(self.host, context=self.tls, timeout=timeout)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        # 409: it is there already; 404: it is gone already. Both are what was wanted.
        if response.status >= 400 and response.status not in (404, 409):
            raise OSError(f"{method} {path}: {response.status} {response.read(300).decode(errors='replace')}")
        return response

    def follow(self, path: str, handle: Callable[[Json], bool]) -> None:
        """Hand every object of a collection to `handle`, now and whenever one changes, for a minute.

        For some seconds only where `handle` returned False for one of them, which is then handed over again.
        """
        listed = json.loads(self.open("GET", path).read())
        results = [handle(item) for item in listed["items"]]
        is_well = all(results)
        seconds = WATCH_SECONDS if is_well else WATCH_SECONDS_AFTER_FAILURE
        version = listed["metadata"]["resourceVersion"]
        query = f"{path}?watch=1&resourceVersion={version}&timeoutSeconds={seconds}"
        for line in self.open("GET", query, timeout=seconds + 10):
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            if event["type"] != "DELETED" and not handle(event["object"]) and is_well:
                return


class Apart:
    """Handles objects one by one: the failure of one is logged, once, and does not keep the others waiting."""

    def __init__(self, handle: Callable[[Json], None]) -> None:
        self._handle = handle
        self._failures: dict[str, str] = {}

    def __call__(self, item: Json) -> bool:
        """Handle one object; tell whether that went well."""
        meta: Json = item["metadata"]
        uid = str(meta["uid"])
        try:
            self._handle(item)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if self._failures.get(uid) != str(error):
                log(f"{meta['name']}: {error}; trying again every {WATCH_SECONDS_AFTER_FAILURE} s")
            self._failures[uid] = str(error)
            return False
        self._failures.pop(uid, None)
        return True


def serve(api: Api, path: str, handle: Callable[[Json], None]) -> None:
    """Follow a collection for ever; a failure is logged and tried again."""
    each = Apart(handle)
    while True:
        try:
            api.follow(path, each)
        except (OSError, ValueError, http.client.HTTPException) as error:
            log(f"{path}: {error}")
            time.sleep(RETRY_SECONDS)


def log(text: str) -> None:
    """Write one line to the agent's log."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Mount the node's volumes, say so, then serve claims and releases."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--node", "--folder", "--kubeconfig", "--ready-file"):
        parser.add_argument(name, required=True)
    args = parser.parse_args()
    volumes, api = Volumes(Path(args.folder)), Api(Path(args.kubeconfig))
    volumes.mount_all()
    Path(args.ready_file).touch()

    def on_claim(claim: Json) -> None:
        if wants_volume(claim, args.node):
            path = volumes.create(
                volume_name(claim), size_bytes(claim["spec"]["resources"]["requests"]["storage"])
            )
            api.open("POST", "/api/v1/persistentvolumes", volume_object(claim, args.node, path)).read()

    def on_volume(volume: Json) -> None:
        if is_released(volume, args.node):
            name = volume["metadata"]["name"]
            volumes.remove(name)
            api.open("DELETE", f"/api/v1/persistentvolumes/{name}").read()
        elif is_of(volume, args.node):
            volumes.mount_again(volume["metadata"]["name"])

    threading.Thread(target=serve, args=(api, "/api/v1/persistentvolumes", on_volume), daemon=True).start()
    os.nice(5)
    serve(api, "/api/v1/persistentvolumeclaims", on_claim)


if __name__ == "__main__":
    main()
