/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client of the PCS: what is configured, and a pool of handles so that connections are used
 * again.
 *
 * Takes the options once, when the program starts, and checks them; gives the port that the cache
 * asks. The pool is the only thing shared and mutable: client->lock protects idle and idle_count.
 * is_stopping is atomic, and stop_fd wakes whoever waits. Must never keep or show the API key
 * anywhere but in the one header.
 *
 * config.md (uri, ApiKey, proxy, UpstreamCaFile, Upstream...); pcs.md.
 */
#include "pcs/pcs_priv.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/url.h"

static const char validation_host[] = "validation.api.trustedservices.intel.com";

/* ---- handles ---- */

static void
handle_free(struct pcs_handle handle)
{
    pcs_curl.easy_cleanup(handle.easy);
    pcs_curl.multi_cleanup(handle.multi);
}

bool
pcs_handle_take(struct pcs_client *client, struct pcs_handle *ret_handle)
{
    bool is_taken = false;
    pthread_mutex_lock(&client->lock);
    if (client->idle_count > 0) {
        *ret_handle = client->idle[--client->idle_count];
        is_taken = true;
    }
    pthread_mutex_unlock(&client->lock);
    if (is_taken) {
        return true;
    }
    struct pcs_handle handle = {.multi = pcs_curl.multi_init(), .easy = pcs_curl.easy_init()};
    if (handle.multi == NULL || handle.easy == NULL) {
        handle_free(handle);
        return false;
    }
    *ret_handle = handle;
    return true;
}

void
pcs_handle_give(struct pcs_client *client, struct pcs_handle handle)
{
    bool is_given = false;
    pthread_mutex_lock(&client->lock);
    if (client->idle_count < PCS_IDLE_HANDLES_MAX) {
        client->idle[client->idle_count++] = handle;
        is_given = true;
    }
    pthread_mutex_unlock(&client->lock);
    if (!is_given) {
        handle_free(handle);
    }
}

bool
pcs_client_wait(struct pcs_client *client, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms(clock_system()) + milliseconds;
    struct pollfd stop = {.fd = client->stop_fd, .events = POLLIN};
    int64_t left_ms = milliseconds;
    while (!atomic_load(&client->is_stopping) && left_ms > 0) {
        int timeout = left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
        (void)poll(&stop, 1, timeout);
        left_ms = end_ms - clock_monotonic_ms(clock_system());
    }
    return !atomic_load(&client->is_stopping);
}

/* ---- options ---- */

/* What goes into a header line or to libcurl must not bring lines of its own. */
static int
check_text(const char *name, const char *text, struct fault *why)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return fault_set(why, FAULT_CONFIG, "upstream", "%s holds a control character", name);
        }
    }
    if (strlen(text) > LIMIT_URL_CHARS) {
        return fault_set(why, FAULT_CONFIG, "upstream", "%s is longer than %d characters", name,
                         LIMIT_URL_CHARS);
    }
    return 0;
}

/* Takes uri apart: PREFIX/sgx/certification/vN/. */
static int
client_set_uri(struct pcs_client *client, const char *uri, struct fault *why)
{
    static const char middle[] = "/sgx/certification/v";
    struct span text = span_of_text(uri);
    struct url_parts parts;
    if (text.size > LIMIT_URL_CHARS || url_split(text, &parts) != 0) {
        return fault_set(why, FAULT_CONFIG, "upstream", "uri: expected an https:// URL");
    }
    if (!parts.https && !url_host_is_loopback(parts.host)) {
        return fault_set(why, FAULT_CONFIG, "upstream",
                         "uri: http:// is for loopback addresses only");
    }
    const char *at = strstr(uri, middle);
    const char *tail = at != NULL ? at + sizeof middle - 1 : "";
    if (strcmp(tail, "3/") != 0 && strcmp(tail, "4/") != 0) {
        return fault_set(why, FAULT_CONFIG, "upstream",
                         "uri: expected it to end in /sgx/certification/v4/ (or v3/)");
    }
    client->version = tail[0] == '3' ? 3 : 4;
    client->sends_key_everywhere = span_is_nocase(parts.host, validation_host);
    client->prefix = span_dup_text(span_of(uri, (size_t)(at - uri)));
    return client->prefix != NULL
               ? 0
               : fault_set(why, FAULT_MEMORY, "upstream", "no memory for the client of the PCS");
}

static int
client_set_texts(struct pcs_client *client, const struct pcs_options *options, struct fault *why)
{
    const char *api_key = options->api_key != NULL ? options->api_key : "";
    const char *proxy = options->proxy != NULL ? options->proxy : "";
    int rc = check_text("ApiKey", api_key, why);
    rc = rc != 0 ? rc : check_text("proxy", proxy, why);
    if (rc != 0) {
        return rc;
    }
    client->api_key = span_dup_text(span_of_text(api_key));
    client->proxy = span_dup_text(span_of_text(proxy));
    if (client->api_key == NULL || client->proxy == NULL) {
        return fault_set(why, FAULT_MEMORY, "upstream", "no memory for the client of the PCS");
    }
    return 0;
}

