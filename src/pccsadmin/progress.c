/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shows how far a long work is, on standard error, if that is a terminal and the work takes over a
 * second (tools.md, All). Takes counts; gives one line that is written over itself.
 * Called by fetch, cache and store on the main thread.
 * Must never show itself in a log or a pipe, but for the lines of hours of work.
 */
#include "pccsadmin/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "pccsadmin/admin.h"

enum { FIRST_MS = 1000, EVERY_MS = 200, LINE_MS = 5000, BAR_MAX = 30, BAR_LEAST_COLUMNS = 70 };

void
progress_start(struct progress *progress, const struct arguments *args, const char *what,
               size_t total)
{
    *progress = (struct progress){
        .what = what,
        .total = total,
        .is_on = isatty(STDERR_FILENO) == 1 && !arguments_have(args, ADMIN_QUIET) &&
                 !arguments_have(args, ADMIN_JSON),
        .started_ms = clock_monotonic_ms(clock_system()),
    };
}

void
progress_start_long(struct progress *progress, const struct arguments *args, const char *what,
                    size_t total)
{
    progress_start(progress, args, what, total);
    progress->is_long = true;
    progress->shown_ms = progress->started_ms;
    progress->lines = isatty(STDERR_FILENO) == 1 ? NULL : args;
}

static void
time_left(const struct progress *progress, int64_t passed_ms, char out[32])
{
    if (progress->done == 0) {
        snprintf(out, 32, "?");
        return;
    }
    size_t rest = progress->total > progress->done ? progress->total - progress->done : 0;
    int64_t seconds = (int64_t)((double)passed_ms * (double)rest / (double)progress->done / 1000.0);
    if (seconds < 60) {
        snprintf(out, 32, "%lld s", (long long)seconds);
    } else if (seconds < 3600) {
        snprintf(out, 32, "%lld min %lld s", (long long)seconds / 60, (long long)seconds % 60);
    } else {
        snprintf(out, 32, "%lld h %lld min", (long long)seconds / 3600,
                 (long long)seconds / 60 % 60);
    }
}

/* ", 2100/s", or nothing. */
static void
rate_text(const struct progress *progress, int64_t passed_ms, char out[32])
{
    double rate = passed_ms > 0 ? 1000.0 * (double)progress->done / (double)passed_ms : 0.0;
    out[0] = '\0';
    if (progress->is_long) {
        snprintf(out, 32, ", %.0f/s", rate);
    }
}

static void
line_show(struct progress *progress, int64_t now_ms)
{
    char left[32];
    char rate[32];
    if (now_ms - progress->shown_ms < LINE_MS || progress->total == 0) {
        return;
    }
    time_left(progress, now_ms - progress->started_ms, left);
    rate_text(progress, now_ms - progress->started_ms, rate);
    say(progress->lines, "%zu of %zu %s%s, %s left", progress->done, progress->total,
        progress->what, rate, left);
    progress->shown_ms = now_ms;
}

void
progress_show(struct progress *progress)
{
    int64_t now_ms = clock_monotonic_ms(clock_system());
    if (progress->lines != NULL) {
        line_show(progress, now_ms);
        return;
    }
    if (!progress->is_on || now_ms - progress->started_ms < FIRST_MS ||
        now_ms - progress->shown_ms < EVERY_MS || progress->total == 0) {
        return;
    }
    struct winsize window = {0};
    ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
    char bar[BAR_MAX + 1] = "";
    char left[32];
    char rate[32];
    char failed[48] = "";
    int width = window.ws_col == 0 || window.ws_col >= BAR_LEAST_COLUMNS ? BAR_MAX : 0;
    size_t full = progress->done * (size_t)width / progress->total;
    memset(bar, '.', (size_t)width);
    memset(bar, '#', full < (size_t)width ? full : (size_t)width);
    time_left(progress, now_ms - progress->started_ms, left);
    rate_text(progress, now_ms - progress->started_ms, rate);
    if (progress->failed > 0) {
        snprintf(failed, sizeof failed, ", %zu failed", progress->failed);
    }
    fprintf(stderr, "\r\033[K%s%s%zu of %zu %s%s%s, %s left", bar, width > 0 ? " " : "",
            progress->done, progress->total, progress->what, failed, rate, left);
    fflush(stderr);
    progress->shown_ms = now_ms;
    progress->is_shown = true;
}

void
progress_clear(struct progress *progress)
{
    if (progress->is_shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    progress->is_shown = false;
}

void
progress_end(struct progress *progress)
{
    progress_clear(progress);
    progress->is_on = false;
    progress->lines = NULL;
}
