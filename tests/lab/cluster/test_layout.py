import ipaddress

import pytest

from lab.cluster.layout import CONTROL, NODE_NETWORK, NODES, OUTSIDE, POD_NETWORK, SERVICE_NETWORK, node_in


def test_every_machine_has_an_address_a_mac_and_names_of_its_own():
    machines = (CONTROL, *NODES, OUTSIDE)

    assert [m.address for m in machines] == [
        "172.30.0.10", "172.30.0.11", "172.30.0.12", "172.30.0.13", "172.30.0.20",
    ]  # fmt: skip
    assert (
        len({m.mac for m in machines})
        == len({m.netns for m in machines})
        == len({m.port for m in machines})
        == 5
    )
    assert all(len(m.port) <= 15 for m in machines)


def test_pod_networks_are_apart_and_inside_the_pod_range():
    networks = [ipaddress.IPv4Network(node.pod_network) for node in NODES]

    assert [str(n) for n in networks] == ["10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"]
    assert all(n.subnet_of(ipaddress.IPv4Network(str(POD_NETWORK))) for n in networks)
    assert not any(a.overlaps(b) for a in (NODE_NETWORK, SERVICE_NETWORK) for b in networks)


def test_three_nodes_stand_in_three_zones():
    assert [node.zone for node in NODES] == ["zone-a", "zone-b", "zone-c"]
    assert node_in("zone-b") is NODES[1]
    assert node_in("node-b") is NODES[1]


def test_an_unknown_zone_is_refused_with_the_zones_there_are():
    with pytest.raises(KeyError, match="'zone-x' is not a zone of the lab; zones are zone-a, zone-b, zone-c"):
        node_in("zone-x")
