from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import HostError, InputError
from harness.results.record import boot_line_json
from harness.results.store import Run, create_run, find_run, read_about, split_boot

from .sample_record import RECORD, line


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path, {"command": ["run"]})


def test_a_run_has_a_name_and_says_what_it_is(tmp_path: Path, run: Run) -> None:
    about = json.loads((run.folder / "run.json").read_text())
    assert about == {"run": run.folder.name, "command": ["run"]} == read_about(run)
    assert (tmp_path / "latest").resolve() == run.folder
    newer = create_run(tmp_path, {})
    assert newer.folder != run.folder
    assert (tmp_path / "latest").resolve() == newer.folder
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([run.folder.name, newer.folder.name, "latest"])


def test_a_run_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="choose another folder with --results"):
        create_run(tmp_path / "file", {})


def test_lines_come_back_in_order(run: Run) -> None:
    lines = [line(number) for number in range(5)]
    for each in lines:
        run.append(each)
    assert list(run.lines()) == lines


def test_a_line_cut_at_any_byte_is_passed_over_and_the_next_is_intact(tmp_path: Path) -> None:
    last = boot_line_json.dump_json(line(2))
    path = tmp_path / "boots.jsonl"
    run = Run(tmp_path)
    for size in range(len(last) + 1):
        path.write_bytes(boot_line_json.dump_json(line(1)) + b"\n" + last[:size])
        counted = [line(1), line(2)] if size == len(last) else [line(1)]  # only its end of line is missing
        assert list(run.lines()) == counted
        run.append(line(3))
        assert list(run.lines()) == [*counted, line(3)]


@pytest.mark.parametrize("rubbish", [b"\0" * 40, b"\xff\xfe\n", b"{}\xff\n", b"\n\n"])
def test_what_a_power_cut_leaves_is_passed_over(tmp_path: Path, rubbish: bytes) -> None:
    run = Run(tmp_path)
    run.append(line(1))
    with (tmp_path / "boots.jsonl").open("ab") as file:
        file.write(rubbish)
    run.append(line(2))
    assert list(run.lines()) == [line(1), line(2)]


@pytest.mark.parametrize("other", [b"{}", b"[]", b"7", b'{"identity": 1}'])
def test_a_whole_line_that_says_something_else_is_named(tmp_path: Path, other: bytes) -> None:
    run = Run(tmp_path)
    run.append(line(1))
    with (tmp_path / "boots.jsonl").open("ab") as file:
        file.write(other + b"\n")
    with pytest.raises(InputError, match=r"boots.jsonl:2: .*; another version of the harness wrote it"):
        list(run.lines())


def test_a_run_without_boots(run: Run) -> None:
    with pytest.raises(InputError, match=r"boots.jsonl does not exist: no boot of that run came to its end"):
        list(run.lines())


def _append(folder: Path, name: int) -> None:
    for number in range(200):
        Run(folder).append(line(1000 * name + number))


def test_two_processes_write_into_one_run_and_lose_none(run: Run) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(run.folder, name)) for name in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    variants = [each.identity.variant for each in run.lines()]
    assert sorted(variants) == sorted(f"boot[n={1000 * name + number}]" for name in (1, 2) for number in range(200))


def test_boot_folders_are_numbered_and_never_shared(run: Run) -> None:
    assert [run.new_boot_folder().name for _ in range(3)] == ["0001", "0002", "0003"]
    (run.folder / "boots" / "notes").mkdir()
    (run.folder / "boots" / "0007").mkdir()
    assert run.new_boot_folder().name == "0008"


def test_boot_folders_of_several_at_once_are_never_shared(run: Run) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: run.new_boot_folder(), range(80)))
    assert len(set(folders)) == 80


def test_a_boot_folder_that_cannot_be_made(run: Run) -> None:
    (run.folder / "boots").write_text("")
    with pytest.raises(HostError, match="choose another folder"):
        run.new_boot_folder()


@pytest.mark.parametrize("name", ["3", "0003", "boots/0003", "boots/3", "03"])
def test_a_boot_is_found_by_its_number(run: Run, name: str) -> None:
    for _ in range(4):
        run.new_boot_folder()
    assert run.boot_folder(name) == run.folder / "boots" / "0003"


@pytest.mark.parametrize("name", ["9", "0", "x", "", "-3", "\u00b3", "../boots", "boots"])
def test_a_boot_that_is_not_there_is_answered_with_those_there_are(run: Run, name: str) -> None:
    with pytest.raises(InputError, match=r"it has none"):
        run.boot_folder(name)
    for _ in range(4):
        run.new_boot_folder()
    with pytest.raises(InputError, match=f"has no boot {name}; it has 0001 to 0004"):
        run.boot_folder(name)


def test_a_record_comes_back(run: Run) -> None:
    folder = run.new_boot_folder()
    run.write_record(folder, RECORD)
    assert run.read_record(folder) == RECORD


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "that boot never came to its end"),
        (b"", "it is damaged, or another version"),
        (b"{}", "it is damaged, or another version"),
        (b'{"identity": ', "it is damaged, or another version"),
        ("folder", "Is a directory"),
    ],
)
def test_a_record_that_is_not_there_or_damaged(run: Run, content: bytes | str | None, says: str) -> None:
    folder = run.new_boot_folder()
    if content == "folder":
        (folder / "boot.json").mkdir()
    elif isinstance(content, bytes):
        (folder / "boot.json").write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        run.read_record(folder)
    assert str(folder / "boot.json") in str(caught.value)


def test_a_run_is_found_by_path_by_name_and_as_the_latest(tmp_path: Path, run: Run) -> None:
    for name in (str(run.folder), run.folder.name, "latest", str(tmp_path / "latest")):
        assert find_run(tmp_path, name) == run


@pytest.mark.parametrize("name", ["nope", "notes", ""])
def test_a_run_that_is_not_there_is_answered_with_those_there_are(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "notes").mkdir()
    with pytest.raises(InputError, match="there are none yet"):
        find_run(tmp_path, name)
    runs = sorted(create_run(tmp_path, {}).folder.name for _ in range(4))
    with pytest.raises(InputError, match=f"under {tmp_path}; there are {', '.join(runs[-3:])}, latest$"):
        find_run(tmp_path, name)


def test_results_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run x: .*/none cannot be read \(No such file or directory\)"):
        find_run(tmp_path / "none", "x")


def test_a_latest_whose_run_was_deleted(tmp_path: Path, run: Run) -> None:
    (run.folder / "run.json").unlink()
    run.folder.rmdir()
    with pytest.raises(InputError, match="there is no run latest"):
        find_run(tmp_path, "latest")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("latest", ("latest", None)),
        ("latest/3", ("latest", "3")),
        ("latest/0003", ("latest", "0003")),
        ("20261122-172738-6f06/12", ("20261122-172738-6f06", "12")),
        ("results/20261122-172738-6f06", ("results/20261122-172738-6f06", None)),
        ("results/20261122-172738-6f06/boots/0003", ("results/20261122-172738-6f06", "0003")),
        ("results/20261122-172738-6f06/boots/0003/", ("results/20261122-172738-6f06", "0003")),
        ("/abs/run/3", ("/abs/run", "3")),
        ("3", ("3", None)),
        ("latest/x", ("latest/x", None)),
    ],
)
def test_a_boot_behind_the_name_of_its_run(name: str, split: tuple[str, str | None]) -> None:
    assert split_boot(name) == split


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff"])
def test_what_a_run_says_of_itself_may_be_damaged(run: Run, content: bytes | None) -> None:
    path = run.folder / "run.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(HostError, match=r"run\.json"):
        read_about(run)
