/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers on their way from other threads to the loop that owns the connection. A node is made
 * ready before a request is handed out, so that handing in its answer can never fail.
 */
#ifndef HTTP_HTTP_LATER_H
#define HTTP_HTTP_LATER_H

#include <pthread.h>

#include "http/http.h"

struct http_later_node {
    struct http_later_node *next;
    struct http_ticket ticket;
    struct http_answer answer; /* head_extra points into extra */
    char extra[LIMIT_HTTP_HEAD_EXTRA_BYTES];
};

struct http_later {
    pthread_mutex_t lock;                  /* protects the two lists and closed */
    struct http_later_node *first, **last; /* handed in, in order */
    struct http_later_node *spare;
    bool closed;     /* the loop has ended */
    int wake_fd;     /* eventfd, in the loop's epoll set */
    size_t nodes;    /* all there are; nodes and promised belong to the loop alone */
    size_t promised; /* requests handed out and not answered yet */
};

int http_later_init(struct http_later *later); /* 0, or errno */
/* The loop has ended: releases what was handed in, and from now on what is. */
void http_later_close(struct http_later *later);
void http_later_done(struct http_later *later);

/* Loop: makes sure that one more request can be handed out; false if memory ran out. */
bool http_later_reserve(struct http_later *later);
/* Any thread: hands in an answer. */
void http_later_put(struct http_later *later, struct http_ticket ticket,
                    const struct http_answer *answer);
/* Loop: everything handed in so far; give each node back with http_later_give_back. */
struct http_later_node *http_later_take_all(struct http_later *later);
void http_later_give_back(struct http_later *later, struct http_later_node *node);
/* Any thread: makes the loop look around. */
void http_later_wake(struct http_later *later);

#endif
