# shellcheck shell=bash
# What the distribution must provide: ci/packages.table is read, each row probed, and only what is missing installed.

PACKAGES_TABLE=${PACKAGES_TABLE:-$ROOT/ci/packages.table}

OS_RELEASE=/etc/os-release
BOOT=/boot

# Filled by read_packages: one element a row, same index in all.
NEEDS=() PROBES=() NAMES=() WHYS=() OTHERWISES=()

trim() {
    local text=$1
    text=${text#"${text%%[![:space:]]*}"}
    printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# package_manager: prints apt, dnf, zypper or pacman; fails when the distribution has none of them.
# The distribution decides first: a Debian with dnf installed is still a Debian.
package_manager() {
    local family='' manager
    if [[ -r $OS_RELEASE ]]; then
        # shellcheck source=/dev/null
        family=$(. "$OS_RELEASE" && printf ' %s %s ' "${ID:-}" "${ID_LIKE:-}")
    fi
    case $family in
        *' debian '* | *' ubuntu '*) manager=apt ;;
        *' fedora '* | *' rhel '* | *' centos '*) manager=dnf ;;
        *suse*) manager=zypper ;;
        *' arch '*) manager=pacman ;;
        *) manager='' ;;
    esac
    for manager in ${manager:+"$manager"} apt dnf zypper pacman; do
        if command -v "${manager/#apt/apt-get}" >/dev/null; then
            printf '%s' "$manager"
            return
        fi
    done
    return 1
}

# read_packages MANAGER
read_packages() {
    local manager=$1 column='' index line cells=()
    NEEDS=() PROBES=() NAMES=() WHYS=() OTHERWISES=()
    while IFS= read -r line || [[ -n $line ]]; do
        [[ $line == \#* || $line != *'|'* ]] && continue
        IFS='|' read -ra cells <<<"$line"
        for index in "${!cells[@]}"; do
            cells[index]=$(trim "${cells[index]}")
        done
        if [[ -z $column ]]; then
            for index in "${!cells[@]}"; do
                [[ ${cells[index]} == "$manager" ]] && column=$index
            done
            [[ -n $column ]] || die "$PACKAGES_TABLE has no column for $manager." "Add one."
            continue
        fi
        NEEDS+=("${cells[0]}") PROBES+=("${cells[1]}") NAMES+=("${cells[column]}")
        WHYS+=("${cells[6]}") OTHERWISES+=("${cells[7]}")
    done <"$PACKAGES_TABLE"
}

# An ordinary user's PATH often lacks sbin, where Debian keeps dropbear and depmod. Only running is asked for, not root.
find_program() {
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin type -P "$1"
}

# The dynamic loader lists libraries instead of running the program when this variable is set; a static program has no
# loader to look at it, and runs.
is_static() {
    [[ $(LD_TRACE_LOADED_OBJECTS=1 "$1" echo ran 2>/dev/null) == ran ]]
}

# is_there PROBE: see the header of packages.table
is_there() {
    local kind=${1%%:*} what=${1#*:} name path names=()
    IFS=, read -ra names <<<"$what"
    case $kind in
        cmd) for name in "${names[@]}"; do find_program "$name" >/dev/null && return; done ;;
        static)
            for name in "${names[@]}"; do
                path=$(find_program "$name") && is_static "$path" && return
            done
            ;;
        file) [[ -r $what ]] && return ;;
        python) find_python "$what" >/dev/null && return ;;
        *) die "$PACKAGES_TABLE: '$1' is no probe." "Use cmd:, static:, file: or python:." ;;
    esac
    return 1
}

# missing_rows NEED…: prints the index of each row of these needs that is not there.
missing_rows() {
    local index
    for index in "${!PROBES[@]}"; do
        [[ " $* " == *" ${NEEDS[index]} "* ]] && ! is_there "${PROBES[index]}" && printf '%s\n' "$index"
    done
    return 0
}

# as_root COMMAND…: only ever called when something is missing.
as_root() {
    if (($(id -u) == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

refresh_lists() {
    case $1 in
        apt) timed 'Refreshing the package lists.' 'Check the network and /etc/apt/sources.list*, then run apt-get update.' \
            as_root apt-get update ;;
        # `pacman -Sy` before an install is a partial upgrade, which Arch does not support; an empty list needs it.
        pacman) compgen -G '/var/lib/pacman/sync/*.db' >/dev/null || timed 'Fetching the package lists.' \
            'Check the network, then run pacman -Syu.' as_root pacman -Sy --noconfirm ;;
        *) ;; # dnf and zypper refresh by themselves when their lists are old
    esac
}

