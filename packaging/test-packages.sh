#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# test-packages.sh FOLDER: installs the Debian packages of FOLDER into a root of their own, starts,
# upgrades, goes back, removes and purges them there. Needs root, debootstrap and the system's own
# package sources; where systemd-nspawn can boot the root, the unit runs under a real systemd.
# Nothing outside FOLDER changes. The last line is "N passed, N failed".
set -eu
out=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$out/root
servers='postgresql mariadb-server'
passed=0
failed=0

# check WHAT COMMAND...
check() {
    what=$1
    shift
    if "$@" >"$out/check.log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
        sed 's/^/        /' "$out/check.log"
    fi
}

fails() {
    ! "$@"
}

in_root() {
    chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}

# ---- a root of its own ----

make_root() {
    umount_root
    rm -rf "$root"
    if [ ! -f "$out/base.tar" ]; then
        echo "a new root by debootstrap; it is kept in $out/base.tar"
        # shellcheck disable=SC1091
        release=$(. /etc/os-release && echo "$VERSION_CODENAME")
        # shellcheck disable=SC2016  # apt-get's own variables
        mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' |
            sed -n "s/ $release\$//p" | head -n 1)
        debootstrap --variant=minbase "$release" "$root" "$mirror" >"$out/debootstrap.log" 2>&1
        # no service starts by itself in a root without an init
        printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
        chmod 755 "$root/usr/sbin/policy-rc.d"
        cp /etc/resolv.conf "$root/etc/resolv.conf"
        in_root apt-get update >"$out/apt.log" 2>&1
        in_root apt-get install -y --no-install-recommends ca-certificates curl libcurl4 \
            libjansson4 libseccomp2 libsqlite3-0 liburcu8 systemd systemd-sysv >>"$out/apt.log" 2>&1
        # installed later: without the libraries of database servers there is something to see too
        # shellcheck disable=SC2086
        in_root apt-get install -y --no-install-recommends --download-only $servers \
            >>"$out/apt.log" 2>&1
        tar -C "$root" -cf "$out/base.tar" .
    else
        mkdir -p "$root"
        tar -C "$root" -xf "$out/base.tar"
    fi
    mount -t proc proc "$root/proc"
    mkdir -p "$root/packages"
    cp "$out"/*.deb "$root/packages"
}

umount_root() {
    if [ -d "$root/proc/1" ]; then
        umount "$root/proc"
    fi
}

# version_of PACKAGE NEW: a package of the same content with a higher version and a new default.
higher_version() {
    (
        cd "$root/packages"
        rm -rf repack
        dpkg-deb -R pccs_[0-9]*.deb repack
        sed -i 's/^Version: .*/Version: 99.0-1/' repack/DEBIAN/control
        sed -i 's/"LogLevel" : "info"/"LogLevel" : "warn"/' repack/etc/pccs/pccs.json
        dpkg-deb --root-owner-group -b repack pccs99.deb
        rm -rf repack
    )
}

# A package that stands for Intel's of the same trade.
stand_in() {
    mkdir -p "$root/packages/$1/DEBIAN"
    printf 'Package: %s\nVersion: 1.22\nArchitecture: all\nMaintainer: x <x@example.org>\n' "$1" \
        >"$root/packages/$1/DEBIAN/control"
    echo 'Description: stands for the package of this name' >>"$root/packages/$1/DEBIAN/control"
    dpkg-deb -b "$root/packages/$1" "$root/packages/$1.deb"
}

# ---- what is looked at ----

owned() { # owned PATH "MODE OWNER GROUP"
    [ "$(in_root stat -c '%a %U %G' "$1")" = "$2" ]
}

# Starts the service as its unit does, asks it, ends it.
serves() {
    rm -f "$out/service.log"
    chroot --userspec=pccs:pccs "$root" env PCCS_HTTPS_PORT=0 PCCS_LOG_FILE=- \
        pccsd -c /etc/pccs/pccs.json >"$out/service.log" 2>&1 &
    service=$!
    tries=0
    port=
    while [ -z "$port" ] && [ $tries -lt 100 ]; do
        sleep 0.2
        tries=$((tries + 1))
        port=$(sed -n 's/^pccsd ready on .*:\([0-9]*\)$/\1/p' "$out/service.log")
    done
    answered=1
    curl -sS --fail --noproxy '*' --cacert "$root/var/lib/pccs/ssl_key/ca.crt" \
        "https://localhost:$port/healthz/ready" && answered=0
    kill -HUP "$service" && sleep 0.5
    kill "$service"
    wait "$service" || answered=1
    cat "$out/service.log"
    [ "$answered" = 0 ] && grep -q ' reload ' "$out/service.log" &&
        grep -q 'syscalls-narrowed' "$out/service.log"
}

