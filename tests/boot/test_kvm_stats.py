"""KVM's statistics as QEMU 7.2 answers them."""

from __future__ import annotations

from harness.boot.kvm_stats import parse_stats

VCPU = [
    {
        "provider": "kvm",
        "stats": [
            {"name": "guest_mode", "value": False},
            {"name": "exits", "value": 7713},
            {"name": "halt_wait_hist", "value": [0, 1, 2]},
        ],
        "qom-path": "/machine/unattached/device[0]",
    },
    {"provider": "cryptodev", "stats": [{"name": "exits", "value": 1}], "qom-path": "/machine/peripheral/x"},
]


def test_numbers_only_and_kvms_only() -> None:
    assert parse_stats(VCPU) == {"/machine/unattached/device[0]": {"exits": 7713}}
    assert parse_stats([{"provider": "kvm", "stats": [{"name": "pages_4k", "value": 3}]}]) == {"": {"pages_4k": 3}}
    assert parse_stats(None) == {} and parse_stats([1]) == {}
