/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Woken by other instances: LISTEN on a connection of its own, where the server knows it.
 * Takes a time, gives whether it was waited; who wrote what is read from pccs_changes all the same
 * (store_shared.c), so that a notification that never comes costs half a second and no more.
 * Called by the one thread that waits for changes.
 * Must never be needed: a refusal, a server that forwards none, a lost connection lead to polling.
 * docs/decisions/0007.
 */
#include <poll.h>

#include "store/postgres_priv.h"

enum {
    LISTEN_MS = 500,        /* without a notification; then somebody looks */
    LISTEN_AGAIN_MS = 2000, /* after a connection that failed */
};

static void
listener_close(struct postgres_listener *listener)
{
    postgres_disconnect(listener->connection);
    listener->connection = NULL;
    listener->retry_at_ms = postgres_now_ms() + LISTEN_AGAIN_MS;
}

static bool
listener_open(struct server_db *db, struct postgres_listener *listener)
{
    struct fault ignored;
    if (postgres_now_ms() < listener->retry_at_ms ||
        postgres_connect(db, &listener->connection, &ignored) != 0) {
        listener->retry_at_ms = postgres_now_ms() + LISTEN_AGAIN_MS;
        return false;
    }
    struct postgres_connection *own = postgres_of(listener->connection);
    int code = own->can_notify ? postgres_execute(own, "LISTEN " POSTGRES_CHANNEL, NULL, &ignored)
                               : FAULT_STORE;
    if (code != 0) {
        bool refused = !own->can_notify || pq.status(own->handle) == CONNECTION_OK;
        atomic_store(&listener->is_refused, refused);
        listener_close(listener);
    }
    return code == 0;
}

static bool
is_known(const struct server_db *db, const char *instance)
{
    for (size_t i = 0; i < db->peer_count; i++) {
        if (strcmp(db->peers[i].instance, instance) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes all notifications; true if another instance sent one. A new instance must be listed before
 * what it wrote can be read. */
static bool
take_notifications(struct server_db *db, PGconn *handle)
{
    bool woken = false;
    for (PGnotify *n = pq.notifies(handle); n != NULL; n = pq.notifies(handle)) {
        if (strcmp(n->extra, db->instance) != 0) {
            woken = true;
            db->listed_ms = is_known(db, n->extra) ? db->listed_ms : 0;
        }
        pq.freemem(n);
    }
    return woken;
}

bool
postgres_listen(struct server_db *db, int timeout_ms)
{
    struct postgres_listener *listener = db->listener;
    if (listener == NULL || atomic_load(&listener->is_refused)) {
        return false;
    }
    if (listener->connection == NULL) {
        return listener_open(db, listener); /* there may be news from before: look at once */
    }
    PGconn *handle = postgres_of(listener->connection)->handle;
    int64_t until_ms = postgres_now_ms() + (timeout_ms < LISTEN_MS ? timeout_ms : LISTEN_MS);
    while (!take_notifications(db, handle)) {
        if (postgres_poll(handle, POLLIN, until_ms) == 0) {
            return true;
        }
        if (pq.consume_input(handle) == 0) {
            listener_close(listener);
            return false;
        }
    }
    return true;
}

void
postgres_listen_end(struct server_db *db)
{
    struct postgres_listener *listener = db->listener;
    if (listener != NULL) {
        postgres_disconnect(listener->connection);
        free(listener);
        db->listener = NULL;
    }
}
