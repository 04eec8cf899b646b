#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# build-packages.sh deb|rpm FOLDER: packages of this tree in FOLDER, without a network. Needs what
# packaging/debian/control and packaging/rpm/pccs.spec ask for; ./dev package installs it.
set -eu
kind=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)

# The source as it is released: what git knows, as it stands here; else all but what was built.
write_source() {
    day=${SOURCE_DATE_EPOCH:-$(date -d "$(sed -n '/^ -- /{s/.*>  //p;q}' packaging/debian/changelog)" +%s)}
    if [ -e .git ] && command -v git >/dev/null; then
        git ls-files -z >"$out/files"
    else
        find . -path './build*' -prune -o -type f -print0 >"$out/files"
    fi
    # a file that was deleted but not yet told to git is no reason to stop
    tar --null --no-recursion -T "$out/files" --ignore-failed-read --mtime="@$day" \
        --owner=0 --group=0 --numeric-owner \
        --transform 's,^\./,,' --transform "s,^,pccs-$version/," -czf "$1" 2>"$out/tar.log" ||
        { cat "$out/tar.log" >&2 && return 1; }
    rm "$out/tar.log"
    rm "$out/files"
}

build_deb() {
    work=$out/work
    rm -rf "$work"
    mkdir -p "$work"
    write_source "$work/pccs_$version.orig.tar.gz"
    tar -C "$work" -xzf "$work/pccs_$version.orig.tar.gz"
    cp -R packaging/debian "$work/pccs-$version/debian"
    (cd "$work/pccs-$version" && dpkg-buildpackage --no-sign)
    mv "$work"/*_* "$out"
    rm -rf "$work"
}

build_rpm() {
    top=$out/work
    rm -rf "$top"
    mkdir -p "$top/SOURCES" "$top/SPECS"
    write_source "$top/SOURCES/pccs-$version.tar.gz"
    # where there is no RPM database to ask, apt has seen to the build's needs
    nodeps=
    [ -e /etc/redhat-release ] || nodeps=--nodeps
    rpmbuild -ba $nodeps --define "_topdir $top" --define "_rpmdir $out" --define "_srcrpmdir $out" \
        --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
        packaging/rpm/pccs.spec
    rm -rf "$top"
}

case $kind in
deb) build_deb ;;
rpm) build_rpm ;;
*)
    echo 'usage: build-packages.sh deb|rpm FOLDER' >&2
    exit 2
    ;;
esac
