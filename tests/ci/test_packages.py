"""ci/packages.table and ci/lib/packages.sh: every row complete, only what is missing installed, root only then."""

import re
from pathlib import Path

import pytest

_CI = Path(__file__).resolve().parents[2] / "ci"
_COLUMNS = ["need", "probe", "apt", "dnf", "zypper", "pacman", "why", "otherwise"]


def _rows() -> list[list[str]]:
    lines = (_CI / "packages.table").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if "|" in line and not line.startswith("#")]
    assert rows[0] == _COLUMNS
    return rows[1:]


@pytest.mark.parametrize("row", _rows(), ids=lambda row: str(row[1]))
def test_every_row_is_complete(row: list[str]) -> None:
    need, probe, *names, why, otherwise = row
    assert need in {"run", "test", "wish"}
    assert re.fullmatch(r"(cmd|static):[\w.,+-]+|file:/\S+|python:3\.\d+", probe)
    assert len(names) == 4
    for name in names:
        assert re.fullmatch(r"-|[a-zA-Z0-9][\w.+-]*( [a-zA-Z0-9][\w.+-]*)*", name)
    assert len(why) > 10
    assert len(otherwise) > 10


def test_table_covers_what_a_guest_needs() -> None:
    probes = " ".join(row[1] for row in _rows() if row[0] == "run")
    for needed in (
        "python:",
        "qemu-system-x86_64",
        "static:busybox",
        "dropbear",
        "cpio",
        "gcc",
        "make",
        "ld",
        "zstd",
        "xz",
    ):
        assert needed in probes


def test_apt_names_are_those_of_debian_and_ubuntu() -> None:
    names = {name for row in _rows() for name in row[2].split()}
    assert {"qemu-system-x86", "busybox-static", "dropbear-bin", "cpio", "python3-venv", "gcc", "xz-utils"} <= names


@pytest.mark.parametrize(
    ("release", "want"),
    [
        ("ID=debian", "apt"),
        ("ID=ubuntu\nID_LIKE=debian", "apt"),
        ("ID=fedora", "dnf"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "dnf"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"', "zypper"),
        ("ID=arch", "pacman"),
        ("ID=unheard-of", "apt"),
    ],
)
def test_package_manager_follows_the_distribution(checkout, release: str, want: str) -> None:
    (checkout.root / "os-release").write_text(release + "\n")
    for name in ("dnf", "zypper", "pacman"):
        checkout.program(name)
    assert checkout.bash("package_manager").stdout == want


def test_nothing_missing_calls_nobody(checkout) -> None:
    checkout.program("tool-a")
    checkout.table("run | cmd:tool-a | tool-a")
    done = checkout.bash("ensure_packages run", offline=True)
    assert done.returncode == 0, done.stderr
    assert "all there" in done.stdout
    assert checkout.calls() == []


def test_only_what_is_missing_is_installed(checkout) -> None:
    checkout.program("tool-a")
    checkout.table("run | cmd:tool-a | tool-a", "run | cmd:no-such,tool-b | tool-b", "test | cmd:tool-c | tool-c")
    done = checkout.bash("ensure_packages run")
    assert done.returncode == 0, done.stderr
    installs = [call for call in checkout.calls() if call.startswith("apt-get") and " install " in call]
    assert len(installs) == 1
    assert installs[0].endswith("--no-install-recommends tool-b")
    assert "apt-get update" in checkout.calls()
    before = checkout.calls()
    assert checkout.bash("ensure_packages run").returncode == 0
    assert checkout.calls() == before


def test_a_wish_is_never_a_reason_by_itself(checkout) -> None:
    checkout.table("wish | cmd:tool-w | tool-w")
    assert checkout.bash("ensure_packages run test").returncode == 0
    assert checkout.calls() == []


def test_a_wish_rides_along_with_the_tests_packages_only(checkout) -> None:
    checkout.table("run | cmd:tool-a | tool-a", "wish | cmd:tool-w | tool-w")
    checkout.bash("ensure_packages run")
    assert not any("tool-w" in call for call in checkout.calls())
    (checkout.bin / "tool-a").unlink()
    checkout.bash("ensure_packages run test")
    installed = [call.split()[-1] for call in checkout.calls() if call.startswith("apt-get") and " install " in call]
    assert installed[-2:] == ["tool-a", "tool-w"]


def test_a_wish_that_cannot_be_had_stops_nothing(checkout) -> None:
    # tool-w is a program that the package of this name does not bring along, and the second of two wishes still comes.
    checkout.table("run | cmd:tool-a | tool-a", "wish | cmd:tool-v | none-such", "wish | cmd:tool-w | tool-w")
    (checkout.bin / "apt-get").write_text(
        (checkout.bin / "apt-get")
        .read_text()
        .replace('case "', 'case " $* " in *none-such*) exit 100 ;; esac\ncase "', 1)
    )
    done = checkout.bash("ensure_packages run test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "could not" in done.stdout
    assert (checkout.bin / "tool-w").exists()


def test_a_failed_install_ends_with_its_output_and_the_fix(checkout) -> None:
    checkout.table("run | cmd:tool-a | tool-a")
    Path(f"{checkout.record}.fail").touch()
    done = checkout.bash("ensure_packages run")
    assert done.returncode == 4
    assert "E: no such package" in done.stderr
    assert "fix: Check the network" in done.stderr


def test_without_sudo_the_command_for_root_is_named(checkout) -> None:
    checkout.table("run | cmd:tool-a | tool-a")
    (checkout.bin / "sudo").unlink()
    done = checkout.bash('type() { [[ $2 != sudo ]] && builtin type "$@"; }; ensure_packages run')
    assert done.returncode == 4
    assert "fix: As root: apt-get install -y tool-a" in done.stderr
    assert checkout.calls() == []


def test_what_a_distribution_lacks_is_said_with_what_to_do(checkout) -> None:
    checkout.table("run | cmd:tool-a | -")
    done = checkout.bash("ensure_packages run")
    assert done.returncode == 4
    assert "Not packaged here: cmd:tool-a" in done.stdout
    assert "fix: do it by hand" in done.stderr
    assert checkout.calls() == []


def test_a_static_probe_refuses_a_program_with_a_loader(checkout) -> None:
    # bash is linked to libc on every distribution this runs on.
    assert checkout.bash("is_there static:bash").returncode == 1
    checkout.program("plain")
    assert checkout.bash("is_there cmd:bash").returncode == 0


def test_sbin_is_searched_for_an_ordinary_user(checkout) -> None:
    assert checkout.bash("is_there cmd:ldconfig").returncode == 0
    assert checkout.bash("is_there cmd:no-such-program").returncode == 1


@pytest.mark.parametrize(
    ("kernel", "lists", "said"), [(True, False, False), (False, True, False), (False, False, True)]
)
def test_empty_package_lists_matter_only_without_a_readable_kernel(checkout, kernel, lists, said) -> None:
    folder = checkout.root / "lists"
    folder.mkdir()
    if lists:
        (folder / "mirror_dists_x_binary-amd64_Packages.lz4").touch()
    if not kernel:
        (checkout.root / "boot/vmlinuz-1").unlink()
    checkout.program("apt-config", f"echo \"D='{folder}/'\"")
    done = checkout.bash("ensure_apt_lists")
    assert done.returncode == 0
    assert ("apt-get update" in done.stdout) is said
    assert checkout.calls() == []
