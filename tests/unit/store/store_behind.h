/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The database behind a store under test, by a connection of the test's own: SQLite, or a server
 * that with_servers.py started. PCCS_TEST_STORE says which: sqlite (also if unset), postgres,
 * mariadb.
 *
 * What the three write differently are functions here, in all of them:
 *   unhex('30')        bytes                      hex(bytes)       upper-case hex of them
 *   zeroblob(n)        n bytes of zero            text_of(bytes)   as text
 *   hex_pad(i, n)      i as n hex digits          repeat(text, n)
 *   stamp_text(time)   2025-07-01 00:00:00.000 +00:00
 * and BEHIND_TIME is a time that all three take. || joins text. An INSERT comes before its WITH.
 */
#ifndef STORE_BEHIND_H
#define STORE_BEHIND_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

#define BEHIND_TIME "'2025-06-01 00:00:00.000'"
#define BEHIND_TIMES BEHIND_TIME ", " BEHIND_TIME
#define BEHIND_LATER "'2025-07-02 00:00:00.000', '2025-07-02 00:00:00.000'" /* than FIXTURE_NOW */

enum behind_kind { BEHIND_SQLITE, BEHIND_POSTGRES, BEHIND_MARIADB };
enum behind_kind behind_kind(void);
/* Why there is no such database here; NULL if there is one. */
const char *behind_missing(void);
/* The server, without a database. */
const struct store_server_options *behind_server(void);
/* Does with the server what with_servers.py understands: "kill", "start", ... */
void behind_order(const char *verb);

/* A database of its own for this program; empty of rows at each call of behind_empty. */
const char *behind_database(void);
void behind_empty(void);
void behind_drop(void);
/* Closes the connection; the next statement opens another. */
void behind_let_go(void);

/* path: of the SQLite file, else unused. Statements are separated by semicolons. */
void behind_sql(const char *path, const char *text);
/* The first column of the first row; "no row", "NULL". In a static buffer. */
const char *behind_text(const char *path, const char *text);
/* All rows of the first column, joined by line ends; for EXPLAIN. In a static buffer. */
const char *behind_lines(const char *path, const char *text);
/* Makes each INSERT into (or UPDATE of) the table fail, or only those of this qe_id; NULL: all. */
void behind_fail(const char *path, const char *verb, const char *table, const char *qeid);
void behind_fail_no_more(const char *path);

#endif
