/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Renders what is proven into finished responses, once, so that a hit copies bytes and nothing
 * else. Takes proven items or faults, gives immutable responses.
 * Called by workers and, for faults, by server loops.
 * Must never render anything that is not proven, nor put a foreign byte into a header.
 * api.md (Endpoints, Status codes), clients.md 1.
 */
#include "cache/respond.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/url.h"

static const struct {
    int status;
    const char *text;
} statuses[] = {
#define STATUS(fault, http_status, body_text) [FAULT_##fault] = {http_status, body_text},
#include "cache/status.def"
#undef STATUS
};
_Static_assert(ARRAY_COUNT(statuses) == FAULT_COUNT, "every fault has a row in status.def");

enum { RESPOND_HEAD_BYTES_MAX = 3 * LIMIT_CHAIN_PEM_BYTES + 4096 };

int
respond_status(enum fault_code code)
{
    return statuses[code].status;
}

struct response *
response_of_fault(const struct fault *why, bool is_collateral_get, int retry_after_s)
{
    enum fault_code code = why->code;
    int status = statuses[code].status;
    struct span body = span_of_text(statuses[code].text);
    if (status == 503 && is_collateral_get) {
        body = span_of_text(""); /* Intel's client glues it in front of the 200 that follows */
    }
    struct response *response =
        response_new(status, span_of_text("Content-Type: text/html; charset=utf-8\r\n"), body);
    if (response != NULL) {
        response->fault = code;
        response->retry_after_s = status == 503 && retry_after_s == 0 ? 5 : retry_after_s;
        size_t size = strnlen(why->text, sizeof response->detail - 1);
        memcpy(response->detail, why->text, size);
        response->detail[size] = '\0';
    }
    return response;
}

struct response *
respond_text(struct span text)
{
    return response_new(200, span_of_text("Content-Type: text/html; charset=utf-8\r\n"), text);
}

struct response *
respond_done(void)
{
    return respond_text(span_of_text(statuses[FAULT_NONE].text));
}

struct response *
respond_json(struct span json, const char *extra_head)
{
    auto_cleanup(buf_done) struct buf head = BUF_INIT(RESPOND_HEAD_BYTES_MAX);
    buf_add_text(&head, "Content-Type: application/json; charset=utf-8\r\n");
    if (extra_head != NULL) {
        buf_add_text(&head, extra_head);
    }
    return head.failed ? NULL : response_new(200, buf_span(&head), json);
}

/* A strong ETag: the first half of the SHA-256 over head and body, so that another chain is
 * another representation. */
static void
respond_set_etag(struct response *response)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(context, response->head.data, response->head.size) == 1 &&
        EVP_DigestUpdate(context, response->body.data, response->body.size) == 1 &&
        EVP_DigestFinal_ex(context, digest, NULL) == 1) {
        response->etag[0] = '"';
        hex_encode_lower(span_of(digest, 16), response->etag + 1);
        response->etag[33] = '"';
        response->etag[34] = '\0';
    }
    EVP_MD_CTX_free(context);
}

static struct response *
respond_finish(struct buf *head, struct span body, int64_t fresh_until)
{
    struct response *response = head->failed ? NULL : response_new(200, buf_span(head), body);
    if (response != NULL) {
        response->fresh_until = fresh_until;
        respond_set_etag(response);
    }
    return response;
}

static void
respond_add_chain(struct buf *head, const char *name, const char *chain_pem)
{
    buf_add_text(head, name);
    buf_add_text(head, ": ");
    url_add_encoded(head, span_of_text(chain_pem));
    buf_add_text(head, "\r\n");
}

/* The name of the issuer chain header; NULL where the endpoint has none. */
static const char *
respond_chain_name(const struct item_key *key)
{
    switch (key->kind) {
    case ITEM_TCBINFO:
        return key->api_version == 3 ? "SGX-TCB-Info-Issuer-Chain" : "TCB-Info-Issuer-Chain";
    case ITEM_IDENTITY:
        return "SGX-Enclave-Identity-Issuer-Chain";
    case ITEM_PCK_CRL:
        return "SGX-PCK-CRL-Issuer-Chain";
    case ITEM_EVALNUMBERS:
        return "TCB-Evaluation-Data-Numbers-Issuer-Chain";
    case ITEM_ROOT_CRL:
    case ITEM_CRL:
    case ITEM_PCK:
    case ITEM_FMSPCS:
    case ITEM_POLICIES:
        return NULL;
    }
    return NULL;
}

