/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections to MariaDB and MySQL: made, asked with fixed text, watched, closed.
 * Takes where the server is and who logs in, gives a connection whose session is as the statements
 * expect it: strict, UTC, its own transactions only where they are begun, nothing without a
 * deadline.
 * Called on any worker; a connection is one thread's at a time.
 * Must never read a file for a server that asks for one, send the password in the clear to a server
 * that did not prove itself, nor wait for longer than the connection's deadline. The library reads
 * no option file and no environment here.
 * config.md, mysql / mariadb; the MariaDB Connector/C manual, mysql_optionsv.
 */
#include "store/mariadb_priv.h"

#include <errno.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PACKET_BYTES_MAX = 64 * 1024 * 1024, /* of one row; more ends the connection */
    TEXT_SIZE = 512,
};

/* ---- logging in ---- */

/* Those that hand the password over only to who knows it already, or by a key. */
static const char careful_logins[] =
    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,parsec";

static bool
is_socket_path(const struct store_server_options *server)
{
    return server->host[0] == '/';
}

static int
seconds_of(int milliseconds)
{
    return (milliseconds + 999) / 1000;
}

/* The system's authorities, by name: where none is named, libmariadb 3.4 takes a certificate of any
 * for proven once the password was. */
static bool
set_system_roots(MYSQL *handle)
{
    const char *file = X509_get_default_cert_file();
    return maria.options(handle, MYSQL_OPT_SSL_CAPATH, X509_get_default_cert_dir()) == 0 &&
           (access(file, R_OK) != 0 || maria.options(handle, MYSQL_OPT_SSL_CA, file) == 0);
}

/* What is on this machine's socket nobody else can read or stand in for: no TLS there. */
static bool
set_tls(MYSQL *handle, const struct store_server_options *server)
{
    my_bool wanted = !is_socket_path(server);
    my_bool proved = wanted && server->ssl_required;
    bool is_set = maria.options(handle, MYSQL_OPT_SSL_ENFORCE, &wanted) == 0 &&
                  maria.options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &proved) == 0;
    if (proved && server->ssl_ca[0] != '\0') {
        is_set = is_set && maria.options(handle, MYSQL_OPT_SSL_CA, server->ssl_ca) == 0;
    } else if (proved) {
        is_set = is_set && set_system_roots(handle);
    }
    return is_set && (proved || is_socket_path(server) ||
                      maria.options(handle, MARIADB_OPT_RESTRICTED_AUTH, careful_logins) == 0);
}

static bool
set_options(MYSQL *handle, const struct store_server_options *server)
{
    unsigned connect_s = (unsigned)seconds_of(SERVER_CONNECT_MS);
    unsigned answer_s = (unsigned)seconds_of(SERVER_STATEMENT_MS);
    unsigned protocol = is_socket_path(server) ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    unsigned none = 0;
    my_bool no = 0, yes = 1;
    size_t packet_bytes = PACKET_BYTES_MAX;
    return maria.options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s) == 0 &&
           maria.options(handle, MYSQL_OPT_READ_TIMEOUT, &answer_s) == 0 &&
           maria.options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer_s) == 0 &&
           maria.options(handle, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
           maria.options(handle, MYSQL_OPT_LOCAL_INFILE, &none) == 0 &&
           maria.options(handle, MYSQL_OPT_RECONNECT, &no) == 0 &&
           maria.options(handle, MYSQL_SECURE_AUTH, &yes) == 0 &&
           maria.options(handle, MYSQL_REPORT_DATA_TRUNCATION, &yes) == 0 &&
           maria.options(handle, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_bytes) == 0 &&
           maria.options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0 && set_tls(handle, server);
}

/* A handshake that was cut off is told as a TLS error too; it may pass. */
static bool
is_cut_off(const char *text, int64_t started_ms)
{
    static const char *const words[] = {"eof", "reset", "timed out", "Broken pipe", "errno"};
    bool cut = clock_monotonic_ms(clock_system()) - started_ms >= SERVER_CONNECT_MS / 10 * 9;
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        cut = cut || strstr(text, words[i]) != NULL;
    }
    return cut;
}

