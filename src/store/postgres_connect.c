/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections to PostgreSQL: made within a deadline, set up, judged, closed.
 * Takes the store's options, gives a connection to a server that takes writes, or a fault that says
 * whether waiting helps. Of several hosts ("a,b") each is given its share of the time, so that one
 * that is silent does not hide the others.
 * Called by the pool on workers and by the listener's thread. The one thing that may take longer
 * than the deadline is the look-up of a name, which libpq leaves to the C library.
 * Must never take a user, a password, a file or a host from anywhere but the options.
 * config.md, postgres.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "store/postgres_priv.h"

enum {
    HOST_SIZE = 1024,
    PORT_SIZE = 8,
    SECONDS_SIZE = 8,
    PARAMETERS_MAX = 24,
    LIB_HAS_SYSTEM_ROOTS = 160000, /* libpq 16 */
};

/* No such file: libpq looks for none in the home directory then. */
#define NO_FILE "/dev/null/none"

/* ---- what libpq is told ---- */

struct login {
    const char *keywords[PARAMETERS_MAX + 1], *values[PARAMETERS_MAX + 1];
    size_t count;
    char port[PORT_SIZE];
};

static void
login_add(struct login *login, const char *keyword, const char *value)
{
    must(login->count < PARAMETERS_MAX);
    login->keywords[login->count] = keyword;
    login->values[login->count] = value;
    login->count += 1;
}

/* The authorities that a server is judged by; NULL: this machine has none. */
static const char *
root_certificates(const struct server_db *db)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt",
                                          "/etc/pki/tls/certs/ca-bundle.crt",
                                          "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    if (db->ssl_ca[0] != '\0') {
        return db->ssl_ca;
    }
    if (pq.lib_version() >= LIB_HAS_SYSTEM_ROOTS) {
        return "system";
    }
    for (size_t i = 0; i < ARRAY_COUNT(bundles); i++) {
        if (access(bundles[i], R_OK) == 0) {
            return bundles[i];
        }
    }
    return NULL;
}

static int
login_tls(struct login *login, const struct server_db *db, struct fault *why)
{
    if (!db->ssl_required) {
        login_add(login, "sslmode", "prefer");
        login_add(login, "sslrootcert", NO_FILE);
        return 0;
    }
    const char *roots = root_certificates(db);
    if (roots == NULL) {
        return fault_set(why, FAULT_CONFIG, "store",
                         "ssl.required is set, and this machine has no CA bundle: set ssl.ca");
    }
    if (roots[0] == '/' && access(roots, R_OK) != 0) {
        return fault_set(why, FAULT_CONFIG, "store", "ssl.ca %.150s cannot be read: %s", roots,
                         strerror(errno));
    }
    login_add(login, "sslmode", "verify-full");
    login_add(login, "sslrootcert", roots);
    return 0;
}

static int
login_set(struct login *login, const struct server_db *db, const char *host, struct fault *why)
{
    snprintf(login->port, sizeof(login->port), "%d", db->port);
    login_add(login, "host", host);
    login_add(login, "port", login->port);
    login_add(login, "dbname", db->database);
    login_add(login, "user", db->username);
    login_add(login, "password", db->password);
    login_add(login, "passfile", NO_FILE);
    login_add(login, "application_name", "pccsd");
    login_add(login, "client_encoding", "UTF8");
    /* After a fail-over the old primary may come back as a standby. */
    login_add(login, "target_session_attrs", "read-write");
    login_add(login, "gssencmode", "disable");
    login_add(login, "sslcert", NO_FILE);
    login_add(login, "sslkey", NO_FILE);
    login_add(login, "sslcrl", NO_FILE);
    login_add(login, "keepalives", "1");
    login_add(login, "keepalives_idle", "30");
    login_add(login, "keepalives_interval", "10");
    login_add(login, "keepalives_count", "3");
    login_add(login, "tcp_user_timeout", "30000");
    return login_tls(login, db, why);
}

/* ---- connecting ---- */

/* Its default prints on standard error. */
static void
notice_ignore(void *self, const char *text)
{
    (void)self;
    (void)text;
}

static int
connect_wait(PGconn *handle, int64_t until_ms, int64_t wait_ms, struct fault *why)
{
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    while (wants != PGRES_POLLING_OK) {
        if (wants == PGRES_POLLING_FAILED || pq.status(handle) == CONNECTION_BAD) {
            return postgres_fault_connect(pq.error_message(handle), why);
        }
        if (postgres_poll(handle, wants == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms) ==
            0) {
            return fault_set(why, FAULT_STORE, "store", "no answer within %.1f s while connecting",
                             (double)wait_ms / 1000);
        }
        wants = pq.connect_poll(handle);
    }
    return 0;
}

