/* SPDX-License-Identifier: BSD-3-Clause */
/* What is particular to PostgreSQL: its refusals, deadlines, restarts, TLS, several instances. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "postgres_between.h"
#include "store/postgres_priv.h"

#define WRONG_PASSWORD "hunter2-hunter2"

/* ---- opening ---- */

/* Opens a second store with these options; the fault must not tell the password. */
static int
try_open(struct fixture *f, const struct store_server_options *server, struct fault *why)
{
    struct store_options options = f->options;
    options.server = server;
    struct store *store = NULL;
    *why = (struct fault){0};
    int code = store_open_postgres(&options, &store, why);
    if (code == 0) {
        store_close(store);
        return 0;
    }
    assert_null(store);
    assert_null(strstr(why->text, server->password));
    assert_null(strstr(why->text, behind_server()->password));
    assert_string_equal("store", why->stage);
    return code;
}

static void
assert_says(const struct fault *why, const char *words)
{
    if (strstr(why->text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why->text, words);
    }
}

static void
test_a_wrong_password_is_for_the_operator(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why;
    server.password = WRONG_PASSWORD;
    assert_int_equal(FAULT_CONFIG, try_open(f, &server, &why));
    assert_says(&why, "database postgres 127.0.0.1:");
    assert_says(&why, "the server refuses the user or the password (SQLSTATE 28P01");
    server.password = "";
    struct store_options options = f->options;
    options.server = &server;
    assert_int_equal(FAULT_CONFIG, store_check_postgres(&options, &why));
    assert_says(&why, "no password supplied");
}

static void
test_an_unknown_database_is_for_the_operator(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why;
    server.database = "nobody_made_this";
    assert_int_equal(FAULT_CONFIG, try_open(f, &server, &why));
    assert_says(&why, "there is no such database on the server (SQLSTATE 3D000");
}

static void
test_a_user_who_may_not_make_tables_is_for_the_operator(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why;
    char text[128];
    server.username = "pccs_powerless";
    server.password = WRONG_PASSWORD;
    fixture_sql(f, "DROP ROLE IF EXISTS pccs_powerless");
    snprintf(text, sizeof text, "CREATE ROLE pccs_powerless LOGIN PASSWORD '%s'", WRONG_PASSWORD);
    fixture_sql(f, text);
    fixture_sql(f, "CREATE SCHEMA pccs_powerless");
    fixture_sql(f, "GRANT USAGE ON SCHEMA pccs_powerless TO pccs_powerless");
    int code = try_open(f, &server, &why);
    fixture_sql(f, "DROP SCHEMA pccs_powerless");
    fixture_sql(f, "DROP ROLE pccs_powerless");
    assert_int_equal(FAULT_CONFIG, code);
    assert_says(&why, "the database user may not do this (SQLSTATE 42501");
}

static void
test_a_port_where_nobody_listens_may_pass(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why;
    int fd = between_silent("127.0.0.1", 0, &server.port);
    close(fd);
    assert_int_equal(FAULT_STORE, try_open(f, &server, &why));
    assert_says(&why, "no connection: Connection refused");
}

static void
test_an_unknown_host_may_pass(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why;
    server.host = "/nowhere";
    assert_int_equal(FAULT_STORE, try_open(f, &server, &why));
    assert_says(&why, "no connection: ");
}

static void
test_a_silent_server_is_given_up_in_time(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why;
    int fd = between_silent("127.0.0.1", 0, &server.port);
    int64_t start_ms = postgres_now_ms();
    assert_int_equal(FAULT_STORE, try_open(f, &server, &why));
    close(fd);
    assert_in_range(postgres_now_ms() - start_ms, SERVER_CONNECT_MS, SERVER_CONNECT_MS + 1000);
    assert_says(&why, "no answer within 3.0 s while connecting");
}

static void
test_a_silent_host_does_not_hide_the_next_one(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why = {0};
    int port = 0;
    int fd = between_silent("127.0.0.2", server.port, &port);
    server.host = "127.0.0.2,127.0.0.1";
    struct server_db db = {.database = (char *)(uintptr_t)server.database,
                           .username = (char *)(uintptr_t)server.username,
                           .password = (char *)(uintptr_t)server.password,
                           .host = (char *)(uintptr_t)server.host,
                           .ssl_ca = (char *)(uintptr_t) "",
                           .port = server.port};
    struct db_connection *connection = NULL;
    int code = postgres_connect(&db, &connection, &why);
    close(fd);
    postgres_listen_end(&db);
    postgres_disconnect(connection);
    assert_int_equal(0, code);
}

