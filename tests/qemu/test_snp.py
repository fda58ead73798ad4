"""SNP guests and SVSMs: the documented command lines, and what each QEMU has of them."""

import asyncio
import itertools
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from harness.errors import Unsupported
from harness.qemu.capabilities import Capabilities, probe_capabilities
from harness.qemu.command import Accel, Guest, QemuCommand, Wiring, build_command, streams_of
from harness.qemu.disk import Disk
from harness.qemu.snp import Form, Launch, choose_form, choose_plane, launch_cpu, require_launch
from harness.scenario.confidential import Snp, SnpPolicy, Svsm
from harness.scenario.model import Machine, Payload, Pflash

GOLDEN = Path(__file__).parent / "golden" / "snp"
LINUX = Guest("/boot/vmlinuz", "console=ttyS0", "/proc/self/fd/9", ssh=True)
IGVM = Svsm(igvm="coconut-qemu.igvm")
ALONE = Payload.model_validate({"image": "svsm", "debug_exit": True, "reports": "svsm-tests"})
FLASH = Pflash(code="OVMF_CODE.fd", vars="OVMF_VARS.fd")


@dataclass(frozen=True)
class Case:
    launch: Launch
    machine: Mapping[str, object] = field(default_factory=dict)
    guest: Guest = LINUX
    accel: Accel = Accel.KVM
    payload: Payload | None = None


def _snp(form: Form = Form.IGVM_CFG, svsm: Svsm | None = IGVM, **more: object) -> Launch:
    return Launch(form, Snp(), svsm, 51, **more)  # type: ignore[arg-type]


CASES = {
    "snp": Case(_snp(Form.SNP, None), {"firmware": "OVMF.amdsev.fd"}),
    "snp-all": Case(
        replace(
            _snp(Form.SNP, None, id_block="QUJD", id_auth="REVG"),
            snp=Snp(
                policy=SnpPolicy(debug=True, abi_minor=31),
                host_data="ab" * 32,
                id_block="f",
                id_auth="g",
                author_key=True,
                kernel_hashes=True,
                vcek_disabled=True,
                secure_tsc=True,
                tsc_frequency=2_000_000_000,
            ),
        ),
        {"firmware": "OVMF.amdsev.fd", "rng": True},
    ),
    "svsm-igvm-cfg": Case(_snp(), {"vcpus": 8, "memory": "8G"}),
    "svsm-planes": Case(
        _snp(device_plane=2),
        {"vcpus": 8, "memory": "8G"},
        Guest(None, "", None, True, Disk("guest.qcow2", "qcow2", "/proc/self/fd/9")),
    ),
    "svsm-igvm-file": Case(_snp(Form.IGVM_FILE), {"vcpus": 4, "memory": "8G"}),
    "svsm-igvm-file-private": Case(_snp(Form.IGVM_FILE, private_memory=True), {"vcpus": 4, "memory": "8G"}),
    "svsm-pflash": Case(
        _snp(Form.PFLASH, Svsm(binary="svsm.bin", restricted_injection=True), private_memory=True), {"pflash": FLASH}
    ),
    "svsm-machine": Case(_snp(Form.MACHINE, Svsm(binary="svsm.bin", guest_vmpl=1)), {"pflash": FLASH}),
    "svsm-tests": Case(_snp(), {"memory": "8G"}, Guest(None, ""), payload=ALONE),
    "nocc": Case(Launch(Form.IGVM_CFG, None, IGVM), {"memory": "8G", "vcpus": 4}, Guest(None, ""), payload=ALONE),
    "nocc-object-tcg": Case(
        Launch(Form.IGVM_CFG, None, IGVM, nocc_object=True), {"memory": "8G"}, Guest(None, ""), Accel.TCG, ALONE
    ),
    "comma": Case(_snp(svsm=Svsm(igvm="/a,b c.igvm"))),
}


def build(case: Case) -> QemuCommand:
    machine = Machine.model_validate(case.machine)
    wiring = Wiring.terminal(streams_of(machine, case.payload))
    qemu = "/usr/bin/qemu-system-x86_64"
    return build_command(qemu, (11, 0, 0), case.accel, machine, case.guest, wiring, case.payload, case.launch)


