"""Finding the machine that --host names."""

from pathlib import Path

import pytest

from harness.errors import InputError, ScenarioError
from harness.host.inventory import find_host, inventory_path, read_inventory

TEXT = """hosts:
  milan: {address: milan.lab, jump: [gate]}
  gate: {address: gate.lab, user: me, port: 2222}
"""


def write(tmp_path: Path, text: str = TEXT) -> dict[str, str]:
    (tmp_path / "hosts.yaml").write_text(text)
    return {"SVSM_HARNESS_HOSTS": str(tmp_path / "hosts.yaml")}


def test_a_host_is_found_with_the_way_to_it(tmp_path: Path) -> None:
    entry, jumps = find_host("milan", write(tmp_path))
    assert (entry.address, entry.port, entry.user) == ("milan.lab", 22, "root")
    assert [(jump.address, jump.port, jump.user) for jump in jumps] == [("gate.lab", 2222, "me")]


def test_an_unknown_host_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no such host.*did you mean.*milan"):
        find_host("millan", write(tmp_path))


def test_without_a_file_it_is_said_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--host milan: there is no .*copy ci/hosts\.example\.yaml"):
        find_host("milan", {"SVSM_HARNESS_HOSTS": str(tmp_path / "none.yaml")})
    assert inventory_path({}) == Path("ci/hosts.yaml")


def test_the_example_is_a_valid_inventory() -> None:
    entries = read_inventory(Path(__file__).parents[2] / "ci" / "hosts.example.yaml")
    assert entries


def test_what_is_wrong_has_its_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"hosts\.yaml:2:\d+: .*addres"):
        find_host("a", write(tmp_path, "hosts:\n  a: {addres: x}\n"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        read_inventory(tmp_path / "binary")