static void
test_a_server_that_takes_no_writes_may_become_the_primary(void **state)
{
    struct fixture *f = *state;
    char text[128];
    struct fault why;
    snprintf(text, sizeof text, "ALTER DATABASE %s SET default_transaction_read_only = on",
             f->server.database);
    fixture_sql(f, text);
    int code = try_open(f, &f->server, &why);
    snprintf(text, sizeof text, "ALTER DATABASE %s RESET default_transaction_read_only",
             f->server.database);
    fixture_sql(f, text);
    assert_int_equal(FAULT_STORE, code);
    assert_says(&why, "no connection: session is read-only");
}

static void
test_the_environment_chooses_nothing(void **state)
{
    struct fixture *f = *state;
    assert_null(getenv("PGSERVICE"));
    assert_null(getenv("PGPASSWORD"));
    assert_null(getenv("PGOPTIONS"));
    assert_int_equal(0, store_ping(f->store, NULL));
}

/* ---- TLS ---- */

static const char *
own_ca(void)
{
    const char *ca = behind_server()->ssl_ca;
    if (ca[0] == '\0') {
        skip(); /* the server was started without TLS */
    }
    return ca;
}

static void
test_tls_that_cannot_be_judged_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why;
    server.ssl_required = true;
    server.ssl_ca = own_ca();
    server.ssl_ca = VECTORS "/../no-such-file.pem";
    assert_int_equal(FAULT_CONFIG, try_open(f, &server, &why));
    assert_says(&why, "cannot be read: No such file");
    server.ssl_ca = ""; /* the system's authorities have never heard of it */
    assert_int_equal(FAULT_CONFIG, try_open(f, &server, &why));
    assert_says(&why,
                access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0 ? "certificate" : "ssl.ca");
}

static void
test_a_server_without_tls_is_refused_where_tls_is_required(void **state)
{
    struct fixture *f = *state;
    struct store_server_options server = f->server;
    struct fault why;
    struct between between;
    server.ssl_required = true;
    server.ssl_ca = own_ca();
    between_start(&between, f->server.port);
    server.port = between.port;
    int code = try_open(f, &server, &why);
    between_stop(&between);
    assert_int_equal(FAULT_CONFIG, code);
    assert_says(&why, "does not support SSL");
}

static void
test_large_rows_come_through_tls(void **state)
{
    struct fixture *f = *state;
    f->server.ssl_required = true;
    f->server.ssl_ca = own_ca();
    fixture_reopen(f);
    assert_int_not_equal(0, fixture_number(f, "SELECT count(*) FROM pg_stat_ssl s JOIN"
                                              " pg_stat_activity a ON a.pid = s.pid"
                                              " WHERE s.ssl AND a.application_name = 'pccsd'"));
    struct item_key key = {.kind = ITEM_CRL, .api_version = 4, .url = "https://x/y.der"};
    for (size_t size = 8190; size < 8000000; size = 2 * size + 1) {
        char text[256];
        snprintf(text, sizeof text,
                 "DELETE FROM crl_cache; INSERT INTO crl_cache VALUES ('https://x/y.der',"
                 " zeroblob(%zu), " BEHIND_TIMES ")",
                 size);
        fixture_sql(f, text);
        struct raw_reply raw;
        struct fault why = {0};
        assert_int_equal(0, store_load_item(f->store, &key, &raw, &why));
        assert_int_equal(size, raw.body.size);
        raw_reply_done(&raw);
    }
}

/* ---- refusals while it runs ---- */

/* The queue refuses `count` times with this state, then takes rows. */
static void
refuse(struct fixture *f, const char *state, int count)
{
    char text[512];
    fixture_sql(f, "DROP TRIGGER IF EXISTS refuses ON platforms_registered;"
                   "DROP SEQUENCE IF EXISTS refused; CREATE SEQUENCE refused");
    snprintf(text, sizeof text,
             "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             " IF nextval('refused') <= %d THEN RAISE EXCEPTION 'because' USING ERRCODE = '%s';"
             " END IF; RETURN NEW; END $$",
             count, state);
    fixture_sql(f, text);
    fixture_sql(f, "CREATE TRIGGER refuses BEFORE INSERT ON platforms_registered"
                   " FOR EACH ROW EXECUTE FUNCTION refuse()");
}

static int
put_row(struct fixture *f, const char *qeid, struct fault *why)
{
    char none[1] = "";
    struct queue_row row = {
        .id = fixture_platform(qeid), .state = QUEUE_NEW, .manifest = none, .enc_ppid = none};
    return store_queue_put(f->store, &row, 1, why);
}

static void
test_refusals_are_told_in_plain_words(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *state, *words;
    } rows[] = {
        {"53100", "the disk of the server is full (SQLSTATE 53100: because)"},
        {"53200", "the server has no memory left"},
        {"57014", "the server gave the statement up"},
        {"42501", "the database user may not do this"},
        {"22001", "a value is too long for its column (SQLSTATE 22001: because)"},
        {"22021", "a text is not UTF-8 or holds a NUL (SQLSTATE 22021)"},
        {"22P05", "a text has characters that the database's encoding lacks (SQLSTATE 22P05)"},
        {"22P02", "a value does not fit its column (SQLSTATE 22P02)"},
        {"23505", "such a row is there already"},
        {"P0001", "the database failed (SQLSTATE P0001: because)"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fault why = {0};
        refuse(f, rows[i].state, 1);
        assert_int_equal(FAULT_STORE, put_row(f, "A", &why));
        assert_says(&why, rows[i].words);
        assert_int_equal(0, put_row(f, "A", &why)); /* the connection is as good as before */
    }
}

static void
test_a_transaction_that_lost_is_run_again(void **state)
{
    struct fixture *f = *state;
    /* Against another one; against a standby that was the primary. */
    static const char *const states[] = {"40001", "40P01", "25006"};
    for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
        struct fault why = {0};
        refuse(f, states[i], 2);
        assert_int_equal(0, put_row(f, "A", &why));
        assert_int_equal(3, fixture_number(f, "SELECT last_value FROM refused"));
    }
    struct fault why = {0};
    refuse(f, "40001", 100);
    assert_int_equal(FAULT_STORE, put_row(f, "A", &why));
    assert_says(&why, "another transaction was faster (SQLSTATE 40001");
    fixture_sql(f, "DROP TRIGGER refuses ON platforms_registered");
}

static void
test_text_that_is_no_utf8_is_refused(void **state)
{
    struct fixture *f = *state;
    struct policy_row row = {.id = "AB", .type = 0, .policy = span_of("a\0b", 3)};
    struct fault why = {0};
    assert_true(fmspc_parse(span_of_text("00906EA10000"), &row.fmspc));
    assert_int_equal(FAULT_STORE, store_put_policy(f->store, &row, &why));
    assert_says(&why, "a text is not UTF-8 or holds a NUL");
    row.policy = span_of("\xc3\x28", 2);
    assert_int_equal(FAULT_STORE, store_put_policy(f->store, &row, &why));
    assert_says(&why, "a text is not UTF-8 or holds a NUL");
}

static void
test_a_commit_that_rolls_back_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct db *db = db_of(f->store);
    struct db_connection *connection = NULL;
    struct fault why = {0};
    assert_int_equal(0, db_connection_open(db, true, &connection, &why));
    assert_int_equal(0, db->engine->begin(connection, DB_BEGIN_WRITE, &why));
    assert_int_not_equal(0, postgres_execute(postgres_of(connection), "nonsense", NULL, &why));
    assert_int_equal(FAULT_STORE, db->engine->commit(connection, &why));
    assert_says(&why, "rolled the transaction back");
    assert_false(connection->is_lost);
    postgres_disconnect(connection);
}

/* ---- deadlines ---- */

static struct db_connection *
open_hasty(struct fixture *f, int statement_ms)
{
    struct db_connection *connection = NULL;
    struct fault why = {0};
    assert_int_equal(0, db_connection_open(db_of(f->store), true, &connection, &why));
    ((struct server_connection *)connection)->statement_ms = statement_ms;
    return connection;
}

