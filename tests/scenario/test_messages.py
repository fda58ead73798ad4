# ruff: noqa: E501
# One message a line and whole, so that a search for what a user saw leads here.
from __future__ import annotations

import pytest

from .sample import HEAD, problems

WRONG = [
    ("- a", ["s.yaml:1:1: a scenario must be a mapping with name and about, not a list"]),
    ("nme: x\nabout: y", [
        "s.yaml:1:1: unknown key 'nme' in a scenario (did you mean 'name'?); allowed: name, about, tags, vars, matrix, platforms, machine, guest, payload, snp, svsm, trace, host, steps, expect, timeout, perturb, stability",
        "s.yaml:1:1: a scenario needs the key 'name': Name of the scenario: small letters, digits and -, such as boot-smp."]),
    (HEAD + "vcpus: 2", [
        "s.yaml:3:1: unknown key 'vcpus' in a scenario (it belongs under machine); allowed: name, about, tags, vars, matrix, platforms, machine, guest, payload, snp, svsm, trace, host, steps, expect, timeout, perturb, stability"]),
    ("name: A B\nabout: y", [
        "s.yaml:1:7: name cannot be the text 'A B'. Name of the scenario: small letters, digits and -, such as boot-smp."]),
    (HEAD + "tags: smoke", ["s.yaml:3:7: tags must be a list, not the text 'smoke'"]),
    (HEAD + "machine: q35", ["s.yaml:3:10: machine must be a mapping, not the text 'q35'"]),
    (HEAD + "machine: {memroy: 1G}", [
        "s.yaml:3:11: unknown key 'memroy' in machine (did you mean 'memory'?); allowed: type, vcpus, memory, accel, cpu, irqchip, firmware, pflash, devices, options, network, features, qemu, rng, min_qemu"]),
    (HEAD + "machine: {vcpus: 0}", ["s.yaml:3:18: machine.vcpus must be at least 1, not 0"]),
    (HEAD + "machine: {vcpus: 256}", ["s.yaml:3:18: machine.vcpus must be at most 255, not 256"]),
    (HEAD + "machine: {vcpus: '2'}", ["s.yaml:3:18: machine.vcpus must be a whole number, not the text '2'"]),
    (HEAD + "machine: {vcpus: 2.0}", ["s.yaml:3:18: machine.vcpus must be a whole number, not 2.0"]),
    (HEAD + "machine: {vcpus: 1e3}", [
        's.yaml:3:18: 1e3 is text or a number, depending on YAML\'s version; write the number out, or "1e3" for text']),
    (HEAD + "machine: {memory: 512}", [
        "s.yaml:3:19: machine.memory: 512 has no unit; write the size with one, such as 512M or 2G"]),
    (HEAD + "machine: {memory: 0M}", ["s.yaml:3:19: machine.memory: must be more than nothing"]),
    (HEAD + "machine: {irqchip: off}", ['s.yaml:3:20: off is false to YAML 1.1; write false, or "off" for text']),
    (HEAD + "machine: {irqchip: splitt}", [
        "s.yaml:3:20: machine.irqchip must be one of on, split, off, not the text 'splitt' (did you mean 'split'?)"]),
    (HEAD + "machine: {network: 1}", ["s.yaml:3:20: machine.network must be true or false, not 1"]),
    (HEAD + "machine: {min_qemu: 8.10}", ['s.yaml:3:21: machine.min_qemu must be text, not 8.10; write "8.10" in quotes']),
    (HEAD + "machine: {devices: e1000}", ["s.yaml:3:20: machine.devices must be a list, not the text 'e1000'"]),
    (HEAD + "machine:\n  devices:\n    - -device\n", [
        "s.yaml:5:7: machine.devices[1]: '-device' is no device; write only the value of -device, such as virtio-rng-pci"]),
    (HEAD + "machine:\n  type: microvm\n  devices:\n    - virtio-rng-pci,id=a\n    - e1000\n", [
        "s.yaml:6:7: virtio-rng-pci needs a PCI bus and microvm has none; virtio-rng-device does the same there; options: [-machine, pcie=on] adds one",
        "s.yaml:7:7: e1000 needs a PCI bus and microvm has none; options: [-machine, pcie=on] adds one"]),
    (HEAD + "machine: {accel: tcg}\nplatforms: {snp: {}}", [
        "s.yaml:3:18: machine.accel leaves no platform: snp cannot be had with it"]),
    (HEAD + "timeout: 60", ["s.yaml:3:10: timeout: 60 has no unit; write the duration with one, such as 60s or 500ms"]),
    (HEAD + "guest: {}\npayload: vmpl_model", [
        "s.yaml:4:1: guest (Linux) and payload exclude each other; remove one, or switch it off here with null"]),
    (HEAD + "payload: {args: {a: 1}}", [
        "s.yaml:3:10: payload needs the key 'image': Name of a payload that this project builds, such as vmpl_model, or the path of an image; svsm is the SVSM alone, with its own tests where it is built with them."]),
    (HEAD + "payload: {image: x, args: {a: b c}}", [
        "s.yaml:3:27: payload.args: a='b c' would fall apart: arguments are separated by spaces"]),
    (HEAD + "platforms: {}", ["s.yaml:3:12: platforms needs at least one of model, nocc, tcg, kvm, snp, svsm; left out, it is kvm and tcg"]),
    (HEAD + "platforms: {kwm: {}}", [
        "s.yaml:3:13: unknown platform 'kwm' (did you mean 'kvm'?); platforms: model, nocc, tcg, kvm, snp, svsm"]),
    (HEAD + "platforms: {kvm: yep}", ["s.yaml:3:18: platforms.kvm must be a mapping ({} for no change), not the text 'yep'"]),
    (HEAD + "platforms: {model: {}}", [
        "s.yaml:3:13: the platform model runs a payload such as vmpl_model, and here is none"]),
    (HEAD + "platforms: {kvm: {tags: [a]}}", [
        "s.yaml:3:19: unknown key 'tags' in platforms.kvm; allowed: machine, guest, payload, snp, svsm, trace, host, steps, expect, timeout"]),
    (HEAD + "matrix: {vcpus: [1, many]}", ["s.yaml:3:21: machine.vcpus must be a whole number, not the text 'many'"]),
    (HEAD + "matrix: {machine.vcpu: [1]}", [
        "s.yaml:3:25: unknown key 'vcpu' in machine (did you mean 'vcpus'?); allowed: type, vcpus, memory, accel, cpu, irqchip, firmware, pflash, devices, options, network, features, qemu, rng, min_qemu"]),
    (HEAD + "vars: 7", ["s.yaml:3:7: vars must be a mapping, not 7"]),
    (HEAD + "matrix: [vcpus]", ["s.yaml:3:9: matrix must be a mapping, not a list"]),
    (HEAD + "vars: {a: [1]}", ["s.yaml:3:11: the variable 'a' must be text or a number, not a list"]),
    (HEAD + "vars: {a b: 1}", ["s.yaml:3:8: 'a b' is no name of a variable: letters, digits and _, - or ."]),
    (HEAD + "guest: {append: '${what}'}", [
        "s.yaml:3:17: nothing defines ${what}; give it with --set what=…, in the environment or under vars, or write $${ to leave it to the guest's shell"]),
    (HEAD + "steps: {qmp: x}", ["s.yaml:3:8: steps must be a list, each entry of the form - key: {…}"]),
    (HEAD + "steps:\n  - qmp", ["s.yaml:4:5: steps[1] must be a mapping of one key, not the text 'qmp'; write - qmp: {…}"]),
    (HEAD + "steps:\n  - gest: x", [
        "s.yaml:4:5: unknown key 'gest' in steps[1] (did you mean 'guest'?); allowed: qmp, guest, wait, upload, download, sleep, tpm_commands, tsm_reports, cpu_offline_online, kvm_selftests"]),
    (HEAD + "steps:\n  - qmp:\n    execute: x", [
        "s.yaml:4:5: steps[1] must have one key, not 'qmp', 'execute'; indent what belongs to 'qmp' further"]),
    (HEAD + "steps:\n  - wait: {}", [
        "s.yaml:4:11: steps[1].wait: wait takes exactly one of console, event, milestone, interrupts; here is none"]),
    (HEAD + "steps:\n  - wait: {event: X, console: y}", [
        "s.yaml:4:11: steps[1].wait: wait takes exactly one of console, event, milestone, interrupts; here is console and event"]),
    (HEAD + "steps:\n  - wait: {console: '(a'}", [
        "s.yaml:4:21: steps[1].wait.console: '(a' is no regular expression: missing ), unterminated subpattern at position 0"]),
    (HEAD + "steps:\n  - guest: {run: x, status: bad}", [
        "s.yaml:4:29: steps[1].guest.status: 'bad' is neither a whole number from 0 to 255 nor 'any'"]),
    (HEAD + "steps:\n  - sleep: {settle: 1s}", ["s.yaml:4:12: steps[1].sleep needs the key 'why': Why no event can be waited for."]),
    (HEAD + "steps:\n  - upload: {from: a, to: b}", [
        "s.yaml:4:27: steps[1].upload.to: 'b' is no absolute path; a path in the guest starts with / and has no .."]),
    (HEAD + "steps:\n  - upload: {from: a, to: /b, mode: 0755}", [
        's.yaml:4:37: 0755 is 493 to YAML 1.1 and 755 to YAML 1.2; write 755, or "0755" for text']),
    (HEAD + "steps:\n  - download: {from: /a, to: ../b}", [
        "s.yaml:4:30: steps[1].download.to cannot be the text '../b'. File name in the boot's folder."]),
    (HEAD + "steps:\n  - guest: {name: a, run: x}\n  - guest: {name: a, run: y}", [
        "s.yaml:5:19: another step is called 'a' (line 4)"]),
    (HEAD + "guest: {ssh: false}\nsteps: [{guest: x}]", [
        "s.yaml:4:10: guest needs SSH in a Linux guest, and guest.ssh is false"]),
    (HEAD + "guest: {ssh: false}\nsteps: [{qmp: stop}, {qmp: {execute: x, paced_by: {source: a, each: 1}}}]", [
        "s.yaml:4:23: paced_by needs SSH in a Linux guest, and guest.ssh is false"]),
    (HEAD + "payload: vmpl_model\nsteps: [{wait: {interrupts: {source: a, increase: 1}}}]", [
        "s.yaml:4:10: wait: interrupts needs SSH in a Linux guest, and a payload runs here"]),
    (HEAD + "expect: [{vcpu_online: 1}]", [
        "s.yaml:3:11: unknown key 'vcpu_online' in expect[1] (did you mean 'vcpus_online'?); allowed: vcpus_online, counted"]),
    (HEAD + "expect: [{counted: 1}]", ["s.yaml:3:20: expect[1].counted must be a mapping, not 1"]),
    (HEAD + "expect: [{counted: {per_cpu: {0: x}}}]", [
        "s.yaml:3:34: expect[1].counted.per_cpu.0 must be a whole number, not the text 'x'"]),
    (HEAD + "steps: [{guest: x}]\nexpect: [{counted: {during: gest}}]", [
        "s.yaml:4:29: counted refers to the step 'gest', which does not exist (did you mean 'guest'?); steps: guest"]),
    (HEAD + "stability: {boots: 9, max_failure_rate: 0.05}", [
        "s.yaml:3:41: stability.max_failure_rate: 0.05 has no unit; write the rate with one, such as 5%"]),
    (HEAD + "stability: {boots: 9, max_failure_rate: 5%, confidence: 100%}", [
        "s.yaml:3:12: stability: confidence must be above 0% and below 100%"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG, ids=[text.removeprefix(HEAD) for text, _ in WRONG])
def test_what_is_wrong(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("machine.vcpus", "many",
         "--set machine.vcpus=many: machine.vcpus must be a whole number, not the text 'many'"),
        ("machine.cpus", "1",
         "--set machine.cpus=1: unknown key 'cpus' in machine (did you mean 'vcpus'?); allowed: type, vcpus, memory, accel, cpu, irqchip, firmware, pflash, devices, options, network, features, qemu, rng, min_qemu"),
        ("machine.options", "[-d, {a: b}]",
         "--set machine.options=[-d, {a: b}]: machine.options[2] must be text, not a mapping"),
        ("machine.options", "[a, b: c: d]",
         "--set machine.options=[a, b: c: d]: this is no YAML: did not find expected ',' or ']'; a bracket is not closed, or a text in brackets needs quotes"),
        ("machine.cpu", "[max]",
         "--set machine.cpu=[max]: machine.cpu must be text, not a list"),
        ("machin.cpu", "1", "--set machin.cpu=1: 'machin.cpu' leads nowhere (did you mean 'machine'?); a dotted name begins with machine, guest, payload, snp, svsm, trace, host, perturb, stability"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_set(name: str, value: str, expected: str) -> None:
    assert problems(HEAD, set_values={name: value}) == [expected]


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    text = "name: x\nabout: Why.\nmachine: {vcpus: x, memory: 1}\nplatforms:\n  tcg: {machine: {cpu: 1}}\n  kvm: {machine: {vcpus: y}}\nsteps:\n  - {qmp: {}}\n  - {guest: '${U}'}\n"
    assert [problem.split(": ")[0] for problem in problems(text)] == [
        "s.yaml:3:18", "s.yaml:3:29", "s.yaml:5:24", "s.yaml:6:26", "s.yaml:8:11", "s.yaml:9:13",
    ]  # fmt: skip
