/* SPDX-License-Identifier: BSD-3-Clause */
/* See mariadb_behind.h. */
#include "mariadb_behind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_SIZE = 65536 };

static MYSQL *admin;
static char database[64]; /* "" if none is made */

static MYSQL *
handle(void)
{
    if (admin == NULL) {
        const struct store_server_options *server = behind_server();
        admin = mysql_init(NULL);
        mysql_optionsv(admin, MYSQL_SET_CHARSET_NAME, "utf8mb4");
        if (mysql_real_connect(admin, server->host, server->username, server->password, NULL,
                               (unsigned)server->port, NULL, CLIENT_MULTI_STATEMENTS) == NULL) {
            fail_msg("%s", mysql_error(admin));
        }
        mariadb_sql("SET SESSION sql_mode = 'PIPES_AS_CONCAT', time_zone = '+00:00'");
    }
    return admin;
}

/* All statements are run; the last result is kept. */
static MYSQL_RES *
run(const char *text)
{
    MYSQL *connection = handle();
    MYSQL_RES *last = NULL;
    int more = mysql_real_query(connection, text, strlen(text));
    for (; more == 0; more = mysql_next_result(connection)) {
        MYSQL_RES *result = mysql_store_result(connection);
        if (result != NULL) {
            mysql_free_result(last);
            last = result;
        }
    }
    if (mysql_errno(connection) != 0) {
        fail_msg("%s: %s", text, mysql_error(connection));
    }
    return last;
}

void
mariadb_sql(const char *text)
{
    mysql_free_result(run(text));
}

const char *
mariadb_lines(const char *text)
{
    static char answer[ANSWER_SIZE];
    size_t size = 0;
    answer[0] = '\0';
    MYSQL_RES *result = run(text);
    assert_non_null(result);
    for (MYSQL_ROW row = mysql_fetch_row(result); row != NULL; row = mysql_fetch_row(result)) {
        size += (size_t)snprintf(answer + size, sizeof answer - size, "%s%s", size > 0 ? "\n" : "",
                                 row[0] != NULL ? row[0] : "NULL");
        assert_true(size < sizeof answer);
    }
    mysql_free_result(result);
    return answer;
}

void
mariadb_let_go(void)
{
    if (admin != NULL) {
        mysql_close(admin);
        admin = NULL;
    }
}

static void
drop(void)
{
    char text[128];
    if (database[0] != '\0') {
        snprintf(text, sizeof text, "DROP DATABASE IF EXISTS %s", database);
        mariadb_sql(text);
        database[0] = '\0';
    }
}

void
mariadb_new_database(struct fixture *f)
{
    static int count;
    char text[256];
    drop();
    snprintf(database, sizeof database, "pccs_own_%ld_%d", (long)getpid(), ++count);
    snprintf(text, sizeof text, "CREATE DATABASE %s CHARACTER SET utf8mb4; USE %s", database,
             database);
    mariadb_sql(text);
    f->server.database = database;
    f->options.server = &f->server;
}

void
mariadb_apply(struct fixture *f, const char *name)
{
    mariadb_new_database(f);
    char path[512];
    snprintf(path, sizeof path, VECTORS "/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    static char text[65536];
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    mariadb_sql(text);
}

int
mariadb_tear_down(void **state)
{
    int code = fixture_tear_down(state);
    drop();
    mariadb_let_go();
    return code;
}

void
mariadb_refused(struct fixture *f, int code, const char *words)
{
    struct fault why = {0};
    struct store *store = NULL;
    int got = store_open_mariadb(&f->options, &store, &why);
    if (got == 0) {
        store_close(store);
        fail_msg("not refused: %s", words);
    }
    if (got != code || strstr(why.text, words) == NULL) {
        fail_msg("code %d, \"%s\" does not say \"%s\"", got, why.text, words);
    }
    assert_null(store);
    assert_null(strstr(why.text, behind_server()->password));
    if (f->server.password[0] != '\0') {
        assert_null(strstr(why.text, f->server.password));
    }
    assert_string_equal("store", why.stage);
}
