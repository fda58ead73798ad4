from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.regress.host_kernel import Installed
from harness.regress.journal import Booted, Stage, Switched
from harness.regress.kernel_value import settle_kernels
from harness.regress.search import Searcher
from harness.regress.session import conclude
from harness.regress.spec import GitSource, ListSource, SettingSource, Spec
from harness.stats.bisect import AnswerKind

from .model_repository import git
from .simulated import searcher

SPEC = Spec("s.yaml", {}, (), None, (), 0.95, 0.02, None, True)


def test_a_list_ends_in_a_sentence_with_rates(tmp_path: Path) -> None:
    spec = replace(SPEC, lists=(ListSource("k", tuple("abcdef")),))
    found = asyncio.run(conclude(spec, searcher(tmp_path, lambda v: 0.5 if v["k"] >= "d" else 0.0), tmp_path, {}))
    assert found.kind is AnswerKind.FOUND
    assert found.title == "d"
    assert "begins with d" in found.sentences[0]
    assert found.sentences[1].startswith("before: 0 of")


def test_settings_end_in_the_smallest_set(tmp_path: Path) -> None:
    source = SettingSource({"cpu": "max,-a,-b,-c"}, {"cpu": "max"})
    spec = replace(SPEC, setting=source, confidence=0.99)
    found = asyncio.run(conclude(spec, searcher(tmp_path, lambda v: 0.0 if "-b" in v["cpu"] else 0.5), tmp_path, {}))
    assert found.title == "cpu: without -b"
    assert "of 3 differences this alone makes the failure" in found.sentences[0]


@dataclass
class Kernels:
    """A host that is switched, and says of each kernel what was in its image."""

    runs: str = ""
    switches: int = 0

    async def install(self, values: Mapping[str, str]) -> Installed | None:
        wanted = Path(values["host.kernel"]).read_text()
        if wanted == self.runs:
            return None
        if "host.modules" in values:
            assert (Path(values["host.modules"]) / "modules.dep").exists()
        self.runs = wanted
        self.switches += 1
        return Installed(wanted, None, "no build id", 90.0)

    async def check(self) -> None: ...

    def at_once(self, wanted: int) -> int:
        return wanted


def _on(host: Kernels, folder: Path, rate: Callable[[Mapping[str, str]], float]) -> Searcher:
    engine = searcher(folder, rate)
    engine.host, engine.switch_s = host, 300.0
    engine.settle = lambda values: settle_kernels(values, folder / "cache")
    return engine


def test_commits_are_built_into_packages_and_booted_as_host_kernels(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for number in range(9):
        (folder / "kernel").write_text(str(number))
        git(folder, "add", "kernel")
        git(folder, "commit", "--quiet", "-m", f"change {number}")
    build = (
        "rm -rf out && mkdir -p out/boot out/lib/modules/6.1 && cp kernel out/boot/vmlinuz-6.1 && "
        "echo kernel/kvm.ko: >out/lib/modules/6.1/modules.dep && tar -cf kernel.tar -C out boot lib"
    )
    source = GitSource(str(folder), "main~8", "main", build, "kernel.tar", "host.kernel", 20.0)
    host = Kernels()
    engine = _on(host, tmp_path, lambda values: 0.7 if int(host.runs) >= 6 else 0.0)
    found = asyncio.run(conclude(replace(SPEC, git=source), engine, tmp_path / "cache", dict(os.environ)))
    assert found.title is not None and found.title.endswith('("change 6")')
    (stage,) = (entry for entry in engine.journal.entries() if isinstance(entry, Stage))
    assert not stage.question.good_end_first
    assert host.switches == sum(isinstance(entry, Switched) for entry in engine.journal.entries()) < 9


def test_the_component_that_carries_the_failure_is_found_with_few_switches(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
    good = {"host.kernel": f"{tmp_path}/old", "QEMU": "7.2", "SVSM": "a", "FIRMWARE": "x"}
    bad = {"host.kernel": f"{tmp_path}/new", "QEMU": "10.0", "SVSM": "b", "FIRMWARE": "y"}
    host = Kernels()
    engine = _on(host, tmp_path, lambda values: 0.7 if values["SVSM"] == "b" else 0.0)
    spec = replace(SPEC, setting=SettingSource(good, bad))
    found = asyncio.run(conclude(spec, engine, tmp_path, {}))
    assert found.title == "SVSM: a → b"
    boots = sum(isinstance(entry, Booted) for entry in engine.journal.entries())
    assert host.switches <= 4 < boots