static void
test_a_paused_server_costs_no_more_than_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct db_connection *connection = open_hasty(f, 1000);
    struct fault why = {0};
    assert_int_equal(0, postgres_execute(postgres_of(connection), "SELECT 1", NULL, &why));
    behind_order("pause");
    int64_t start_ms = postgres_now_ms();
    int code = postgres_execute(postgres_of(connection), "SELECT 1", NULL, &why);
    int64_t took_ms = postgres_now_ms() - start_ms;
    bool is_lost = connection->is_lost;
    behind_order("resume");
    postgres_disconnect(connection);
    assert_int_equal(FAULT_STORE, code);
    assert_true(is_lost);
    assert_in_range(took_ms, 990, 2000);
    assert_says(&why, "the server did not answer within 1 s");
}

static void
test_the_server_gives_up_what_we_give_up(void **state)
{
    struct fixture *f = *state;
    struct db_connection *connection = open_hasty(f, 1000);
    struct fault why = {0};
    assert_int_equal(FAULT_STORE,
                     postgres_execute(postgres_of(connection), "SELECT pg_sleep(60)", NULL, &why));
    assert_says(&why, "the server gave the statement up");
    assert_false(connection->is_lost);
    postgres_disconnect(connection);
}

static void
test_an_answer_without_an_end_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct db_connection *connection = open_hasty(f, 1000);
    struct fault why = {0};
    assert_int_not_equal(
        0, postgres_execute(postgres_of(connection), "COPY (SELECT 1) TO STDOUT", NULL, &why));
    assert_true(connection->is_lost);
    postgres_disconnect(connection);
}

static const char *
ask(struct db_connection *connection, const char *text)
{
    static char answer[64];
    struct fault why = {0};
    const struct server_kind *kind = server_of(connection->db)->kind;
    if (kind->ask(connection, text, answer, sizeof answer, &why) != 0) {
        fail_msg("%s", why.text);
    }
    return answer;
}

static void
test_a_session_is_set_up_whatever_the_servers_own_settings(void **state)
{
    struct fixture *f = *state;
    char text[256];
    snprintf(text, sizeof text,
             "ALTER DATABASE %1$s SET synchronous_commit = off;"
             "ALTER DATABASE %1$s SET TimeZone = 'Asia/Tokyo';"
             "ALTER DATABASE %1$s SET DateStyle = 'German'",
             f->server.database);
    fixture_sql(f, text);
    struct db_connection *connection = open_hasty(f, SERVER_STATEMENT_MS);
    snprintf(text, sizeof text, "ALTER DATABASE %s RESET ALL", f->server.database);
    fixture_sql(f, text);
    assert_string_equal("on", ask(connection, "SHOW synchronous_commit"));
    assert_string_equal("UTC", ask(connection, "SHOW TimeZone"));
    assert_string_equal("UTF8", ask(connection, "SHOW client_encoding"));
    assert_string_equal("9500ms", ask(connection, "SHOW statement_timeout"));
    assert_string_equal("2025-07-01 00:00:00+00",
                        ask(connection, "SELECT CAST(TIMESTAMP '2025-07-01' AT TIME ZONE 'UTC'"
                                        " AS VARCHAR)"));
    postgres_disconnect(connection);
}

/* ---- restarts ---- */

struct interrupted {
    const char *verb;
    int runs;
};

static int
write_interrupted(struct db_connection *connection, void *self, struct fault *why)
{
    struct interrupted *interrupted = self;
    struct sql sql = sql_of(connection, SQL_PING_WRITE);
    sql_bind_text(&sql, connection->stamp);
    int code = sql_run(&sql, why);
    sql_close(&sql);
    if (interrupted->runs++ == 0) {
        behind_order(interrupted->verb);
    }
    auto_cleanup(sql_close) struct sql again = sql_of(connection, SQL_PING_WRITE);
    sql_bind_text(&again, connection->stamp);
    return code != 0 ? code : sql_run(&again, why);
}

