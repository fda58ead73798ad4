# shellcheck shell=bash
# Messages of the scripts in ci/: short lines, elapsed time of what takes long, errors that say what to do next.

# Set-up failures end with the harness's own status for "host or harness at fault" (4), so that a caller who knows the
# exit statuses of `svsm-harness run` reads ci/quickstart the same way.
readonly STATUS_ERROR=4

say() {
    printf '  %s\n' "$*"
}

title() {
    printf '== %s\n' "$*"
}

# die WHAT FIX: the fix is one sentence naming a command or a setting.
die() {
    printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2
    exit "$STATUS_ERROR"
}

# timed TITLE FIX COMMAND…: the command's output is kept back and shown only if it fails, then dies with FIX.
timed() {
    local what=$1 fix=$2 output start=$SECONDS
    shift 2
    say "$what"
    if ! output=$("$@" 2>&1 </dev/null); then
        tail -n 25 <<<"$output" | sed 's/^/    | /' >&2
        die "'$*' failed after $((SECONDS - start)) s." "$fix"
    fi
    if ((SECONDS - start > 2)); then
        say "  took $((SECONDS - start)) s"
    fi
}