@pytest.mark.parametrize("name", CASES)
def test_the_command_line_is_the_golden_one(name: str, golden: Callable[[Path, str], None]) -> None:
    command = build(CASES[name])
    golden(
        GOLDEN / f"{name}.argv", "".join(f"{shlex.join(option)}\n" for option in ((command.binary,), *command.options))
    )


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.argv")} == set(CASES)


_SCSI = (
    "-device virtio-scsi-pci,id=scsi0,disable-legacy=on,iommu_platform=on "
    "-device scsi-hd,drive=disk0,bootindex=0 -drive file=guest.qcow2,format=qcow2,if=none,id=disk0,snapshot=on"
)
_MEMFD = "-object memory-backend-memfd,id=ram1,size=8192M,share=true,prealloc=false,reserve=false"
_SEV = "-object sev-snp-guest,id=sev0,cbitpos=51,reduced-phys-bits=1"
_KVM = "confidential-guest-support=sev0,memory-backend=ram1"
# The documented lines, with our names for objects and files, and less what is another subject: -nographic, -serial,
# -netdev, -monitor; `-enable-kvm` is accel=kvm, and 8G is written as 8192M.
DOCUMENTED = {
    # COCONUT-SVSM Documentation/docs/installation/INSTALL.md, August 2026.
    "svsm-planes": f"-cpu EPYC-v4 -machine q35,{_KVM},igvm-cfg=igvm0,kernel-irqchip=split,device-plane=2,accel=kvm "
    f"{_MEMFD} {_SEV} -object igvm-cfg,id=igvm0,file=coconut-qemu.igvm -smp 8 -vga none {_SCSI}",
    # scripts/launch_guest.sh of 2024 to 2026, QEMU 9 and later; upstream docs/system/igvm.rst takes the same.
    "svsm-igvm-cfg": f"-cpu EPYC-v4 -machine q35,{_KVM},igvm-cfg=igvm0,accel=kvm {_MEMFD} {_SEV} "
    "-object igvm-cfg,id=igvm0,file=coconut-qemu.igvm -smp 8 -vga none",
    # The same script, QEMU 8.2.
    "svsm-igvm-file": f"-cpu EPYC-v4 -machine q35,{_KVM},accel=kvm {_MEMFD} "
    f"{_SEV},init-flags=5,igvm-file=coconut-qemu.igvm -smp 4",
    # The same script, older QEMUs.
    "svsm-igvm-file-private": f"-cpu EPYC-v4 -machine q35,{_KVM},kvm-type=protected,accel=kvm "
    "-object memory-backend-memfd-private,size=8192M,id=ram1,share=true "
    f"{_SEV},init-flags=5,igvm-file=coconut-qemu.igvm",
    # INSTALL.md of 2023.
    "svsm-pflash": f"-cpu EPYC-v4 -machine q35,{_KVM},kvm-type=protected,accel=kvm "
    "-object memory-backend-memfd-private,id=ram1,size=256M,share=true "
    f"{_SEV},svsm=on,init-flags=1 -drive if=pflash,format=raw,unit=2,file=svsm.bin,readonly=on",
    # AMDESE/linux-svsm scripts/launch-qemu.sh.
    "svsm-machine": "-cpu EPYC-v4,host-phys-bits=true "
    "-machine q35,memory-encryption=sev0,vmport=off,svsm=svsm.bin,accel=kvm "
    "-object sev-snp-guest,id=sev0,policy=0x30000,cbitpos=51,reduced-phys-bits=1,init-flags=0x4 "
    "-drive if=pflash,format=raw,unit=0,file=OVMF_CODE.fd,readonly=on",
    # launch_guest.sh --nocc and --nocc --tcg; --unit-tests for the last two devices.
    "nocc": "-cpu max,smep=on -machine q35,memory-backend=ram1,igvm-cfg=igvm0,accel=kvm "
    f"{_MEMFD} -object igvm-cfg,id=igvm0,file=coconut-qemu.igvm -smp 4 -vga none "
    "-device isa-debug-exit,iobase=0xf4,iosize=0x4 -device pc-testdev",
    "nocc-object-tcg": "-cpu max,smep=on "
    "-machine q35,confidential-guest-support=cgs0,memory-backend=ram1,igvm-cfg=igvm0,accel=tcg -object nocc,id=cgs0",
}


