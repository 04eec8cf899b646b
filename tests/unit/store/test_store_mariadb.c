/* SPDX-License-Identifier: BSD-3-Clause */
/* What is particular to MariaDB: its refusals, deadlines, restarts, TLS, the database it makes. */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mariadb_behind.h"
#include "store/mariadb_priv.h"

#define WRONG_PASSWORD "hunter2-hunter2"
#define LIMITED "pccs_limited"

static int64_t
now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

/* A user who may do all with the fixture's database, and nothing else. */
static void
be_limited(struct fixture *f, const char *more)
{
    char text[512];
    snprintf(text, sizeof text,
             "CREATE OR REPLACE USER '" LIMITED "'@'%%' IDENTIFIED BY '" WRONG_PASSWORD "' %s;"
             "GRANT ALL ON %s.* TO '" LIMITED "'@'%%'",
             more, f->server.database);
    mariadb_sql(text);
    f->server.username = LIMITED;
    f->server.password = WRONG_PASSWORD;
}

/* The answer within a session of the store's own. */
static const char *
ask_inside(struct fixture *f, const char *question)
{
    static char answer[256];
    struct db_connection *connection = NULL;
    assert_int_equal(0, db_read_begin(db_of(f->store), DB_READ_ONE, &connection, NULL));
    assert_int_equal(0, maria_ask(connection, question, answer, sizeof answer, NULL));
    db_read_end(db_of(f->store), connection);
    return answer;
}

/* ---- a stranger in the server's place ---- */

struct stranger {
    int listener;
    pthread_t thread;
    bool asks_for_password; /* in the clear, after its greeting */
    char heard[1024];
    size_t heard_size;
};

