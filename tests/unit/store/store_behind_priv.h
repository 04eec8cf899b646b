/* SPDX-License-Identifier: BSD-3-Clause */
/* What SQLite, PostgreSQL and MariaDB do differently behind a store under test. */
#ifndef STORE_BEHIND_PRIV_H
#define STORE_BEHIND_PRIV_H

#include "store_behind.h"

struct behind_ops {
    const char *name;
    void *(*open)(const char *where); /* a path, or a database's name; NULL: not in this build */
    void (*close)(void *handle);
    void (*run)(void *handle, const char *text);
    void (*ask)(void *handle, const char *text, bool all, char *out, size_t out_size);
    const char *has_tables;                      /* "0" if the store has made none */
    const char *create_database, *drop_database; /* @: its name */
    const char *fail;                            /* @: verb, @: table, @: condition */
    const char *fail_no_more;                    /* @: table */
    const char *const *functions;                /* statements that make those of store_behind.h */
};

extern const struct behind_ops behind_sqlite, behind_postgres, behind_mariadb;

const char *behind_admin_database(void);
/* Joins the rows of an answer; the first comes without a line end. */
void behind_add(char *out, size_t out_size, const char *row);

#endif
