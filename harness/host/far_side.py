"""Write the scripts that make another machine's POSIX shell do what we need; pure.

Input reaches a script in lines of ``printf %b`` escapes, and its end is a line of its own: an SSH channel need then
never be closed, or its input ended, while something runs on it, at which dropbear 2022.83 ends the whole session
(:mod:`harness.host.remote_process` says how). When the connection breaks, the script's input ends as well.

Every script runs in a session of its own, whose id is its first line of output, so that all that it started can be
killed; and is a file in the run's folder as long as it runs, so that the watch can do so when nobody else is left.
Where that folder is gone, the watch was here before: the script does not begin, and has no first line.
"""

from __future__ import annotations

import shlex

__all__ = ["END", "called", "encode_input", "fed_script", "kill_script", "live_script", "watch_script"]

#: The line that ends a script's input.
END = b".\n"
# A line is read byte by byte there, and held in a variable.
_MOST_BYTES = 2048
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 {}[]\"':,_-/=+")
# Without a sign of life for as long as this, the far side believes that we are gone. Only for a network that died
# without a word: the end of a connection is noticed at once.
_SILENCE_S = 120


def encode_input(content: bytes) -> bytes:
    """Return the lines that make the far side write ``content`` to the script."""
    pieces = (content[at : at + _MOST_BYTES] for at in range(0, len(content), _MOST_BYTES))
    return b"".join(_line(piece) for piece in pieces)


def _line(piece: bytes) -> bytes:
    # POSIX printf: in the argument of %b, \0 and up to three octal digits are a byte. No plain character is a dot.
    return b"".join(bytes((byte,)) if byte in _PLAIN else b"\\0%03o" % byte for byte in piece) + b"\n"


def live_script(script: str, folder: str | None) -> str:
    """Return the command line that runs ``script`` with live input (:func:`encode_input`)."""
    relay = 'echo $$; while IFS= read -r l && [ "$l" != . ]; do printf %b "$l"; done'
    return _command(f"sh -c {shlex.quote(relay)} 2>/dev/null", script, folder)


def fed_script(script: str, folder: str | None, size_bytes: int) -> str:
    """Return the command line that runs ``script`` with the first ``size_bytes`` of raw input, and then its end."""
    if not size_bytes:
        return _command("echo 0 </dev/null", script, folder, fed=True)
    feed = f"echo $$; exec head -c {size_bytes}"
    return _command(f"sh -c {shlex.quote(feed)} 2>/dev/null", script, folder, fed=True)


def _command(source: str, script: str, folder: str | None, *, fed: bool = False) -> str:
    # POSIX: a shell ends where a redirection of ":" fails, and $$ is $j, for what setsid is given replaces it.
    note, forget = "", ""
    if folder is not None:
        note, forget = f': 2>/dev/null >"{folder}/jobs/$$"; ', f'rm -f "{folder}/jobs/$j"; '
    # Raw input is read to its end when the script ends early: what nobody reads would block the connection. A relay
    # ends as if nobody read its pipe any more; of another signal, dash would print a word.
    end = "cat <&3 >/dev/null; " if fed else "kill -PIPE $r 2>/dev/null; "
    job = f"setsid sh -c {shlex.quote(f'{note}echo $$; {script}')} <&3 3<&- & j=$!"
    text = (
        f'{source} | {{ read -r r; exec 3<&0; command -v setsid >/dev/null || setsid() {{ exec "$@"; }}\n'
        f"{job}; wait $j; s=$?; {forget}{end}exit $s; }}"
    )
    # By sh: the login shell may be another.
    return f"exec sh -c {shlex.quote(text)}"


def kill_script(session: int) -> str:
    """Return the script that ends everything of the script with this first line."""
    return f"kill -KILL -{session} 2>/dev/null || kill -KILL {session} 2>/dev/null"


def watch_script() -> str:
    """Return the script that makes the run's folder, prints its path, and takes all away once its input ends.

    Every line of input is a sign of life, and is answered by one.
    """
    return f"""umask 077
d=$(mktemp -d "${{TMPDIR:-/tmp}}/svsm-harness.XXXXXXXXXX") && mkdir "$d/jobs" || exit 1
printf '%s\\n' "$d"
command -v timeout >/dev/null || timeout() {{ shift; "$@"; }}
while [ -n "$(timeout {_SILENCE_S} head -n 1)" ]; do echo; done
# Scripts that heard the end of their own input have something to undo.
n=0
while [ -n "$(ls "$d/jobs")" ] && [ $n -lt 30 ]; do sleep 0.1; n=$((n + 1)); done
for j in "$d"/jobs/*; do kill -KILL "-${{j##*/}}" || kill -KILL "${{j##*/}}"; done 2>/dev/null
rm -rf "$d"
"""


def called(script: str) -> str:
    """Return what an error calls a script: its first line, which names no secret; a comment there is its name."""
    line = script.strip().splitlines()[0] if script.strip() else "nothing"
    if line.startswith("# "):
        return f"running {line[2:]}"
    return f"running {shlex.quote(line if len(line) <= 60 else line[:57] + '...')}"
