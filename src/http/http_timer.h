/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Deadlines of one loop. There are few kinds, each with one duration, so each kind is a list in
 * order of its deadlines: starting, stopping and finding the next one cost the same whatever the
 * number of connections, and the head of the idle list is the connection that was idle longest.
 */
#ifndef HTTP_HTTP_TIMER_H
#define HTTP_HTTP_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_timer {
    HTTP_TIMER_HEADERS, /* from accept, or from a later request's first byte, to the head's end */
    HTTP_TIMER_REQUEST, /* for a body to come, for an answer to be read */
    HTTP_TIMER_IDLE,    /* between two requests */
    HTTP_TIMER_LINGER,  /* for a peer to see the last answer before the socket goes */
    HTTP_TIMER_COUNT,
    HTTP_TIMER_NONE = HTTP_TIMER_COUNT
};

/* Embedded in what has a deadline; all zero while it has none. */
struct http_timer_link {
    struct http_timer_link *prev, *next;
    int64_t deadline_ms;
    enum http_timer kind;
};

struct http_timers {
    struct http_timer_link heads[HTTP_TIMER_COUNT];
    int duration_ms[HTTP_TIMER_COUNT];
};

/* The address of timers must not change afterwards. */
void http_timers_init(struct http_timers *timers, const int duration_ms[HTTP_TIMER_COUNT]);

/* (Re)starts: the deadline is now_ms plus the duration of the kind. now_ms must never go back. */
void http_timer_start(struct http_timers *timers, struct http_timer_link *link,
                      enum http_timer kind, int64_t now_ms);
void http_timer_stop(struct http_timer_link *link); /* no harm if it is not running */

static inline bool
http_timer_is(const struct http_timer_link *link, enum http_timer kind)
{
    return link->next != NULL && link->kind == kind;
}

/* The earliest deadline; INT64_MAX if nothing runs. */
int64_t http_timers_next(const struct http_timers *timers);
/* One link whose deadline has come, stopped; NULL if there is none. */
struct http_timer_link *http_timers_take_expired(struct http_timers *timers, int64_t now_ms);
/* The link of that kind that runs longest, still running; NULL if there is none. */
struct http_timer_link *http_timers_oldest(const struct http_timers *timers, enum http_timer kind);

#endif
