"""The rules of the house that no linter knows, over the source as it stands."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HARNESS = ROOT / "harness"

MAX_LINES = 400

#: Modules that need no test file of their own, and what tests them instead.
TESTED_ELSEWHERE: Mapping[str, str] = {
    "harness/__init__.py": "a version, which every run.json shows",
    "harness/scenario/base.py": "what all models share: tests/scenario/test_model.py and test_steps.py",
    "harness/scenario/expectation.py": "what all checks share: tests/checks",
    "harness/scenario/setting.py": "plain values: tests/scenario/test_variants.py and test_stored.py",
    "harness/classify/kinds.py": "an enumeration: tests/classify/test_outcome.py",
    "harness/guest/ssh_errors.py": "plain exceptions: tests/guest/test_ssh.py",
}

#: Modules whose test file is still to be written. Take a name off when its test is there; add none.
OWED: Mapping[str, str] = {
    "harness/boot": "context judging kvm_probe load payload ready run site steps",
    "harness/cli": "__init__ __main__ catalogue live options repro shell show summary trace",
    "harness/evidence": "trace_events trace_events_host",
    "harness/guest": "shell",
}

#: Where time may be read or passed, and why.
CLOCKS: Mapping[str, str] = {
    "harness/clock.py": "the one place",
}
_TIME = {"time.time", "time.time_ns", "time.sleep", "time.monotonic", "time.monotonic_ns", "asyncio.sleep"}

#: The edges: only here may be printed and exited.
EDGES = ("harness/cli/", "harness/pytest_plugin.py")
_EXITS = {"print", "exit", "quit", "sys.exit", "os._exit", "SystemExit", "sys.stdout.write", "sys.stderr.write"}

#: L0 to L2: no socket, process, clock or environment, so that every verdict can be replayed.
PURE = ("errors.py", "units.py", "scenario/", "evidence/", "classify/", "stats/", "checks/")
_IMPURE = {"os", "socket", "subprocess", "asyncio", "time", "threading", "multiprocessing", "select", "signal"}


def _modules() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in HARNESS.rglob("*.py"))


def _tree(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"), module)


def _dotted(node: ast.AST) -> str:
    # "time.sleep" of the expression time.sleep; empty for anything that is no plain name.
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    # Every dotted name that is used, by the name it was imported from: `from time import sleep as nap` is time.sleep.
    origin: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            origin |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            origin |= {alias.asname: alias.name for alias in node.names if alias.asname}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := _dotted(node)):
            head, dot, rest = name.partition(".")
            yield node.lineno, f"{origin.get(head, head)}{dot}{rest}"


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


def _has_code(tree: ast.Module) -> bool:
    # A docstring, imports and __all__ are none.
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Assign) and [_dotted(target) for target in node.targets] == ["__all__"]:
            continue
        return True
    return False


def _test_of(module: str) -> str:
    # harness/guest/ssh.py → tests/guest/test_ssh.py; a package is tested as the module it is: harness.checks →
    # tests/test_checks.py.
    path = Path(module)
    path = path.parent if path.name == "__init__.py" else path
    return str(Path("tests", *path.parts[1:-1], f"test_{path.stem}.py"))


def _corpus_of(module: str) -> Path:
    # A table of classify/ is tested by the logs in the folder of its name (tests/classify/test_corpus.py).
    return ROOT / "tests" / "classify" / "corpus" / Path(module).stem if "/classify/" in module else ROOT / "nowhere"


def _too_long(modules: list[str]) -> list[str]:
    sizes = {module: len((ROOT / module).read_text(encoding="utf-8").splitlines()) for module in modules}
    return [f"{module}: {size} lines, more than {MAX_LINES}" for module, size in sizes.items() if size > MAX_LINES]


def _untested(modules: list[str]) -> list[str]:
    owed = {f"{folder}/{name}.py" for folder, names in OWED.items() for name in names.split()}
    excused = owed | set(TESTED_ELSEWHERE)
    found = []
    for module in modules:
        tested = (ROOT / _test_of(module)).exists() or _corpus_of(module).is_dir()
        if module in excused:
            if tested and module in TESTED_ELSEWHERE:
                found.append(f"{module}: has {_test_of(module)}, so take it off the list in tests/test_layout.py")
        elif not tested and _has_code(_tree(module)):
            found.append(f"{module}: {_test_of(module)} is missing")
    gone = sorted(excused - set(modules))
    return [*found, *(f"{module}: is gone, so take it off the list in tests/test_layout.py" for module in gone)]


def _turns(tree: ast.Module) -> set[int]:
    # Lines with a sleep(0): it gives other tasks a turn and lets no time pass.
    return {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and [ast.unparse(argument) for argument in node.args] == ["0"]
    }


def _other_clocks(modules: list[str]) -> list[str]:
    found = []
    for module in modules:
        if module not in CLOCKS:
            tree = _tree(module)
            turns = _turns(tree)
            found += [
                f"{module}:{number}: {name} belongs in harness/clock.py"
                for number, name in _uses(tree)
                if name in _TIME and not (name == "asyncio.sleep" and number in turns)
            ]
    gone = sorted(set(CLOCKS) - set(modules))
    return [*found, *(f"{module}: is gone, and must leave CLOCKS" for module in gone)]


def _other_exits(modules: list[str]) -> list[str]:
    return [
        f"{module}:{number}: {name} belongs in {' or '.join(EDGES)}"
        for module in modules
        if not module.startswith(EDGES)
        for number, name in _uses(_tree(module))
        if name in _EXITS
    ]


def _impure(modules: list[str]) -> list[str]:
    pure = tuple(f"harness/{part}" for part in PURE)
    return [
        f"{module}:{number}: a pure layer imports {name}"
        for module in modules
        if module.startswith(pure)
        for number, name in _imports(_tree(module))
        if name.partition(".")[0] in _IMPURE
    ]


@pytest.mark.parametrize("rule", [_too_long, _untested, _other_clocks, _other_exits, _impure])
def test_the_house_is_in_order(rule: Callable[[list[str]], list[str]]) -> None:
    violations = rule(_modules())
    assert not violations, "\n".join(["", *violations])


def test_every_rule_can_be_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_layout.ROOT", tmp_path)
    bad = "from asyncio import sleep\nimport time, sys, os\nprint(time.time())\nsys.exit(1)\nawait sleep(1)\n"
    for module, text in {"harness/checks/bad.py": bad, "harness/clock.py": "import time\n" * 401}.items():
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module).write_text(text + "await sleep(0)\n")
    modules = ["harness/checks/bad.py", "harness/clock.py"]
    assert _too_long(modules) == ["harness/clock.py: 402 lines, more than 400"]
    assert "harness/checks/bad.py: tests/checks/test_bad.py is missing" in _untested(modules)
    assert [line for line in _other_clocks(modules) if "gone" not in line] == [
        "harness/checks/bad.py:3: time.time belongs in harness/clock.py",
        "harness/checks/bad.py:5: asyncio.sleep belongs in harness/clock.py",
    ]
    assert [line.split(": ")[:2] for line in _other_exits(modules)] == [
        ["harness/checks/bad.py:3", "print belongs in harness/cli/ or harness/pytest_plugin.py"],
        ["harness/checks/bad.py:4", "sys.exit belongs in harness/cli/ or harness/pytest_plugin.py"],
    ]
    assert _impure(modules) == [
        f"harness/checks/bad.py:{line}: a pure layer imports {name}"
        for line, name in ((1, "asyncio"), (2, "time"), (2, "os"))
    ]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import time\ntime.sleep(1)", {"time", "time.sleep"}),
        ("import time as t\nt.sleep(1)", {"time", "time.sleep"}),
        ("from time import sleep\nsleep(1)", {"time.sleep"}),
        ("from asyncio import sleep as nap\nawait nap(1)", {"asyncio.sleep"}),
        ("print('x')", {"print"}),
        ("raise SystemExit(1)", {"SystemExit"}),
        ("import sys\nsys.exit(1)", {"sys", "sys.exit"}),
        ("clock.sleep(1)\nself.time.sleep()", {"clock", "clock.sleep", "self", "self.time", "self.time.sleep"}),
    ],
)
def test_names_are_seen_through_their_imports(source: str, names: set[str]) -> None:
    assert {name for _, name in _uses(ast.parse(source))} == names


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ('"""Doc."""\n', False),
        ('"""Doc."""\nfrom x import y\n__all__ = ["y"]\n', False),
        ("x = 1\n", True),
        ("def f(): ...\n", True),
        ("print()\n", True),
    ],
)
def test_what_is_code(source: str, code: bool) -> None:
    assert _has_code(ast.parse(source)) is code


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("harness/clock.py", "tests/test_clock.py"),
        ("harness/guest/ssh.py", "tests/guest/test_ssh.py"),
        ("harness/checks/__init__.py", "tests/test_checks.py"),
    ],
)
def test_where_a_module_is_tested(module: str, test: str) -> None:
    assert _test_of(module) == test
