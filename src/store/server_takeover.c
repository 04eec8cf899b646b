/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What to do with the database that is on the server: make its tables, take it over from the
 * reference, or refuse it.
 * Takes a connection of its own and the options, gives a database of version 5 with our own tables.
 * A server does not roll back what makes tables, so each step does nothing where it is done
 * already, and a claim lets one instance at a time do it: whoever is killed in the middle is
 * followed by the next start.
 * Called while the store is opened, before anything else.
 * Must never mix the collateral of two PCS hosts, nor change a database of the reference without a
 * warning first: nobody copies it aside.
 * database.md, last sections.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/server_priv.h"

enum {
    CLAIM_WAIT_MS = 200,
    CLAIM_TRIES = SERVER_TAKEOVER_MS / CLAIM_WAIT_MS,
    TABLE_TRIES = 5, /* two instances may make the same table at once: one of them fails */
    QUESTION_SIZE = 512,
};

/* ---- looking ---- */

struct look {
    const struct server_db *db;
    struct db_connection *connection;
    struct fault *why;
    int code; /* the first failure; nothing is asked after it */
};

static int64_t
ask_number(struct look *look, const char *question)
{
    char answer[64] = "";
    if (look->code == 0) {
        look->code =
            look->db->kind->ask(look->connection, question, answer, sizeof(answer), look->why);
    }
    return strtoll(answer, NULL, 10);
}

static bool
has_table(struct look *look, const char *table)
{
    char question[QUESTION_SIZE];
    snprintf(question, sizeof(question),
             "SELECT count(*) FROM information_schema.tables WHERE table_schema = %s"
             " AND table_name = '%s'",
             look->db->kind->schema, table);
    return ask_number(look, question) != 0;
}

static bool
has_column(struct look *look, const char *table, const char *column)
{
    char question[QUESTION_SIZE];
    snprintf(question, sizeof(question),
             "SELECT count(*) FROM information_schema.columns WHERE table_schema = %s"
             " AND table_name = '%s' AND column_name = '%s'",
             look->db->kind->schema, table, column);
    return ask_number(look, question) != 0;
}

/* The version by the shape of the tables. A server does not take a migration back that was broken
 * off, so what db_version says may be behind. */
static int
find_shape(struct look *look)
{
    return has_column(look, "fmspc_tcbs", "update_type") &&
                   has_column(look, "enclave_identities", "update_type")
               ? 5
           : has_table(look, "appraisal_policies") ? 4
           : has_column(look, "fmspc_tcbs", "version") &&
                   has_column(look, "enclave_identities", "version")
               ? 3
           : has_table(look, "enclave_identities") && !has_table(look, "qve_identities") ? 2
           : has_column(look, "pcs_version", "db_version")                               ? 1
                                                                                         : 0;
}

static void
find_version(struct look *look, struct db_found *found)
{
    found->has_version = ask_number(look, "SELECT count(*) FROM pcs_version WHERE id = 1") != 0;
    if (!found->has_version || look->code != 0) {
        return;
    }
    bool says_version = has_column(look, "pcs_version", "db_version");
    int64_t said =
        says_version
            ? ask_number(look, "SELECT COALESCE(db_version, 0) FROM pcs_version WHERE id = 1")
            : 0;
    /* What is newer than we know must be refused, not guessed at. */
    found->version = said > DB_VERSION || said < 0 ? (int)said : find_shape(look);
    if (look->code == 0) {
        look->code = look->db->kind->ask(look->connection,
                                         "SELECT server_addr FROM pcs_version WHERE id = 1",
                                         found->server, sizeof(found->server), look->why);
    }
}

static bool
has_rows(struct look *look, const char *table)
{
    char question[QUESTION_SIZE];
    snprintf(question, sizeof(question), "SELECT count(*) FROM (SELECT 1 FROM %s LIMIT 1) t",
             table);
    return has_table(look, table) && ask_number(look, question) != 0;
}

/* Nobody knows which PCS the rows came from; so there must be none. */
static int
must_be_empty(struct look *look)
{
    static const char *const tables[] = {
        "platforms",
        "platform_tcbs",
        "pck_cert",
        "pck_certchain",
        "pck_crl",
        "fmspc_tcbs",
        "qe_identities",
        "qve_identities",
        "pcs_certificates",
        "crl_cache",
        "enclave_identities",
        "platforms_registered",
        "appraisal_policies",
    };
    for (size_t i = 0; look->code == 0 && i < ARRAY_COUNT(tables); i++) {
        if (has_rows(look, tables[i]) && look->code == 0) {
            return db_found_unknown_origin(look->why);
        }
    }
    return look->code;
}

static int
look_and_judge(struct server_db *db, struct db_connection *connection,
               const struct store_options *options, struct db_found *found, struct fault *why)
{
    struct look look = {.db = db, .connection = connection, .why = why};
    *found = (struct db_found){0};
    found->ours = has_table(&look, "pccs_owner");
    if (found->ours) {
        found->own_version = (int)ask_number(
            &look, "SELECT COALESCE(max(own_version), 0) FROM pccs_owner WHERE id = 1");
        found->ours = found->own_version != 0; /* else its making was broken off */
    }
    found->empty = !has_table(&look, "fmspc_tcbs") && !has_table(&look, "platforms");
    if (has_table(&look, "pcs_version")) {
        find_version(&look, found);
    }
    if (look.code == 0 && !found->empty && !found->has_version) {
        found->version = find_shape(&look);
        look.code = look.code != 0 ? look.code : must_be_empty(&look);
    }
    return look.code != 0 ? look.code : db_found_judge(found, options, why);
}

/* ---- doing ---- */

static void
pause_ms(long milliseconds)
{
    struct timespec wait = {.tv_nsec = milliseconds * 1000000L};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

static int
execute_patiently(struct server_db *db, struct db_connection *connection, const char *text,
                  struct fault *why)
{
    int code = db->kind->execute(connection, text, why);
    for (int tries = 1; code == FAULT_STORE && !connection->is_lost && tries < TABLE_TRIES;
         tries++) {
        pause_ms(CLAIM_WAIT_MS);
        code = db->kind->execute(connection, text, why);
    }
    return code;
}

/* Waits until no other instance is at it. */
static int
claim_wait(struct server_db *db, const struct store_options *options, struct fault *why)
{
    for (int tries = 0; tries < CLAIM_TRIES; tries++) {
        bool is_held = false;
        int code = shared_claim(&db->db.store, "takeover", SERVER_CLAIM_S, &is_held, why);
        if (code != 0 || is_held) {
            return code;
        }
        if (tries == 0 && options->on_notice != NULL) {
            options->on_notice(options->self, "another instance makes the tables: waiting for it");
        }
        pause_ms(CLAIM_WAIT_MS);
    }
    return fault_set(why, FAULT_STORE, "store",
                     "another instance holds the claim 'takeover' (table pccs_claims)");
}

__attribute__((format(printf, 2, 3))) static void
tell(const struct store_options *options, const char *format, ...)
{
    char text[FAULT_TEXT_SIZE];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    if (options->on_notice != NULL) {
        options->on_notice(options->self, text);
    }
}

struct signing {
    const struct store_options *options;
    bool pins;
};

/* The rows that say whose the database is, last of all: without them the next start goes on. */
static int
sign(struct db_connection *connection, void *self, struct fault *why)
{
    const struct signing *signing = self;
    int code = signing->pins ? db_items_pin_chains(connection, why) : 0;
    if (code != 0) {
        return code;
    }
    struct sql version = sql_of(connection, SQL_SIGN_VERSION);
    sql_bind_number(&version, signing->options->api_version);
    sql_bind_text(&version, signing->options->server_addr);
    sql_bind_number(&version, DB_VERSION);
    sql_bind_text(&version, connection->stamp);
    code = sql_run(&version, why);
    sql_close(&version);
    if (code != 0) {
        return code;
    }
    auto_cleanup(sql_close) struct sql owner = sql_of(connection, SQL_SIGN_OWNER);
    sql_bind_number(&owner, DB_OWN_VERSION);
    sql_bind_text(&owner, connection->stamp);
    return sql_run(&owner, why);
}

static int
make_tables(struct server_db *db, struct db_connection *connection, struct fault *why)
{
    int code = 0;
    for (const char *const *table = db->kind->tables; code == 0 && *table != NULL; table++) {
        code = execute_patiently(db, connection, *table, why);
    }
    return code != 0 ? code : db->kind->finish(connection, why);
}

static int
take_over(struct server_db *db, struct db_connection *connection,
          const struct store_options *options, const struct db_found *found, struct fault *why)
{
    int code = 0;
    bool is_foreign = !found->empty && !found->ours;
    if (is_foreign) {
        tell(options,
             "taking over a database of version %d in place: no copy of it is made here, so have "
             "a backup of the server",
             found->version);
    }
    if (!found->empty && found->version < DB_VERSION) {
        code = db->kind->migrate != NULL
                   ? db->kind->migrate(connection, found->version, why)
                   : fault_set(why, FAULT_CONFIG, "store",
                               "its tables are of version %d, which no known program writes here",
                               found->version);
    }
    code = code != 0 ? code : make_tables(db, connection, why);
    struct signing signing = {.options = options, .pins = is_foreign};
    code = code != 0 ? code : db_write(&db->db, sign, &signing, why);
    if (code == 0 && is_foreign) {
        tell(options, "took over the database; it was of version %d", found->version);
    }
    return code;
}

static int
take_over_claimed(struct server_db *db, struct db_connection *connection,
                  const struct store_options *options, struct fault *why)
{
    struct db_found found;
    int code = execute_patiently(db, connection, db->kind->claims_table, why);
    code = code != 0 ? code : claim_wait(db, options, why);
    if (code != 0) {
        return code;
    }
    /* Somebody may have done it while we waited. */
    code = look_and_judge(db, connection, options, &found, why);
    if (code == 0 && !db_found_is_ready(&found)) {
        code = take_over(db, connection, options, &found, why);
    }
    int released = shared_release(&db->db.store, "takeover", code == 0 ? why : NULL);
    return code != 0 ? code : released;
}

static void
connection_end(struct server_db *db, struct db_connection *connection)
{
    if (connection != NULL) {
        buf_done(&connection->changes);
        db->db.engine->disconnect(connection);
    }
}

int
server_takeover(struct server_db *db, const struct store_options *options, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_connection_open(&db->db, true, &connection, why);
    if (code != 0) {
        return code;
    }
    ((struct server_connection *)connection)->statement_ms = SERVER_TAKEOVER_MS;
    struct db_found found;
    struct fault cause = {0};
    code = look_and_judge(db, connection, options, &found, &cause);
    if (code == 0 && !db_found_is_ready(&found)) {
        code = take_over_claimed(db, connection, options, &cause);
    }
    code = code != 0 ? code : db_connection_check(connection, &cause);
    connection_end(db, connection);
    return code == 0 ? 0
                     : fault_set_number(why, (enum fault_code)code, "store", cause.number,
                                        "database %s: %s", db->where, cause.text);
}

int
server_takeover_foresee(struct server_db *db, const struct store_options *options, char *ret_text,
                        size_t text_size, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_connection_open(&db->db, true, &connection, why);
    if (code != 0) {
        return code;
    }
    struct db_found found;
    struct fault cause = {0};
    code = look_and_judge(db, connection, options, &found, &cause);
    connection_end(db, connection);
    if (code != 0) {
        return fault_set_number(why, (enum fault_code)code, "store", cause.number,
                                "database %s: %s", db->where, cause.text);
    }
    if (found.empty) {
        snprintf(ret_text, text_size, "%s: empty, its tables will be made", db->where);
    } else if (!found.ours) {
        snprintf(ret_text, text_size,
                 "%s: version %d of the reference service, will be taken over in place; no copy "
                 "is made here, so have a backup",
                 db->where, found.version);
    } else {
        snprintf(ret_text, text_size, "%s: version %d, collateral of %s", db->where, found.version,
                 found.server);
    }
    return 0;
}
