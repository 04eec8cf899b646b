/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Turns a query into a request of the PCS's API: method, URL, body, ceiling of the answer.
 *
 * Takes the key of an item and what goes with it; gives a request, and the URL as it may be shown
 * (an encrypted PPID is not to be logged). Called by pcs_fetch.c on workers; touches no socket.
 * Must never put foreign bytes into a URL that were not checked for their form, and never reach
 * over plain HTTP for anything but this machine.
 *
 * pcs.md, the table; api.md, Fetching a platform; wire_details.md 16.
 */
#include "pcs/pcs_priv.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/url.h"

enum { URL_BYTES = 2 * LIMIT_URL_CHARS + LIMIT_PPID_HEX, BODY_BYTES = LIMIT_MANIFEST_HEX + 128 };

static int
misuse(struct fault *why, const char *text)
{
    return fault_set(why, FAULT_INTERNAL, "upstream", "%s", text);
}

static void
add_path(const struct pcs_client *client, enum product product, unsigned version, struct buf *url)
{
    buf_add_format(url, "%s/%s/certification/v%u/", client->prefix,
                   product == PRODUCT_TDX ? "tdx" : "sgx", version);
}

/* update=, or the number in its place: the PCS takes one of them. */
static int
add_update(const struct item_key *key, const char *separator, struct buf *url, struct fault *why)
{
    switch (key->update) {
    case UPDATE_STANDARD:
        buf_add_format(url, "%supdate=standard", separator);
        return 0;
    case UPDATE_EARLY:
        buf_add_format(url, "%supdate=early", separator);
        return 0;
    case UPDATE_NUMBERED:
        buf_add_format(url, "%stcbEvaluationDataNumber=%u", separator, key->eval_number);
        return 0;
    case UPDATE_ALL:
        break;
    }
    return misuse(why, "\"all\" names no single item");
}

static int
add_identity(const struct pcs_client *client, const struct item_key *key, struct buf *url,
             struct fault *why)
{
    const char *name = NULL;
    switch (key->enclave) {
    case ENCLAVE_QE:
    case ENCLAVE_TDQE:
        name = "qe";
        break;
    case ENCLAVE_QVE:
        name = "qve";
        break;
    case ENCLAVE_QAE:
        name = "qae";
        break;
    }
    if (name == NULL) {
        return misuse(why, "a key without an enclave");
    }
    add_path(client, key->enclave == ENCLAVE_TDQE ? PRODUCT_TDX : PRODUCT_SGX, key->api_version,
             url);
    buf_add_format(url, "%s/identity", name);
    return add_update(key, "?", url, why);
}

/* With a manifest by POST, otherwise by encrypted PPID. Both were checked when the request came in;
 * checked again because they become parts of a URL and of JSON. */
static int
add_pckcerts(const struct pcs_client *client, const struct upstream_query *query,
             struct pcs_request *request, struct fault *why)
{
    const char *pceid = query->key->platform.pceid;
    if (!hex_is_sized(span_of_text(pceid), 4) || !hex_is(query->manifest) ||
        !hex_is(query->encrypted_ppid) ||
        (query->manifest.size == 0 && query->encrypted_ppid.size == 0)) {
        return misuse(why, "a platform without PCE ID, encrypted PPID or manifest in hex");
    }
    add_path(client, PRODUCT_SGX, client->version, &request->url);
    buf_add_text(&request->url, "pckcerts");
    buf_add(&request->shown, buf_span(&request->url));
    if (query->manifest.size > 0) {
        buf_add_text(&request->body, "{\"platformManifest\":\"");
        buf_add(&request->body, query->manifest);
        buf_add_format(&request->body, "\",\"pceid\":\"%s\"}", pceid);
        return 0;
    }
    buf_add_text(&request->url, "?encrypted_ppid=");
    buf_add(&request->url, query->encrypted_ppid);
    buf_add_format(&request->url, "&pceid=%s", pceid);
    return 0;
}

/* URLs that come from certificates and from callers; which hosts are allowed was the request's
 * question. */
