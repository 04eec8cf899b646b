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

exposed_below() {
    systemd-analyze security --no-pager pccs.service >/packages/exposure.log
    tail -n 1 /packages/exposure.log
    level=$(sed -n 's/.*Overall exposure level for pccs.service: \([0-9.]*\).*/\1/p' \
        /packages/exposure.log)
    [ -n "$level" ] && awk "BEGIN { exit !($level < $1) }"
}

journal_has() {
    journalctl -u pccs.service -o cat | grep -q "$1"
}

# This test restarts more often than the unit's StartLimitBurst allows.
restart() {
    systemctl daemon-reload
    systemctl reset-failed pccs.service
    systemctl restart pccs.service
}

# A value that only root can read reaches the service, and only it.
credential() {
    mkdir -p /etc/pccs/credentials /etc/systemd/system/pccs.service.d
    (umask 077 && echo 0123456789abcdef0123456789abcdef >/etc/pccs/credentials/api-key)
    sed '/^LoadCredential=user/,$d' /usr/share/doc/pccs/examples/credentials.conf \
        >/etc/systemd/system/pccs.service.d/credentials.conf
    restart
    is ActiveState active && answers &&
        tr '\0' '\n' <"/proc/$(systemctl show -P MainPID pccs.service)/environ" |
        grep -q '^PCCS_API_KEY_FILE=/run/credentials/pccs.service/api-key$'
}

# ---- database servers ----

sql_postgres() {
    su -s /bin/sh postgres -c "psql -X -q -t -A -v ON_ERROR_STOP=1 -d '$1'" </packages/test-unit.sql
}

sql_mariadb() {
    mariadb --skip-column-names --batch "$1" </packages/test-unit.sql
}

# sql KIND DATABASE STATEMENT...
sql() {
    kind=$1 database=$2
    shift 2
    printf '%s;\n' "$@" >/packages/test-unit.sql
    "sql_$kind" "$database"
}

make_database() {
    case $1 in
    postgres)
        sql postgres postgres "CREATE ROLE pccs LOGIN PASSWORD 'of the test'" \
            "CREATE DATABASE pckcache OWNER pccs ENCODING 'UTF8' TEMPLATE template0"
        ;;
    mariadb) # by its own name over the local socket, by a password over TCP
        sql mariadb mysql 'CREATE DATABASE pckcache CHARACTER SET utf8mb4' \
            "CREATE USER pccs@localhost IDENTIFIED VIA unix_socket
                OR mysql_native_password USING PASSWORD('of the test')" \
            'GRANT ALL ON pckcache.* TO pccs@localhost'
        ;;
    esac
}

# keeps_in KIND HOST PORT: the service with its cache in that server.
keeps_in() {
    section=PCCS_$(echo "$1" | tr '[:lower:]' '[:upper:]')
    mkdir -p /etc/systemd/system/pccs.service.d
    cat >/etc/systemd/system/pccs.service.d/database.conf <<CONF
[Service]
Environment=PCCS_DB_CONFIG=$1 ${section}_USERNAME=pccs ${section}_OPTIONS_HOST=$2
Environment=${section}_OPTIONS_PORT=$3 "${section}_PASSWORD=of the test"
CONF
    restart
    is ActiveState active && answers && is_narrowed
}

connections() {
    case $1 in
    postgres) sql postgres postgres \
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pccs'" ;;
    mariadb) sql mariadb mysql \
        "SELECT count(*) FROM information_schema.processlist WHERE user = 'pccs'" ;;
    esac
}

# Its first connections were made before it narrowed itself; those to another server process
# are not.
comes_back() {
    before=$(systemctl show -P NRestarts pccs.service)
    case $1 in
    postgres) systemctl restart 'postgresql@*' ;;
    mariadb) systemctl restart mariadb.service ;;
    esac
    tries=0
    until [ "$(connections "$1")" -gt 0 ] && answers; do
        tries=$((tries + 1))
        [ $tries -lt 60 ] || return 1
        sleep 0.25
    done
    is NRestarts "$before"
}

tables() {
    count=$(sql "$1" pckcache \
        "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'pccs_%'")
    echo "$count tables"
    [ "$count" -gt 0 ]
}

# check_server KIND HOST PORT WAY
check_server() {
    check "it reaches $1 by $4" keeps_in "$1" "$2" "$3"
    check "it made its tables in $1 by $4" tables "$1"
    check "narrowed, it reaches $1 by $4 again after a restart of the server" comes_back "$1"
}

# ---- socket activation ----

# For longer than a restart takes; a refused connection ends curl with 7.
ask_on() {
    while [ ! -e /packages/asked-enough ]; do
        answers || return 1
    done
}

serves_on_passed_socket() {
    cp /usr/share/doc/pccs/examples/pccs.socket /etc/systemd/system/
    systemctl daemon-reload
    systemctl stop pccs.service
    systemctl enable --now pccs.socket && is ActiveState inactive && answers &&
        is ActiveState active && is TriggeredBy pccs.socket
}

refuses_nobody() {
    rm -f /packages/asked-enough
    ask_on &
    asker=$!
    restart && answers
    restarted=$?
    touch /packages/asked-enough
    wait "$asker" && [ $restarted = 0 ]
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
check 'systemd rates its exposure below 2.0' exposed_below 2.0
for kind in postgres mariadb; do
    check "$kind has a database for it" make_database "$kind"
done
check_server postgres 127.0.0.1 5432 TCP
check_server postgres /run/postgresql 5432 'its local socket'
check_server mariadb 127.0.0.1 3306 TCP
check_server mariadb /run/mysqld/mysqld.sock 3306 'its local socket'
rm /etc/systemd/system/pccs.service.d/*.conf
check 'a connection to the example socket starts it' serves_on_passed_socket
check 'with the socket held, no client is refused while it restarts' refuses_nobody
systemctl disable --now pccs.socket
rm /etc/systemd/system/pccs.socket
systemctl daemon-reload
systemctl stop pccs.service
check 'it stops cleanly' is Result success
journalctl -u pccs.service -o cat --no-pager