def _words(argv: list[str]) -> list[tuple[str, frozenset[str]]]:
    return [(option, frozenset(value.split(","))) for option, value in itertools.pairwise(argv)]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_option_of_the_documented_line_is_there_and_says_the_same(name: str) -> None:
    ours = _words(list(build(CASES[name]).argv))
    documented = shlex.split(DOCUMENTED[name])
    missing = [
        pair for pair in zip(documented[::2], documented[1::2], strict=True) if _words(list(pair))[0] not in ours
    ]
    assert missing == []


@pytest.mark.parametrize("name", CASES)
def test_a_reset_ends_every_one_of_them(name: str) -> None:
    # -no-reboot is reboot=shutdown.
    assert any(
        option == "-action" and "reboot=shutdown" in words for option, words in _words(list(build(CASES[name]).argv))
    )


SNP_PROPERTIES = frozenset(
    {"cbitpos", "reduced-phys-bits", "policy", "kernel-hashes", "host-data", "id-block", "id-auth"}
)
UPSTREAM = Capabilities(
    binary="/usr/bin/qemu",
    version=(10, 1, 0),
    package="",
    machines={"q35": 288},
    cpus=frozenset(),
    types=frozenset({"sev-snp-guest", "igvm-cfg", "memory-backend-memfd"}),
    pci_types=frozenset(),
    properties={
        "sev-snp-guest": SNP_PROPERTIES,
        "igvm-cfg": frozenset({"file"}),
        "memory-backend-memfd": frozenset({"size", "share", "prealloc", "reserve"}),
        "q35": frozenset({"confidential-guest-support", "memory-backend", "igvm-cfg"}),
    },
)


def _with(kind: str, *names: str) -> Capabilities:
    return replace(UPSTREAM, properties={**UPSTREAM.properties, kind: UPSTREAM.properties[kind] | set(names)})


def _without(*types: str) -> Capabilities:
    return replace(UPSTREAM, types=UPSTREAM.types - set(types))


@pytest.mark.parametrize(
    ("svsm", "capabilities", "form"),
    [
        (None, UPSTREAM, Form.SNP),
        (IGVM, UPSTREAM, Form.IGVM_CFG),
        (IGVM, replace(_with("sev-snp-guest", "igvm-file"), types=_without("igvm-cfg").types), Form.IGVM_FILE),
        (IGVM, _with("sev-snp-guest", "igvm-file"), Form.IGVM_CFG),
        (Svsm(binary="b"), _with("sev-snp-guest", "svsm"), Form.PFLASH),
        (Svsm(binary="b"), _with("q35", "svsm"), Form.MACHINE),
        (Svsm(igvm="x", form="igvm-file"), UPSTREAM, Form.IGVM_FILE),
    ],
)
def test_the_newest_form_that_this_qemu_has_is_taken(svsm: Svsm | None, capabilities: Capabilities, form: Form) -> None:
    assert choose_form(svsm, capabilities) is form


@pytest.mark.parametrize(
    ("svsm", "irqchip", "known", "plane"),
    [
        (None, None, True, None),
        (IGVM, None, True, 2),
        (IGVM, "split", True, 2),
        (IGVM, "on", True, None),
        (IGVM, None, False, None),
        (Svsm(igvm="x", guest_vmpl=1), None, True, 1),
        (Svsm(igvm="x", device_plane=3), None, False, 3),
        (Svsm(igvm="x", device_plane=None), None, True, None),
        (Svsm(igvm="x", form="igvm-file"), None, True, None),
    ],
)
def test_devices_interrupt_the_guests_plane_where_qemu_knows_planes(
    svsm: Svsm | None, irqchip: str | None, known: bool, plane: int | None
) -> None:
    assert choose_plane(svsm, Machine.model_validate({"irqchip": irqchip}), known=known) == plane


@pytest.mark.parametrize(
    ("svsm", "says"),
    [
        (
            Svsm(),
            "svsm.igvm names no IGVM file (build one (coconut-svsm/svsm: make), and name it: export SVSM_IGVM=FILE",
        ),
        (Svsm(binary="b"), "QEMU 10.1.0 takes no svsm.bin (coconut's QEMU of 2023 does"),
    ],
)
def test_what_no_form_fits_is_unsupported(svsm: Svsm, says: str) -> None:
    with pytest.raises(Unsupported) as raised:
        choose_form(svsm, UPSTREAM)
    assert str(raised.value).startswith(says)