static int
add_crl_url(const char *text, struct buf *url, struct fault *why)
{
    struct span span = span_of_text(text);
    struct url_parts parts;
    if (span.size == 0 || span.size > LIMIT_URL_CHARS || url_split(span, &parts) != 0) {
        return fault_set(why, FAULT_UPSTREAM_ODD, "upstream",
                         "the CRL's distribution point is no URL: %s",
                         text != NULL ? text : "absent");
    }
    if (!parts.https && !url_host_is_loopback(parts.host)) {
        return fault_set(why, FAULT_UPSTREAM_ODD, "upstream",
                         "http:// is for loopback addresses only: %s", text);
    }
    buf_add(url, span);
    return 0;
}

static int
add_fmspcs(const struct pcs_client *client, const struct item_key *key, struct buf *url)
{
    add_path(client, PRODUCT_SGX, 4, url);
    buf_add_text(url, "fmspcs?platform=");
    return url_add_encoded(url, span_of_text(key->url));
}

static int
request_fill(const struct pcs_client *client, const struct upstream_query *query,
             struct pcs_request *request, struct fault *why)
{
    const struct item_key *key = query->key;
    struct buf *url = &request->url;
    switch (key->kind) {
    case ITEM_TCBINFO:
        add_path(client, key->product, key->api_version, url);
        buf_add_format(url, "tcb?fmspc=%s", key->fmspc.hex);
        return add_update(key, "&", url, why);
    case ITEM_IDENTITY:
        return add_identity(client, key, url, why);
    case ITEM_PCK_CRL:
        add_path(client, PRODUCT_SGX, client->version, url);
        buf_add_format(url, "pckcrl?ca=%s&encoding=der",
                       key->ca == PCK_CA_PLATFORM ? "platform" : "processor");
        return 0;
    case ITEM_ROOT_CRL:
        return add_crl_url(query->crl_url, url, why);
    case ITEM_CRL:
        return add_crl_url(key->url, url, why);
    case ITEM_PCK:
        return add_pckcerts(client, query, request, why);
    case ITEM_EVALNUMBERS:
        add_path(client, key->product, 4, url);
        buf_add_text(url, "tcbevaluationdatanumbers");
        return 0;
    case ITEM_FMSPCS:
        return add_fmspcs(client, key, url);
    case ITEM_POLICIES:
        break;
    }
    return misuse(why, "appraisal policies are not Intel's to give");
}

int
pcs_request_build(const struct pcs_client *client, const struct upstream_query *query,
                  struct pcs_request *ret_request, struct fault *why)
{
    static const char *const words[] = {PCS_ENDPOINT_WORDS};
    enum item_kind kind = query->key->kind;
    bool is_crl = kind == ITEM_PCK_CRL || kind == ITEM_ROOT_CRL || kind == ITEM_CRL;
    struct pcs_request request = {
        .kind = kind,
        .endpoint = (size_t)kind < ARRAY_COUNT(words) ? words[kind] : "",
        .url = BUF_INIT(URL_BYTES),
        .shown = BUF_INIT(URL_BYTES),
        .body = BUF_INIT(BODY_BYTES),
        .body_max = is_crl ? LIMIT_CRL_BYTES : LIMIT_UPSTREAM_BODY_BYTES,
    };
    int rc = request_fill(client, query, &request, why);
    if (rc == 0 && request.shown.size == 0) {
        buf_add(&request.shown, buf_span(&request.url));
    }
    if (rc == 0 && (request.url.failed || request.shown.failed || request.body.failed)) {
        rc = fault_set(why, FAULT_MEMORY, "upstream", "no memory for a request to the PCS");
    }
    if (rc != 0) {
        pcs_request_done(&request);
        return rc;
    }
    bool is_of_pcs = pcs_same_origin(buf_text(&request.url), client->prefix);
    request.sends_key = kind == ITEM_PCK || (client->sends_key_everywhere && is_of_pcs);
    *ret_request = request;
    return 0;
}

void
pcs_request_done(struct pcs_request *request)
{
    buf_done_secret(&request->url);
    buf_done(&request->shown);
    buf_done_secret(&request->body);
}

bool
pcs_same_origin(const char *a, const char *b)
{
    struct url_parts x, y;
    if (url_split(span_of_text(a), &x) != 0 || url_split(span_of_text(b), &y) != 0) {
        return false;
    }
    char host[256];
    return x.https == y.https && x.port == y.port && span_to_text(y.host, host, sizeof host) &&
           span_is_nocase(x.host, host);
}