test_install() {
    check 'all packages install' in_root sh -c 'apt-get install -y --no-install-recommends \
        /packages/pccs_[0-9]*.deb /packages/pccs-admin-tool_*.deb /packages/pcs-sim_*.deb \
        /packages/sgx-pck-id-retrieval-tool-c_*.deb'
    check 'the user exists, without a shell' in_root sh -c \
        'getent passwd pccs | grep -q ":/var/lib/pccs:/usr/sbin/nologin$"'
    check 'the retrieval tool has its settings file' \
        test -f "$root/etc/pckid/network_setting.conf"
    check 'all of it is comments' \
        fails grep -qv '^\(#.*\)*$' "$root/etc/pckid/network_setting.conf"
    check 'the configuration is for root and the service' owned /etc/pccs/pccs.json '640 root pccs'
    check 'the data is for the service' owned /var/lib/pccs '750 pccs pccs'
    check 'a TLS key pair was made, for the service alone' \
        owned /var/lib/pccs/ssl_key/private.pem '600 pccs pccs'
    check 'the unit is enabled' test -L "$root/etc/systemd/system/multi-user.target.wants/pccs.service"
    check 'its configuration passes pccsd --check, libcurl included' \
        chroot --userspec=pccs:pccs "$root" pccsd -c /etc/pccs/pccs.json --check
    check 'no file of Intel'\''s is touched' \
        fails in_root sh -c 'ls -d /opt/intel /usr/local/bin/*'
    for program in pccsadmin PCKIDRetrievalTool pcs-sim; do
        check "$program starts" in_root "$program" --version
    done
    for page in man8/pccsd.8 man5/pccs.json.5 man1/pccsadmin.1 man1/PCKIDRetrievalTool.1 man1/pcs-sim.1; do
        check "there is a manual page $page" test -f "$root/usr/share/man/$page.gz"
    done
    check 'it serves, reloads, ends' serves
}

# refused KIND WORDS: pccsd --check with a database server of this kind at a port where none is ends
# with one line that holds these words.
refused() {
    section=PCCS_$(echo "$1" | tr '[:lower:]' '[:upper:]')
    status=0
    chroot --userspec=pccs:pccs "$root" env PCCS_DB_CONFIG="$1" "${section}_USERNAME=pccs" \
        "${section}_OPTIONS_HOST=127.0.0.1" "${section}_OPTIONS_PORT=1" \
        pccsd -c /etc/pccs/pccs.json --check 2>"$out/refusal.log" || status=$?
    cat "$out/refusal.log"
    [ "$status" = 1 ] && [ "$(wc -l <"$out/refusal.log")" = 1 ] && grep -q "$2" "$out/refusal.log"
}

# The drivers' libraries are loaded when DB_CONFIG names them: the packages only suggest them.
test_database_libraries() {
    check 'no library of a database server comes with the packages' \
        fails in_root sh -c 'ls /usr/lib/*/libpq.so.5 /usr/lib/*/libmariadb.so.3'
    check 'PostgreSQL without its library: the package is named' refused postgres 'libpq5.*libpq.so.5'
    for kind in mariadb mysql; do
        check "$kind without its library: the package is named" \
            refused "$kind" 'libmariadb3.*libmariadb.so.3'
    done
    check 'the libraries install' in_root apt-get install -y --no-install-recommends \
        libpq5 libmariadb3
    check 'PostgreSQL with it: the server is asked' refused postgres '127.0.0.1:1/.*no connection'
    for kind in mariadb mysql; do
        check "$kind with it: the server is asked" refused "$kind" '127.0.0.1:1/.*cannot be reached'
    done
}

test_upgrade() {
    fingerprint=$(sha256sum "$root/var/lib/pccs/ssl_key/private.pem")
    sed -i 's/"LogLevel" : "info"/"LogLevel" : "http"/' "$root/etc/pccs/pccs.json"
    higher_version >"$out/repack.log" 2>&1
    check 'an upgrade installs' in_root \
        dpkg --force-confdef --force-confold -i /packages/pccs99.deb
    check 'an edited configuration is kept' grep -q '"LogLevel" : "http"' "$root/etc/pccs/pccs.json"
    check 'the new default stands beside it' test -f "$root/etc/pccs/pccs.json.dpkg-dist"
    check 'its owner and mode are kept' owned /etc/pccs/pccs.json '640 root pccs'
    check 'the key pair is kept' test "$fingerprint" = \
        "$(sha256sum "$root/var/lib/pccs/ssl_key/private.pem")"
    check 'the database is kept' test -s "$root/var/lib/pccs/pckcache.db"
    check 'it serves after the upgrade' serves
    check 'the way back installs' in_root sh -c 'dpkg --force-downgrade --force-confold \
        -i /packages/pccs_[0-9]*.deb'
    check 'it serves after the way back' serves
}

test_removal() {
    check 'it is removed' in_root apt-get remove -y pccs
    check 'program and unit are gone' \
        fails in_root sh -c 'ls /usr/bin/pccsd /lib/systemd/system/pccs.service'
    check 'configuration and data stay' test -f "$root/etc/pccs/pccs.json" \
        -a -f "$root/var/lib/pccs/pckcache.db"
    check 'it is installed again' in_root sh -c 'apt-get install -y /packages/pccs_[0-9]*.deb'
    check 'it serves as before' serves
    check 'it is purged' in_root apt-get purge -y pccs
    check 'configuration and data are gone' \
        fails in_root sh -c 'ls -d /etc/pccs/pccs.json /var/lib/pccs'
    check 'the user stays, so that its number is not given away' in_root getent passwd pccs
}

# Intel's packages of the same trade must not be half replaced.
test_conflicts() {
    for name in sgx-dcap-pccs sgx-pck-id-retrieval-tool; do
        stand_in "$name" >"$out/repack.log" 2>&1
    done
    in_root apt-get purge -y sgx-pck-id-retrieval-tool-c >"$out/apt.log" 2>&1
    in_root dpkg -i /packages/sgx-dcap-pccs.deb /packages/sgx-pck-id-retrieval-tool.deb \
        >>"$out/apt.log" 2>&1
    check 'the service is not installed beside Intel'\''s' \
        fails in_root sh -c 'dpkg -i /packages/pccs_[0-9]*.deb'
    check 'the retrieval tool takes the place of Intel'\''s' \
        in_root sh -c 'apt-get install -y /packages/sgx-pck-id-retrieval-tool-c_*.deb &&
            ! dpkg -s sgx-pck-id-retrieval-tool'
}

# The RPMs in a fresh root of this system: what they bring runs here, and their scripts are plain.
test_rpms() {
    command -v rpm >/dev/null || {
        echo 'skipped the RPMs: no rpm'
        return 0
    }
    make_root
    check 'the RPMs install' rpm --root "$root" --nodeps -i "$out"/*."$(uname -m)".rpm
    check 'their user exists' in_root getent passwd pccs
    check 'their configuration is for root and the service' owned /etc/pccs/pccs.json '640 root pccs'
    check 'their data is for the service' owned /var/lib/pccs '750 pccs pccs'
    check 'their service serves, reloads, ends' serves
    echo ' ' >>"$root/etc/pccs/pccs.json"
    check 'they are put over themselves' \
        rpm --root "$root" --nodeps -U --replacepkgs --replacefiles "$out"/pccs-[0-9]*."$(uname -m)".rpm
    check 'their service serves after that' serves
    check 'they are erased' rpm --root "$root" --nodeps -e pccs pccs-admin-tool \
        sgx-pck-id-retrieval-tool-c pcs-sim
    check 'their program is gone' fails in_root ls /usr/bin/pccsd
    check 'their data and edited configuration stay' test -f "$root/var/lib/pccs/pckcache.db" \
        -a -f "$root/etc/pccs/pccs.json.rpmsave"
}

# The unit under a real systemd, if one can be booted here; test-unit.sh says what it found.
test_unit() {
    command -v systemd-nspawn >/dev/null || {
        echo 'skipped the unit under systemd: no systemd-nspawn'
        return 0
    }
    # shellcheck disable=SC2086
    check 'database servers install, for the unit to reach' \
        in_root apt-get install -y --no-install-recommends $servers
    umount_root
    rm -f "$root/usr/sbin/policy-rc.d"
    cp "$here/test-unit.sh" "$root/packages/"
    cat >"$root/etc/systemd/system/test-unit.service" <<'UNIT'
[Unit]
After=pccs.service postgresql.service mariadb.service
[Service]
Type=oneshot
TimeoutStartSec=4min
ExecStart=/bin/sh /packages/test-unit.sh
StandardOutput=file:/packages/test-unit.log
StandardError=inherit
ExecStopPost=/bin/systemctl poweroff --force
[Install]
WantedBy=multi-user.target
UNIT
    ln -sf ../test-unit.service \
        "$root/etc/systemd/system/multi-user.target.wants/test-unit.service"
    # No network but its own loopback; at most five minutes. nspawn wants a /run in memory, which
    # not every machine has.
    timeout -k 10 300 unshare -m sh -c "mount -t tmpfs tmpfs /run &&
        exec systemd-nspawn -q -D '$root' --register=no --keep-unit --private-network \
            -M pccs-test --boot" >"$out/nspawn.log" 2>&1 </dev/null || true
    rm -f "$root"/etc/systemd/system/multi-user.target.wants/test-unit.service \
        "$root"/etc/systemd/system/test-unit.service \
        "$root"/etc/systemd/system/pccs.service.d/*.conf
    mount -t proc proc "$root/proc"
    if [ ! -s "$root/packages/test-unit.log" ]; then
        echo "skipped the unit under systemd: it does not boot here ($(tail -n 1 "$out/nspawn.log"))"
        return 0
    fi
    while IFS='|' read -r verdict what; do
        check "unit: $what" test "$verdict" = ok
        [ "$verdict" = ok ] || tail -n 60 "$root/packages/test-unit.details"
    done <"$root/packages/test-unit.log"
    cp "$root/packages/test-unit.details" "$out"
}

trap umount_root EXIT
make_root
test_install
test_database_libraries
test_unit
test_upgrade
test_removal
test_conflicts
test_rpms
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
