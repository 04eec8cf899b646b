/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What came from outside, unproven; and the form of a pckcerts answer: [{tcb, tcbm, cert}].
 *
 * Takes JSON text from the PCS or an upload; gives raw_pck entries that verify() judges.
 * Called by pcs/, store/, the collaterals file and cache/, any thread; pure.
 * Must never: judge. Only the form is read here, within LIMIT_PCK_CERTS and LIMIT_CERT_PEM_BYTES.
 */
#include "collateral/raw_reply.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "json/json_scan.h"
#include "json/json_value.h"

/* a certificate in percent-encoding is at most three times its PEM */
enum { CERT_CHARS_MAX = 3 * LIMIT_CERT_PEM_BYTES, TCBM_DIGITS = 36 };
static const char NOT_AVAILABLE[] = "Not available";

void
raw_reply_init(struct raw_reply *raw)
{
    *raw = (struct raw_reply){.body = BUF_INIT(LIMIT_UPSTREAM_BODY_BYTES)};
}

static void
free_pcks(struct raw_reply *raw)
{
    for (size_t i = 0; i < raw->pck_count; i++) {
        free(raw->pcks[i].cert);
    }
    free(raw->pcks);
    raw->pcks = NULL;
    raw->pck_count = 0;
}

void
raw_reply_done(struct raw_reply *raw)
{
    buf_done(&raw->body);
    free(raw->issuer_chain);
    free_pcks(raw);
    *raw = (struct raw_reply){.body = BUF_INIT(LIMIT_UPSTREAM_BODY_BYTES)};
}

/* "tcb": sgxtcbcomp01svn ... 16svn and pcesvn, as integers (pcs.md). */
static int
parse_tcb(const json_t *tcb, struct raw_pck *pck, struct fault *why)
{
    int64_t number;
    for (int i = 0; i < 16; i++) {
        char name[32];
        snprintf(name, sizeof name, "sgxtcbcomp%02dsvn", i + 1);
        int fault = json_get_integer(tcb, name, 0, UINT8_MAX, &number, why);
        if (fault != 0) {
            return fault;
        }
        pck->components[i] = (uint8_t)number;
    }
    int fault = json_get_integer(tcb, "pcesvn", 0, UINT16_MAX, &number, why);
    if (fault == 0) {
        pck->pcesvn = (uint16_t)number;
    }
    return fault;
}

/* The same from the tcbm, for entries that carry no "tcb" (Intel's tools keep it, others may not).
 */
static void
tcb_of_tcbm(struct raw_pck *pck)
{
    uint8_t bytes[TCBM_DIGITS / 2];
    must(hex_decode(span_of_text(pck->tcbm), bytes, sizeof bytes));
    memcpy(pck->components, bytes, sizeof pck->components);
    pck->pcesvn = (uint16_t)(bytes[16] | bytes[17] << 8);
}

static int
parse_tcbm(const json_t *object, struct raw_pck *pck, struct fault *why)
{
    struct span text;
    uint8_t bytes[TCBM_DIGITS / 2];
    int fault = json_get_string(object, "tcbm", &text, why);
    if (fault != 0) {
        return fault;
    }
    if (!hex_decode(text, bytes, sizeof bytes)) {
        return fault_set(why, FAULT_INPUT, "parse", "tcbm is not %d hex digits", TCBM_DIGITS);
    }
    hex_encode_upper(span_of(bytes, sizeof bytes), pck->tcbm);
    return 0;
}

static int
parse_cert(const json_t *object, struct raw_pck *pck, struct fault *why)
{
    struct span text;
    int fault = json_get_string(object, "cert", &text, why);
    if (fault != 0) {
        return fault;
    }
    if (text.size > CERT_CHARS_MAX || text.size == 0 ||
        memchr(text.data, '\0', text.size) != NULL) {
        return fault_set(why, FAULT_INPUT, "parse", "cert is empty or has more than %d characters",
                         CERT_CHARS_MAX);
    }
    pck->available = !span_is(text, NOT_AVAILABLE);
    pck->cert = pck->available ? span_dup_text(text) : span_dup_text(span_of("", 0));
    return pck->cert != NULL ? 0 : fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
}

static int
parse_object(const json_t *object, struct raw_pck *pck, struct fault *why)
{
    int fault = parse_tcbm(object, pck, why);
    if (fault != 0) {
        return fault;
    }
    tcb_of_tcbm(pck);
    if (json_object_get(object, "tcb") != NULL) {
        json_t *tcb;
        fault = json_get_object(object, "tcb", &tcb, why);
        if (fault == 0) {
            fault = parse_tcb(tcb, pck, why);
        }
    }
    return fault != 0 ? fault : parse_cert(object, pck, why);
}

int
raw_pck_parse(struct span object, struct raw_pck *ret_pck, struct fault *why)
{
    auto_json json_t *value = NULL;
    struct raw_pck pck = {.available = false};
    int fault = json_value_parse(object, &value, why);
    if (fault == 0) {
        fault = parse_object(value, &pck, why);
    }
    if (fault != 0) {
        free(pck.cert);
        return fault == FAULT_NOT_FOUND ? fault_recode(why, FAULT_INPUT) : fault;
    }
    *ret_pck = pck;
    return 0;
}

/* How many elements the array has; FAULT_INPUT above the ceiling. */
static int
count_elements(struct span array, size_t *ret_count, struct fault *why)
{
    struct json_walk walk;
    struct span name, value;
    if (json_walk_init(&walk, array, why) != 0 || walk.is_object) {
        return fault_set(why, FAULT_INPUT, "parse", "the answer is not an array of certificates");
    }
    size_t count = 0;
    while (json_walk_next(&walk, &name, &value) == 0) {
        count++;
    }
    if (count > LIMIT_PCK_CERTS) {
        return fault_set(why, FAULT_INPUT, "parse", "%zu PCK certificates, more than %d", count,
                         LIMIT_PCK_CERTS);
    }
    *ret_count = count;
    return 0;
}

static int
parse_elements(struct raw_reply *raw, size_t count, struct fault *why)
{
    struct json_walk walk;
    struct span name, value;
    int fault = json_walk_init(&walk, buf_span(&raw->body), why);
    while (fault == 0 && raw->pck_count < count && json_walk_next(&walk, &name, &value) == 0) {
        fault = raw_pck_parse(value, &raw->pcks[raw->pck_count], why);
        raw->pck_count += fault == 0 ? 1 : 0;
    }
    return fault;
}

int
raw_reply_parse_pcks(struct raw_reply *raw, struct fault *why)
{
    size_t count = 0;
    int fault = json_check(buf_span(&raw->body), why);
    if (fault == 0) {
        fault = count_elements(buf_span(&raw->body), &count, why);
    }
    if (fault != 0) {
        return fault;
    }
    must(raw->pcks == NULL);
    raw->pcks = calloc(count + 1, sizeof *raw->pcks);
    if (raw->pcks == NULL) {
        return fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
    }
    fault = parse_elements(raw, count, why);
    if (fault != 0) {
        free_pcks(raw);
    }
    return fault;
}
