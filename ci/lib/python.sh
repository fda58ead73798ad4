# shellcheck shell=bash
# The Python that runs the harness and the virtual environment it lives in.

readonly PYTHON_AT_LEAST=3.11

# python_can PYTHON VERSION [MODULE…]: it starts, is new enough, and imports the modules. Running it is the only honest
# test: version managers put programs on PATH that refuse to start.
python_can() {
    local python=$1 version=$2
    shift 2
    "$python" - "$version" "$@" <<'PROBE' >/dev/null 2>&1
import sys
if sys.version_info[:2] < tuple(map(int, sys.argv[1].split("."))):
    sys.exit(1)
for module in sys.argv[2:]:
    __import__(module)
PROBE
}

# The distribution's own python3 first: its packages follow the distribution's security updates.
python_names() {
    if [[ -n ${SVSM_HARNESS_PYTHON:-} ]]; then
        printf '%s\n' "$SVSM_HARNESS_PYTHON"
    else
        printf '%s\n' python3 python3.14 python3.13 python3.12 python3.11
    fi
}

# find_python VERSION: prints the path of one that can make a virtual environment (Debian parts ensurepip from Python).
find_python() {
    local name
    while read -r name; do
        if python_can "$name" "$1" venv ensurepip; then
            type -P "$name"
            return
        fi
    done < <(python_names)
    return 1
}

# refuse_old_python MANAGER ROW…: dies before anything is installed, when installing would not help. dnf's and zypper's
# rows name a versioned Python that lives beside an old one; apt's and pacman's name the distribution's only one.
refuse_old_python() {
    local manager=$1 index name version
    shift
    for index in "$@"; do
        [[ ${PROBES[index]} == python:* ]] || continue
        if [[ -n ${SVSM_HARNESS_PYTHON:-} ]]; then
            die "SVSM_HARNESS_PYTHON=$SVSM_HARNESS_PYTHON is no Python >= $PYTHON_AT_LEAST with the venv and ensurepip modules." \
                'Name another one, or unset it to use the distribution'"'"'s.'
        fi
        [[ $manager == apt || $manager == pacman ]] || return 0
        type -P python3 >/dev/null || return 0
        while read -r name; do
            python_can "$name" "$PYTHON_AT_LEAST" && return 0
        done < <(python_names)
        version=$(python3 --version 2>&1)
        die "$version is too old: the harness needs Python >= $PYTHON_AT_LEAST (Debian 12, Ubuntu 24.04 and later have it)." \
            "Install a newer one beside it (Ubuntu 22.04: sudo apt-get install python3.11-venv) or name one with SVSM_HARNESS_PYTHON=/path/to/python3.11."
    done
}

# The interpreter an environment was made with, its version and place included.
interpreter() {
    "$1" -c 'import sys; print(sys.version, sys.base_prefix)'
}

# install_stamp PYTHON EXTRAS: what an installation depends on. The checkout's place counts, because the scripts of a
# virtual environment hold absolute paths.
install_stamp() {
    {
        cat "$ROOT/pyproject.toml"
        interpreter "$1"
        printf '%s\n' "$ROOT" "$VENV" "$2"
    } | sha256sum
}

# is_installed PYTHON EXTRAS
is_installed() {
    [[ -x $VENV/bin/svsm-harness && -r $VENV/.installed${2:+-$2} ]] &&
        [[ $(<"$VENV/.installed${2:+-$2}") == "$(install_stamp "$1" "$2")" ]] &&
        "$VENV/bin/python" -c '' 2>/dev/null
}

is_venv_of() {
    [[ -r $VENV/.python && $(<"$VENV/.python") == "$(interpreter "$1")" ]] && "$VENV/bin/python" -c '' 2>/dev/null
}

make_venv() {
    local python=$1
    if [[ -d $VENV && ! -e $VENV/pyvenv.cfg && -n $(ls -A "$VENV") ]]; then
        die "$VENV is there and is no virtual environment." 'Move it away, or name another place with SVSM_HARNESS_VENV.'
    fi
    if ! mkdir -p "$VENV" 2>/dev/null || [[ ! -w $VENV ]]; then
        die "$VENV cannot be written by $(id -un)." "Name a place of your own: SVSM_HARNESS_VENV=\$HOME/.venvs/svsm-harness."
    fi
    timed "Making the virtual environment $VENV with $("$python" --version)." \
        'Remove the folder and run this again; it needs about 300 MB of free disk space.' \
        "$python" -m venv --clear "$VENV"
    interpreter "$python" >"$VENV/.python"
}

# ensure_venv EXTRAS: EXTRAS is empty, 'report' or 'dev'. Each has all that those before it have, and serves for them.
ensure_venv() {
    local extras=$1 python
    python=$(find_python "$PYTHON_AT_LEAST") ||
        die "No Python >= $PYTHON_AT_LEAST that can make a virtual environment was found." \
            'Name one with SVSM_HARNESS_PYTHON=/path/to/python3.11.'
    # Two scripts at once must not install into one environment; a lock on a file that is there anyway leaves no litter.
    exec 9<"$ROOT/pyproject.toml"
    flock 9
    if is_installed "$python" "$extras"; then
        say "Virtual environment: up to date ($VENV)."
    else
        is_venv_of "$python" || make_venv "$python"
        rm -f "$VENV"/.installed*
        timed "Installing the project${extras:+ with its extra $extras} (pip; the first time takes a minute or two)." \
            'Check the network and the package index pip uses (pip config list), then run this again.' \
            "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --quiet -e "$ROOT${extras:+[$extras]}"
        install_stamp "$python" '' >"$VENV/.installed"
        if [[ -n $extras ]]; then
            install_stamp "$python" "$extras" >"$VENV/.installed-$extras"
        fi
        if [[ $extras == dev ]]; then
            install_stamp "$python" report >"$VENV/.installed-report"
        fi
    fi
    exec 9<&-
}
