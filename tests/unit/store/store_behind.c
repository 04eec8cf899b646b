/* SPDX-License-Identifier: BSD-3-Clause */
/* See store_behind.h. Anything that fails here fails the test that called. */
#include "store_behind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_behind_priv.h"

enum { ANSWER_SIZE = 16384 };

enum behind_kind
behind_kind(void)
{
    const char *name = getenv("PCCS_TEST_STORE");
    if (name == NULL || strcmp(name, "sqlite") == 0) {
        return BEHIND_SQLITE;
    }
    if (strcmp(name, "postgres") == 0) {
        return BEHIND_POSTGRES;
    }
    if (strcmp(name, "mariadb") != 0) {
        fprintf(stderr, "PCCS_TEST_STORE=%s is none of sqlite, postgres, mariadb\n", name);
        exit(1);
    }
    return BEHIND_MARIADB;
}

static const struct behind_ops *
ops(void)
{
    switch (behind_kind()) {
    case BEHIND_SQLITE:
        return &behind_sqlite;
    case BEHIND_POSTGRES:
        return &behind_postgres;
    case BEHIND_MARIADB:
        return &behind_mariadb;
    }
    abort();
}

static const char *
server_words(void)
{
    return getenv(behind_kind() == BEHIND_POSTGRES ? "PCCS_TEST_POSTGRES" : "PCCS_TEST_MARIADB");
}

const char *
behind_missing(void)
{
    if (behind_kind() == BEHIND_SQLITE) {
        return NULL;
    }
    if (ops()->open == NULL) {
        return "this store was left out of the build";
    }
    return server_words() == NULL ? "no server: run it under with_servers.py" : NULL;
}

/* The value of a word NAME=VALUE, a copy that lasts; "" without. */
static char *
word_of(const char *words, const char *name)
{
    char sought[40];
    snprintf(sought, sizeof sought, "%s=", name);
    for (const char *at = words; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ' ? 1 : 0;
        if (strncmp(at, sought, strlen(sought)) == 0) {
            at += strlen(sought);
            return strndup(at, strcspn(at, " "));
        }
    }
    return strdup("");
}

const char *
behind_admin_database(void)
{
    static char *name;
    name = name != NULL ? name : word_of(server_words(), "admin_database");
    return name;
}

const struct store_server_options *
behind_server(void)
{
    static struct store_server_options options;
    if (options.host == NULL) {
        char *port = word_of(server_words(), "port");
        options = (struct store_server_options){
            .username = word_of(server_words(), "user"),
            .password = word_of(server_words(), "password"),
            .host = word_of(server_words(), "host"),
            .port = (int)strtol(port, NULL, 10),
            .pool_max = 5,
            .ssl_ca = word_of(server_words(), "ca"),
        };
        free(port);
    }
    return &options;
}

/* ---- one connection, kept ---- */

static struct {
    void *handle;
    char database[64];
    char failing[64]; /* the table that behind_fail made fail */
} behind;

void
behind_let_go(void)
{
    if (behind.handle != NULL) {
        ops()->close(behind.handle);
        behind.handle = NULL;
    }
}

static void *
handle_of(const char *path)
{
    if (behind.handle == NULL) {
        bool is_file = behind_kind() == BEHIND_SQLITE;
        behind.handle = ops()->open(is_file ? path : behind_database());
    }
    return behind.handle;
}

/* Nobody holds on to a file: tests move it, lock it, damage it. */
static void
done_with(void)
{
    if (behind_kind() == BEHIND_SQLITE) {
        behind_let_go();
    }
}

void
behind_order(const char *verb)
{
    behind_let_go();
    const char *path = getenv("PCCS_TEST_CONTROL");
    assert_non_null(path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, connect(control, (struct sockaddr *)&address, sizeof address));
    dprintf(control, "%s %s\n", verb, ops()->name);
    char answer[1024];
    size_t size = 0;
    for (ssize_t more = 1;
         more > 0 && size < sizeof answer - 1 && (size == 0 || answer[size - 1] != '\n');) {
        more = read(control, answer + size, sizeof answer - 1 - size);
        size += more > 0 ? (size_t)more : 0;
    }
    answer[size] = '\0';
    close(control);
    assert_string_equal("ok\n", answer);
}