static const char *
respond_content_type(const struct item_key *key, enum crl_encoding encoding)
{
    switch (key->kind) {
    case ITEM_PCK_CRL:
        return encoding == CRL_ENCODING_DER ? "application/pkix-crl" : "application/x-pem-file";
    case ITEM_ROOT_CRL:
    case ITEM_CRL:
        return "application/pkix-crl";
    case ITEM_TCBINFO:
    case ITEM_IDENTITY:
    case ITEM_EVALNUMBERS:
    case ITEM_FMSPCS:
        return "application/json";
    case ITEM_PCK:
        return "application/x-pem-file";
    case ITEM_POLICIES:
        return "text/html; charset=utf-8";
    }
    return "text/html; charset=utf-8";
}

/* PEM of a DER list: base64 in lines of 64. */
static void
respond_add_crl_pem(struct buf *body, struct span der)
{
    buf_add_text(body, "-----BEGIN X509 CRL-----\n");
    for (size_t offset = 0; offset < der.size; offset += 48) {
        size_t size = der.size - offset < 48 ? der.size - offset : 48;
        unsigned char line[65];
        EVP_EncodeBlock(line, der.data + offset, (int)size);
        buf_add_text(body, (const char *)line);
        buf_add_byte(body, '\n');
    }
    buf_add_text(body, "-----END X509 CRL-----\n");
}

struct response *
respond_item(const struct proven *proven, enum crl_encoding encoding)
{
    const struct item_key *key = &proven->key;
    auto_cleanup(buf_done) struct buf head = BUF_INIT(RESPOND_HEAD_BYTES_MAX);
    buf_add_format(&head, "Content-Type: %s\r\n", respond_content_type(key, encoding));
    if (respond_chain_name(key) != NULL) {
        respond_add_chain(&head, respond_chain_name(key), proven->chain_pem);
    }
    if (key->kind == ITEM_ROOT_CRL) {
        encoding = CRL_ENCODING_HEX;
    } else if (key->kind != ITEM_PCK_CRL) {
        encoding = CRL_ENCODING_DER; /* as stored */
    }
    auto_cleanup(buf_done) struct buf body = BUF_INIT(2 * LIMIT_UPSTREAM_BODY_BYTES + 256);
    switch (encoding) {
    case CRL_ENCODING_DER:
        return respond_finish(&head, buf_span(&proven->body), proven->fresh_until);
    case CRL_ENCODING_HEX:
        hex_add_lower(&body, buf_span(&proven->body));
        break;
    case CRL_ENCODING_PEM:
        respond_add_crl_pem(&body, buf_span(&proven->body));
        break;
    }
    return body.failed ? NULL : respond_finish(&head, buf_span(&body), proven->fresh_until);
}

struct response *
respond_pck(const struct proven *proven, const struct proven_pck *pck, int64_t fresh_until)
{
    auto_cleanup(buf_done) struct buf head = BUF_INIT(RESPOND_HEAD_BYTES_MAX);
    buf_add_format(&head,
                   "Content-Type: application/x-pem-file\r\n"
                   "SGX-TCBm: %s\r\nSGX-FMSPC: %s\r\nSGX-PCK-Certificate-CA-Type: %s\r\n",
                   pck->tcbm, proven->fmspc.hex, pck_ca_word(proven->ca));
    respond_add_chain(&head, "SGX-PCK-Certificate-Issuer-Chain", proven->chain_pem);
    return respond_finish(&head, span_of_text(pck->pem), fresh_until);
}

struct response *
respond_policies(struct span policies)
{
    auto_cleanup(buf_done) struct buf head = BUF_INIT(RESPOND_HEAD_BYTES_MAX);
    buf_add_text(&head, "Content-Type: text/html; charset=utf-8\r\n");
    return respond_finish(&head, policies, INT64_MAX);
}