static void
test_a_restart_within_a_transaction_runs_it_again(void **state)
{
    struct fixture *f = *state;
    int64_t before = fixture_number(f, "SELECT beat FROM pccs_owner");
    struct interrupted interrupted = {.verb = "restart"};
    struct fault why = {0};
    assert_int_equal(0, db_write(db_of(f->store), write_interrupted, &interrupted, &why));
    assert_int_equal(2, interrupted.runs);
    assert_int_equal(before + 2, fixture_number(f, "SELECT beat FROM pccs_owner"));
}

static void
sleep_ms(long milliseconds)
{
    struct timespec wait = {.tv_nsec = milliseconds * 1000000L};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

static void
test_while_the_server_is_down_requests_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    behind_order("stop");
    int code = store_ping(f->store, &why);
    int64_t start_ms = postgres_now_ms();
    int again = 0;
    for (int i = 0; i < 100; i++) {
        again |= store_ping(f->store, &why) == FAULT_STORE ? 0 : 1;
    }
    int64_t took_ms = postgres_now_ms() - start_ms;
    behind_order("start");
    assert_int_equal(FAULT_STORE, code);
    assert_int_equal(0, again);
    assert_in_range(took_ms, 0, 1000);
    assert_null(strstr(why.text, f->server.password));
    int64_t until_ms = postgres_now_ms() + 10000;
    while (store_ping(f->store, &why) != 0) {
        assert_true(postgres_now_ms() < until_ms);
        sleep_ms(20);
    }
}

static void
test_connections_that_the_server_ended_are_not_lent(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    assert_int_equal(0, store_ping(f->store, &why));
    fixture_sql(f, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                   " WHERE application_name = 'pccsd' AND datname = current_database()");
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_platform platform;
    assert_int_equal(FAULT_NOT_FOUND, store_load_platform(f->store, &id, &platform, &why));
    assert_int_equal(0, put_row(f, "A", &why));
}

static void
test_a_commit_whose_answer_is_lost_is_not_run_again(void **state)
{
    struct fixture *f = *state;
    struct between between;
    struct fault why = {0};
    between_start(&between, f->server.port);
    f->server.port = between.port;
    fixture_reopen(f);
    int before = atomic_load(&between.commits);
    atomic_store(&between.loses_commit, true);
    int code = put_row(f, "A", &why);
    int commits = atomic_load(&between.commits) - before;
    assert_int_equal(FAULT_STORE, code);
    assert_int_equal(1, commits);
    assert_says(&why, "whether the write was committed is not known");
    struct fixture other = {.store = f->store};
    assert_int_equal(0, put_row(&other, "B", &why)); /* its number was not used twice */
    assert_int_equal(2, fixture_number(f, "SELECT count(*) FROM platforms_registered"));
    fixture_close(f);
    between_stop(&between);
    f->server.port = between.server_port;
}

/* ---- several instances ---- */

static void *
open_beside(void *self)
{
    struct fixture *f = self;
    struct store_options options = f->options;
    options.on_notice = NULL;
    struct fault why = {0};
    struct store *store = NULL;
    if (store_open_postgres(&options, &store, &why) != 0) {
        fprintf(stderr, "%s\n", why.text);
        return NULL;
    }
    return store;
}

static void
test_three_instances_at_once_make_one_database(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        fixture_sql(f, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        pthread_t threads[3];
        size_t opened = 0;
        for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
            assert_int_equal(0, pthread_create(&threads[i], NULL, open_beside, f));
        }
        for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
            void *store = NULL;
            pthread_join(threads[i], &store);
            opened += store != NULL ? 1 : 0;
            if (store != NULL) {
                store_close(store);
            }
        }
        assert_int_equal(3, opened);
        assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM pccs_owner"));
        assert_int_equal(2, fixture_number(f, "SELECT count(*) FROM pg_indexes WHERE indexname IN"
                                              " ('pccs_platforms_by_fmspc',"
                                              " 'pccs_queue_by_state')"));
    }
}

static void
note_change(void *self, const struct item_key *key)
{
    bool *heard = self;
    *heard |= key != NULL && key->kind == ITEM_PCK && strcmp(key->platform.qeid, FIXTURE_Q1) == 0;
}

