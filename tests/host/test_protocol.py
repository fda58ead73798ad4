from __future__ import annotations

from harness.errors import EvidenceLost
from harness.host.protocol import HostLost


def test_a_lost_host_is_lost_evidence_and_names_itself() -> None:
    lost = HostLost("milan3", "reading the trace", "Connection reset by peer")
    assert isinstance(lost, EvidenceLost)
    assert str(lost) == "host milan3 was lost while reading the trace: Connection reset by peer"
    assert lost.host == "milan3"