static int
listen_somewhere(struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(listener, (struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(listener, 5));
    assert_int_equal(0, getsockname(listener, (struct sockaddr *)&address, &size));
    f->server.host = "127.0.0.1";
    f->server.port = ntohs(address.sin_port);
    return listener;
}

static void
hear(struct stranger *stranger, int fd)
{
    ssize_t size = read(fd, stranger->heard + stranger->heard_size,
                        sizeof stranger->heard - stranger->heard_size);
    stranger->heard_size += size > 0 ? (size_t)size : 0;
}

static void
say(int fd, uint8_t number, const char *payload, size_t size)
{
    uint8_t packet[256] = {(uint8_t)size, 0, 0, number};
    assert_true(size < sizeof packet - 4);
    memcpy(packet + 4, payload, size);
    assert_int_equal(size + 4, write(fd, packet, size + 4));
}

/* A server that knows all of the protocol but TLS. */
static void *
stranger_run(void *self)
{
    static const char greeting[] = "\x0a"
                                   "10.11.0\0"
                                   "\1\0\0\0"
                                   "12345678\0"
                                   "\xff\xf7" /* all but CLIENT_SSL */
                                   "\x2d\2\0\xff\x81\x15"
                                   "\0\0\0\0\0\0\0\0\0\0"
                                   "123456789012\0"
                                   "mysql_native_password";
    static const char change[] = "\xfe"
                                 "mysql_clear_password\0"
                                 "12345678123456789012\0";
    struct stranger *stranger = self;
    int fd = accept(stranger->listener, NULL, NULL);
    say(fd, 0, greeting, sizeof greeting);
    hear(stranger, fd);
    if (stranger->asks_for_password) {
        say(fd, 2, change, sizeof change);
        hear(stranger, fd);
    }
    close(fd);
    return NULL;
}

static void
stranger_begin(struct stranger *stranger, struct fixture *f)
{
    stranger->listener = listen_somewhere(f);
    assert_int_equal(0, pthread_create(&stranger->thread, NULL, stranger_run, stranger));
}

static void
stranger_end(struct stranger *stranger, const char *password)
{
    pthread_join(stranger->thread, NULL);
    close(stranger->listener);
    assert_null(memmem(stranger->heard, stranger->heard_size, password, strlen(password)));
}

/* ---- refusals while opening ---- */

static void
test_a_wrong_password_is_for_the_operator(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    f->server.password = WRONG_PASSWORD;
    mariadb_refused(f, FAULT_CONFIG, "the login was refused (Access denied for user");
    mariadb_refused(f, FAULT_CONFIG, "database mariadb 127.0.0.1:");
    f->server.password = "";
    struct fault why = {0};
    assert_int_equal(FAULT_CONFIG, store_check_mariadb(&f->options, &why));
    assert_non_null(strstr(why.text, "the login was refused"));
}

static void
test_a_missing_database_is_made_if_the_user_may(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    char text[128];
    snprintf(text, sizeof text, "DROP DATABASE %s", f->server.database);
    mariadb_sql(text);
    assert_int_equal(0, store_check_mariadb(&f->options, NULL));
    assert_non_null(strstr(f->notices, "no such database yet: it will be made"));
    f->options.init_db = false;
    mariadb_refused(f, FAULT_CONFIG, "there is no such database");
    f->options.init_db = true;
    fixture_open(f);
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
}

static void
test_a_missing_database_that_the_user_may_not_make_is_told_with_the_cure(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    be_limited(f, "");
    f->server.database = "we`ird";
    mariadb_refused(f, FAULT_CONFIG,
                    "CREATE DATABASE `we``ird`; GRANT ALL ON `we``ird`.* TO '" LIMITED "'@'%'");
}

static void
test_a_user_who_may_not_make_tables_is_for_the_operator(void **state)
{
    struct fixture *f = *state;
    char text[128];
    mariadb_new_database(f);
    be_limited(f, "");
    snprintf(text, sizeof text, "REVOKE CREATE ON %s.* FROM '" LIMITED "'@'%%'",
             f->server.database);
    mariadb_sql(text);
    mariadb_refused(f, FAULT_CONFIG, "the user may not do what is needed (CREATE command denied");
}

static void
test_a_user_without_a_connection_left_may_pass(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    be_limited(f, "WITH MAX_CONNECTIONS_PER_HOUR 1");
    mariadb_refused(f, FAULT_STORE, "the user's share of the server is used up");
}

static void
test_a_port_where_nobody_listens_may_pass(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    close(listen_somewhere(f));
    mariadb_refused(f, FAULT_STORE, "the server cannot be reached");
    f->server.host = "/nowhere/at/all.sock";
    mariadb_refused(f, FAULT_STORE, "the server cannot be reached");
    f->server.host = "no-such-host.invalid";
    mariadb_refused(f, FAULT_STORE, "the server");
}

static void
test_a_silent_server_is_given_up_in_time(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    int listener = listen_somewhere(f);
    int64_t start_ms = now_ms();
    mariadb_refused(f, FAULT_STORE, "the connection was lost");
    assert_in_range(now_ms() - start_ms, SERVER_CONNECT_MS - 10, SERVER_CONNECT_MS + 1500);
    close(listener);
}

static void
test_the_socket_of_the_machine_is_a_host(void **state)
{
    struct fixture *f = *state;
    static char path[256];
    mariadb_new_database(f);
    snprintf(path, sizeof path, "%s", mariadb_lines("SELECT @@socket"));
    if (access(path, W_OK) != 0) {
        skip();
    }
    f->server.host = path;
    f->server.ssl_required = true; /* nobody stands between */
    fixture_open(f);
    assert_int_equal(0, store_ping(f->store, NULL));
}

/* ---- TLS, and who is told the password ---- */

static const char session_cipher[] = "SELECT variable_value FROM information_schema.session_status"
                                     " WHERE variable_name = 'Ssl_cipher'";

static void
test_a_server_without_tls_is_refused_where_tls_is_required(void **state)
{
    struct fixture *f = *state;
    struct stranger stranger = {0};
    mariadb_new_database(f);
    f->server.ssl_required = true;
    stranger_begin(&stranger, f);
    mariadb_refused(f, FAULT_CONFIG, "TLS failed");
    stranger_end(&stranger, LIMITED);
}

static void
test_no_server_is_told_the_password_in_the_clear(void **state)
{
    struct fixture *f = *state;
    struct stranger stranger = {.asks_for_password = true};
    mariadb_new_database(f);
    f->server.password = WRONG_PASSWORD;
    stranger_begin(&stranger, f);
    mariadb_refused(f, FAULT_CONFIG, "gives it away without TLS");
    stranger_end(&stranger, WRONG_PASSWORD);
    assert_true(stranger.heard_size > 0);
}

static void
test_a_server_that_does_not_prove_itself_is_refused(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    f->server.ssl_required = true;
    f->server.ssl_ca = ""; /* the system's authorities have never heard of it */
    mariadb_refused(f, FAULT_CONFIG, "TLS failed");
    f->server.ssl_ca = VECTORS "/../no-such-file.pem";
    mariadb_refused(f, FAULT_CONFIG, "ssl.ca");
    f->server.ssl_ca = VECTORS "/SOURCE.md";
    mariadb_refused(f, FAULT_CONFIG, "TLS failed");
    f->server.ssl_ca = behind_server()->ssl_ca;
    f->server.host = "127.0.0.2"; /* the certificate is 127.0.0.1's */
    struct fault why = {0};
    assert_int_not_equal(0, store_check_mariadb(&f->options, &why));
}

static void
test_a_server_that_proves_itself_is_taken(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    f->server.ssl_required = true;
    f->server.ssl_ca = behind_server()->ssl_ca;
    fixture_open(f);
    assert_string_not_equal("", ask_inside(f, session_cipher));
}

static void
test_tls_is_used_where_it_is_offered(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    f->server.ssl_ca = "";
    fixture_open(f);
    assert_string_not_equal("", ask_inside(f, session_cipher));
}

/* ---- the session ---- */

static void
test_the_session_is_strict_in_utc_and_has_deadlines(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    mariadb_sql("SET GLOBAL sql_mode = '', GLOBAL autocommit = 0, GLOBAL time_zone = '+05:00'");
    fixture_open(f);
    const char *answer = ask_inside(
        f, "SELECT concat_ws(' ', @@sql_mode, @@autocommit + 0, @@time_zone, @@tx_isolation,"
           " @@innodb_lock_wait_timeout, @@lock_wait_timeout, round(@@max_statement_time))");
    mariadb_sql("SET GLOBAL sql_mode = DEFAULT, GLOBAL autocommit = 1, GLOBAL time_zone = DEFAULT");
    assert_string_equal("STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION 1 +00:00 READ-COMMITTED 5 5 9",
                        answer);
}

static void
test_every_table_has_a_primary_key_and_tells_letters_apart(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    fixture_open(f);
    assert_string_equal(
        "", mariadb_lines("SELECT t.table_name FROM information_schema.tables t LEFT JOIN"
                          " information_schema.table_constraints c ON c.table_schema ="
                          " t.table_schema AND c.table_name = t.table_name AND"
                          " c.constraint_type = 'PRIMARY KEY' WHERE t.table_schema = DATABASE()"
                          " AND (c.constraint_name IS NULL OR t.engine <> 'InnoDB')"));
    assert_string_equal("ascii_nopad_bin\nutf8mb4_nopad_bin",
                        mariadb_lines("SELECT DISTINCT collation_name FROM"
                                      " information_schema.columns WHERE table_schema ="
                                      " DATABASE() AND collation_name IS NOT NULL ORDER BY 1"));
}

static void
test_a_weak_log_is_told(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    mariadb_sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
    fixture_open(f);
    assert_non_null(strstr(f->notices, "innodb_flush_log_at_trx_commit = 1"));
    f->notices[0] = '\0';
    mariadb_sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1");
    fixture_reopen(f);
    mariadb_sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
    assert_string_equal("", f->notices);
}

static void
test_what_does_not_fit_a_column_is_refused_whole(void **state)
{
    struct fixture *f = *state;
    char qeid[257];
    memset(qeid, 'A', sizeof qeid - 1);
    qeid[sizeof qeid - 1] = '\0';
    mariadb_apply(f, "mysql_version_5.sql"); /* of 255 characters, and of 128 */
    fixture_open(f);
    struct platform_id id = fixture_platform(qeid);
    struct proven *pcks = fixture_pcks(f, qeid, PCK_CA_PLATFORM, 1);
    struct store_platform_put put = {.id = id, .certs = pcks};
    struct store_batch batch = {.platforms = &put, .platform_count = 1};
    struct fault why = {0};
    assert_int_equal(FAULT_STORE, store_put(f->store, &batch, &why));
    assert_non_null(strstr(why.text, ": a value is longer than its column (error 1406)"));
    assert_string_equal("2", mariadb_lines("SELECT count(*) FROM platforms"));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q2, 1));
}

