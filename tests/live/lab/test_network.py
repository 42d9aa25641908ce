"""Pods reach each other, services and names across zones; Pod Security is enforced."""

import json

from tests.live.conftest import restricted_pod, wait_until


def test_pods_reach_a_service_by_name_from_every_zone(kubectl, scratch, zone_of_node):
    listener = restricted_pod("listener", ["bash", "-c", "while :; do sleep 1; done"])
    listener["metadata"]["namespace"] = scratch
    kubectl.apply(listener)
    look = "getent hosts kubernetes.default.svc.cluster.local && exec 3<>/dev/tcp/kubernetes.default.svc.cluster.local/443 && echo reached"
    for node in zone_of_node:
        pod = restricted_pod(f"from-{node}", ["bash", "-c", look], nodeName=node)
        pod["metadata"]["namespace"] = scratch
        kubectl.apply(pod)
    for node in zone_of_node:
        name = f"from-{node}"
        wait_until(
            lambda name=name: (
                kubectl.get("pod", name, "-n", scratch)["status"]["phase"] in ("Succeeded", "Failed")
            ),
            f"{name} ends",
        )
        assert "reached" in kubectl.run("logs", name, "-n", scratch)


def test_a_privileged_pod_is_rejected(kubectl, scratch):
    pod = restricted_pod("bad", ["sleep", "1"], container={"securityContext": {"privileged": True}})
    pod["metadata"]["namespace"] = scratch

    refused = kubectl.try_run("apply", "-f", "-", stdin=json.dumps(pod))

    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr
