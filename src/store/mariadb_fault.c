/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the numbers of MariaDB and MySQL mean to an operator, and to the connection.
 * Takes a number, the server's own words and when the call began, gives a fault.
 * Called by the engine's other files on whatever thread holds the connection.
 * Must never repeat a value that was to be stored: where the server's words may quote one, they are
 * left out.
 * https://mariadb.com/kb/en/mariadb-error-code-reference/, the manual of MySQL 8, B.3.
 */
#include "store/mariadb_priv.h"

enum { COMMIT_FAILED = 1180, OUT_OF_MEMORY = 2008 };

enum consequence {
    PLAIN,
    CONFLICT, /* the transaction lost against another: run it again */
    LOST,     /* the connection is of no more use */
    ACT,      /* an operator must act */
    QUOTES,   /* the server's words may hold values */
};

struct meaning {
    unsigned number;
    enum consequence consequence;
    const char *words;
};

static const struct meaning meanings[] = {
    {1205, CONFLICT, "another transaction kept a row locked too long"},
    {1213, CONFLICT, "another transaction changed the same rows"},
    {1020, CONFLICT, "another transaction changed the same rows"},
    {3101, CONFLICT, "another node changed the same rows"},
    {3572, CONFLICT, "another transaction kept a row locked"},
    {2008, LOST, "no memory for the database"},
    /* gone, or going */
    {2002, LOST, "the server cannot be reached"},
    {2003, LOST, "the server cannot be reached"},
    {2005, LOST, "the server's host name is not known"},
    {2006, LOST, "the connection was closed"},
    {2012, LOST, "the server broke off its greeting"},
    {2013, LOST, "the connection was lost"},
    {2014, LOST, "the connection got out of step"},
    {2020, LOST, "a row is larger than anybody has use for"},
    {2027, LOST, "the server's answer was not understood"},
    {2055, LOST, "the connection was lost"},
    {1047, LOST, "the cluster's node is not ready"},
    {1053, LOST, "the server is shutting down"},
    {1077, LOST, "the server is shutting down"},
    {1079, LOST, "the server is shutting down"},
    {1152, LOST, "the connection was broken off"},
    {1153, LOST, "a value is larger than the server takes (max_allowed_packet)"},
    {1158, LOST, "the connection was lost"},
    {1159, LOST, "the server waited too long for us"},
    {1160, LOST, "the connection was lost"},
    {1161, LOST, "the server waited too long for us"},
    {1927, LOST, "the server closed the connection"},
    {3169, LOST, "the server closed the connection"},
    {4031, LOST, "the server closed the connection, idle too long"},
    {1243, LOST, "the server forgot a prepared statement"},
    /* another server, or this one a moment later, may be the primary */
    {1290, LOST, "the server is read-only"},
    {1836, LOST, "the server is read-only"},
    {3100, LOST, "the server refused the commit"},
    /* may pass */
    {1040, LOST, "the server has no connection left (max_connections)"},
    {1203, LOST, "the user has no connection left (max_user_connections)"},
    {1226, LOST, "the user's share of the server is used up"},
    {1461, LOST, "the server holds too many prepared statements (max_prepared_stmt_count)"},
    {1317, PLAIN, "the statement was broken off by the server"},
    {1969, PLAIN, "the statement took longer than allowed"},
    {3024, PLAIN, "the statement took longer than allowed"},
    {1615, PLAIN, "the tables were changed meanwhile"},
    /* of the server's machine */
    {1021, PLAIN, "the server's disk is full"},
    {1114, PLAIN, "the server's disk, or its table space, is full"},
    {1030, PLAIN, "the server's storage failed"},
    {1026, PLAIN, "the server's storage failed"},
    {1037, PLAIN, "the server has no memory"},
    {1038, PLAIN, "the server has no memory"},
    {1041, PLAIN, "the server has no memory"},
    {1206, PLAIN, "the server has no memory for locks"},
    {1180, PLAIN, "the commit failed"},
    {1034, ACT, "a table is damaged"},
    {1035, ACT, "a table is damaged"},
    {1194, ACT, "a table is damaged"},
    /* not in a column */
    {1406, QUOTES, "a value is longer than its column"},
    {1264, QUOTES, "a number is larger than its column"},
    {1292, QUOTES, "a value does not fit its column"},
    {1366, QUOTES, "a text has characters that its column does not take"},
    {1300, QUOTES, "a text has characters that its column does not take"},
    {3854, QUOTES, "a text has characters that its column does not take"},
    {3988, QUOTES, "a text has characters that its column does not take"},
    {1048, QUOTES, "a value is missing"},
    {1062, QUOTES, "the row is there already"},
    {1586, QUOTES, "the row is there already"},
    {1411, QUOTES, "a value does not fit its column"},
    /* an operator must act */
    {1044, ACT, "the user may not use the database"},
    {1045, ACT, "the login was refused"},
    {1698, ACT, "the login was refused"},
    {1130, ACT, "the server takes no logins from this host"},
    {1129, ACT, "the server has shut this host out"},
    {1251, ACT, "the server asks for a login that libmariadb does not know"},
    {2058, ACT, "the server asks for a login that libmariadb does not know"},
    {2059, ACT, "the server asks for a login that libmariadb does not know"},
    {2061, ACT, "the login was refused"},
    {5010, ACT, "the server asks for the password in a form that gives it away without TLS"},
    {1862, ACT, "the user's password has expired"},
    {1820, ACT, "the user's password has expired"},
    {3118, ACT, "the user is locked"},
    {4151, ACT, "the user is locked"},
    {2026, ACT, "TLS failed"},
    {3159, ACT, "the server takes no connections without TLS"},
    {1049, ACT, "there is no such database"},
    {1142, ACT, "the user may not do what is needed"},
    {1143, ACT, "the user may not do what is needed"},
    {1227, ACT, "the user may not do what is needed"},
    {1054, ACT, "a table is not as it should be"},
    {1146, ACT, "a table is missing"},
    {1064, ACT, "the server does not understand a statement"},
    {1071, ACT, "a key is longer than the table takes"},
    {1118, ACT, "a row is longer than the table takes"},
    {1253, ACT, "a table is not as it should be"},
    {1267, ACT, "the tables have different collations"},
    {1286, ACT, "the server has no InnoDB"},
    {1665, ACT, "the server's binlog_format must be ROW or MIXED"},
};