struct follower {
    struct store *store;
    atomic_int ready; /* waits of it so far */
    bool heard;
    int failures;
    int64_t heard_ms;
};

static void *
follow(void *self)
{
    struct follower *follower = self;
    int64_t until_ms = postgres_now_ms() + 10000;
    while (!follower->heard && postgres_now_ms() < until_ms) {
        int code = store_wait_changes(follower->store, 1000, note_change, &follower->heard, NULL);
        follower->failures += code != 0 ? 1 : 0;
        follower->heard_ms = postgres_now_ms();
        atomic_fetch_add(&follower->ready, 1);
    }
    return NULL;
}

/* How long it takes from a write that returned to its being heard. */
static int64_t
time_a_wake_up(struct fixture *f, struct store *other)
{
    struct follower follower = {.store = other};
    pthread_t thread;
    assert_int_equal(0, pthread_create(&thread, NULL, follow, &follower));
    while (atomic_load(&follower.ready) < 2) {
        sleep_ms(5);
    }
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    int64_t written_ms = postgres_now_ms();
    pthread_join(thread, NULL);
    assert_true(follower.heard);
    assert_int_equal(0, follower.failures);
    return follower.heard_ms - written_ms;
}

static void
test_another_instance_is_woken_within_a_moment(void **state)
{
    struct fixture *f = *state;
    struct store *other = fixture_other(f);
    for (int i = 0; i < 5; i++) {
        int64_t took_ms = time_a_wake_up(f, other);
        assert_in_range(took_ms + 1000, 0, 1000 + 200);
    }
}

static void
test_without_listen_another_instance_hears_by_polling(void **state)
{
    struct fixture *f = *state;
    struct between between;
    between_start(&between, f->server.port);
    atomic_store(&between.without_listen, true);
    f->server.port = between.port;
    fixture_reopen(f);
    struct store *other = fixture_other(f);
    for (int i = 0; i < 3; i++) {
        int64_t took_ms = time_a_wake_up(f, other);
        assert_in_range(took_ms + 1000, 0, 1000 + 1000);
    }
    const struct postgres_listener *listener = server_of(db_of(other))->listener;
    bool other_refused = atomic_load(&listener->is_refused);
    listener = server_of(db_of(f->store))->listener;
    bool own_refused = atomic_load(&listener->is_refused); /* by a NOTIFY that failed */
    fixture_close(f);
    store_close(take(&f->other));
    between_stop(&between);
    f->server.port = between.server_port;
    assert_true(other_refused);
    assert_true(own_refused);
}

/* ---- keys ---- */

static void
test_keys_compare_by_their_bytes_whatever_the_collation(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "DROP DATABASE IF EXISTS pccs_unit_icu");
    fixture_sql(f, "CREATE DATABASE pccs_unit_icu TEMPLATE template0 LOCALE_PROVIDER icu"
                   " ICU_LOCALE 'en-US'");
    struct store_server_options server = f->server;
    struct store_options options = f->options;
    server.database = "pccs_unit_icu";
    options.server = &server;
    struct fault why = {0};
    struct store *store = NULL;
    assert_int_equal(0, store_open_postgres(&options, &store, &why));
    struct db_connection *connection = NULL;
    assert_int_equal(0, db_read_begin(db_of(store), DB_READ_ONE, &connection, &why));
    char others[64];
    snprintf(others, sizeof others, "%s",
             ask(connection, "SELECT count(*) FROM information_schema.columns WHERE table_schema ="
                             " 'public' AND data_type IN ('text', 'character varying') AND"
                             " collation_name IS DISTINCT FROM 'C'"));
    db_read_end(db_of(store), connection);
    store_close(store);
    fixture_sql(f, "DROP DATABASE pccs_unit_icu WITH (FORCE)");
    assert_string_equal("0", others);
}

