"""Which platform a variant gets, and every reason when it gets none."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.boot.kvm_probe import KvmAnswer
from harness.boot.plan import RefusedBoot, plan_boot, require_files
from harness.boot.run import PlannedBoot
from harness.errors import InputError
from harness.host.snp import SnpFacts
from harness.qemu.capabilities import Capabilities
from harness.qemu.command import Accel
from harness.scenario.confidential import Snp, Svsm
from harness.scenario.model import Guest, Machine, Payload, Platform
from harness.scenario.setting import Setting, Variant
from harness.scenario.steps import UploadStep

QEMU = Capabilities(
    binary="/usr/bin/qemu",
    version=(7, 2, 22),
    package="",
    machines={"q35": 288, "microvm": 288},
    cpus=frozenset({"max", "host"}),
    types=frozenset({"edu"}),
    pci_types=frozenset({"edu"}),
)
KVM = KvmAnswer(True, "a probe guest booted")
NO_KVM = KvmAnswer(False, "there is no /dev/kvm")
SETTING = Setting(Machine(), Guest(), None, (), (), 60.0, None)
SNP = replace(SETTING, snp=Snp())
SVSM = replace(SNP, svsm=Svsm(igvm="x.igvm"))
NOCC = replace(SETTING, guest=None, payload=Payload.model_validate({"image": "svsm"}), svsm=Svsm(igvm="x.igvm"))
LAPTOP = SnpFacts("this CPU has no SEV-SNP", "an EPYC has it", None, None)
READY = SnpFacts("", "", 51, "/ovmf.fd")
NEW_QEMU = replace(
    QEMU, version=(11, 0, 0), types=frozenset({"sev-snp-guest", "igvm-cfg", "memory-backend-memfd"})
)  # fmt: skip
MODEL = replace(SETTING, guest=None, payload=Payload(image="vmpl_model"))
KVM_MODEL = replace(MODEL, machine=Machine(accel="kvm"))
OLD = replace(SETTING, machine=Machine(min_qemu="9.1"))


def variant(**platforms: Setting) -> Variant:
    pairs = tuple((Platform(name), setting) for name, setting in platforms.items())
    return Variant("x", "Why.", (), "x.yaml", "vcpus=1", "x_vcpus-1", (), pairs)


@pytest.mark.parametrize(
    ("platforms", "kvm", "wanted", "platform", "accel"),
    [
        ({"kvm": SETTING, "tcg": SETTING}, KVM, None, Platform.KVM, Accel.KVM),
        ({"kvm": SETTING, "tcg": SETTING}, NO_KVM, None, Platform.TCG, Accel.TCG),
        ({"kvm": SETTING, "tcg": SETTING}, KVM, Platform.TCG, Platform.TCG, Accel.TCG),
        ({"svsm": SVSM, "snp": SNP, "kvm": SETTING, "tcg": SETTING}, KVM, None, Platform.KVM, Accel.KVM),
        ({"svsm": SVSM, "nocc": NOCC, "model": MODEL}, KVM, None, Platform.MODEL, Accel.TCG),
        ({"model": KVM_MODEL}, KVM, None, Platform.MODEL, Accel.KVM),
        ({"kvm": OLD, "tcg": SETTING}, KVM, None, Platform.TCG, Accel.TCG),
    ],
)
def test_the_best_that_can_be_had_is_taken(
    platforms: dict[str, Setting], kvm: KvmAnswer, wanted: Platform | None, platform: Platform, accel: Accel
) -> None:
    plan = plan_boot(variant(**platforms), QEMU, kvm, wanted, LAPTOP)
    assert isinstance(plan, PlannedBoot)
    assert (plan.platform, plan.accel, plan.setting) == (platform, accel, platforms[platform])
    assert (plan.identity.variant, plan.identity.platform) == ("x[vcpus=1]", platform)


@pytest.mark.parametrize(
    ("platforms", "wanted", "platform", "reasons"),
    [
        ({"kvm": SETTING}, None, Platform.KVM, ["kvm: there is no /dev/kvm"]),
        (
            {"snp": SNP, "kvm": SETTING, "tcg": OLD},
            None,
            Platform.SNP,
            ["snp: this CPU has no SEV-SNP", "kvm: there is no /dev/kvm", "tcg: QEMU 7.2.22 is too old"],
        ),
        ({"kvm": SETTING, "tcg": SETTING}, Platform.KVM, Platform.KVM, ["kvm: there is no /dev/kvm"]),
        ({"kvm": SETTING, "tcg": SETTING}, Platform.SVSM, Platform.SVSM, ["no platform svsm; it has kvm, tcg"]),
        ({"model": KVM_MODEL}, None, Platform.MODEL, ["model: there is no /dev/kvm"]),
    ],
)
def test_a_refusal_names_every_reason(
    platforms: dict[str, Setting], wanted: Platform | None, platform: Platform, reasons: list[str]
) -> None:
    plan = plan_boot(variant(**platforms), QEMU, NO_KVM, wanted, LAPTOP)
    assert isinstance(plan, RefusedBoot)
    assert plan.identity.platform == platform
    assert len(plan.reason.split("; ")) >= len(reasons)
    for reason in reasons:
        assert reason in plan.reason
    if wanted is Platform.KVM:
        assert "tcg" not in plan.reason


@pytest.mark.parametrize(
    ("platforms", "kvm", "platform", "accel"),
    [
        ({"svsm": SVSM, "snp": SNP, "kvm": SETTING}, KVM, Platform.SVSM, Accel.KVM),
        ({"snp": SNP, "kvm": SETTING}, KVM, Platform.SNP, Accel.KVM),
        ({"svsm": SVSM, "tcg": SETTING}, NO_KVM, Platform.TCG, Accel.TCG),
        ({"nocc": NOCC}, KVM, Platform.NOCC, Accel.KVM),
        ({"nocc": NOCC}, NO_KVM, Platform.NOCC, Accel.TCG),
        ({"nocc": NOCC, "tcg": SETTING}, NO_KVM, Platform.TCG, Accel.TCG),
        ({"nocc": NOCC, "model": MODEL}, NO_KVM, Platform.NOCC, Accel.TCG),
    ],
)
def test_a_host_with_snp_and_a_qemu_that_has_all_starts_them(
    platforms: dict[str, Setting], kvm: KvmAnswer, platform: Platform, accel: Accel
) -> None:
    chosen = sorted(platforms, key=lambda name: -Platform(name).rank)
    plan = plan_boot(variant(**{name: platforms[name] for name in chosen}), NEW_QEMU, kvm, None, READY)
    assert isinstance(plan, PlannedBoot)
    assert (plan.platform, plan.accel) == (platform, accel)
    assert (plan.launch is not None) == (platform in (Platform.SNP, Platform.SVSM, Platform.NOCC))
    if platform is Platform.SNP:
        assert plan.setting.machine.firmware == "/ovmf.fd"


def test_what_was_asked_for_by_name_is_shown_although_it_cannot_run() -> None:
    plan = plan_boot(variant(svsm=SVSM, tcg=SETTING), QEMU, NO_KVM, Platform.SVSM, LAPTOP)
    assert isinstance(plan, RefusedBoot) and plan.shown is not None
    assert plan.shown.launch is not None and plan.shown.accel is Accel.KVM
    assert plan.notes == ("cbitpos=51 stands in for what the CPUID of an SNP host says",)
    unasked = plan_boot(variant(svsm=SVSM), QEMU, NO_KVM, None, LAPTOP)
    assert isinstance(unasked, RefusedBoot) and unasked.shown is None


def test_a_contradiction_is_no_refusal_and_names_the_file() -> None:
    wrong = replace(SETTING, machine=Machine(type="microvm", devices=("edu",)))
    with pytest.raises(InputError, match=r"^x\.yaml: x\[vcpus=1\] on tcg: machine\.devices: edu is a PCI device"):
        plan_boot(variant(tcg=wrong), QEMU, KVM, None)


def test_all_missing_files_are_named_at_once(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.touch()
    setting = replace(
        SETTING,
        machine=Machine(firmware="/none/fw"),
        guest=Guest(kernel="/none/kernel", modules="/none/modules", init=str(here), files={"/etc/x": "/none/x"}),
        steps=(UploadStep.model_validate({"name": "up", "from": "/none/up", "to": "/tmp/up"}),),
    )
    plan = plan_boot(variant(tcg=setting), QEMU, KVM, None)
    assert isinstance(plan, PlannedBoot)
    with pytest.raises(InputError) as raised:
        require_files(plan)
    assert str(raised.value).splitlines() == [
        "x.yaml: machine.firmware: there is no /none/fw",
        "x.yaml: guest.kernel: there is no /none/kernel",
        "x.yaml: guest.modules: there is no /none/modules",
        "x.yaml: guest.files: /etc/x: there is no /none/x",
        "x.yaml: step up: there is no /none/up",
    ]


def test_firmware_igvm_files_and_disks_of_another_host_are_its_own() -> None:
    far = replace(
        SVSM, machine=Machine(firmware="/none/fw"), guest=Guest(disk="/none/disk"), svsm=Svsm(igvm="/none/igvm")
    )
    plan = PlannedBoot(variant(svsm=far), Platform.SVSM, far, Accel.KVM)
    require_files(plan, here=False)
    with pytest.raises(InputError) as raised:
        require_files(plan)
    assert [line.split(": ")[1] for line in str(raised.value).splitlines()] == [
        "machine.firmware",
        "svsm.igvm",
        "guest.disk",
    ]


@pytest.mark.parametrize(
    ("image", "missing"), [("vmpl_model", False), ("/none/payload.elf", True), ("./none.elf", True)]
)
def test_only_a_payload_with_a_path_is_a_file(image: str, missing: bool) -> None:
    plan = plan_boot(variant(model=replace(MODEL, payload=Payload(image=image))), QEMU, KVM, None)
    assert isinstance(plan, PlannedBoot)
    if missing:
        with pytest.raises(InputError, match=f"payload.image: there is no {image}"):
            require_files(plan)
    else:
        require_files(plan)
