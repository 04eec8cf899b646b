#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs each program that is named, whatever became of those before it. Usage: run_programs.sh
# PROGRAM... The exit status is 1 if one failed, 77 (which Meson counts as skipped) if all skipped.
set -u
status=77
for program in "$@"; do
    echo "== $(basename "$program")"
    "$program"
    case $? in
    0) [ "$status" = 1 ] || status=0 ;;
    77) ;;
    *) status=1 ;;
    esac
done
exit "$status"
