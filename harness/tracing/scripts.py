"""Write the shell scripts that read and set a host's tracefs and kernel log.

POSIX sh and what POSIX puts beside it (cat, mkdir, rmdir, grep, sed, sleep); ``dmesg`` is util-linux's or busybox's. A
line ``#TOKEN NAME`` of output begins a section; the token is random, so that nothing that a kernel prints can be taken
for one.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Recording", "cut_sections", "hold_script", "log_script", "survey_script"]

# Where tracefs is mounted: Documentation/trace/ftrace.rst; below debugfs before 4.1, and still by automount.
_FIND = """\
LC_ALL=C; export LC_ALL
tracefs=
for place in ${SVSM_TRACEFS:-/sys/kernel/tracing /sys/kernel/debug/tracing}; do
  if [ -e "$place/trace_clock" ]; then tracefs=$place; break; fi
done
"""


@dataclass(frozen=True, slots=True)
class Recording:
    """Say what a trace instance shall record.

    ``events`` go through the ring buffer, ``counted`` are counted by a ``hist:`` trigger too; both are
    ``system:event``. ``threads`` are the host's thread ids of the vCPUs. ``buffer_kib`` is the size for each CPU.
    """

    token: str
    events: tuple[str, ...]
    counted: tuple[str, ...]
    threads: tuple[int, ...]
    buffer_kib: int


def survey_script(token: str, systems: Sequence[str], symbols: Sequence[str]) -> str:
    """Return a script that prints what is needed to choose events: sections ``release``, ``boot_id`` … ``symbols``.

    ``systems`` are tracepoint systems whose event names and formats are printed. ``symbols`` are looked for in
    /proc/kallsyms, which hides nothing but addresses from those who may not read it.
    """
    pattern = "|".join(symbols)
    lists = "\n".join(
        f"""\
section {system}
for event in "$tracefs/events/{system}"/*/; do [ -e "$event/id" ] && echo "${{event%/}}"; done | sed 's,.*/,,'
section formats-{system}
cat "$tracefs/events/{system}"/*/format 2>&1"""
        for system in systems
    )
    return f"""\
{_FIND}
section() {{ echo "#{token} $1"; }}
section release; cat /proc/sys/kernel/osrelease
section boot_id; cat /proc/sys/kernel/random/boot_id
section tainted; cat /proc/sys/kernel/tainted
section user; id -u
section tracefs; echo "$tracefs"
section access
[ -z "$tracefs" ] || {{ [ -r "$tracefs/trace_clock" ] && [ -w "$tracefs/instances" ] && echo yes; }}
section clocks; [ -z "$tracefs" ] || cat "$tracefs/trace_clock" 2>&1
section cpus; [ -z "$tracefs" ] || ls "$tracefs/per_cpu" 2>&1 | grep -c cpu
section hist
for one in "$tracefs"/events/*/*/hist; do [ -n "$tracefs" ] && [ -e "$one" ] && echo yes; break; done
if [ -n "$tracefs" ]; then
:
{lists}
fi
section symbols; grep -oE ' ({pattern})([[:space:]]|$)' /proc/kallsyms 2>&1 | sort -u
section end
"""


# The instance belongs to this shell: whatever ends its standard input ends the instance. Its standard output is the
# trace itself, so that one channel does it all; answers come on standard error, each ended by a line with the token.
_HOLD = """\
answer() { printf '#%s %s\\n' "$token" "$*" >&2; }
quiet() { "$@" 2>/dev/null; }
fail() { answer "error $*"; clean; exit 1; }
put() { { printf '%s\\n' "$1" >"$2"; } 2>/dev/null; }
pause() { quiet sleep 0.1 || sleep 1; }
reader=
clean() {
  trap '' HUP INT PIPE TERM
  put 0 tracing_on
  [ -z "$reader" ] || { quiet kill "$reader"; quiet wait "$reader"; }
  cd /
  # Takes its events and triggers along (event_trace_del_tracer() in kernel/trace/trace_events.c). A file of it may be
  # open for a moment longer in a reader that is ending.
  for again in 1 2 3 4 5 6 7 8 9 10; do quiet rmdir "$instance" && break; pause; done
}
# A busy machine needs seconds to make an instance or to remove it, and whoever ends this shell may have no patience: so
# the instance has a guard, in a session of its own, that outlives it. Nothing announces the end of a stranger to sh.
guard='while [ -e "/proc/$0" ]; do sleep 1; done
n=0; while [ -d "$1" ] && ! rmdir "$1" 2>/dev/null && [ $n -lt 60 ]; do n=$((n+1)); sleep 1; done'
stale() {
  for old in "$tracefs/instances"/svsm-harness-*; do
    holder=${old##*/svsm-harness-}; holder=${holder%%-*}
    [ -d "$old" ] && [ ! -e "/proc/$holder" ] && quiet rmdir "$old"
  done
}

[ -n "$tracefs" ] || { answer error no-tracefs; exit 1; }
stale
instance=$tracefs/instances/svsm-harness-$$-$token
$(command -v setsid) sh -c "$guard" $$ "$instance" </dev/null >/dev/null 2>&1 &
mkdir "$instance" 2>/tmp/.svsm-harness-$$ || {
  why=$(cat /tmp/.svsm-harness-$$ 2>/dev/null); rm -f /tmp/.svsm-harness-$$
  answer "error instance $why"; exit 1
}
rm -f /tmp/.svsm-harness-$$
cd "$instance" || exit 1
trap 'clean; exit 1' HUP INT PIPE TERM
put 0 tracing_on
put mono trace_clock || fail 'clock'
put "$buffer_kib" buffer_size_kb || fail 'buffer'
# What somebody set for the whole machine is inherited by a new instance, and would print other lines.
for option in noraw nohex nobin nofields nolatency-format context-info irq-info overwrite event-fork; do
  put $option trace_options
done
# All threads of QEMU, not only its vCPUs: interrupts are raised by the thread of the device, or by the kernel's thread
# for the PIT or for vhost. None of those runs a vCPU, so the counts of vCPU events are the same with them.
pids=$threads
for thread in $threads; do
  while read -r key value; do [ "$key" = Tgid: ] && process=$value && break; done <"/proc/$thread/status" || continue
  for task in /proc/"$process"/task/*; do pids="$pids ${task##*/}"; done
  for comm in $(grep -lxE "(kvm-pit/|vhost-)$process" /proc/[0-9]*/comm 2>/dev/null); do
    comm=${comm#/proc/}; pids="$pids ${comm%/comm}"
  done
  break
done
# Nobody's thread until all is switched on, so that the trace and the counts of the same events begin together.
(:) & nobody=$!; wait $nobody
put "$nobody" set_event_pid || fail 'pids'
for event in $counted; do
  put "$trigger" "events/${event%%:*}/${event#*:}/trigger" || fail "hist $event"
done
for event in $events; do
  put 1 "events/${event%%:*}/${event#*:}/enable" || fail "event $event"
done
put 1 tracing_on || fail 'on'
{ printf '%s\\n' "$pids" >>set_event_pid; } 2>/dev/null || fail 'pids'
# Not by cat: busybox's copies with sendfile(2), and splicing from trace_pipe loses pages of whole lines without a word
# (294 of 32203 events on 6.1, found by the kernel's own counts). Not the reader itself waits but its shell, so that
# both can be ended while a read waits for an event that does not come.
take() {
  dd if=trace_pipe bs=65536 "$@" 2>/dev/null &
  taking=$!
  quiet wait $taking || quiet wait $taking
}
# Nobody waits at trace_pipe: every event would wake him. And what is read is formatted, which costs a host with few
# CPUs more than the tracing does: a nested boot of 9 s took 14 s. So a buffer that is less than half full is left for
# the time after the guest, and is looked at a few times a second; one that takes longer to fill, less often. Of one
# that is fuller all is read, or a little less, so that no read waits: one read gives a page or two, of at most 120
# lines.
follow() {
  last=; taking=; pace=0.3
  [ "$buffer_kib" -le 8192 ] && quiet sleep 0.01 || pace=1
  trap 'last=yes' USR1
  trap 'quiet kill $taking; exit' TERM
  answer ok # From here on it can be told to stop.
  while [ -z "$last" ] && [ -e "/proc/$$" ]; do
    waiting=0 fullest=0
    while read -r key value; do
      case $key in
      entries:) waiting=$((waiting + value)) ;;
      bytes:) [ "$value" -le $fullest ] || fullest=$value ;;
      esac
    done <<EOF
