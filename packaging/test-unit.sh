#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs inside the booted root of test-packages.sh, after pccs.service: what systemd and the service
# make of each other. A line "ok|WHAT" or "FAILED|WHAT" each on standard output.
set -u
exec 3>&1 >/packages/test-unit.details 2>&1

check() {
    what=$1
    shift
    echo "---- $what"
    if "$@"; then
        echo "ok|$what" >&3
    else
        echo "FAILED|$what" >&3
    fi
}

is() { # is PROPERTY VALUE
    value=$(systemctl show -P "$1" pccs.service)
    echo "$1=$value"
    [ "$value" = "$2" ]
}

# With a limit: nothing here may wait for ever.
is_soon() {
    tries=0
    until is "$1" "$2"; do
        tries=$((tries + 1))
        [ $tries -lt 40 ] || return 1
        sleep 0.25
    done
}

answers() {
    curl -sS --fail --cacert /var/lib/pccs/ssl_key/ca.crt https://localhost:8081/healthz/ready
}

# every thread; 2 is a filter (proc(5))
is_narrowed() {
    grep -h '^Seccomp:' "/proc/$(systemctl show -P MainPID pccs.service)"/task/*/status |
        sort -u | grep -qx 'Seccomp:.2'
}

journal_has() {
    journalctl -u pccs.service -o cat | grep -q "$1"
}

# A value that only root can read reaches the service, and only it.
credential() {
    mkdir -p /etc/pccs/credentials /etc/systemd/system/pccs.service.d
    (umask 077 && echo 0123456789abcdef0123456789abcdef >/etc/pccs/credentials/api-key)
    sed '/^LoadCredential=user/,$d' /usr/share/doc/pccs/examples/credentials.conf \
        >/etc/systemd/system/pccs.service.d/credentials.conf
    systemctl daemon-reload
    systemctl restart pccs.service
    is ActiveState active && answers &&
        tr '\0' '\n' <"/proc/$(systemctl show -P MainPID pccs.service)/environ" |
        grep -q '^PCCS_API_KEY_FILE=/run/credentials/pccs.service/api-key$'
}

check 'systemd calls it active: READY came' is ActiveState active
check 'it says so by notify' is Type notify
check 'it answers over TLS' answers
check 'every thread has a filter' is_narrowed
check 'the service narrowed itself on top of the unit' journal_has syscalls-narrowed
check 'its log is in the journal' journal_has ' ready '
check 'the watchdog is armed' is WatchdogUSec 30s
check 'it reloads' systemctl reload pccs.service
check 'it is active after the reload' is_soon ActiveState active
check 'it took the reload' journal_has ' reload '
systemctl restart pccs.service
check 'it restarts' is ActiveState active
kill -SEGV "$(systemctl show -P MainPID pccs.service)"
sleep 1
check 'after a crash it is back' is_soon ActiveState active
check 'it answers after a crash' answers
check 'a credential reaches it' credential
sleep 35
check 'the watchdog hears it: the same process after 35 s' is NRestarts 0
systemctl stop pccs.service
check 'it stops cleanly' is Result success
journalctl -u pccs.service -o cat --no-pager
