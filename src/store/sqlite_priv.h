/* SPDX-License-Identifier: BSD-3-Clause */
/* What the SQLite engine's files share: sqlite_engine.c runs statements, store_sqlite.c opens the
 * file, sqlite_schema.c and sqlite_takeover.c see to its tables. */
#ifndef STORE_SQLITE_PRIV_H
#define STORE_SQLITE_PRIV_H

#include <sqlite3.h>

#include "store/store_priv.h"

struct sqlite_connection {
    struct db_connection base; /* first */
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT]; /* prepared when first wanted */
};

struct sqlite_db {
    struct db db; /* first */
    char *path;   /* absolute; ":memory:" */
    bool in_memory;
    int busy_timeout_ms;
    int lock_fd; /* -1: none */
};

static inline sqlite3 *
sqlite_handle(struct db_connection *connection)
{
    return ((struct sqlite_connection *)connection)->handle;
}

/* ---- sqlite_engine.c ---- */

extern const struct db_engine sqlite_engine;
/* Turns what SQLite says into a fault of ours. */
int sqlite_fault(sqlite3 *handle, int sqlite_code, struct fault *why);
/* Runs fixed text without parameters. */
int sqlite_execute(sqlite3 *handle, const char *text, struct fault *why) must_check;

/* ---- store_sqlite.c ---- */

/* Its connections are closed. */
void sqlite_db_free(struct sqlite_db *db);
/* The path, or the end of a long one: a fault's text is short. */
const char *sqlite_path_shown(const char *path);

/* ---- sqlite_schema.c, sqlite_takeover.c ---- */

int sqlite_schema_create(sqlite3 *handle, struct fault *why) must_check;
/* From version (0 to 4) to 5; 5: nothing. */
int sqlite_schema_migrate(sqlite3 *handle, int version, struct fault *why) must_check;
/* The tables of our own, SequelizeMeta's rows. */
int sqlite_schema_own(sqlite3 *handle, struct fault *why) must_check;
/* Creates, takes over or checks the database behind the writer. */
int sqlite_takeover(struct sqlite_db *db, const struct store_options *options,
                    struct fault *why) must_check;
/* The same judgement without the deed: what sqlite_takeover would do, in a line. */
int sqlite_takeover_foresee(sqlite3 *handle, const struct store_options *options, char *ret_text,
                            size_t text_size, struct fault *why) must_check;

#endif
