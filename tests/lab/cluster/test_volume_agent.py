import io
import json
from pathlib import Path

import pytest

from lab.cluster import volume_agent

CLAIM = {
    "metadata": {
        "name": "data-pg-1",
        "namespace": "temporal",
        "uid": "1234",
        "annotations": {"volume.kubernetes.io/selected-node": "node-a"},
    },
    "spec": {
        "storageClassName": "lab",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Gi"}},
    },
}


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("5Gi", 5 * 2**30), ("100Mi", 100 * 2**20), ("1G", 10**9), ("4096", 4096), ("1.5Gi", 3 * 2**29),
        (".5M", 500_000), ("1e3", 1000), ("1.5E3", 1500), ("2E", 2 * 10**18), ("1500m", 2), ("0.1Ki", 103),
    ],
)  # fmt: skip
def test_sizes_are_read_as_kubernetes_writes_them(quantity, expected):
    assert volume_agent.size_bytes(quantity) == expected


@pytest.mark.parametrize("quantity", ["lots", "", "-1Gi", "0", "1.2.3", "1gi", "."])
def test_a_size_that_is_none_is_refused(quantity):
    with pytest.raises(ValueError, match=f"storage: '{quantity}' is not a size such as 5Gi"):
        volume_agent.size_bytes(quantity)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"storageClassName": "other"}, False),
        ({"volumeName": "pvc-1"}, False),
    ],
)
def test_only_unbound_claims_of_the_class_are_served(change, expected):
    assert volume_agent.wants_volume({**CLAIM, "spec": {**CLAIM["spec"], **change}}, "node-a") is expected


def test_a_claim_of_another_node_is_left_to_that_node():
    assert volume_agent.wants_volume(CLAIM, "node-b") is False


@pytest.mark.parametrize(("phase", "expected"), [("Released", True), ("Failed", True), ("Bound", False)])
def test_only_released_volumes_of_the_node_are_removed(phase, expected):
    volume = {
        "metadata": {"name": "v", "labels": {"routerfleet.lab/node": "node-a"}},
        "status": {"phase": phase},
    }

    assert volume_agent.is_released(volume, "node-a") is expected
    assert volume_agent.is_released(volume, "node-b") is False


def test_the_volume_is_bound_to_its_claim_and_its_node():
    spec = volume_agent.volume_object(CLAIM, "node-a", Path("/state/volumes/pvc-1234"))["spec"]

    assert spec["claimRef"]["uid"] == "1234"
    assert spec["capacity"] == {"storage": "5Gi"}
    assert spec["persistentVolumeReclaimPolicy"] == "Delete"
    terms = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms == [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-a"]}]}
    ]


def fake_api(monkeypatch, items, events=()):
    """An API that answers lists and watches from memory; returns it and what it was asked."""
    asked = []

    def answer(method, path, **_):
        asked.append((method, path))
        if "watch=1" in path:
            return [json.dumps(event).encode() for event in events]
        return io.BytesIO(json.dumps({"items": items, "metadata": {"resourceVersion": "7"}}).encode())

    api = object.__new__(volume_agent.Api)
    monkeypatch.setattr(api, "open", answer)
    return api, asked


def thing(name):
    return {"metadata": {"name": name, "uid": f"uid-{name}"}}


def failing(names, seen):
    def handle(item):
        seen.append(item["metadata"]["name"])
        if item["metadata"]["name"] in names:
            raise OSError("no good")

    return volume_agent.Apart(handle)


def test_a_bad_object_does_not_keep_the_others_waiting_and_is_tried_again_soon(monkeypatch, capsys):
    seen = []
    api, asked = fake_api(
        monkeypatch, [thing("bad"), thing("good")], [{"type": "ADDED", "object": thing("later")}]
    )
    each = failing({"bad"}, seen)

    api.follow("/things", each)
    api.follow("/things", each)

    assert seen == ["bad", "good", "later"] * 2
    assert asked[1] == ("GET", "/things?watch=1&resourceVersion=7&timeoutSeconds=5")
    assert capsys.readouterr().err == "bad: no good; trying again every 5 s\n"


def test_a_failure_while_watching_ends_the_watch_so_that_all_is_listed_again(monkeypatch):
    seen = []
    api, asked = fake_api(
        monkeypatch, [thing("good")], [{"type": "ADDED", "object": thing(n)} for n in ("bad", "later")]
    )

    api.follow("/things", failing({"bad"}, seen))

    assert seen == ["good", "bad"]
    assert asked[1] == ("GET", "/things?watch=1&resourceVersion=7&timeoutSeconds=60")


def test_a_failed_mkfs_leaves_no_image_and_a_failed_mount_no_folder(tmp_path, monkeypatch):
    def fail(*command):
        if command[0] == broken:
            raise OSError(f"{command[0]}: broken")

    monkeypatch.setattr(volume_agent, "run", fail)
    volumes = volume_agent.Volumes(tmp_path)

    broken = "mkfs.ext4"
    with pytest.raises(OSError, match=r"mkfs\.ext4: broken"):
        volumes.create("v", 4096)
    assert list(tmp_path.iterdir()) == []

    broken = "mount"
    with pytest.raises(OSError, match="mount: broken"):
        volumes.create("v", 4096)
    assert [p.name for p in tmp_path.iterdir()] == ["v.img"]


def test_a_volume_that_cannot_be_mounted_at_boot_stops_no_other(tmp_path, monkeypatch, capsys):
    mounted = []

    def mount(*command):
        if command[-1].endswith("a"):
            raise OSError("bad superblock")
        mounted.append(command[-1])

    monkeypatch.setattr(volume_agent, "run", mount)
    for name in ("a", "b"):
        (tmp_path / f"{name}.img").touch()

    volume_agent.Volumes(tmp_path).mount_all()

    assert mounted == [str(tmp_path / "b")]
    assert capsys.readouterr().err == "a: bad superblock\n"