static int
client_add_certs(struct pcs_client *client, BIO *bio, const char *path, struct fault *why)
{
    for (;;) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (cert == NULL) {
            break;
        }
        X509 **certs = NULL;
        if (client->ca_cert_count < PCS_CA_FILE_CERTS_MAX) {
            certs = reallocarray(client->ca_certs, client->ca_cert_count + 1, sizeof(X509 *));
        }
        if (certs == NULL) {
            X509_free(cert);
            return fault_set(why, FAULT_CONFIG, "upstream",
                             "UpstreamCaFile %s: more than %d certificates, or no memory", path,
                             PCS_CA_FILE_CERTS_MAX);
        }
        client->ca_certs = certs;
        client->ca_certs[client->ca_cert_count++] = cert;
    }
    unsigned long error = ERR_peek_last_error();
    ERR_clear_error();
    bool is_end = ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (client->ca_cert_count == 0 || !is_end) {
        return fault_set_number(why, FAULT_CONFIG, "upstream", (long)ERR_GET_REASON(error),
                                "UpstreamCaFile %s: expected PEM certificates", path);
    }
    return 0;
}

static int
client_read_ca_file(struct pcs_client *client, const char *path, struct fault *why)
{
    if (path == NULL || path[0] == '\0') {
        return 0;
    }
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_PEM_FILE_BYTES);
    struct fault inner = {0};
    if (file_read(path, &pem, &inner) != 0) {
        return fault_set_number(why, FAULT_CONFIG, "upstream", inner.number, "UpstreamCaFile: %s",
                                inner.text);
    }
    BIO *bio = BIO_new_mem_buf(pem.data != NULL ? (const void *)pem.data : "", (int)pem.size);
    if (bio == NULL) {
        return fault_set(why, FAULT_MEMORY, "upstream", "no memory for UpstreamCaFile");
    }
    int rc = client_add_certs(client, bio, path, why);
    BIO_free(bio);
    return rc;
}

/* ---- the client ---- */

int
pcs_client_new(const struct pcs_options *options, struct upstream **ret_upstream, struct fault *why)
{
    struct pcs_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return fault_set(why, FAULT_MEMORY, "upstream", "no memory for the client of the PCS");
    }
    client->port.fetch = pcs_fetch;
    client->options = (struct pcs_options){
        .timeout_s = options->timeout_s > 0 ? options->timeout_s : 120,
        .retries = options->retries,
        .first_wait_ms = options->first_wait_ms > 0 ? options->first_wait_ms : 1000,
        .on_exchange = options->on_exchange,
        .self = options->self,
    };
    pthread_mutex_init(&client->lock, NULL);
    client->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = 0;
    if (client->stop_fd < 0) {
        rc = fault_set_number(why, FAULT_IO, "upstream", errno, "eventfd: %s", strerror(errno));
    }
    rc = rc != 0 ? rc : client_set_uri(client, options->uri, why);
    rc = rc != 0 ? rc : client_set_texts(client, options, why);
    rc = rc != 0 ? rc : client_read_ca_file(client, options->ca_file, why);
    if (rc != 0) {
        pcs_client_free(&client->port);
        return rc;
    }
    *ret_upstream = &client->port;
    return 0;
}

int
pcs_client_check(struct fault *why)
{
    return pcs_curl_load(why);
}

void
pcs_client_free(struct upstream *upstream)
{
    if (upstream == NULL) {
        return;
    }
    struct pcs_client *client = (struct pcs_client *)upstream;
    for (size_t i = 0; i < client->idle_count; i++) {
        handle_free(client->idle[i]);
    }
    for (size_t i = 0; i < client->ca_cert_count; i++) {
        X509_free(client->ca_certs[i]);
    }
    free(client->ca_certs);
    free(client->prefix);
    if (client->api_key != NULL) {
        explicit_bzero(client->api_key, strlen(client->api_key));
    }
    free(client->api_key);
    free(client->proxy);
    if (client->stop_fd >= 0) {
        close(client->stop_fd);
    }
    pthread_mutex_destroy(&client->lock);
    free(client);
}

void
pcs_client_stop(struct upstream *upstream)
{
    struct pcs_client *client = (struct pcs_client *)upstream;
    atomic_store(&client->is_stopping, true);
    /* never read: it stays readable and wakes everybody, now and later */
    uint64_t one = 1;
    while (write(client->stop_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}
