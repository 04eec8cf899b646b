/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What exactly does this request want?
 *
 * Step 2 of 8: validate. Takes the matched route and the raw query; gives a typed request with the
 * key of the item it asks for, every value in its normal form, or FAULT_INPUT naming the parameter.
 * Called by the server's loops right after authentication, by serve_request; allocates nothing.
 * Must never judge anything but form: whether an item exists or may be fetched is asked later.
 * api.md, Endpoints and Values.
 */
#include "request/request.h"

#include <stddef.h>

#include "base/mem.h"
#include "request/request_priv.h"

/* One decoded parameter: room for the longest that any route takes. */
struct parameter {
    struct span value;
    char bytes[LIMIT_FMSPC_LIST_CHARS + 2]; /* and brackets */
};

static int
refuse(struct fault *why, const char *name, const char *expected)
{
    return fault_set(why, FAULT_INPUT, "query", "parameter %s: expected %s", name, expected);
}

/* 0, FAULT_NOT_FOUND if absent (no text is set then), FAULT_INPUT if it cannot be decoded. */
static int
parameter_get(struct span query, const char *name, struct parameter *ret_parameter,
              struct fault *why)
{
    struct span raw;
    if (!query_find(query, name, &raw)) {
        return FAULT_NOT_FOUND;
    }
    if (!query_decode(raw, QUERY_PLUS_IS_BLANK, ret_parameter->bytes, sizeof ret_parameter->bytes,
                      &ret_parameter->value)) {
        return refuse(why, name, "a shorter value without broken escapes");
    }
    return 0;
}

static int
parameter_require(struct span query, const char *name, struct parameter *ret_parameter,
                  struct fault *why)
{
    int code = parameter_get(query, name, ret_parameter, why);
    if (code == FAULT_NOT_FOUND) {
        return fault_set(why, FAULT_INPUT, "query", "parameter %s is missing", name);
    }
    return code;
}

static int
parse_fmspc(struct span query, struct fmspc *ret_fmspc, struct fault *why)
{
    struct parameter fmspc;
    int code = parameter_require(query, "fmspc", &fmspc, why);
    if (code != 0) {
        return code;
    }
    return fmspc_parse(fmspc.value, ret_fmspc) ? 0 : refuse(why, "fmspc", "12 hex digits");
}

static int
parse_update(struct span query, bool takes_all, enum update_type *ret_update, struct fault *why)
{
    struct parameter update;
    int code = parameter_get(query, "update", &update, why);
    if (code == FAULT_NOT_FOUND) {
        *ret_update = UPDATE_STANDARD;
        return 0;
    }
    if (code != 0) {
        return code;
    }
    enum update_type type;
    if (!update_type_parse(update.value, &type) || (type == UPDATE_ALL && !takes_all)) {
        return refuse(why, "update", takes_all ? "standard, early or all" : "standard or early");
    }
    *ret_update = type;
    return 0;
}

