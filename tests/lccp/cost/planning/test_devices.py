import pytest

from lccp.contract.errors import InvalidInput
from lccp.cost.planning.devices import DEVICES, LINK_EFFICIENCY, DeviceCluster, device_of


def test_a_device_is_known_by_its_name_and_memory() -> None:
    assert device_of("h100-80g").memory_bytes == 81_559 * 2**20
    assert device_of("h100-80g").peak("BF16") > device_of("h100-80g").peak("FP32")


def test_an_unknown_device_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidInput, match="device 'v100' is not known: take one of a100-40g, "):
        device_of("v100")


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_s_memory_is_what_its_name_says(name: str) -> None:
    said = int(name.rpartition("-")[2].removesuffix("g"))
    assert DEVICES[name].memory_bytes / 1e9 == pytest.approx(said, rel=0.08)


def test_a_group_within_a_node_does_not_wait_for_the_network() -> None:
    cluster = DeviceCluster(DEVICES["h100-80g"], devices_per_node=8, network=10e9)
    assert cluster.bandwidth(8) == LINK_EFFICIENCY * 450e9
    assert cluster.bandwidth(9) == LINK_EFFICIENCY * 10e9


def test_a_group_over_several_nodes_is_no_faster_than_their_links() -> None:
    cluster = DeviceCluster(DEVICES["h100-80g"], devices_per_node=8, network=900e9)
    assert cluster.bandwidth(9) == cluster.bandwidth(8)