static void
test_pages_use_the_index_also_in_a_generic_plan(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "INSERT INTO platforms SELECT hex_pad(i, 32), '0000', NULL, NULL,"
                   " '00906EA100' || lpad((i % 100)::text, 2, '0'), 'PROCESSOR', " BEHIND_TIMES
                   " FROM generate_series(1, 20000) AS i; ANALYZE platforms");
    static const char *const pages[] = {
        "(p.qe_id, p.pce_id) > ($1, $2)",
        "p.fmspc = $4 AND (p.qe_id, p.pce_id) > ($1, $2)",
    };
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "DEALLOCATE ALL; SET plan_cache_mode = force_generic_plan;"
                 "PREPARE page AS SELECT p.qe_id, x.not_available_at FROM platforms p LEFT JOIN"
                 " pccs_platforms x ON x.qe_id = p.qe_id AND x.pce_id = p.pce_id WHERE %s"
                 " ORDER BY p.qe_id, p.pce_id LIMIT $3",
                 pages[i]);
        fixture_sql(f, text);
        const char *plan =
            behind_lines("", i == 0 ? "EXPLAIN EXECUTE page('', '', 100)"
                                    : "EXPLAIN EXECUTE page('', '', 100, '00906EA10001')");
        assert_null(strstr(plan, "Seq Scan on platforms"));
        assert_null(strstr(plan, "Sort"));
        assert_non_null(strstr(plan, i == 0 ? "platforms_pkey" : "pccs_platforms_by_fmspc"));
    }
    fixture_sql(f, "DEALLOCATE ALL; RESET plan_cache_mode");
}

int
main(void)
{
    setenv("PCCS_TEST_STORE", "postgres", 1);
    /* Whoever starts the service may have these set for other programs. */
    setenv("PGSERVICE", "nowhere", 1);
    setenv("PGPASSWORD", "wrong", 1);
    setenv("PGOPTIONS", "-c default_transaction_read_only=on", 1);
    struct fault why = {0};
    if (postgres_library_load(&why) != 0) {
        fprintf(stderr, "skipped: %s\n", why.text);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_a_wrong_password_is_for_the_operator),
        FIXTURE_TEST(test_an_unknown_database_is_for_the_operator),
        FIXTURE_TEST(test_a_user_who_may_not_make_tables_is_for_the_operator),
        FIXTURE_TEST(test_a_port_where_nobody_listens_may_pass),
        FIXTURE_TEST(test_an_unknown_host_may_pass),
        FIXTURE_TEST(test_a_silent_server_is_given_up_in_time),
        FIXTURE_TEST(test_a_silent_host_does_not_hide_the_next_one),
        FIXTURE_TEST(test_a_server_that_takes_no_writes_may_become_the_primary),
        FIXTURE_TEST(test_the_environment_chooses_nothing),
        FIXTURE_TEST(test_tls_that_cannot_be_judged_is_refused),
        FIXTURE_TEST(test_a_server_without_tls_is_refused_where_tls_is_required),
        FIXTURE_TEST(test_large_rows_come_through_tls),
        FIXTURE_TEST(test_refusals_are_told_in_plain_words),
        FIXTURE_TEST(test_a_transaction_that_lost_is_run_again),
        FIXTURE_TEST(test_text_that_is_no_utf8_is_refused),
        FIXTURE_TEST(test_a_commit_that_rolls_back_is_a_failure),
        FIXTURE_TEST(test_a_paused_server_costs_no_more_than_the_deadline),
        FIXTURE_TEST(test_the_server_gives_up_what_we_give_up),
        FIXTURE_TEST(test_an_answer_without_an_end_is_cut_off),
        FIXTURE_TEST(test_a_session_is_set_up_whatever_the_servers_own_settings),
        FIXTURE_TEST(test_a_restart_within_a_transaction_runs_it_again),
        FIXTURE_TEST(test_while_the_server_is_down_requests_are_refused_at_once),
        FIXTURE_TEST(test_connections_that_the_server_ended_are_not_lent),
        FIXTURE_TEST(test_a_commit_whose_answer_is_lost_is_not_run_again),
        FIXTURE_TEST(test_another_instance_is_woken_within_a_moment),
        FIXTURE_TEST(test_without_listen_another_instance_hears_by_polling),
        FIXTURE_TEST(test_keys_compare_by_their_bytes_whatever_the_collation),
        FIXTURE_TEST(test_pages_use_the_index_also_in_a_generic_plan),
        /* the last one: it takes away what the fixture made beside the tables */
        FIXTURE_TEST(test_three_instances_at_once_make_one_database),
    };
    return FIXTURE_RUN(tests);
}
