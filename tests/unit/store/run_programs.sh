#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs each cmocka program that is named, whatever became of those before it, and tells how each
# ended; what the failed ones said comes last. Usage: run_programs.sh PROGRAM... The exit status is 1
# if one failed, 77 (which Meson counts as skipped) if all skipped.
set -u
status=77
failures=
for program in "$@"; do
    echo "== $(basename "$program")"
    output=$("$program" 2>&1)
    case $? in
    0)
        [ "$status" = 1 ] || status=0
        printf '%s\n' "$output" | grep -E '^\[  (PASSED|SKIPPED) +\] [0-9]+ test'
        ;;
    77) printf '%s\n' "$output" ;;
    *)
        status=1
        failures="$failures
== $(basename "$program")
$(printf '%s\n' "$output" | grep -Ev '^\[ (RUN|      OK) ')"
        ;;
    esac
done
printf '%s\n' "$failures"
exit "$status"