/* ---- a database for this program ---- */

/* Puts a word in the place of each '@'. */
static const char *
fill(const char *pattern, const char *const words[3])
{
    static char text[1024];
    size_t size = 0;
    for (const char *at = pattern; *at != '\0'; at++) {
        bool is_place = *at == '@';
        int added = is_place ? snprintf(text + size, sizeof text - size, "%s", *words++)
                             : snprintf(text + size, sizeof text - size, "%c", *at);
        size += (size_t)added;
        assert_true(size < sizeof text);
    }
    return text;
}

static void
as_admin(const char *pattern)
{
    void *admin = ops()->open(behind_admin_database());
    ops()->run(admin, fill(pattern, (const char *const[3]){behind.database}));
    ops()->close(admin);
}

const char *
behind_database(void)
{
    if (behind.database[0] == '\0') {
        snprintf(behind.database, sizeof behind.database, "pccs_unit_%ld", (long)getpid());
        as_admin(ops()->create_database);
        void *own = ops()->open(behind.database);
        for (const char *const *function = ops()->functions; *function != NULL; function++) {
            ops()->run(own, *function);
        }
        ops()->close(own);
    }
    return behind.database;
}

/* What is left says whose the database is. */
void
behind_empty(void)
{
    static const char *const tables[] = {
        "platforms",
        "platform_tcbs",
        "pck_cert",
        "pck_certchain",
        "pck_crl",
        "pcs_certificates",
        "fmspc_tcbs",
        "enclave_identities",
        "crl_cache",
        "appraisal_policies",
        "platforms_registered",
        "pccs_chains",
        "pccs_item_chains",
        "pccs_items",
        "pccs_platforms",
        "pccs_claims",
        "pccs_instances",
        "pccs_changes",
    };
    char text[2048] = "";
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        size_t size = strlen(text);
        snprintf(text + size, sizeof text - size, "DELETE FROM %s;", tables[i]);
    }
    behind_fail_no_more("");
    if (strcmp(behind_text("", ops()->has_tables), "0") != 0) {
        behind_sql("", text);
    }
}

void
behind_drop(void)
{
    behind_let_go();
    if (behind.database[0] != '\0') {
        as_admin(ops()->drop_database);
        behind.database[0] = '\0';
    }
}

/* ---- statements ---- */

void
behind_sql(const char *path, const char *text)
{
    ops()->run(handle_of(path), text);
    done_with();
}

const char *
behind_text(const char *path, const char *text)
{
    static char answer[ANSWER_SIZE];
    ops()->ask(handle_of(path), text, false, answer, sizeof answer);
    done_with();
    return answer;
}

const char *
behind_lines(const char *path, const char *text)
{
    static char answer[ANSWER_SIZE];
    ops()->ask(handle_of(path), text, true, answer, sizeof answer);
    done_with();
    return answer;
}

void
behind_fail(const char *path, const char *verb, const char *table, const char *qeid)
{
    char condition[256] = "1 = 1";
    if (qeid != NULL) {
        snprintf(condition, sizeof condition, "NEW.qe_id = '%s'", qeid);
    }
    behind_sql(path, fill(ops()->fail, (const char *const[3]){verb, table, condition}));
    snprintf(behind.failing, sizeof behind.failing, "%s", table);
}

void
behind_fail_no_more(const char *path)
{
    if (behind.failing[0] != '\0') {
        const char *text = fill(ops()->fail_no_more, (const char *const[3]){behind.failing});
        behind.failing[0] = '\0';
        behind_sql(path, text);
    }
}

void
behind_add(char *out, size_t out_size, const char *row)
{
    size_t size = strlen(out);
    snprintf(out + size, out_size - size, "%s%s", size > 0 ? "\n" : "", row);
}
