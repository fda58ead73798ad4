"""The command as people and scripts use it: what is printed where, exit statuses, dry runs, replay and repro."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from .command import BROKEN, Bench

pytestmark = pytest.mark.qemu
EXIT = ("--set", "how=EXIT")
HANG = ("--set", "how=HANG", "--set", "timeout=4s")


def written(bench: Bench, text: str) -> Path:
    path = bench.folder / "s.yaml"
    path.write_text(text)
    return path


def test_a_pass_is_0_and_the_last_line_names_the_record(bench: Bench) -> None:
    done = bench.command(*bench.boot("payload.yaml", *EXIT))
    assert done.status == 0
    assert re.search(r"^payload\[how=EXIT\] +tcg +PASS +\S+ ?m?s +", done.out, re.MULTILINE)
    assert "tcg: 1 PASS" in done.out
    assert Path(bench.folder, done.out.splitlines()[-1].removeprefix("results: "), "boots.jsonl").is_file()
    assert done.err.startswith("[1/1] PASS payload[how=EXIT]")


def test_json_is_one_document_and_nothing_else(bench: Bench) -> None:
    done = bench.command(*bench.boot("payload.yaml", "--set", "timeout=4s", "--format", "json"))
    document = json.loads(done.out)
    assert done.err == ""
    assert done.status == document["exit_status"] == 1
    assert document["counts"] == {"PASS": 1, "FAIL": 2, "INCONCLUSIVE": 0, "UNSUPPORTED": 0, "ERROR": 0}
    assert len(document["boots"]) == 3
    shown = bench.command("show", "--format", "json")
    assert shown.json["boots"] == document["boots"]


def test_bisect_exit_maps_to_git(bench: Bench) -> None:
    assert bench.command(*bench.boot("payload.yaml", *EXIT, "--bisect-exit")).status == 0
    assert bench.command(*bench.boot("payload.yaml", *HANG, "--bisect-exit")).status == 1
    unsupported = written(bench, "name: x\nabout: No such machine.\nmachine: {type: virt}\nguest: {}\n")
    assert bench.command("run", unsupported, "--bisect-exit", "--platform", "tcg").status == 125


def test_nothing_that_could_run_is_5_and_says_why(bench: Bench) -> None:
    path = written(bench, "name: x\nabout: No such machine.\nmachine: {type: virt}\nplatforms: {tcg: {}}\nguest: {}\n")
    done = bench.command("run", path)
    assert done.status == 5
    assert "UNSUPPORTED" in done.out and "has no machine type virt" in done.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x\nabout: y\nguest: {}\nmachine: {vcpu: 2}\n", r"s\.yaml:4:11: unknown key 'vcpu' in machine.*vcpus"),
        ("name: x\nabout: y\nguest: {}\nmachine: {vcpus: two}\n", r"s\.yaml:4:18: machine\.vcpus .*whole number"),
        (
            "name: x\nabout: y\nguest: {}\nmachine: {type: microvm, devices: [virtio-rng-pci]}\n",
            r"s\.yaml:4:36: .*virtio-rng-pci needs a PCI bus and microvm has none; virtio-rng-device does the same",
        ),
    ],
)
def test_a_wrong_scenario_is_2_with_the_place(bench: Bench, text: str, says: str) -> None:
    done = bench.command("run", written(bench, text))
    assert (done.status, done.out) == (2, "")
    assert re.search(says, done.err), done.err
    assert not bench.results.exists()


def test_a_dry_run_prints_lines_that_qemu_accepts(bench: Bench) -> None:
    text = (
        "name: x\nabout: All that a command line can have.\nmatrix: {type: [q35, microvm], vcpus: [1, 4]}\n"
        "platforms: {tcg: {}}\n"
        'machine: {memory: 129M, rng: true, devices: ["isa-debug-exit"]}\nguest: {append: "a=\'b c\'"}\n'
    )
    done = bench.command("run", written(bench, text), "--dry-run")
    assert done.status == 0 and not bench.results.exists()
    blocks = done.out.strip().split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [
        f"# x[type={kind},vcpus={vcpus}] on tcg" for kind in ("q35", "microvm") for vcpus in (1, 4)
    ]
    for block in blocks:
        script = block + " -S"
        with subprocess.Popen(
            ["/bin/sh", "-c", f"exec timeout 1 {script.partition(chr(10))[2]}"],
            cwd=bench.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as qemu:
            _, complaint = qemu.communicate(timeout=20)
        assert qemu.returncode == 124, complaint  # timeout(1) ended it, so QEMU had taken every word


def test_repro_boots_again_what_the_record_says(bench: Bench) -> None:
    path = written(bench, (BROKEN / "payload.yaml").read_text())
    words = bench.boot("payload.yaml", *EXIT)
    assert bench.command(words[0], path, *words[2:]).status == 0
    path.unlink()  # the record alone is enough
    printed = bench.command("repro", "latest/1", "--dry-run")
    assert printed.status == 0 and "EXIT.elf" in printed.out and "DIFFERENT" not in printed.out
    done = bench.command("repro", "latest/1")
    assert done.status == 0 and "1 PASS" in done.out
    image = bench.payloads / "EXIT.elf"
    before = image.read_bytes()
    try:
        image.write_bytes(before + b"\0")
        assert "# DIFFERENT NOW: payload" in bench.command("repro", "latest/1", "--dry-run").out
    finally:
        image.write_bytes(before)


def test_replay_of_an_old_run_by_its_path(bench: Bench) -> None:
    bench.command(*bench.boot("payload.yaml", *EXIT))
    done = bench.command("replay", bench.run)
    assert (done.status, done.out.splitlines()[-1]) == (0, "1 boots judged again, 0 different")


def test_a_reader_that_leaves_changes_no_exit_status(bench: Bench) -> None:
    with bench.start(*bench.boot("payload.yaml", *HANG)) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 1
    assert "Traceback" not in said and "Exception" not in said


# The PVH entry makes up a boot protocol of its own, 2.12 (arch/x86/platform/pvh/enlighten.c); a bzImage is later.
@pytest.mark.parametrize(("unpack", "protocol"), [("true", "0x020c"), ("false", "0x020[d-f]")])
def test_only_an_unpacked_kernel_starts_by_its_pvh_entry(bench: Bench, unpack: str, protocol: str) -> None:
    text = (
        f"name: unpacked\nabout: By its PVH entry.\nplatforms: {{tcg: {{}}}}\nguest: {{unpack: {unpack}}}\n"
        "steps:\n  - guest: {name: protocol, run: cat /sys/kernel/boot_params/version}\n"
        f"expect:\n  - guest: {{step: protocol, matches: '^{protocol}$'}}\n"
    )
    done = bench.command("run", written(bench, text), "--format", "json")
    assert done.status == 0, done.err + done.out
    (record,) = Path(bench.folder, done.json["results"]).glob("boots/*/boot.json")
    origin = json.loads(record.read_bytes())["provenance"]["kernel origin"]
    assert (", unpacked from sha256:" in origin) == (unpack == "true")
