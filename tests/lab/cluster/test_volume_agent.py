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
    ("quantity", "expected"), [("5Gi", 5 * 2**30), ("100Mi", 100 * 2**20), ("1G", 10**9), ("4096", 4096)]
)
def test_sizes_are_read_as_kubernetes_writes_them(quantity, expected):
    assert volume_agent.size_bytes(quantity) == expected


def test_a_size_that_is_none_is_refused():
    with pytest.raises(ValueError, match="storage: 'lots' is not a size such as 5Gi"):
        volume_agent.size_bytes("lots")


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