# install_names MANAGER NAME…
install_names() {
    local manager=$1
    shift
    case $manager in
        # A machine that has just come up may still run its own upgrades: wait for the lock instead of failing.
        apt) as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
            install -y --no-install-recommends "$@" ;;
        dnf) as_root dnf install -y --setopt=install_weak_deps=False "$@" ;;
        zypper) as_root zypper --non-interactive install --no-recommends "$@" ;;
        pacman) as_root pacman -S --noconfirm --needed "$@" ;;
    esac
}

# install_command MANAGER NAME…: the same, as a person would type it.
install_command() {
    local manager=$1
    shift
    case $manager in
        apt) printf 'sudo apt-get install -y %s' "$*" ;;
        dnf) printf 'sudo dnf install -y %s' "$*" ;;
        zypper) printf 'sudo zypper install -y %s' "$*" ;;
        pacman) printf 'sudo pacman -S %s' "$*" ;;
    esac
}

# ensure_packages NEED…: dies when a row of these needs is still not there at the end.
ensure_packages() {
    local manager index rows=() names=() none=() cells=()
    manager=$(package_manager) || manager=''
    read_packages "${manager:-apt}"
    mapfile -t rows < <(missing_rows "$@")
    if ((${#rows[@]} == 0)); then
        say 'System packages: all there.'
        return
    fi
    [[ -n $manager ]] || die_without_manager "${rows[@]}"
    refuse_old_python "$manager" "${rows[@]}"
    for index in "${rows[@]}"; do
        if [[ ${NAMES[index]} == - ]]; then
            none+=("$index")
            continue
        fi
        say "Missing: ${NAMES[index]} (${WHYS[index]})."
        read -ra cells <<<"${NAMES[index]}"
        names+=("${cells[@]}")
    done
    if ((${#names[@]})); then
        become_root "$manager" "${names[@]}"
        refresh_lists "$manager"
        timed "Installing with $manager: ${names[*]}." \
            "Run '$(install_command "$manager" "${names[@]}")' and read its message; then run this again." \
            install_names "$manager" "${names[@]}"
        [[ " $* " == *' test '* ]] && mapfile -t rows < <(missing_rows wish) || rows=()
        for index in "${rows[@]}"; do
            [[ ${NAMES[index]} == - ]] && continue
            # Each by itself: one that this distribution does not have must not stop the others, nor what is needed.
            read -ra cells <<<"${NAMES[index]}"
            say "Installing ${cells[*]} too: ${WHYS[index]}."
            install_names "$manager" "${cells[@]}" >/dev/null 2>&1 </dev/null || say "  could not: ${OTHERWISES[index]}."
        done
    fi
    for index in "${none[@]}"; do
        say "Not packaged here: ${PROBES[index]} (${WHYS[index]})."
    done
    mapfile -t rows < <(missing_rows "$@")
    if ((${#rows[@]})); then
        die "${PROBES[rows[0]]} is still not there (${WHYS[rows[0]]})." "${OTHERWISES[rows[0]]}."
    fi
}

# become_root MANAGER NAME…: asks for the password once and in the open, not inside a command whose output is kept back.
become_root() {
    (($(id -u) == 0)) && return
    local fix
    fix="As root: $(install_command "$@" | sed 's/^sudo //'); then run this again."
    type -P sudo >/dev/null || die "These packages are missing, and there is no sudo to install them." "$fix"
    say 'Root is needed for this: using sudo.'
    sudo true || die "sudo was refused." "$fix"
}

die_without_manager() {
    local index
    for index in "$@"; do
        say "Missing: ${PROBES[index]} (${WHYS[index]}); Debian calls it ${NAMES[index]}; or: ${OTHERWISES[index]}."
    done
    die 'None of apt-get, dnf, zypper and pacman is here to install them.' 'Install the above by hand and run this again.'
}

# A kernel for the guests is fetched with `apt-get download`, which needs no root but does need package lists; images
# of containers come without. A readable kernel in /boot makes both unnecessary.
ensure_apt_lists() {
    local kernel lists
    type -P apt-get >/dev/null || return 0
    for kernel in "$BOOT"/vmlinuz-*; do
        [[ -r $kernel ]] && return
    done
    lists=$(apt-config shell D Dir::State::lists/d | sed "s/^D='\(.*\)'$/\1/")
    compgen -G "${lists:-/var/lib/apt/lists/}*_Packages*" >/dev/null && return
    if (($(id -u) == 0)); then
        # Not fatal: the harness may have its kernel in its cache, or the scenario may name one.
        (refresh_lists apt) || say 'Going on without package lists.'
    else
        say 'No kernel in /boot is readable and apt has no package lists to fetch one with: the harness will need'
        say "'sudo apt-get update' first, or a scenario with guest.kernel."
    fi
}
