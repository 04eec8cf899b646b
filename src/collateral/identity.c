/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Enclave identities: QE, QvE, TD QE and QAE (trust.md rule 2). Version 2, of API v3 and v4.
 *
 * Takes a verification of ITEM_IDENTITY; fills the proven with body, chain and dates.
 * Called by verify.c on a worker; pure.
 * Must never: take the identity of one enclave for another's.
 */
#include "base/mem.h"
#include "collateral/verify_priv.h"
#include "json/json_value.h"

enum { IDENTITY_VERSION = 2 };

struct identity {
    struct span id; /* in the parsed object */
    uint32_t version;
    uint32_t tcb_evaluation_data_number;
    int64_t issued_at, next_update_at;
};

static int
parse_level(const json_t *level, struct fault *why)
{
    json_t *tcb;
    uint32_t isvsvn;
    int64_t tcb_date;
    struct span status;
    int fault = signed_get_object(level, "tcb", &tcb, why);
    if (fault == 0) {
        fault = signed_get_number(tcb, "isvsvn", UINT16_MAX, &isvsvn, why);
    }
    if (fault == 0) {
        fault = signed_get_date(level, "tcbDate", &tcb_date, why);
    }
    if (fault == 0) {
        fault = signed_get_string(level, "tcbStatus", &status, why);
    }
    return fault != 0 ? fault : signed_check_advisories(level, why);
}

static int
parse_levels(const json_t *object, struct fault *why)
{
    json_t *levels;
    int fault = signed_get_array(object, "tcbLevels", &levels, why);
    if (fault == 0 && json_array_size(levels) > LIMIT_TCB_LEVELS) {
        fault = fault_set(why, FAULT_INPUT, "parse", "more than %d TCB levels", LIMIT_TCB_LEVELS);
    }
    for (size_t i = 0; fault == 0 && i < json_array_size(levels); i++) {
        fault = parse_level(json_array_get(levels, i), why);
    }
    return fault;
}

/* What a report's measurements are compared with. */
static int
parse_measurements(const json_t *object, struct fault *why)
{
    static const struct {
        const char *name;
        size_t digits;
    } members[] = {{"miscselect", 8},
                   {"miscselectMask", 8},
                   {"attributes", 32},
                   {"attributesMask", 32},
                   {"mrsigner", 64}};
    struct span text;
    uint32_t isvprodid;
    int fault = signed_get_number(object, "isvprodid", UINT16_MAX, &isvprodid, why);
    for (size_t i = 0; fault == 0 && i < ARRAY_COUNT(members); i++) {
        fault = signed_get_hex(object, members[i].name, members[i].digits, &text, why);
    }
    return fault;
}

static int
parse(const json_t *object, struct identity *ret_identity, struct fault *why)
{
    struct identity identity = {0};
    int fault = signed_get_string(object, "id", &identity.id, why);
    if (fault == 0) {
        fault = signed_get_number(object, "version", INT32_MAX, &identity.version, why);
    }
    if (fault == 0) {
        fault = signed_get_date(object, "issueDate", &identity.issued_at, why);
    }
    if (fault == 0) {
        fault = signed_get_date(object, "nextUpdate", &identity.next_update_at, why);
    }
    if (fault == 0) {
        fault = signed_get_number(object, "tcbEvaluationDataNumber", UINT32_MAX,
                                  &identity.tcb_evaluation_data_number, why);
    }
    if (fault == 0) {
        fault = parse_measurements(object, why);
    }
    if (fault == 0) {
        fault = parse_levels(object, why);
    }
    if (fault == 0) {
        *ret_identity = identity;
    }
    return fault;
}

static int
check_key(const struct identity *identity, const struct item_key *key, struct fault *why)
{
    if (identity->version != IDENTITY_VERSION) {
        return fault_set(why, FAULT_MISMATCH, "match", "identity version %u is unknown",
                         identity->version);
    }
    if (!span_is(identity->id, enclave_word(key->enclave))) {
        return fault_set(why, FAULT_MISMATCH, "match", "identity id is not %s",
                         enclave_word(key->enclave));
    }
    if (key->update == UPDATE_NUMBERED &&
        identity->tcb_evaluation_data_number != key->eval_number) {
        return fault_set(why, FAULT_MISMATCH, "match", "tcbEvaluationDataNumber is %u, not %u",
                         identity->tcb_evaluation_data_number, key->eval_number);
    }
    return 0;
}

int
identity_prove(const struct verification *v, struct fault *why)
{
    auto_cleanup(signed_json_done) struct signed_json json = {0};
    auto_json json_t *object = NULL;
    struct identity identity = {0};
    int fault = signed_json_parse(&json, buf_span(&v->raw->body), "enclaveIdentity", why);
    if (fault == 0) {
        fault = json_value_parse(json.inner, &object, why);
    }
    if (fault == 0) {
        fault = parse(object, &identity, why);
    }
    if (fault == 0) {
        fault = signed_json_prove(v, &json, identity.issued_at, identity.next_update_at, why);
    }
    if (fault == 0) {
        fault = check_key(&identity, v->key, why);
    }
    /* QvE and QAE go through 32-bit sizes in clients (clients.md 1.5) */
    bool is_bound = v->key->enclave == ENCLAVE_QE || v->key->enclave == ENCLAVE_TDQE;
    return fault != 0 || !is_bound ? fault : client_size_check(v, v->proven->body.size, why);
}
