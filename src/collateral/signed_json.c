/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The envelope of all JSON that Intel signs: {"name":{...},"signature":"<128 hex>"}.
 *
 * Takes the body as it came; white space outside strings is dropped and nothing else is changed,
 * then the inner object is cut out by its place in the text: what is checked, stored and served
 * are those bytes, never a rendering of parsed values (trust.md, The shapes).
 * Called by tcbinfo.c, identity.c and evalnumbers.c; pure, any thread.
 * Must never: take another order or a third member (clients find the signed part by text search,
 * clients.md 5.6), or trust a value before signed_json_prove has passed.
 */
#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "collateral/verify_priv.h"
#include "json/json_scan.h"
#include "json/json_value.h"

enum { SIGNATURE_DIGITS = 128 };

/* Cuts json->text into its two members. */
static int
cut_members(struct signed_json *json, const char *member, struct fault *why)
{
    struct json_walk walk;
    struct span name, inner, signature;
    int fault = json_walk_init(&walk, buf_span(&json->text), why);
    if (fault != 0) {
        return fault_recode(why, FAULT_INPUT);
    }
    if (!walk.is_object || json_walk_next(&walk, &name, &inner) != 0 || !span_is(name, member) ||
        inner.size == 0 || inner.data[0] != '{') {
        return fault_set(why, FAULT_INPUT, "parse", "expected {\"%s\":{...},\"signature\":...}",
                         member);
    }
    if (json_walk_next(&walk, &name, &signature) != 0 || !span_is(name, "signature") ||
        signature.size != SIGNATURE_DIGITS + 2 || signature.data[0] != '"' ||
        !hex_is(span_of(signature.data + 1, SIGNATURE_DIGITS))) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "\"%s\" is not followed by a signature of %d hex digits", member,
                         SIGNATURE_DIGITS);
    }
    if (json_walk_next(&walk, &name, &(struct span){0}) != FAULT_NOT_FOUND) {
        return fault_set(why, FAULT_INPUT, "parse", "a member stands behind the signature");
    }
    json->inner = inner;
    json->signature = span_of(signature.data + 1, SIGNATURE_DIGITS);
    return 0;
}

int
signed_json_parse(struct signed_json *json, struct span body, const char *member, struct fault *why)
{
    *json = (struct signed_json){.text = BUF_INIT(body.size)};
    int fault = json_check(body, why);
    if (fault == 0) {
        fault = json_add_compact(&json->text, body);
        if (fault != 0) {
            return fault_set(why, fault, "parse", "memory ran out");
        }
        fault = cut_members(json, member, why);
    }
    return fault;
}

void
signed_json_done(struct signed_json *json)
{
    buf_done(&json->text);
}

int
signed_json_prove(const struct verification *v, struct signed_json *json, int64_t issued_at,
                  int64_t next_update_at, struct fault *why)
{
    auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
    int fault = issue_dates_prove(v, issued_at, next_update_at, why);
    if (fault == 0) {
        fault = issuer_prove(v, v->context->tcb_signing_chain_pem, issued_at, &chain, why);
    }
    if (fault == 0) {
        fault = issuer_check_role(chain, X509_ROLE_TCB_SIGNING, why);
    }
    if (fault == 0) {
        fault =
            x509_verify_raw_signature(x509_chain_get(chain, 0), json->inner, json->signature, why);
    }
    if (fault == 0) {
        v->proven->body = json->text; /* inner and signature now point into the proven's body */
        json->text = BUF_INIT(0);
    }
    return fault;
}

/* What is absent is of the wrong form here. */
static int
as_input(int fault, struct fault *why)
{
    return fault == FAULT_NOT_FOUND ? fault_recode(why, FAULT_INPUT) : fault;
}

int
signed_get_string(const json_t *object, const char *name, struct span *ret_text, struct fault *why)
{
    return as_input(json_get_string(object, name, ret_text, why), why);
}

int
signed_get_number(const json_t *object, const char *name, uint32_t most, uint32_t *ret_number,
                  struct fault *why)
{
    int64_t number;
    int fault = json_get_integer(object, name, 0, most, &number, why);
    if (fault == 0) {
        *ret_number = (uint32_t)number;
    }
    return as_input(fault, why);
}

int
signed_get_date(const json_t *object, const char *name, int64_t *ret_at, struct fault *why)
{
    struct span text;
    int fault = signed_get_string(object, name, &text, why);
    if (fault == 0 && !clock_parse_iso8601(text, ret_at)) {
        fault = fault_set(why, FAULT_INPUT, "parse", "%s is not an ISO 8601 date", name);
    }
    return fault;
}

int
signed_get_hex(const json_t *object, const char *name, size_t digits, struct span *ret_text,
               struct fault *why)
{
    int fault = signed_get_string(object, name, ret_text, why);
    if (fault == 0 && !hex_is_sized(*ret_text, digits)) {
        fault = fault_set(why, FAULT_INPUT, "parse", "%s is not %zu hex digits", name, digits);
    }
    return fault;
}

int
signed_get_array(const json_t *object, const char *name, json_t **ret_array, struct fault *why)
{
    int fault = as_input(json_get_array(object, name, ret_array, why), why);
    if (fault == 0 && json_array_size(*ret_array) == 0) {
        fault = fault_set(why, FAULT_INPUT, "parse", "%s is empty", name);
    }
    return fault;
}

int
signed_get_object(const json_t *object, const char *name, json_t **ret_object, struct fault *why)
{
    return as_input(json_get_object(object, name, ret_object, why), why);
}

int
signed_check_advisories(const json_t *object, struct fault *why)
{
    json_t *ids = json_object_get(object, "advisoryIDs");
    bool is_fine = ids == NULL || json_is_array(ids);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        is_fine = is_fine && json_is_string(json_array_get(ids, i));
    }
    return is_fine ? 0
                   : fault_set(why, FAULT_INPUT, "parse", "advisoryIDs is not a list of strings");
}