static int
connect_fault(MYSQL *handle, int64_t started_ms, struct fault *why)
{
    struct maria_error error = {maria.error_number(handle), maria.error_text(handle), started_ms};
    int code = maria_fault(NULL, &error, why);
    if (error.number == MARIADB_TLS_FAILED && is_cut_off(error.text, started_ms)) {
        code = fault_set_number(why, FAULT_STORE, "store", MARIADB_TLS_FAILED,
                                "the connection was lost while TLS began (%s)", error.text);
    }
    return code;
}

static int
log_in_with(MYSQL *handle, const struct store_server_options *server, const char *database,
            struct fault *why)
{
    if (!set_options(handle, server)) {
        return fault_set(why, FAULT_CONFIG, "store", "libmariadb does not take its options");
    }
    bool is_local = is_socket_path(server);
    if (server->ssl_required && !is_local && server->ssl_ca[0] != '\0' &&
        access(server->ssl_ca, R_OK) != 0) {
        return fault_set_number(why, FAULT_CONFIG, "store", errno, "ssl.ca %.80s: %s",
                                server->ssl_ca, strerror(errno));
    }
    int64_t started_ms = clock_monotonic_ms(clock_system());
    if (maria.real_connect(handle, is_local ? NULL : server->host, server->username,
                           server->password, database, (unsigned)server->port,
                           is_local ? server->host : NULL, CLIENT_FOUND_ROWS) == NULL) {
        return connect_fault(handle, started_ms, why);
    }
    if (server->ssl_required && !is_local && maria.get_ssl_cipher(handle) == NULL) {
        return fault_set(why, FAULT_CONFIG, "store", "the server does no TLS, but ssl.required");
    }
    return 0;
}

int
maria_log_in(const struct store_server_options *server, const char *database,
             struct maria_connection *connection, struct fault *why)
{
    connection->base.statement_ms = SERVER_STATEMENT_MS;
    connection->handle = maria.init(NULL);
    if (connection->handle == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a connection");
    }
    int code = log_in_with(connection->handle, server, database, why);
    if (code != 0) {
        maria.close(connection->handle);
        connection->handle = NULL;
        return code;
    }
    connection->is_mariadb = strstr(maria.get_server_info(connection->handle), "MariaDB") != NULL;
    return 0;
}

/* ---- fixed texts ---- */

static int
text_fault(struct maria_connection *connection, int64_t started_ms, struct fault *why)
{
    struct maria_error error = {maria.error_number(connection->handle),
                                maria.error_text(connection->handle), started_ms};
    return maria_fault(connection, &error, why);
}

/* A migration may take longer than the library's deadline, which cannot be changed: the wait for
 * the first byte is ours. */
static bool
wait_for_answer(const struct maria_connection *connection, int64_t started_ms)
{
    struct pollfd socket = {.fd = maria.get_socket(connection->handle), .events = POLLIN};
    int64_t until_ms = started_ms + connection->base.statement_ms;
    for (;;) {
        int64_t left_ms = until_ms - clock_monotonic_ms(clock_system());
        int ready = left_ms > 0 ? poll(&socket, 1, (int)left_ms) : 0;
        if (ready >= 0 || errno != EINTR) {
            return ready > 0;
        }
    }
}

static int
run_text(struct maria_connection *connection, const char *text, struct fault *why)
{
    int64_t started_ms = clock_monotonic_ms(clock_system());
    if (maria.send_query(connection->handle, text, (unsigned long)strlen(text)) != 0) {
        return text_fault(connection, started_ms, why);
    }
    if (!wait_for_answer(connection, started_ms)) {
        return maria_fault_silent(connection, why);
    }
    return maria.read_query_result(connection->handle) != 0
               ? text_fault(connection, started_ms, why)
               : 0;
}

/* ret_text: the first column of the first row; "" if there is none. May be NULL. */
static int
take_result(struct maria_connection *connection, char *ret_text, size_t text_size,
            struct fault *why)
{
    MYSQL_RES *result = NULL;
    if (maria.field_count(connection->handle) != 0) {
        result = maria.store_result(connection->handle);
        if (result == NULL) {
            return text_fault(connection, clock_monotonic_ms(clock_system()), why);
        }
    }
    if (ret_text != NULL) {
        MYSQL_ROW row = result != NULL ? maria.fetch_row(result) : NULL;
        (void)snprintf(ret_text, text_size, "%s", row != NULL && row[0] != NULL ? row[0] : "");
    }
    if (result != NULL) {
        maria.free_result(result);
    }
    return 0;
}

