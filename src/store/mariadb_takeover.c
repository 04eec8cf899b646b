/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables on MariaDB and MySQL: made, brought to version 5, widened, given their indexes.
 * Takes a connection of its own and the version that server_takeover.c found, gives tables that the
 * statements can work on.
 * Called once, while the store is opened, by the one instance that holds the claim.
 * Must never leave what a kill in the middle would make wrong: a change of a table commits by
 * itself here, so each step looks whether it is done already, each table changes in one statement,
 * and what cannot be seen in the tables (bytes where hex text was) is noted in the same
 * transaction. database.md.
 */
#include <stdio.h>

#include "store/mariadb_priv.h"

/* Each server reads its own half: MariaDB has collations without padding, and skips MySQL's
 * comments of these versions; to MySQL the other one is a comment. */
#define COLLATE(charset)                                                                           \
    " CHARACTER SET " charset " COLLATE /*M! " charset "_nopad_bin *//*!50700 " charset "_bin */"

#define DDL_WORD(count) "VARCHAR(" count ")"
#define DDL_QEID "VARCHAR(260)"
#define DDL_KEY "VARCHAR(2112)" COLLATE("ascii")
#define DDL_BLOB "LONGBLOB"
#define DDL_TEXT "MEDIUMTEXT"
#define DDL_TIME "DATETIME(3)"
#define DDL_END " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT" COLLATE("utf8mb4")
#define DDL_META "SequelizeMeta"
#define DDL_INSERT_NEW "INSERT IGNORE"
#define DDL_IF_NEW ""

const char *const maria_tables[] = {
#define TABLE(text) text,
#include "store/server_tables.def"
#undef TABLE
    NULL,
};

const char maria_claims_table[] =
    "CREATE TABLE IF NOT EXISTS pccs_claims (name " DDL_WORD("200") " NOT NULL, holder " DDL_WORD(
        "64") " NOT NULL, until_at BIGINT NOT NULL, PRIMARY KEY (name))" DDL_END;

/* ---- indexes: MySQL knows no IF NOT EXISTS for them ---- */

struct index {
    const char *name, *table, *columns;
};
/* InnoDB appends the primary key by itself. */
static const struct index indexes[] = {
    {"pccs_platforms_by_fmspc", "platforms", "fmspc"},
    {"pccs_queue_by_state", "platforms_registered", "state"},
};

enum { TEXT_SIZE = 1024 };

static int
index_make(struct db_connection *connection, const struct index *index, struct fault *why)
{
    char text[TEXT_SIZE];
    int64_t count = 0;
    (void)snprintf(text, sizeof(text),
                   "SELECT count(*) FROM information_schema.statistics WHERE table_schema ="
                   " DATABASE() AND table_name = '%s' AND index_name = '%s'",
                   index->table, index->name);
    int code = maria_ask_number(connection, text, &count, why);
    if (code != 0 || count > 0) {
        return code;
    }
    (void)snprintf(text, sizeof(text), "CREATE INDEX %s ON %s (%s)", index->name, index->table,
                   index->columns);
    return maria_execute(connection, text, why);
}

int
maria_finish(struct db_connection *connection, struct fault *why)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(indexes); i++) {
        code = index_make(connection, &indexes[i], why);
    }
    return code;
}

int
maria_migrate(struct db_connection *connection, int version, struct fault *why)
{
    (void)connection;
    return fault_set(why, FAULT_CONFIG, "store", "version %d cannot be taken over yet", version);
}