def test_upstream_has_what_upstream_documents() -> None:
    require_launch(CASES["snp"].launch, UPSTREAM)
    require_launch(CASES["svsm-igvm-cfg"].launch, UPSTREAM)
    require_launch(CASES["nocc"].launch, UPSTREAM)


@pytest.mark.parametrize(
    ("launch", "capabilities", "says"),
    [
        (_snp(), _without("sev-snp-guest"), "has no object sev-snp-guest (QEMU 9.1 or later has it)"),
        (_snp(), _without("igvm-cfg"), "has no object igvm-cfg (coconut-svsm/qemu, or QEMU 10.1 or later built with"),
        (_snp(), _without("memory-backend-memfd"), "has no object memory-backend-memfd"),
        (
            CASES["svsm-planes"].launch,
            UPSTREAM,
            "has no property of machine q35, device-plane (coconut-svsm/qemu of June",
        ),
        (CASES["snp-all"].launch, UPSTREAM, "has no property of sev-snp-guest, author-key-enabled"),
        (
            replace(_snp(), snp=Snp(secure_tsc=True)),
            UPSTREAM,
            "has no property of sev-snp-guest, secure-tsc (QEMU 10.2 or later has it)",
        ),
        (CASES["nocc-object-tcg"].launch, UPSTREAM, "has no object nocc"),
        (
            _snp(svsm=Svsm(igvm="x", restricted_injection=False)),
            UPSTREAM,
            "with igvm-cfg the IGVM file decides about restricted injection",
        ),
    ],
)
def test_what_this_qemu_lacks_is_named_with_one_that_has_it(
    launch: Launch, capabilities: Capabilities, says: str
) -> None:
    with pytest.raises(Unsupported) as raised:
        require_launch(launch, capabilities)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("restricted", "flags"), [(None, "init-flags=5"), (True, "init-flags=5"), (False, "init-flags=4")]
)
def test_restricted_injection_is_a_flag_where_the_form_has_one(restricted: bool | None, flags: str) -> None:
    launch = _snp(Form.IGVM_FILE, Svsm(igvm="x", restricted_injection=restricted))
    assert any(flags in words for _, words in _words(list(build(Case(launch)).argv)))


def test_the_cpu_of_the_scenario_wins() -> None:
    launch = CASES["snp"].launch
    assert launch_cpu(launch) == "EPYC-v4"
    assert ("-cpu", "EPYC-Genoa") in build(Case(launch, {"cpu": "EPYC-Genoa"})).options


QEMU = shutil.which("qemu-system-x86_64") or ""


@pytest.mark.skipif(not QEMU, reason="QEMU is not installed")
@pytest.mark.qemu
@pytest.mark.parametrize("name", ["snp", "svsm-igvm-cfg", "svsm-planes", "nocc"])
def test_a_real_qemu_starts_what_it_has_and_lacks_what_it_refuses(name: str, tmp_path: Path) -> None:
    # Whatever QEMU this is: what we believe of its objects is what it says when it is given the very options.
    launch = CASES[name].launch
    found = asyncio.run(probe_capabilities(QEMU, tmp_path))
    assert {"size", "share", "prealloc", "reserve"} <= found.properties["memory-backend-memfd"]
    assert "memory-backend" in found.properties["q35"]
    try:
        require_launch(launch, found)
        lacking = ""
    except Unsupported as error:
        lacking = error.reason
    said = asyncio.run(_refusal(launch))
    # Without SNP hardware the object itself fails, which is later than being unknown.
    unknown = any(
        word in said for word in ("does not accept value", "not found", "invalid object type", "Invalid param")
    )
    assert bool(lacking) == unknown, (lacking, said)


async def _refusal(launch: Launch) -> str:
    machine = Machine()
    command = build_command(
        QEMU, (11, 0, 0), Accel.TCG, machine, Guest(None, ""), Wiring({}, None), None, launch
    )  # fmt: skip
    # Only what the launch is made of; the accelerator tcg, because unknown objects are refused before it matters.
    words = [word for option in command.options if option[0] in ("-machine", "-object", "-m") for word in option]
    process = await asyncio.create_subprocess_exec(
        QEMU, *words, "-display", "none", "-nodefaults", "-S", "-monitor", "stdio",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(b"quit\n"), 20)
    return said.decode()
