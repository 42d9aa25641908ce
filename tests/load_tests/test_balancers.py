from load_tests.balancers import ready_addresses


def test_a_zone_s_address_is_its_ready_load_balancer() -> None:
    line = "zone-a,false,10.0.1.1;zone-a,true,10.0.1.2;zone-b,true,10.0.2.1;zone-c,false,10.0.3.1;\n"
    assert ready_addresses(line) == {"zone-a": "10.0.1.2:7233", "zone-b": "10.0.2.1:7233"}


def test_no_endpoints_are_no_addresses() -> None:
    assert ready_addresses("\n") == {}
