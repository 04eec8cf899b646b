/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carries answers from any thread to the loop that owns the connection: a list and an eventfd.
 *
 * Takes tickets with answers, gives them to the loop in the order in which they came.
 * http_later_put and http_later_wake are called on any thread, all else on the loop's thread (init,
 * close and done on the server's owner's). Shared and mutable: the lists, under the lock; held for
 * a few assignments only. Must never fail on the way in: each request that is handed out has its
 * node reserved before (http_later_reserve), so that memory running out costs a request at its
 * start, where it can still be refused, and never leaves a client waiting for ever.
 */
#include "http/http_later.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

int
http_later_init(struct http_later *later)
{
    *later = (struct http_later){.wake_fd = -1};
    later->last = &later->first;
    int error = pthread_mutex_init(&later->lock, NULL);
    if (error != 0) {
        return error;
    }
    later->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (later->wake_fd < 0) {
        error = errno;
        pthread_mutex_destroy(&later->lock);
    }
    return error;
}

static void
release_answer(const struct http_answer *answer)
{
    if (answer->release != NULL) {
        answer->release(answer->owner);
    }
}

void
http_later_close(struct http_later *later)
{
    pthread_mutex_lock(&later->lock);
    later->closed = true;
    pthread_mutex_unlock(&later->lock);
    struct http_later_node *next;
    for (struct http_later_node *node = http_later_take_all(later); node != NULL; node = next) {
        next = node->next;
        release_answer(&node->answer);
        http_later_give_back(later, node);
    }
}

void
http_later_done(struct http_later *later)
{
    struct http_later_node *next;
    for (struct http_later_node *node = later->spare; node != NULL; node = next) {
        next = node->next;
        free(node);
    }
    later->spare = NULL;
    if (later->wake_fd >= 0) {
        close(later->wake_fd);
        later->wake_fd = -1;
        pthread_mutex_destroy(&later->lock);
    }
}

static void
add_spare(struct http_later *later, struct http_later_node *node)
{
    pthread_mutex_lock(&later->lock);
    node->next = later->spare;
    later->spare = node;
    pthread_mutex_unlock(&later->lock);
}

bool
http_later_reserve(struct http_later *later)
{
    if (later->nodes > later->promised) {
        return true;
    }
    struct http_later_node *node = malloc(sizeof *node);
    if (node == NULL) {
        return false;
    }
    later->nodes++;
    add_spare(later, node);
    return true;
}

void
http_later_put(struct http_later *later, struct http_ticket ticket,
               const struct http_answer *answer)
{
    must(answer->head_extra.size <= LIMIT_HTTP_HEAD_EXTRA_BYTES);
    pthread_mutex_lock(&later->lock);
    if (later->closed) {
        pthread_mutex_unlock(&later->lock);
        release_answer(answer);
        return;
    }
    struct http_later_node *node = later->spare;
    must(node != NULL); /* one ticket was answered twice */
    later->spare = node->next;
    node->next = NULL;
    node->ticket = ticket;
    node->answer = *answer;
    if (answer->head_extra.size > 0) {
        memcpy(node->extra, answer->head_extra.data, answer->head_extra.size);
    }
    node->answer.head_extra = span_of(node->extra, answer->head_extra.size);
    bool was_empty = later->first == NULL;
    *later->last = node;
    later->last = &node->next;
    pthread_mutex_unlock(&later->lock);
    if (was_empty) {
        http_later_wake(later);
    }
}

struct http_later_node *
http_later_take_all(struct http_later *later)
{
    uint64_t count;
    /* cleared before the list is taken: what comes after it wakes again */
    ssize_t size = read(later->wake_fd, &count, sizeof count);
    (void)size;
    pthread_mutex_lock(&later->lock);
    struct http_later_node *first = later->first;
    later->first = NULL;
    later->last = &later->first;
    pthread_mutex_unlock(&later->lock);
    return first;
}

void
http_later_give_back(struct http_later *later, struct http_later_node *node)
{
    must(later->promised > 0);
    later->promised--;
    /* what a burst needed goes back to the system */
    if (later->nodes > later->promised + 64) {
        later->nodes--;
        free(node);
        return;
    }
    add_spare(later, node);
}

void
http_later_wake(struct http_later *later)
{
    uint64_t one = 1;
    /* EAGAIN means that it is awake already */
    ssize_t size = write(later->wake_fd, &one, sizeof one);
    (void)size;
}
