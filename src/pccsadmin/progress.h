/* SPDX-License-Identifier: BSD-3-Clause */
/* A bar on a terminal: counts and the time that remains. For hours of work also lines elsewhere. */
#ifndef PCCSADMIN_PROGRESS_H
#define PCCSADMIN_PROGRESS_H

#include <stdint.h>

#include "pccsadmin/arguments_admin.h"

struct progress {
    const char *what; /* "platforms" */
    size_t total, done, failed;
    bool is_on, is_shown;
    bool is_long; /* shows the rate, too */
    const struct arguments
        *lines; /* no terminal: a line on standard output now and then, or NULL */
    int64_t started_ms, shown_ms;
};
void progress_start(struct progress *progress, const struct arguments *args, const char *what,
                    size_t total);
/* The same for hours of work: with its rate; without a terminal a line every few seconds. */
void progress_start_long(struct progress *progress, const struct arguments *args, const char *what,
                         size_t total);
void progress_show(struct progress *progress);  /* not more often than five times a second */
void progress_clear(struct progress *progress); /* takes the bar away for a line of text */
void progress_end(struct progress *progress);   /* takes the bar away */

#endif
