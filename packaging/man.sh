#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# man.sh LOWDOWN VERSION INPUT.md OUTPUT: a manual page of docs/man as roff. The page's first line,
# "# name(section): what it is", becomes the title and the section NAME that whatis(1) reads.
set -eu
lowdown=$1 version=$2 input=$3 output=$4

head=$(sed -n '1s/^# \([A-Za-z.-]*\)(\([1-8]\)): \(.*\)$/\1|\2|\3/p' "$input")
if [ -z "$head" ]; then
    echo "$input: the first line is not of the form '# name(section): what it is'" >&2
    exit 1
fi
name=${head%%|*}
rest=${head#*|}
section=${rest%%|*}
what=${rest#*|}
# reproducible: not the day of the build
day=$(date -u -d "@${SOURCE_DATE_EPOCH:-0}" +%Y-%m-%d)
# before lowdown 1.0 the option was a capital letter
mode=-t
"$lowdown" -t man </dev/null >/dev/null 2>&1 || mode=-T

{
    printf '# NAME\n\n%s - %s\n' "$name" "$what"
    # one level up, sections in capitals as man pages have them; code stands indented
    sed -e 1d -e 's/^##\(#*\) /#\1 /' -e '/^# /s/.*/\U&/' "$input"
} | "$lowdown" -s "$mode" man -M title="$name" -M section="$section" -M date="$day" \
    -M source="pccs $version" -M volume="PCCS" |
    # tables want tbl; narrow columns want no justification
    sed -e "1i '\\\\\" t" -e '/^\.TH /a .ad l' >"$output"