/* 1 to LIMIT_EVAL_NUMBER in decimal, written in one way only. */
static bool
eval_number_parse(struct span text, uint32_t *ret_number)
{
    if (text.size == 0 || text.size > 10 || text.data[0] == '0') {
        return false;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    if (number > LIMIT_EVAL_NUMBER) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

/* update or tcbEvaluationDataNumber, not both: which edition of a TCB info or identity. */
static int
parse_edition(struct span query, struct item_key *key, struct fault *why)
{
    static const char name[] = "tcbEvaluationDataNumber";
    struct parameter number;
    int code = parameter_get(query, name, &number, why);
    if (code == FAULT_NOT_FOUND) {
        return parse_update(query, false, &key->update, why);
    }
    if (code != 0) {
        return code;
    }
    struct span update;
    if (query_find(query, "update", &update)) {
        return fault_set(why, FAULT_INPUT, "query",
                         "parameters update and tcbEvaluationDataNumber exclude each other");
    }
    if (!eval_number_parse(number.value, &key->eval_number)) {
        return refuse(why, name, "a number from 1 to 1000000000");
    }
    key->update = UPDATE_NUMBERED;
    return 0;
}

static int
parse_tcb(struct span query, enum product product, struct request *request, struct fault *why)
{
    request->key.kind = ITEM_TCBINFO;
    request->key.api_version = request->api_version;
    request->key.product = product;
    int code = parse_fmspc(query, &request->key.fmspc, why);
    return code != 0 ? code : parse_edition(query, &request->key, why);
}

static int
parse_identity(struct span query, enum enclave enclave, struct request *request, struct fault *why)
{
    request->key.kind = ITEM_IDENTITY;
    request->key.api_version = request->api_version;
    request->key.enclave = enclave;
    return parse_edition(query, &request->key, why);
}

static bool
is_all_zeros(const char *digits)
{
    return strspn(digits, "0") == strlen(digits);
}

/* Optional; an empty one is not the same as none. */
static int
parse_encrypted_ppid(struct span query, struct request *request, struct fault *why)
{
    struct parameter ppid;
    int code = parameter_get(query, "encrypted_ppid", &ppid, why);
    if (code != 0) {
        return code == FAULT_NOT_FOUND ? 0 : code;
    }
    if (!hex_to_upper(ppid.value, LIMIT_PPID_HEX, request->encrypted_ppid)) {
        return refuse(why, "encrypted_ppid", "768 hex digits");
    }
    request->encrypted_ppid_is_zero = is_all_zeros(request->encrypted_ppid);
    return 0;
}

static int
parse_raw_tcb(struct span query, struct raw_tcb *ret_raw, struct fault *why)
{
    struct parameter cpusvn;
    struct parameter pcesvn;
    int code = parameter_require(query, "cpusvn", &cpusvn, why);
    if (code == 0) {
        code = parameter_require(query, "pcesvn", &pcesvn, why);
    }
    if (code != 0) {
        return code;
    }
    if (!raw_tcb_parse(cpusvn.value, pcesvn.value, ret_raw)) {
        return refuse(why, "cpusvn, pcesvn", "32 and 4 hex digits");
    }
    return 0;
}

static int
parse_pckcert(struct span query, struct request *request, struct fault *why)
{
    struct item_key *key = &request->key;
    key->kind = ITEM_PCK;
    struct parameter id;
    int code = parameter_require(query, "qeid", &id, why);
    if (code != 0) {
        return code;
    }
    if (!qeid_parse(id.value, &key->platform)) {
        return refuse(why, "qeid", "1 to 260 characters of UTF-8");
    }
    code = parse_raw_tcb(query, &key->raw, why);
    if (code != 0) {
        return code;
    }
    code = parameter_require(query, "pceid", &id, why);
    if (code != 0) {
        return code;
    }
    if (!pceid_parse(id.value, &key->platform)) {
        return refuse(why, "pceid", "4 hex digits");
    }
    return parse_encrypted_ppid(query, request, why);
}

static int
parse_pckcrl(struct span query, struct request *request, struct fault *why)
{
    request->key.kind = ITEM_PCK_CRL;
    struct parameter parameter;
    int code = parameter_require(query, "ca", &parameter, why);
    if (code != 0) {
        return code;
    }
    if (!pck_ca_parse(parameter.value, &request->key.ca)) {
        return refuse(why, "ca", "processor or platform");
    }
    /* whatever else encoding says, clients rely on hex (wire_details.md 2) */
    request->encoding = CRL_ENCODING_HEX;
    if (parameter_get(query, "encoding", &parameter, NULL) == 0) {
        if (span_is_nocase(parameter.value, "der")) {
            request->encoding = CRL_ENCODING_DER;
        } else if (span_is_nocase(parameter.value, "pem")) {
            request->encoding = CRL_ENCODING_PEM;
        }
    }
    return 0;
}

static int
parse_crl(struct span query, const struct request_policy *policy, struct request *request,
          struct fault *why)
{
    struct item_key *key = &request->key;
    key->kind = ITEM_CRL;
    struct span raw;
    struct span url;
    if (!query_find(query, "uri", &raw)) {
        return fault_set(why, FAULT_INPUT, "query", "parameter uri is missing");
    }
    if (!query_decode(raw, QUERY_PLUS_IS_PLUS, key->url, sizeof key->url - 1, &url)) {
        return refuse(why, "uri", "at most 2048 characters without broken escapes");
    }
    key->url[url.size] = '\0';
    if (!crl_url_is_allowed(url, policy)) {
        return refuse(why, "uri", "a CRL of Intel's or of the configured PCS (api.md, GET crl)");
    }
    return 0;
}

static int
parse_fmspcs(struct span query, struct request *request, struct fault *why)
{
    static const char *const words[] = {"all", "client", "E3", "E5"};
    request->key.kind = ITEM_FMSPCS;
    struct parameter platform;
    int code = parameter_get(query, "platform", &platform, why);
    if (code != 0 && code != FAULT_NOT_FOUND) {
        return code;
    }
    struct span wanted = code == 0 ? platform.value : span_of_text("all");
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (span_is_nocase(wanted, words[i])) {
            memcpy(request->key.url, words[i], strlen(words[i]) + 1);
            return 0;
        }
    }
    return refuse(why, "platform", "all, client, E3 or E5");
}

static struct span
trim_blanks(struct span text)
{
    while (text.size > 0 && text.data[0] == ' ') {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && text.data[text.size - 1] == ' ') {
        text.size--;
    }
    return text;
}

/* Everything up to the next comma; *rest is what stands behind it, data NULL at the end. */
static struct span
list_next(struct span *rest)
{
    const uint8_t *comma = memchr(rest->data, ',', rest->size);
    if (comma == NULL) {
        struct span last = *rest;
        *rest = (struct span){0};
        return last;
    }
    struct span element = span_of(rest->data, (size_t)(comma - rest->data));
    *rest = span_of(comma + 1, rest->size - element.size - 1);
    return element;
}

/* "F1,F2" into its normal form; blank text is the empty list. A blank after a comma is refused, as
 * the reference does. */
static int
parse_fmspc_list(struct span text, const char *name, struct request *request, struct fault *why)
{
    struct span rest = trim_blanks(text);
    size_t at = 0;
    while (rest.size > 0 || (at > 0 && rest.data != NULL)) {
        struct fmspc fmspc;
        if (!fmspc_parse(list_next(&rest), &fmspc)) {
            return refuse(why, name, "FMSPCs of 12 hex digits with commas between");
        }
        size_t needed = at == 0 ? 12 : 13;
        if (at + needed >= sizeof request->fmspc_list) {
            return refuse(why, name, "at most 4096 characters");
        }
        if (at > 0) {
            request->fmspc_list[at++] = ',';
        }
        memcpy(request->fmspc_list + at, fmspc.hex, 12);
        at += 12;
    }
    request->fmspc_list[at] = '\0';
    return 0;
}

static bool
cut_brackets(struct span *text)
{
    if (text->size < 2 || text->data[0] != '[' || text->data[text->size - 1] != ']') {
        return false;
    }
    *text = span_of(text->data + 1, text->size - 2);
    return true;
}

/* Only 0 and 1: what is not understood must not end in handing rows out. */
static int
parse_peek(struct span query, bool is_head, bool *ret_peek, struct fault *why)
{
    struct parameter peek;
    int code = parameter_get(query, "peek", &peek, why);
    if (code == FAULT_NOT_FOUND) {
        *ret_peek = is_head;
        return 0;
    }
    if (code != 0) {
        return code;
    }
    if (!span_is(peek.value, "0") && !span_is(peek.value, "1")) {
        return refuse(why, "peek", "0 or 1");
    }
    *ret_peek = is_head || span_is(peek.value, "1");
    return 0;
}

static int
parse_platforms_get(struct span query, bool is_head, struct request *request, struct fault *why)
{
    struct parameter source;
    int code = parse_peek(query, is_head, &request->peek, why);
    if (code != 0) {
        return code;
    }
    request->source = PLATFORMS_SOURCE_REG;
    code = parameter_get(query, "source", &source, why);
    if (code == FAULT_NOT_FOUND) {
        return 0;
    }
    if (code != 0) {
        return code;
    }
    if (source.value.size == 0 || span_is(source.value, "reg")) {
        return 0;
    }
    if (span_is(source.value, "reg_na")) {
        request->source = PLATFORMS_SOURCE_REG_NA;
        return 0;
    }
    if (span_is(source.value, "reg_pending")) {
        request->source = PLATFORMS_SOURCE_REG_PENDING;
        return 0;
    }
    if (!cut_brackets(&source.value)) {
        return refuse(why, "source", "reg, reg_na, reg_pending or [FMSPC,...]");
    }
    request->source = PLATFORMS_SOURCE_CACHED;
    return parse_fmspc_list(source.value, "source", request, why);
}

static int
parse_refresh(struct span query, struct request *request, struct fault *why)
{
    struct parameter parameter;
    int code = parameter_get(query, "type", &parameter, why);
    if (code == FAULT_NOT_FOUND) {
        return 0; /* fmspc without type is ignored */
    }
    if (code != 0) {
        return code;
    }
    if (parameter.value.size == 0) {
        return 0;
    }
    if (!span_is(parameter.value, "certs")) {
        return refuse(why, "type", "certs");
    }
    request->refresh_certs = true;
    code = parameter_get(query, "fmspc", &parameter, why);
    if (code != 0) {
        return code == FAULT_NOT_FOUND ? 0 : code;
    }
    if (span_is_nocase(parameter.value, "all")) {
        return 0;
    }
    cut_brackets(&parameter.value);
    return parse_fmspc_list(parameter.value, "fmspc", request, why);
}

static int
parse_evalnumbers(enum product product, struct request *request)
{
    request->key.kind = ITEM_EVALNUMBERS;
    request->key.product = product;
    return 0;
}

/* Nothing, as far as anybody looks: numbers are 0, texts are empty. Zeroing the texts' 8 KB would
 * be the dearest thing that this room does for a request. */
static void
clear(struct request *request)
{
    struct item_key *key = &request->key;
    memset(key, 0, offsetof(struct item_key, platform));
    key->platform.qeid[0] = '\0';
    key->platform.pceid[0] = '\0';
    key->raw.cpusvn[0] = '\0';
    key->raw.pcesvn[0] = '\0';
    key->url[0] = '\0';
    request->encrypted_ppid[0] = '\0';
    request->encrypted_ppid_is_zero = false;
    request->encoding = CRL_ENCODING_HEX;
    request->update = UPDATE_STANDARD;
    request->source = PLATFORMS_SOURCE_REG;
    request->peek = false;
    request->refresh_certs = false;
    request->fmspc_list[0] = '\0';
}

int
request_parse(const struct route_match *match, struct span query,
              const struct request_policy *policy, struct request *ret_request, struct fault *why)
{
    struct request *request = ret_request;
    clear(request);
    request->route = match->route;
    request->api_version = match->api_version;
    request->key.api_version = 4; /* one cache for both versions, but for TCB info and identities */
    switch (match->route) {
    case ROUTE_PCKCERT:
        return parse_pckcert(query, request, why);
    case ROUTE_PCKCRL:
        return parse_pckcrl(query, request, why);
    case ROUTE_SGX_TCB:
        return parse_tcb(query, PRODUCT_SGX, request, why);
    case ROUTE_TDX_TCB:
        return parse_tcb(query, PRODUCT_TDX, request, why);
    case ROUTE_QE_IDENTITY:
        return parse_identity(query, ENCLAVE_QE, request, why);
    case ROUTE_QVE_IDENTITY:
        return parse_identity(query, ENCLAVE_QVE, request, why);
    case ROUTE_TDQE_IDENTITY:
        return parse_identity(query, ENCLAVE_TDQE, request, why);
    case ROUTE_QAE_IDENTITY:
        return parse_identity(query, ENCLAVE_QAE, request, why);
    case ROUTE_ROOTCACRL:
        request->key.kind = ITEM_ROOT_CRL;
        return 0;
    case ROUTE_CRL:
        return parse_crl(query, policy, request, why);
    case ROUTE_SGX_EVALNUMBERS:
        return parse_evalnumbers(PRODUCT_SGX, request);
    case ROUTE_TDX_EVALNUMBERS:
        return parse_evalnumbers(PRODUCT_TDX, request);
    case ROUTE_FMSPCS:
        return parse_fmspcs(query, request, why);
    case ROUTE_PLATFORMS_POST:
        return parse_update(query, true, &request->update, why);
    case ROUTE_PLATFORMS_GET:
        return parse_platforms_get(query, match->is_head, request, why);
    case ROUTE_REFRESH:
        return parse_refresh(query, request, why);
    case ROUTE_POLICY_GET:
        request->key.kind = ITEM_POLICIES;
        return parse_fmspc(query, &request->key.fmspc, why);
    case ROUTE_PLATFORMS_ACK:
    case ROUTE_COLLATERAL_PUT:
    case ROUTE_POLICY_PUT:
    case ROUTE_HEALTH_LIVE:
    case ROUTE_HEALTH_READY:
    case ROUTE_HEALTH_STARTUP:
    case ROUTE_METRICS:
    case ROUTE_DASHBOARD:
        return 0; /* no parameters */
    case ROUTE_COUNT:
        break;
    }
    return fault_set(why, FAULT_INTERNAL, "query", "no such route");
}

bool
request_next_fmspc(const struct request *request, size_t *position, struct fmspc *ret_fmspc)
{
    struct span list = span_of_text(request->fmspc_list);
    if (*position >= list.size) {
        return false;
    }
    struct span rest = span_of(list.data + *position, list.size - *position);
    struct span element = list_next(&rest);
    *position += element.size + 1;
    return fmspc_parse(element, ret_fmspc);
}