static void
test_a_read_only_server_is_told_and_left(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    be_limited(f, "");
    fixture_open(f);
    mariadb_sql("SET GLOBAL read_only = 1");
    struct fault why = {0};
    struct item_key key = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    struct proven *item = fixture_item(f, &key, "body", "signer", "root");
    struct store_batch batch = {.items = (const struct proven *const *)&item, .item_count = 1};
    int code = store_put(f->store, &batch, &why);
    mariadb_sql("SET GLOBAL read_only = 0");
    assert_int_equal(FAULT_STORE, code);
    assert_non_null(strstr(why.text, "the server is read-only"));
    assert_int_equal(0, store_put(f->store, &batch, NULL));
}

/* ---- deadlines ---- */

static void
test_a_paused_server_is_given_up_in_time(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    mariadb_new_database(f);
    fixture_open(f);
    mariadb_let_go();
    behind_order("pause");
    int64_t start_ms = now_ms();
    int code = store_ping(f->store, &why);
    int64_t took_ms = now_ms() - start_ms;
    behind_order("resume");
    assert_int_equal(FAULT_STORE, code);
    if (strstr(why.text, "did not answer within 10 s") == NULL) {
        fail_msg("%s", why.text);
    }
    assert_in_range(took_ms, SERVER_STATEMENT_MS - 100, SERVER_STATEMENT_MS + 2000);
    assert_int_equal(0, store_ping(f->store, NULL)); /* on a new connection */
}

