"""A volume is a file system of its own, of the size that was claimed, and goes with its claim."""

import json

from tests.live.conftest import restricted_pod, wait_until


def _claim(name, size):
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "lab", "resources": {"requests": {"storage": size}}},
    }  # fmt: skip


def test_a_volume_holds_what_was_claimed_and_no_more(kubectl, scratch):
    fill = "dd if=/dev/zero of=/data/fill bs=1M count=200; df -k /data | tail -n 1"
    pod = restricted_pod(
        "filler", ["sh", "-c", fill],
        container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    )  # fmt: skip
    for each in (_claim("data", "64Mi"), pod):
        each["metadata"]["namespace"] = scratch
    kubectl.apply(_claim("data", "64Mi") | {"metadata": {"name": "data", "namespace": scratch}}, pod)

    wait_until(
        lambda: kubectl.get("pod", "filler", "-n", scratch)["status"]["phase"] == "Succeeded",
        "the filling pod ends",
    )
    log = kubectl.run("logs", "filler", "-n", scratch)
    assert "No space left on device" in log
    size_kib = int(log.splitlines()[-1].split()[1])
    assert 40 * 1024 < size_kib <= 64 * 1024

    volume = kubectl.get("pvc", "data", "-n", scratch)["spec"]["volumeName"]
    kubectl.run("delete", "pod/filler", "pvc/data", "-n", scratch, "--wait=true", "--timeout=60s")
    wait_until(lambda: kubectl.try_run("get", "pv", volume).returncode != 0, f"volume {volume} is removed")


def test_no_volume_is_left_without_a_claim(kubectl):
    released = [
        json.dumps(v["metadata"]["name"])
        for v in kubectl.get("pv")["items"]
        if v["status"]["phase"] in ("Released", "Failed")
    ]

    assert released == []
