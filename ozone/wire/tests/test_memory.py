"""What a stranger sends is forgotten: labels come from closed sets, and nothing long is remembered."""

from contextlib import suppress

from prometheus_client import REGISTRY

from ozone.wire import address, http, metrics
from ozone.wire.errors import BadHost


def test_invented_methods_are_one_label() -> None:
    for index in range(500):
        metrics.count_request("a route", f"WORD{index}" * 100, 405)
    found = REGISTRY.get_sample_value("ozone_requests_total", {"route": "a route", "method": "other", "status": "405"})
    assert found == 500
    assert b"WORD" not in metrics.render()


def test_hosts_and_addresses_of_any_length_are_not_remembered() -> None:
    before = http._allowed.cache_info().currsize, address._parse.cache_info().currsize
    for index in range(50):
        with suppress(BadHost):
            http.check_host(f"{index}." + "a" * 10_000)
        assert address.client_address(f"{index}." + "1" * 10_000, None) == ""
    assert (http._allowed.cache_info().currsize, address._parse.cache_info().currsize) == before
