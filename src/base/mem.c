/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of the process when a rule that only our own mistake can break was broken.
 * Takes the expression and its place, gives nothing back: one line on standard error, then abort,
 * so that a core or the service manager shows where.
 * Called by must() only, from any thread. Must never be reached by outside bytes, and allocates
 * nothing, since the heap may be what is broken.
 */
#include "base/mem.h"

#include <stdio.h>
#include <unistd.h>

void
must_failed(const char *expression, const char *file, int line)
{
    char text[512];
    int size = snprintf(text, sizeof text, "pccs: internal: %s:%d: must(%s) does not hold\n", file,
                        line, expression);
    if (size > 0) {
        size_t shown = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
        ssize_t written = write(STDERR_FILENO, text, shown);
        (void)written; /* there is nobody left to tell */
    }
    abort();
}
