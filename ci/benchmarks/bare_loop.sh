#!/bin/bash
# What one would type without the harness: start QEMU, knock until SSH speaks, log in with the plain client, run one
# command, kill QEMU. Prints the seconds from the start of QEMU to the login and to the command's answer.
#
#   bare_loop.sh PORT KEY KNOWN_HOSTS QEMU…
set -u
port=$1 key=$2 known_hosts=$3
shift 3

begin=$EPOCHREALTIME
# Like the harness, so that a bench that is killed leaves no QEMU.
setpriv --pdeathsig KILL -- "$@" </dev/null >qemu.out 2>&1 &
qemu=$!
trap 'kill -KILL $qemu 2>/dev/null; wait $qemu 2>/dev/null' EXIT

# QEMU's user network accepts connections before the guest listens and then stays silent, so the client alone would
# wait for its ConnectTimeout, whole seconds, and a loop that finds the guest late would flatter the harness. So the
# server's banner is waited for first, with the patience of the harness: 0.3 s, each time a fifth more.
patience_ms=300
until { exec 3<>"/dev/tcp/127.0.0.1/$port" && read -r -t "${patience_ms::-3}.${patience_ms: -3}" -u 3; } 2>/dev/null; do
    patience_ms=$((patience_ms * 6 / 5))
    { exec 3>&-; } 2>/dev/null
    if ! kill -0 "$qemu" 2>/dev/null; then
        cat qemu.out >&2
        exit 1
    fi
    sleep 0.03
done
exec 3>&-

# Algorithms as the harness's client negotiates them, or the emulated guest would have other sums to do.
answer=$(ssh -F none -p "$port" -i "$key" -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
    -o UserKnownHostsFile="$known_hosts" -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes \
    -o KexAlgorithms=curve25519-sha256 -o Ciphers=aes128-ctr -o MACs=hmac-sha2-256 -o LogLevel=ERROR \
    -o PermitLocalCommand=yes -o LocalCommand='date +%%s.%%N >login' \
    root@127.0.0.1 'echo lane 1') || exit 1
end=$EPOCHREALTIME
[[ $answer == 'lane 1' ]] || { echo "the guest answered: $answer" >&2; exit 1; }
awk -v begin="$begin" -v end="$end" '{ printf "%.6f %.6f\n", $1 - begin, end - begin }' login
