from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sample_results import add_boot, boot_line, make_run

from harness.checks.base import Status
from harness.history.baseline import make_baseline
from harness.history.recorded import read_run
from harness.report import html as html_module
from harness.report.gather import Night, gather
from harness.report.html import render_html

F, P, Q = Status.FAIL, Status.PASS, Status.INCONCLUSIVE
HOSTILE = (
    '"><img src=x onerror=alert(1)><script>alert(2)</script></pre></style>\x1b[31m\x00\x9b\u202e\ud800{{ 7*7 }}&lt;'
)
TEMPLATES = Path(html_module.__file__).parent / "templates"


class _Page(HTMLParser):
    # What a browser would make of it: the tags that are open, and all text.
    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> ends {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def _night(tmp_path: Path, baseline: bool = True) -> Night:
    before = read_run(make_run(tmp_path, [boot_line(P), boot_line(P, scenario="gone", grade="tcg")]))
    run = make_run(tmp_path, [boot_line(F, scenario="bad"), boot_line(Q, scenario="lost"), boot_line(P, grade="tcg")])
    add_boot(run, boot_line(F, signature="guest-panic: fresh"), console=b"the last words\n")
    return gather([read_run(run)], make_baseline("main", [before], {}) if baseline else None)


def test_the_page_says_what_it_must(tmp_path: Path) -> None:
    page = _Page(render_html(_night(tmp_path)))
    assert page.open == []
    for said in (
        "FAIL",
        "2 of 4 scenarios failed",
        "1 got worse",
        "No SEV-SNP hardware ran here. The strongest grade is tcg",
        "new: guest-panic: fresh (1)",
        "the last words",
        "svsm-harness repro",
        "nothing ran",
        "count: 10",
    ):
        assert said in page.text, said


def test_every_verdict_stands_beside_its_grade(tmp_path: Path) -> None:
    text = render_html(_night(tmp_path))
    for row in re.findall(r"<tbody>.*?</tbody>", text.partition("Failure rate")[2], re.DOTALL)[0].split("<tr>")[1:]:
        assert 'class="grade g-' in row
    for heading in re.findall(r'<section class="scenario.*?</h2>', text, re.DOTALL):
        assert 'class="grade g-' in heading


def test_a_hostile_guest_writes_text_and_nothing_else(tmp_path: Path) -> None:
    run = make_run(tmp_path, [])
    hostile = boot_line(F, scenario="s" + HOSTILE.replace("\ud800", ""), variant="[v=<b>]", reason="<i>why</i>")
    add_boot(
        run,
        hostile,
        console=HOSTILE.encode(errors="replace") + b"\n" + b"<A" * (1 << 20) + b"\n\xff\xfe\n",
        provenance={"<u>part</u>": "<script>x</script>"},
    )
    text = render_html(gather([read_run(run)], None))
    text.encode()
    page = _Page(text)
    assert page.open == []
    assert not {"script", "i>why", "u"} & (set(page.tags) - {"i", "u"})
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert {value for tag, name, value in page.attributes if (tag, name) == ("img", "src")} <= {
        value for _, _, value in page.attributes if value and value.startswith("data:image/svg+xml;base64,")
    }
    assert "<script>alert(2)</script>" in page.text  # shown, not run
    assert "{{ 7*7 }}" in page.text
    assert "more characters" in page.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    page = _Page(render_html(_night(tmp_path)))
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    for tag, name, value in page.attributes:
        if name in ("src", "href"):
            assert value is not None and value.startswith(("#", "data:image/svg+xml;base64,")), (tag, name, value)
    targets = {value for _, name, value in page.attributes if name == "id"}
    links = [value for _, name, value in page.attributes if name == "href"]
    assert links and all(link is not None and link[1:] in targets for link in links)


def test_no_template_trusts_a_value() -> None:
    for path in TEMPLATES.iterdir():
        text = path.read_text()
        assert "|safe" not in text and "autoescape" not in text and "Markup" not in text, path
        assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text, path


def test_without_a_baseline_the_page_says_how_to_set_one(tmp_path: Path) -> None:
    assert "history --set-baseline main" in render_html(_night(tmp_path, baseline=False))


def test_without_matplotlib_there_are_tables_and_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.html.can_draw", lambda: False)
    monkeypatch.setattr("harness.report.html.draw_phases", lambda *_: None)
    text = render_html(_night(tmp_path))
    assert "matplotlib is not installed" in text
    assert "<td>kernel</td>" in text and '<img class="plot"' not in text


@pytest.mark.slow
def test_ten_thousand_boots_make_a_small_page_soon(tmp_path: Path) -> None:
    lines = [
        boot_line(
            F if number % 50 == 0 else P,
            scenario=f"s{number % 20}",
            variant=f"[vcpus={number % 7}]",
            grade=("model", "tcg", "kvm")[number % 3],
            signature=f"guest-panic: kind {number % 400}",
        )
        for number in range(10_000)
    ]
    run = make_run(tmp_path, lines)
    begin_s = time.process_time()  # what others do on this machine is not what is promised
    text = render_html(gather([read_run(run)], None))
    took_s = time.process_time() - begin_s
    print(f"10000 boots: {len(text) / (1 << 20):.2f} MiB in {took_s:.1f} s")
    assert len(text.encode()) < 5 << 20
    assert took_s < 10, "the page is promised in 10 s"
