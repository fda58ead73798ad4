from __future__ import annotations

import pytest

from harness.scenario import GuestStep, Platform, QmpStep, WaitStep

from .sample import HEAD, RICH, load, problems, setting


def test_everything_in_one_file() -> None:
    scenario = load(RICH)
    assert (scenario.name, scenario.about, scenario.tags) == ("rich", "Every section in one file.", ("smoke", "irq"))
    assert [variant.id for variant in scenario.variants] == [
        "vcpus=1,type=q35,how=fast",
        "vcpus=1,type=microvm,how=fast",
        "vcpus=2,type=q35,how=fast",
        "vcpus=2,type=microvm,how=fast",
        "vcpus=4,type=q35,how=fast",
        "vcpus=8,type=q35,how=slow",
    ]
    variant = scenario.variants[-1]
    assert variant.full_id == "rich[vcpus=8,type=q35,how=slow]"
    assert variant.slug == "rich_vcpus-8_type-q35_how-slow"
    assert variant.axes == (("vcpus", 8), ("type", "q35"), ("how", "slow"))
    assert [platform for platform, _ in variant.platforms] == [Platform.KVM, Platform.TCG]
    kvm, tcg = variant.setting(Platform.KVM), variant.setting(Platform.TCG)
    assert kvm is not None
    assert tcg is not None
    assert (kvm.machine.vcpus, kvm.machine.memory, kvm.machine.cpu, kvm.machine.accel) == (8, 512 << 20, None, "kvm")
    assert (tcg.machine.cpu, tcg.machine.accel, tcg.timeout_s) == ("max,-cx16", "tcg", 120.0)
    assert kvm.timeout_s == 60.0
    assert kvm.guest is not None
    assert kvm.guest.append == "quiet how=slow"
    assert kvm.guest.files == {"/etc/x": "/tmp/somewhere/x"}
    keys, interrupts, fails, login = kvm.steps[:4]
    assert isinstance(keys, QmpStep)
    assert keys.repeat == 5
    assert keys.arguments == {"keys": [{"type": "qcode", "data": "a"}]}
    assert isinstance(interrupts, GuestStep)
    assert interrupts.run == "cat /proc/interrupts"
    assert isinstance(fails, GuestStep)
    assert (fails.status, fails.within) == ("any", 0.5)
    assert isinstance(login, WaitStep)
    assert [step.name for step in kvm.steps] == [
        "keys", "guest-1", "guest-2", "wait-1", "wait-2", "upload", "download", "sleep",
    ]  # fmt: skip
    assert kvm.stability is not None
    assert (kvm.stability.boots, kvm.stability.max_failure_rate, kvm.stability.confidence) == (60, 0.05, 0.95)


def test_the_least_scenario_boots_linux() -> None:
    (variant,) = load(HEAD).variants
    assert (variant.id, variant.full_id, variant.slug) == ("-", "x", "x")
    assert [platform for platform, _ in variant.platforms] == [Platform.KVM, Platform.TCG]
    least = variant.platforms[0][1]
    assert least.guest is not None
    assert (least.payload, least.steps, least.expect, least.timeout_s) == (None, (), (), 60.0)


@pytest.mark.parametrize(
    ("text", "platforms"),
    [
        ("payload: vmpl_model", "model"),
        ("payload: {image: vmpl_model, accel: x}", ""),
        ("payload: ./other.elf", "kvm tcg"),
        ("payload: {image: '${IMAGE:-vmpl_model}'}", "model"),
        ("matrix: {payload: [vmpl_model]}", "model"),
        ("machine: {accel: tcg}", "tcg"),
        ("machine: {accel: kvm}", "kvm"),
        ("machine: {accel: kvm}\nplatforms: {tcg: {}, svsm: {}}", "svsm"),
        ("platforms: {tcg: {}, snp: , svsm: {}, kvm: {}}", "svsm snp kvm tcg"),
        ("platforms: {tcg: {}, model: {payload: vmpl_model}}", "tcg model"),
    ],
)
def test_platforms(text: str, platforms: str) -> None:
    if not platforms:
        assert problems(HEAD + text)
        return
    (variant,) = load(HEAD + text).variants
    assert " ".join(platform for platform, _ in variant.platforms) == platforms


def test_the_matrix_wins_over_a_platform_and_set_over_both() -> None:
    text = "matrix: {vcpus: [2]}\nplatforms: {tcg: {machine: {vcpus: 3, cpu: a}}}\n"
    assert setting(text).machine.vcpus == 2
    assert setting(text, set_values={"vcpus": "5"}).machine.vcpus == 5
    assert setting(text, set_values={"machine.cpu": "b"}).machine.cpu == "b"


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("machine.vcpus", "3", "vcpus=3"),
        ("vcpus", "3", "vcpus=3"),
        ("machine.irqchip", "off", "irqchip='off'"),
        ("machine.cpu", "486", "cpu='486'"),
        ("guest.append", "1", "append='1'"),
        ("timeout", "5s", "timeout_s=5.0"),
        ("machine.options", "[-d, int, '-x, y']", "options=('-d', 'int', '-x, y')"),
        ("devices", "[virtio-rng-pci]", "devices=('virtio-rng-pci',)"),
        ("machine.options", "[] ", "options=()"),
        ("payload.image", "x", "payload=None"),
        ("stability.boots", "7", "stability=None"),
    ],
)
def test_set(name: str, value: str, read: str) -> None:
    assert read in repr(setting("", set_values={name: value}))
    used = load(HEAD, set_values={name: value, "nothing": "1"}).set_names_used
    assert used == (set() if read.endswith("None") else {name})


def test_set_of_a_variable_is_no_key() -> None:
    text = "vars: {vcpus: 1}\nguest: {append: 'n=${vcpus}'}\n"
    made = setting(text, set_values={"vcpus": "3"})
    assert made.guest is not None
    assert (made.guest.append, made.machine.vcpus) == ("n=3", 1)


def test_a_variable_is_text_where_text_is_needed() -> None:
    made = setting("machine: {min_qemu: '${V}', vcpus: '${N}', cpu: '${N}'}", environment={"V": "8.10", "N": "2"})
    assert (made.machine.min_qemu, made.machine.vcpus, made.machine.cpu) == ("8.10", 2, "2")