$(cat per_cpu/cpu*/stats)
EOF
    if [ $fullest -gt $((buffer_kib * 512)) ] && [ $waiting -ge 120 ]; then
      take count=$((waiting / 120))
    else
      # Waited for, so that the signal that ends it is heard at once.
      sleep $pace >/dev/null 2>&1 &
      quiet wait $!
    fi
  done
  # A reader of what is no longer written ends with it, if there was anything: this line, at least.
  put 'step=trace end' trace_marker; put 0 tracing_on
  take
}
follow &
reader=$!
while read -r command rest; do
  case $command in
  mark) put "$rest" trace_marker && answer ok || answer error mark ;;
  stop)
    quiet kill -USR1 "$reader"; quiet wait "$reader"; reader=
    for one in per_cpu/cpu*; do echo "cpu: ${one##*cpu}"; cat "$one/stats"; done >&2
    for event in $counted; do
      echo "hist: $event"; cat "events/${event%%:*}/${event#*:}/hist"
    done >&2
    answer ok ;;
  esac
done
clean
"""


def hold_script(recording: Recording) -> str:
    """Return a script that makes an instance, records until its standard input ends, and then removes it.

    Standard output is the trace as ``trace_pipe`` prints it. The start, and the commands ``mark TEXT`` and ``stop`` on
    standard input, are answered on standard error, last by ``#TOKEN ok`` or ``#TOKEN error WHY``. The last line of the
    trace is the mark ``step=trace end``. What stays behind of a shell that was killed is removed by the next one.
    """
    values = {
        "token": recording.token,
        "buffer_kib": str(recording.buffer_kib),
        "events": " ".join(recording.events),
        "counted": " ".join(recording.counted),
        "threads": " ".join(map(str, recording.threads)),
        "trigger": "hist:keys=common_pid",
    }
    settings = "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    return f"{_FIND}{settings}\n{_HOLD}"


def log_script(token: str, *, whole: bool) -> str:
    """Return a script that prints ``boot_id``, ``tainted``, and ``log`` or, if that cannot be read, why in ``nolog``.

    Without ``whole`` the log is its last line, which is then looked for in the whole of it.
    """
    log = "dmesg" if whole else "dmesg | tail -n 1"
    return f"""\
LC_ALL=C; export LC_ALL
section() {{ echo "#{token} $1"; }}
section boot_id; cat /proc/sys/kernel/random/boot_id
section tainted; cat /proc/sys/kernel/tainted
if why=$(dmesg 2>&1 >/dev/null); then section log; {log}; else section nolog; echo "$why"; fi
section end
"""


def cut_sections(text: str, token: str) -> dict[str, str]:
    """Split what a script printed into its sections; a script that was cut has no section ``end``."""
    sections: dict[str, str] = {}
    for part in f"\n{text}".split(f"\n#{token} ")[1:]:
        name, _, body = part.partition("\n")
        sections[name.strip()] = body
    return sections
