"""Open the page in a real browser without a screen: it fits a phone, and says nothing to the console."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sample_results import add_boot, boot_line, make_run
from sample_trace import call, deliver, key, start, text_of, within

from harness.checks.base import Status
from harness.history.baseline import make_baseline
from harness.history.recorded import read_run
from harness.report.gather import gather
from harness.report.html import render_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the page was NOT looked at")
HOSTILE = b"\x1b[31m<script>document.title='owned'</script><img src=http://x.invalid/a.png>" + b"W" * 100_000 + b"\n"
# The page itself runs no script; this one looks at it from outside, at the width of a phone.
PROBE = """<!doctype html>
<iframe id=f src="page.html" style="width:375px;height:2000px;border:0"></iframe><pre id=o></pre>
<script>
f.onload = () => {
  const d = f.contentDocument, scrolls = '.scroll,.cmd,.console';
  d.querySelectorAll('details').forEach(e => e.open = true);
  const wide = [...d.querySelectorAll('body *')].filter(e => !e.parentElement.closest(scrolls))
    .filter(e => e.getBoundingClientRect().right > 375.5).map(e => e.tagName + '.' + e.className);
  const small = [...d.images].filter(i => !i.naturalWidth).length;
  o.textContent = JSON.stringify({width: d.documentElement.scrollWidth, wide, small, title: d.title,
    images: d.images.length, scripts: d.scripts.length, text: d.body.innerText});
};
</script>"""


def _page(folder: Path) -> Path:
    before = read_run(
        make_run(folder / "r", [boot_line(), boot_line(scenario="a-scenario-with-a-long-name", grade="tcg")])
    )
    run = make_run(folder / "r", [boot_line(scenario="a-scenario-with-a-long-name", variant="[x=1,y=2]", grade="tcg")])
    events = [*start(0), *start(1), *within("calls:1", call(0)), *key(), *deliver(0, 0x31)]
    add_boot(run, boot_line(Status.FAIL, signature="guest-panic: " + "long" * 25), console=HOSTILE * 3)
    (run.folder / "boots" / "0002" / "trace.log").write_bytes(text_of(events))
    path = folder / "page.html"
    path.write_text(render_html(gather([read_run(run)], make_baseline("main", [before], {}))), encoding="utf-8")
    return path


def _chromium(folder: Path, url: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
        "--force-device-scale-factor=1", f"--user-data-dir={folder / 'profile'}", *options, f"file://{url}",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def _said(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_on_a_phone_nothing_is_cut_off_and_nothing_complains(tmp_path: Path) -> None:
    _page(tmp_path)
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE)
    done = _chromium(tmp_path, probe, "--allow-file-access-from-files", "--window-size=600,2000", "--dump-dom")
    match = re.search(r'<pre id="o">(\{.*?\})</pre>', done.stdout, re.DOTALL)
    assert match is not None, done.stdout[-2000:]
    unescaped = match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    seen: Any = json.loads(unescaped)
    assert (seen["width"] <= 375, seen["wide"]) == (True, [])
    assert (seen["images"] >= 3, seen["small"], seen["scripts"]) == (True, 0, 0)
    assert seen["title"].startswith("FAIL: ")
    assert "<script>document.title='owned'</script>" in seen["text"]
    assert _said(done) == []


def test_light_and_dark_and_paper_are_drawn(tmp_path: Path) -> None:
    image: Any = pytest.importorskip("PIL.Image")  # comes with matplotlib
    page = _page(tmp_path)
    pictures = {}
    for name, options in (("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))):
        path = tmp_path / f"{name}.png"
        done = _chromium(tmp_path, page, "--window-size=1200,900", f"--screenshot={path}", *options)
        assert _said(done) == []
        pictures[name] = image.open(path).convert("L").resize((1, 1)).getpixel((0, 0)) / 255
    assert pictures["light"] > 0.8
    assert pictures["dark"] < 0.35
    paper = tmp_path / "page.pdf"
    _chromium(tmp_path, page, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF-")
