# shellcheck shell=bash
# The set-up that ci/quickstart and ci/test share; sourced with ROOT naming the checkout. Idempotent: the second time it
# only looks, needs no network and no root.
#
#   SVSM_HARNESS_VENV    where the virtual environment goes (default: .venv in the checkout)
#   SVSM_HARNESS_PYTHON  the Python to make it with (default: python3, else python3.14 … python3.11)

VENV=${SVSM_HARNESS_VENV:-$ROOT/.venv}

# shellcheck source=ci/lib/say.sh
. "$ROOT/ci/lib/say.sh"
# shellcheck source=ci/lib/python.sh
. "$ROOT/ci/lib/python.sh"
# shellcheck source=ci/lib/packages.sh
. "$ROOT/ci/lib/packages.sh"

# set_up run|test: leaves $VENV/bin/svsm-harness ready, or dies saying what to do.
set_up() {
    local start=$SECONDS
    title 'Set-up'
    case $1 in
        run)
            ensure_packages run
            ensure_apt_lists
            ensure_venv report
            ;;
        test)
            ensure_packages run test
            ensure_apt_lists
            ensure_venv dev
            ;;
    esac
    say "Set up in $((SECONDS - start)) s."
}
