#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# install-config.sh FILE FOLDER [NAME]: run by "meson install". An edited configuration stays as it is: what
# is new goes beside it, for the operator to compare.
set -eu
source=$1
target=${DESTDIR:-}$2/${3:-pccs.json}

mkdir -p "${target%/*}"
if [ -f "$target" ] && ! cmp -s "$source" "$target"; then
    install -m 644 "$source" "$target.new"
    echo "$target was kept; the new one is $target.new"
else
    install -m 644 "$source" "$target"
fi
