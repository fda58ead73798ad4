from pathlib import Path

from harness.pool.journal import Attempt, End, append_attempt, done_jobs, next_attempt, read_journal, unfinished


def test_a_journal_counts_each_job_once_and_forgets_no_attempt(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert read_journal(path) == () and next_attempt((), "a") == 1
    lines = [
        Attempt("a", 1, End.BEGUN, "h", 1),
        Attempt("a", 1, End.LOST, "h", 1, why="the network went"),
        Attempt("a", 2, End.BEGUN, "i", 1),
        Attempt("b", 1, End.BEGUN, "h", 2),
        Attempt("a", 2, End.DONE, "i", 1, 0, "results/1"),
        Attempt("a", 3, End.DONE, "h", 3, 1, "results/2"),
    ]
    for line in lines:
        append_attempt(path, line)
    with path.open("ab") as file:
        file.write(b'{"job": "b", "number": 1, "end": "do')  # the disk was full, or the power went
    found = read_journal(path)
    assert found == tuple(lines)
    assert done_jobs(found) == {"a": lines[4]}
    assert unfinished(found) == (lines[3],)
    assert (next_attempt(found, "a"), next_attempt(found, "b")) == (4, 2)
    append_attempt(path, Attempt("b", 1, End.LOST, "h", 2))
    assert unfinished(read_journal(path)) == ()