static int
connect_to(const struct server_db *db, const char *host, int64_t wait_ms, PGconn **ret_handle,
           struct fault *why)
{
    struct login login = {0};
    int code = login_set(&login, db, host, why);
    if (code != 0) {
        return code;
    }
    int64_t until_ms = postgres_now_ms() + wait_ms;
    PGconn *handle = pq.connect_start_params(login.keywords, login.values, 0);
    if (handle == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a connection");
    }
    (void)pq.set_notice_processor(handle, notice_ignore, NULL);
    (void)pq.set_error_verbosity(handle, PQERRORS_VERBOSE); /* postgres_fault_connect needs it */
    code = connect_wait(handle, until_ms, wait_ms, why);
    if (code == 0 && pq.set_nonblocking(handle, 1) != 0) {
        code = fault_set(why, FAULT_STORE, "store", "the connection cannot be made non-blocking");
    }
    if (code != 0) {
        pq.finish(handle);
        return code;
    }
    *ret_handle = handle;
    return 0;
}

static size_t
count_hosts(const char *hosts)
{
    size_t count = 1;
    for (const char *comma = strchr(hosts, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        count += 1;
    }
    return count;
}

/* The first host that takes writes. If one of them may come back, waiting helps. */
static int
connect_any(const struct server_db *db, PGconn **ret_handle, struct fault *why)
{
    int64_t until_ms = postgres_now_ms() + SERVER_CONNECT_MS;
    size_t left = count_hosts(db->host);
    bool may_pass = false;
    int code = FAULT_CONFIG;
    const char *rest = db->host;
    for (; code != 0 && left > 0; left--) {
        char host[HOST_SIZE];
        size_t size = strcspn(rest, ",");
        if (!span_to_text(span_of(rest, size), host, sizeof(host))) {
            return fault_set(why, FAULT_CONFIG, "store", "options.host is too long");
        }
        rest += size + (rest[size] == ',' ? 1 : 0);
        int64_t share_ms = (until_ms - postgres_now_ms()) / (int64_t)left;
        code = connect_to(db, size > 0 ? host : "localhost", share_ms > 0 ? share_ms : 1,
                          ret_handle, why);
        may_pass |= code == FAULT_STORE;
    }
    return code == FAULT_CONFIG && may_pass ? fault_recode(why, FAULT_STORE) : code;
}

/* ---- setting up ---- */

/* A write that returned must be on the disk, whatever the server's own setting; a time must be text
 * that any session takes back. */
static const char session_settings[] =
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET idle_in_transaction_session_timeout = 60000";
static const char session_durable[] = "SELECT set_config('synchronous_commit', 'on', false)"
                                      " WHERE current_setting('synchronous_commit') = 'off'";

/* Of those who speak the protocol, two say so and have neither LISTEN nor this setting. */
static int
session_set_up(struct postgres_connection *own, struct fault *why)
{
    const char *version = pq.parameter_status(own->handle, "server_version");
    bool is_yugabyte = version != NULL && strstr(version, "YB") != NULL;
    own->is_cockroach = pq.parameter_status(own->handle, "crdb_version") != NULL;
    own->can_notify = !own->is_cockroach && !is_yugabyte;
    int code = postgres_execute(own, session_settings, NULL, why);
    return code != 0 || own->is_cockroach ? code
                                          : postgres_execute(own, session_durable, NULL, why);
}

/* One per store, made by the first connection: nobody shares the store then. */
static int
listener_make(struct server_db *db, struct fault *why)
{
    if (db->listener != NULL) {
        return 0;
    }
    struct postgres_listener *listener = calloc(1, sizeof(*listener));
    db->listener = listener;
    return listener != NULL ? 0
                            : fault_set(why, FAULT_MEMORY, "store", "no memory for a connection");
}

int
postgres_connect(struct server_db *db, struct db_connection **ret_connection, struct fault *why)
{
    int code = postgres_library_load(why);
    code = code != 0 ? code : listener_make(db, why);
    struct postgres_connection *own = code == 0 ? calloc(1, sizeof(*own)) : NULL;
    if (own == NULL) {
        return code != 0 ? code
                         : fault_set(why, FAULT_MEMORY, "store", "no memory for a connection");
    }
    own->base.base.db = &db->db;
    own->base.statement_ms = SERVER_STATEMENT_MS;
    code = connect_any(db, &own->handle, why);
    code = code != 0 ? code : session_set_up(own, why);
    if (code != 0) {
        postgres_disconnect(&own->base.base);
        return code;
    }
    *ret_connection = &own->base.base;
    return 0;
}

void
postgres_disconnect(struct db_connection *connection)
{
    struct postgres_connection *own = postgres_of(connection);
    if (own == NULL) {
        return;
    }
    if (own->handle != NULL) {
        pq.finish(own->handle);
    }
    free(own);
}

/* An idle connection is told nothing but that it ends. */
bool
postgres_is_alive(struct db_connection *connection)
{
    struct postgres_connection *own = postgres_of(connection);
    return pq.status(own->handle) == CONNECTION_OK &&
           pq.transaction_status(own->handle) == PQTRANS_IDLE &&
           postgres_poll(own->handle, POLLIN, 0) == 0;
}