static const struct meaning *
meaning_find(unsigned number)
{
    static const struct meaning unknown = {0, PLAIN, "the database failed"};
    for (size_t i = 0; i < ARRAY_COUNT(meanings); i++) {
        if (meanings[i].number == number) {
            return &meanings[i];
        }
    }
    return &unknown;
}

int
maria_fault_silent(struct maria_connection *connection, struct fault *why)
{
    connection->base.base.is_lost = true;
    return fault_set_number(why, FAULT_STORE, "store", MARIADB_LOST,
                            "the database did not answer within %d s",
                            connection->base.statement_ms / 1000);
}

/* Nobody can mend by waiting what is told here while the store is opened; later anybody may. */
static bool
is_final(const struct maria_connection *connection, enum consequence consequence)
{
    const struct db *db = connection != NULL ? connection->base.base.db : NULL;
    return consequence == ACT && (db == NULL || !server_of((struct db *)db)->is_open);
}

/* Some nodes of a cluster tell a conflict in these words only. */
static bool
is_lost_commit(const struct maria_error *error)
{
    return error->number == COMMIT_FAILED && strstr(error->text, "Retry transaction") != NULL;
}

int
maria_fault(struct maria_connection *connection, const struct maria_error *error, struct fault *why)
{
    /* once TLS has begun well, what it reports is the connection's end */
    bool is_cut = error->number == MARIADB_LOST ||
                  (connection != NULL && error->number == MARIADB_TLS_FAILED);
    const struct meaning *meaning = meaning_find(is_cut ? MARIADB_LOST : error->number);
    if (connection != NULL) {
        int64_t took_ms = clock_monotonic_ms(clock_system()) - error->started_ms;
        connection->base.base.is_lost |= meaning->consequence == LOST;
        connection->base.base.is_conflict |=
            meaning->consequence == CONFLICT || is_lost_commit(error);
        if (is_cut && took_ms >= connection->base.statement_ms / 10 * 9) {
            return maria_fault_silent(connection, why);
        }
    }
    enum fault_code code = is_final(connection, meaning->consequence) ? FAULT_CONFIG
                           : error->number == OUT_OF_MEMORY           ? FAULT_MEMORY
                                                                      : FAULT_STORE;
    bool has_text = error->text[0] != '\0' && meaning->consequence != QUOTES;
    return fault_set_number(why, code, "store", (long)error->number, "%s (%s%s%u)", meaning->words,
                            has_text ? error->text : "", has_text ? ", error " : "error ",
                            error->number);
}