static void
test_a_locked_table_is_given_up_before_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    struct raw_reply raw;
    mariadb_new_database(f);
    fixture_open(f);
    struct item_key key = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    mariadb_sql("LOCK TABLES fmspc_tcbs WRITE");
    int64_t start_ms = now_ms();
    int code = store_load_item(f->store, &key, &raw, &why);
    int64_t took_ms = now_ms() - start_ms;
    mariadb_sql("UNLOCK TABLES");
    assert_int_equal(FAULT_STORE, code);
    assert_non_null(strstr(why.text, "kept a row locked"));
    assert_in_range(took_ms, 4000, 7000);
    assert_int_equal(FAULT_NOT_FOUND, store_load_item(f->store, &key, &raw, NULL));
}

/* ---- restarts ---- */

struct interrupted {
    int runs;
    const char *order;
};

/* A transaction in whose middle the server goes, the first time. */
static int
run_interrupted(struct db_connection *connection, void *self, struct fault *why)
{
    struct interrupted *interrupted = self;
    struct sql sql = sql_of(connection, SQL_PUT_CRL);
    sql_bind_text(&sql, interrupted->runs == 0 ? "http://first" : "http://second");
    sql_bind_blob(&sql, span_of_text("crl"));
    sql_bind_text(&sql, connection->stamp);
    int code = sql_run(&sql, why);
    sql_close(&sql);
    assert_int_equal(0, code);
    if (interrupted->runs++ == 0) {
        mariadb_let_go();
        behind_order(interrupted->order);
    }
    auto_cleanup(sql_close) struct sql ping = sql_of(connection, SQL_PING_WRITE);
    sql_bind_text(&ping, connection->stamp);
    return sql_run(&ping, why);
}

static void
test_a_restart_in_a_transaction_runs_it_again(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    struct interrupted interrupted = {.order = "restart"};
    char text[128];
    mariadb_new_database(f);
    fixture_open(f);
    if (db_write(db_of(f->store), run_interrupted, &interrupted, &why) != 0) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(2, interrupted.runs);
    snprintf(text, sizeof text, "USE %s; SELECT cdp_url FROM crl_cache", f->server.database);
    assert_string_equal("http://second", mariadb_lines(text));
}

static void
test_idle_connections_that_are_gone_are_not_used(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    fixture_open(f);
    assert_int_equal(0, store_ping(f->store, NULL));
    mariadb_let_go();
    behind_order("restart");
    assert_int_equal(0, store_ping(f->store, NULL));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    char text[128];
    snprintf(text, sizeof text, "KILL %s", ask_inside(f, "SELECT connection_id()"));
    mariadb_sql(text);
    assert_int_equal(0, store_ping(f->store, NULL));
}

