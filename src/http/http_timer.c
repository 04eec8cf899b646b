/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps the deadlines of one loop: one circular list per kind, appended at its tail.
 *
 * Takes the time as an argument, gives the next deadline and what has expired. Called only on the
 * thread of the loop that owns the timers. Must never look at the clock, and never walk a list:
 * ten thousand connections cost what one costs.
 * Follows api.md, Transport: each time-out is kept to the second.
 */
#include "http/http_timer.h"

void
http_timers_init(struct http_timers *timers, const int duration_ms[HTTP_TIMER_COUNT])
{
    for (int kind = 0; kind < HTTP_TIMER_COUNT; kind++) {
        struct http_timer_link *head = &timers->heads[kind];
        head->prev = head;
        head->next = head;
        timers->duration_ms[kind] = duration_ms[kind];
    }
}

void
http_timer_start(struct http_timers *timers, struct http_timer_link *link, enum http_timer kind,
                 int64_t now_ms)
{
    http_timer_stop(link);
    struct http_timer_link *head = &timers->heads[kind];
    link->kind = kind;
    link->deadline_ms = now_ms + timers->duration_ms[kind];
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

void
http_timer_stop(struct http_timer_link *link)
{
    if (link->next == NULL) {
        return;
    }
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = NULL;
    link->next = NULL;
}

struct http_timer_link *
http_timers_oldest(const struct http_timers *timers, enum http_timer kind)
{
    const struct http_timer_link *head = &timers->heads[kind];
    return head->next != head ? head->next : NULL;
}

int64_t
http_timers_next(const struct http_timers *timers)
{
    int64_t next_ms = INT64_MAX;
    for (enum http_timer kind = 0; kind < HTTP_TIMER_COUNT; kind++) {
        const struct http_timer_link *oldest = http_timers_oldest(timers, kind);
        if (oldest != NULL && oldest->deadline_ms < next_ms) {
            next_ms = oldest->deadline_ms;
        }
    }
    return next_ms;
}

struct http_timer_link *
http_timers_take_expired(struct http_timers *timers, int64_t now_ms)
{
    for (enum http_timer kind = 0; kind < HTTP_TIMER_COUNT; kind++) {
        struct http_timer_link *oldest = http_timers_oldest(timers, kind);
        if (oldest != NULL && oldest->deadline_ms <= now_ms) {
            http_timer_stop(oldest);
            return oldest;
        }
    }
    return NULL;
}