/* The server gives up before we do, so that the connection outlives it: a statement that takes too
 * long, and a lock that nobody gives free, which is half of the time that a statement has. */
static int
limit_session(struct maria_connection *connection, struct fault *why)
{
    int statement_ms = connection->base.statement_ms;
    int lock_s = seconds_of(statement_ms / 2);
    char text[TEXT_SIZE];
    int size = snprintf(text, sizeof(text),
                        "SET SESSION innodb_lock_wait_timeout = %d, lock_wait_timeout = %d", lock_s,
                        lock_s);
    size_t common = (size_t)size;
    (void)snprintf(text + common, sizeof(text) - common,
                   connection->is_mariadb ? ", max_statement_time = %d"
                                          : ", max_execution_time = %d",
                   connection->is_mariadb ? statement_ms / 10 * 9 / 1000 : statement_ms / 10 * 9);
    connection->limited_ms = statement_ms;
    struct fault cause = {0};
    int code = run_text(connection, text, &cause);
    if (code != 0 && cause.number == MARIADB_UNKNOWN_VARIABLE) { /* a relative of theirs */
        text[common] = '\0';
        code = run_text(connection, text, &cause);
    }
    if (code != 0 && why != NULL) {
        *why = cause;
    }
    return code;
}

static int
run_limited(struct maria_connection *connection, const char *text, struct fault *why)
{
    int code = connection->limited_ms != connection->base.statement_ms
                   ? limit_session(connection, why)
                   : 0;
    return code != 0 ? code : run_text(connection, text, why);
}

int
maria_execute(struct db_connection *connection, const char *text, struct fault *why)
{
    int code = run_limited(maria_of(connection), text, why);
    return code != 0 ? code : take_result(maria_of(connection), NULL, 0, why);
}

int
maria_ask(struct db_connection *connection, const char *text, char *ret_text, size_t text_size,
          struct fault *why)
{
    int code = run_limited(maria_of(connection), text, why);
    return code != 0 ? code : take_result(maria_of(connection), ret_text, text_size, why);
}

int
maria_ask_number(struct db_connection *connection, const char *text, int64_t *ret_number,
                 struct fault *why)
{
    char answer[64] = "";
    int code = maria_ask(connection, text, answer, sizeof(answer), why);
    if (code == 0) {
        *ret_number = strtoll(answer, NULL, 10);
    }
    return code;
}

/* ---- a connection's life ---- */

/* Whatever the server's own settings are. */
static int
set_up_session(struct maria_connection *connection, struct fault *why)
{
    static const char *const texts[] = {
        MARIA_SET_MODE ", autocommit = 1, time_zone = '+00:00'",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    };
    int code = 0;
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(texts); i++) {
        code = maria_execute(&connection->base.base, texts[i], why);
    }
    return code;
}

int
maria_connect(struct server_db *db, struct db_connection **ret_connection, struct fault *why)
{
    struct maria_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a connection");
    }
    connection->base.base.db = &db->db;
    struct store_server_options server = {
        .username = db->username,
        .password = db->password,
        .host = db->host,
        .port = db->port,
        .ssl_required = db->ssl_required,
        .ssl_ca = db->ssl_ca,
    };
    int code = maria_log_in(&server, db->database, connection, why);
    code = code != 0 ? code : set_up_session(connection, why);
    if (code != 0) {
        maria_disconnect(&connection->base.base);
        return code;
    }
    *ret_connection = &connection->base.base;
    return 0;
}

/* A lost connection is cut first: nobody waits for its server to take a farewell. */
void
maria_disconnect(struct db_connection *own)
{
    struct maria_connection *connection = maria_of(own);
    if (connection == NULL) {
        return;
    }
    if (own->is_lost && connection->handle != NULL) {
        my_socket fd = maria.get_socket(connection->handle);
        if (fd >= 0) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
    for (int id = 0; id < SQL_COUNT; id++) {
        maria_statement_free(connection->statements[id]);
    }
    if (connection->handle != NULL) {
        maria.close(connection->handle);
    }
    free(connection);
}

/* A server says nothing to who is silent, but that it closes the connection. */
bool
maria_is_alive(struct db_connection *connection)
{
    my_socket fd = maria.get_socket(maria_of(connection)->handle);
    char byte = 0;
    return fd >= 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}