static void
test_while_the_server_is_down_nobody_waits(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    mariadb_new_database(f);
    fixture_open(f);
    mariadb_let_go();
    behind_order("kill");
    int64_t start_ms = now_ms();
    int code = store_ping(f->store, &why);
    int64_t took_ms = now_ms() - start_ms;
    behind_order("start");
    assert_int_equal(FAULT_STORE, code);
    assert_in_range(took_ms, 0, 500);
    assert_non_null(strstr(why.text, "the server cannot be reached"));
    for (start_ms = now_ms(); store_ping(f->store, &why) != 0;) {
        assert_in_range(now_ms() - start_ms, 0, 5000);
        usleep(10000);
    }
}

/* ---- two at once ---- */

struct starter {
    struct store_options options;
    struct fault why;
    int code;
};

static void *
start(void *self)
{
    struct starter *starter = self;
    struct store *store = NULL;
    starter->code = store_open_mariadb(&starter->options, &store, &starter->why);
    if (starter->code == 0) {
        store_close(store);
    }
    return NULL;
}

static void
start_four(struct fixture *f)
{
    pthread_t threads[4];
    struct starter starters[4];
    for (size_t i = 0; i < 4; i++) {
        starters[i] = (struct starter){.options = f->options};
        starters[i].options.on_notice = NULL;
        assert_int_equal(0, pthread_create(&threads[i], NULL, start, &starters[i]));
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < 4; i++) {
        if (starters[i].code != 0) {
            fail_msg("%s", starters[i].why.text);
        }
    }
}

static void
test_several_starts_at_once_make_one_database(void **state)
{
    struct fixture *f = *state;
    mariadb_new_database(f);
    start_four(f);
    mariadb_apply(f, "mysql_version_0.sql");
    start_four(f);
    assert_string_equal("5", mariadb_lines("SELECT db_version FROM pcs_version"));
    assert_string_equal("3003020101", mariadb_lines("SELECT hex(pck_crl) FROM pck_crl"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        MARIADB_TEST(test_a_wrong_password_is_for_the_operator),
        MARIADB_TEST(test_a_missing_database_is_made_if_the_user_may),
        MARIADB_TEST(test_a_missing_database_that_the_user_may_not_make_is_told_with_the_cure),
        MARIADB_TEST(test_a_user_who_may_not_make_tables_is_for_the_operator),
        MARIADB_TEST(test_a_user_without_a_connection_left_may_pass),
        MARIADB_TEST(test_a_port_where_nobody_listens_may_pass),
        MARIADB_TEST(test_a_silent_server_is_given_up_in_time),
        MARIADB_TEST(test_the_socket_of_the_machine_is_a_host),
        MARIADB_TEST(test_a_server_without_tls_is_refused_where_tls_is_required),
        MARIADB_TEST(test_no_server_is_told_the_password_in_the_clear),
        MARIADB_TEST(test_a_server_that_does_not_prove_itself_is_refused),
        MARIADB_TEST(test_a_server_that_proves_itself_is_taken),
        MARIADB_TEST(test_tls_is_used_where_it_is_offered),
        MARIADB_TEST(test_the_session_is_strict_in_utc_and_has_deadlines),
        MARIADB_TEST(test_every_table_has_a_primary_key_and_tells_letters_apart),
        MARIADB_TEST(test_a_weak_log_is_told),
        MARIADB_TEST(test_what_does_not_fit_a_column_is_refused_whole),
        MARIADB_TEST(test_a_read_only_server_is_told_and_left),
        MARIADB_TEST(test_a_paused_server_is_given_up_in_time),
        MARIADB_TEST(test_a_locked_table_is_given_up_before_the_deadline),
        MARIADB_TEST(test_a_restart_in_a_transaction_runs_it_again),
        MARIADB_TEST(test_idle_connections_that_are_gone_are_not_used),
        MARIADB_TEST(test_while_the_server_is_down_nobody_waits),
        MARIADB_TEST(test_several_starts_at_once_make_one_database),
    };
    return MARIADB_RUN(tests);
}
