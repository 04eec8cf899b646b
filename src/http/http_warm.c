/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps OpenSSL's two buffers of 16 KB on the few connections that are busy, and on no others.
 * Giving them back after every answer is what makes ten thousand idle connections cheap, and costs
 * a busy one some per cent of its time. So a connection is warm from its second request on, if the
 * loop has a place for it, or one whose holder has asked nothing for a second.
 * Called on the thread of the connection's loop, without allocating.
 * Must never let more than HTTP_WARM_MAX connections of a loop keep their buffers.
 */
#include "http/http_priv.h"

enum { WARM_IDLE_MS = 1000 };

static void
cool_down(struct http_conn *conn)
{
    conn->is_warm = false;
    if (conn->ssl != NULL) {
        SSL_set_mode(conn->ssl, SSL_MODE_RELEASE_BUFFERS);
        SSL_free_buffers(conn->ssl); /* not while they hold something; then with the next answer */
    }
}

void
http_warm_note(struct http_conn *conn)
{
    struct http_loop *loop = conn->loop;
    conn->answered_ms = loop->now_ms;
    if (conn->is_warm || conn->ssl == NULL) {
        return;
    }
    if (!conn->was_answered) {
        conn->was_answered = true;
        return;
    }
    size_t place = loop->warm_count;
    if (place == HTTP_WARM_MAX) {
        place = loop->warm_next++ % HTTP_WARM_MAX; /* one look per answer */
        if (loop->now_ms - loop->warm[place]->answered_ms < WARM_IDLE_MS) {
            return;
        }
        cool_down(loop->warm[place]);
    } else {
        loop->warm_count++;
    }
    loop->warm[place] = conn;
    conn->is_warm = true;
    SSL_clear_mode(conn->ssl, SSL_MODE_RELEASE_BUFFERS);
}

void
http_warm_forget(struct http_conn *conn)
{
    struct http_loop *loop = conn->loop;
    for (size_t i = 0; conn->is_warm && i < loop->warm_count; i++) {
        if (loop->warm[i] == conn) {
            loop->warm[i] = loop->warm[--loop->warm_count];
            break;
        }
    }
    conn->is_warm = false;
    conn->was_answered = false;
}
