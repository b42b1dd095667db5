"""Accelerators that a training can be planned for, and the servers that contain them.

Rates are those of the manufacturers' data sheets: dense, one direction of a link. Memory is as the
driver reports it. A server is the manufacturer's reference: DGX A100, DGX H100, HGX B200, MI300X
OAM.
"""

from dataclasses import dataclass
from typing import Literal

from lccp.contract.errors import InvalidInput
from lccp.cost.flops import PEAK_FLOPS

MEBIBYTE = 2**20
USABLE = 0.9
"""Share of a device's memory to plan with; fragments, contexts and NCCL take the rest."""
EFFICIENCY = 0.4
"""Share of its peak that a device achieves; Llama 3 reached 0.38 to 0.43 on up to 16,384 H100
(arXiv 2407.21783, table 4)."""
LINK_EFFICIENCY = 0.7
"""Share of its bandwidth that a link achieves: an assumption."""
NETWORK = 50e9
"""Bytes/s that each device sends to other nodes: a port of 400 Gbit/s each, as in DGX H100."""


@dataclass(frozen=True)
class Device:
    """One accelerator."""

    memory_bytes: int
    bf16: float
    """FLOP/s."""
    fp32: float
    """FLOP/s, without TF32, which PyTorch leaves off by default."""
    link: float
    """Bytes/s to the devices of its node."""
    host_link: float
    """Bytes/s to the host."""
    host_memory: float
    """Bytes/s of the host's memory, its share of eight."""

    def peak(self, precision: Literal["BF16", "FP32"]) -> float:
        """FLOP/s in `precision`."""
        return self.bf16 if precision == "BF16" else self.fp32

    @property
    def usable_bytes(self) -> int:
        """What a process may hold."""
        return int(USABLE * self.memory_bytes)


def _device(
    mebibytes: int, bf16: float, fp32: float, link: float, host: tuple[float, float]
) -> Device:
    return Device(mebibytes * MEBIBYTE, bf16, fp32, link, *host)


_PCIE_4 = (32e9, 409.6e9 / 8)
"""PCIe 4.0 x16; 16 channels of DDR4-3200."""
_PCIE_5 = (64e9, 614.4e9 / 8)
"""PCIe 5.0 x16; 16 channels of DDR5-4800."""
DEVICES = {
    "a100-40g": _device(40_960, PEAK_FLOPS["A100"], 19.5e12, 300e9, _PCIE_4),
    "a100-80g": _device(81_920, PEAK_FLOPS["A100"], 19.5e12, 300e9, _PCIE_4),
    "h100-80g": _device(81_559, PEAK_FLOPS["H100"], 67e12, 450e9, _PCIE_5),
    "h200-141g": _device(143_771, PEAK_FLOPS["H200"], 67e12, 450e9, _PCIE_5),
    "b200-180g": _device(183_359, PEAK_FLOPS["B200"], 75e12, 900e9, _PCIE_5),
    "mi300x-192g": _device(196_592, 1_307.4e12, 163.4e12, 448e9, _PCIE_5),
}


def device_of(name: str) -> Device:
    """The device of that name. Raises InvalidInput, which names the known ones."""
    if name not in DEVICES:
        raise InvalidInput(f"device {name!r} is not known: take one of {', '.join(DEVICES)}")
    return DEVICES[name]


@dataclass(frozen=True)
class DeviceCluster:
    """Nodes with one kind of device, one device for each of the run's processes on a node."""

    device: Device
    devices_per_node: int
    efficiency: float = EFFICIENCY
    """Share of its peak that a device achieves, 0 to 1."""
    network: float = NETWORK
    """Bytes/s of each device to other nodes."""
    host_bytes: int | None = None
    """Memory of a node that the run may use; None: unknown."""

    def bandwidth(self, processes: int) -> float:
        """Bytes/s that a device sends in a group of `processes` neighbouring processes.

        A group over several nodes also uses their links, so it is no faster than one within a node.
        """
        inside = processes <= self.devices_per_node
        slowest = self.device.link if inside else min(self.device.link, self.network)
        return LINK_EFFICIENCY * slowest
