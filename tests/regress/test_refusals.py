"""What cannot work is refused while nothing has been made yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.regress.refusals import ends, one_variant, require_sound
from harness.regress.spec import GitSource, ListSource, SettingSource, Spec

TEXT = """name: a
about: b.
vars: {image: x}
matrix: {vcpus: [1, 2]}
platforms: {model: {payload: {image: "${image}"}}}
"""
GIT = GitSource("/repo", "a", "b", "make", "out", "image", 1.0)


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "hosts.yaml").write_text("hosts:\n  lab: {address: lab, kernel: {once: o}}\n")
    (tmp_path / "k").write_text("")
    return Spec(str(tmp_path / "a.yaml"), {"vcpus": "1"}, (), None, (), 0.95, 0.01, None, True)


def check(spec: Spec, tmp_path: Path) -> None:
    require_sound(spec, {"SVSM_HARNESS_HOSTS": str(tmp_path / "hosts.yaml")})


def test_what_is_sound_passes(spec: Spec, tmp_path: Path) -> None:
    kernel = f"{tmp_path}/k"
    for sound in (
        replace(spec, git=GIT),
        replace(spec, lists=(ListSource("image", ("a", "b")),)),
        replace(spec, lists=(ListSource("machine.qemu", ("/only/there", "/and/there")),), host="lab"),
        replace(spec, lists=(ListSource("host.kernel", ("6.1.0-a", "6.1.0-b")),), host="lab"),
        replace(spec, lists=(ListSource("host.kernel", (kernel, "/not/built", kernel)),), host="virtual"),
        replace(spec, lists=(ListSource("host.kernel", ("linux-image-a", f"{kernel}:{tmp_path}")),), host="virtual"),
        replace(spec, setting=SettingSource({"machine.cpu": "a"}, {"machine.cpu": "b"})),
    ):
        check(sound, tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scenario": "/none.yaml", "git": GIT}, r"/none\.yaml: cannot be read"),
        ({"git": GIT, "fixed": {}}, "boots one variant; choose with --only or --set"),
        ({"git": GIT, "host": "lap"}, "has no such host.*did you mean.*lab"),
        ({"git": replace(GIT, into="imago")}, "imago"),
        ({"git": replace(GIT, into="host.kernel")}, "this machine cannot reboot"),
        ({"git": replace(GIT, into="machine.qemu"), "host": "lab"}, "a QEMU that is built here boots here only"),
        ({"lists": (ListSource("image", ("/none", "a")),)}, "--list: there is no /none"),
        ({"lists": (ListSource("image", ("a", "/none")),)}, "--list: there is no /none"),
        ({"lists": (ListSource("host.kernel", ("a", "/none:/a")),), "host": "lab"}, "--list: there is no /none"),
        ({"lists": (ListSource("host.kernel", ("6.1.0", "6.2.0")),), "host": "virtual"}, "6.1.0 is a release"),
        ({"setting": SettingSource({"machine.cpu": "a"}, {"machine.cpu": "a"})}, "do not differ"),
        ({"git": GIT, "lists": (ListSource("image", ("a", "b")),)}, "image is searched twice"),
        ({"lists": (ListSource("vcpus", ("1", "2")), ListSource("machine.vcpus", ("1", "2")))}, "searched twice"),
        ({"lists": (ListSource("image", ("a", "b")), ListSource("machine.qemu", ("/none", "q")))}, "there is no /none"),
        ({"setting": SettingSource({"host.kernel": "/a"}, {"host.kernel": "/b"}), "host": "lab"}, "there is no /a"),
    ],
)
def test_what_is_not_is_refused(spec: Spec, tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check(replace(spec, **change), tmp_path)  # type: ignore[arg-type]


def test_an_end_has_one_variant(spec: Spec) -> None:
    listed = replace(spec, lists=(ListSource("image", ("a", "b", "c")),))
    assert ends(listed) == {"good": {"image": "a"}, "bad": {"image": "c"}}
    assert [variant.full_id for variant in one_variant(listed, ends(listed)["good"], {})] == ["a[vcpus=1]"]
    settings = replace(spec, setting=SettingSource({"machine.cpu": "a"}, {"machine.cpu": "b"}))
    assert ends(settings) == {"good": {"machine.cpu": "a"}, "bad": {"machine.cpu": "b"}}
