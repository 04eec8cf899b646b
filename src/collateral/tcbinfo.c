/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCB info, versions 2 (API v3) and 3 (API v4): parsed as strictly as Intel's library does
 * (selection.md 3), and judged as the item that a key names (trust.md rule 2).
 *
 * Takes the exact signed bytes of the inner object; gives levels and dates.
 * Called by verify.c and, for what has been proven, by selection; pure, any thread.
 * Must never: render anything anew, or judge by tcbStatus (a revoked level is a level).
 */
#include "collateral/tcbinfo.h"

#include "base/hex.h"
#include "base/mem.h"
#include "collateral/verify_priv.h"
#include "json/json_value.h"

enum { TCB_COMPONENTS = 16 };

/* A level with what only the check for equal levels needs. */
struct level_draft {
    struct tcb_level level;
    uint8_t tdx_components[TCB_COMPONENTS];
};

/* A component's SVN; above a byte it wraps, as in Intel's library (selection.md 2, example 49). */
static int
get_svn(const json_t *object, const char *name, uint8_t *ret_svn, struct fault *why)
{
    uint32_t svn;
    int fault = signed_get_number(object, name, INT32_MAX, &svn, why);
    if (fault == 0) {
        *ret_svn = (uint8_t)svn;
    }
    return fault;
}

static int
parse_components_v2(const json_t *tcb, uint8_t out[TCB_COMPONENTS], struct fault *why)
{
    int fault = 0;
    for (int i = 0; fault == 0 && i < TCB_COMPONENTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "sgxtcbcomp%02dsvn", i + 1);
        fault = get_svn(tcb, name, &out[i], why);
    }
    return fault;
}

static int
parse_components_v3(const json_t *tcb, const char *name, uint8_t out[TCB_COMPONENTS],
                    struct fault *why)
{
    json_t *components;
    int fault = signed_get_array(tcb, name, &components, why);
    if (fault == 0 && json_array_size(components) != TCB_COMPONENTS) {
        fault = fault_set(why, FAULT_INPUT, "parse", "%s has not %d entries", name, TCB_COMPONENTS);
    }
    for (size_t i = 0; fault == 0 && i < TCB_COMPONENTS; i++) {
        fault = get_svn(json_array_get(components, i), "svn", &out[i], why);
    }
    return fault;
}

static int
parse_tcb(const json_t *tcb, const struct tcbinfo *tcbinfo, struct level_draft *draft,
          struct fault *why)
{
    uint32_t pcesvn;
    int fault = signed_get_number(tcb, "pcesvn", UINT16_MAX, &pcesvn, why);
    if (fault != 0) {
        return fault;
    }
    draft->level.pcesvn = (uint16_t)pcesvn;
    if (tcbinfo->version == 2) {
        return parse_components_v2(tcb, draft->level.components, why);
    }
    fault = parse_components_v3(tcb, "sgxtcbcomponents", draft->level.components, why);
    if (fault == 0 && tcbinfo->product == PRODUCT_TDX) {
        fault = parse_components_v3(tcb, "tdxtcbcomponents", draft->tdx_components, why);
    }
    return fault;
}

static int
parse_status(const json_t *object, char out[48], struct fault *why)
{
    static const char *const known[] = {"UpToDate",
                                        "OutOfDate",
                                        "ConfigurationNeeded",
                                        "Revoked",
                                        "OutOfDateConfigurationNeeded",
                                        "SWHardeningNeeded",
                                        "ConfigurationAndSWHardeningNeeded"};
    struct span status;
    int fault = signed_get_string(object, "tcbStatus", &status, why);
    if (fault != 0) {
        return fault;
    }
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (span_is(status, known[i])) {
            return span_to_text(status, out, 48) ? 0 : FAULT_INTERNAL;
        }
    }
    return fault_set(why, FAULT_INPUT, "parse", "tcbStatus is unknown");
}

static int
parse_level(const json_t *object, const struct tcbinfo *tcbinfo, struct level_draft *draft,
            struct fault *why)
{
    json_t *tcb;
    int64_t tcb_date;
    int fault = signed_get_object(object, "tcb", &tcb, why);
    if (fault == 0) {
        fault = parse_tcb(tcb, tcbinfo, draft, why);
    }
    if (fault == 0) {
        fault = signed_get_date(object, "tcbDate", &tcb_date, why);
    }
    if (fault == 0) {
        fault = parse_status(object, draft->level.status, why);
    }
    return fault != 0 ? fault : signed_check_advisories(object, why);
}

static bool
has_equal_level(const struct level_draft *drafts, size_t count)
{
    const struct level_draft *last = &drafts[count - 1];
    for (size_t i = 0; i + 1 < count; i++) {
        if (drafts[i].level.pcesvn == last->level.pcesvn &&
            memcmp(drafts[i].level.components, last->level.components, TCB_COMPONENTS) == 0 &&
            memcmp(drafts[i].tdx_components, last->tdx_components, TCB_COMPONENTS) == 0) {
            return true;
        }
    }
    return false;
}

static int
parse_levels(const json_t *object, struct tcbinfo *tcbinfo, struct fault *why)
{
    json_t *levels;
    int fault = signed_get_array(object, "tcbLevels", &levels, why);
    if (fault != 0) {
        return fault;
    }
    size_t count = json_array_size(levels);
    if (count > LIMIT_TCB_LEVELS) {
        return fault_set(why, FAULT_INPUT, "parse", "more than %d TCB levels", LIMIT_TCB_LEVELS);
    }
    auto_free struct level_draft *drafts = calloc(count, sizeof *drafts);
    tcbinfo->levels = calloc(count, sizeof *tcbinfo->levels);
    if (drafts == NULL || tcbinfo->levels == NULL) {
        return fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
    }
    for (size_t i = 0; i < count; i++) {
        fault = parse_level(json_array_get(levels, i), tcbinfo, &drafts[i], why);
        if (fault != 0) {
            return fault;
        }
        if (has_equal_level(drafts, i + 1)) {
            return fault_set(why, FAULT_INPUT, "parse", "two TCB levels are equal");
        }
        tcbinfo->levels[i] = drafts[i].level;
        tcbinfo->level_count = i + 1;
    }
    return 0;
}

/* "version" and "id", on which the layout of all else depends. */
static int
parse_layout(const json_t *object, struct tcbinfo *tcbinfo, struct fault *why)
{
    uint32_t version;
    struct span id;
    int fault = signed_get_number(object, "version", INT32_MAX, &version, why);
    if (fault != 0) {
        return fault;
    }
    if (version != 2 && version != 3) {
        return fault_set(why, FAULT_INPUT, "parse", "TCB info version %u is unknown", version);
    }
    tcbinfo->version = (int)version;
    tcbinfo->product = PRODUCT_SGX;
    if (version == 2) {
        return 0;
    }
    fault = signed_get_string(object, "id", &id, why);
    if (fault != 0) {
        return fault;
    }
    if (!span_is(id, "SGX") && !span_is(id, "TDX")) {
        return fault_set(why, FAULT_INPUT, "parse", "TCB info id is neither SGX nor TDX");
    }
    tcbinfo->product = span_is(id, "TDX") ? PRODUCT_TDX : PRODUCT_SGX;
    bool has_module = json_is_object(json_object_get(object, "tdxModule"));
    bool has_any = json_object_get(object, "tdxModule") != NULL ||
                   json_object_get(object, "tdxModuleIdentities") != NULL;
    if (tcbinfo->product == PRODUCT_TDX ? !has_module : has_any) {
        return fault_set(why, FAULT_INPUT, "parse", "tdxModule does not fit the TCB info's id");
    }
    return 0;
}

static int
parse_head(const json_t *object, struct tcbinfo *tcbinfo, struct fault *why)
{
    struct span fmspc, pceid;
    uint32_t tcb_type;
    int fault = signed_get_date(object, "issueDate", &tcbinfo->issued_at, why);
    if (fault == 0) {
        fault = signed_get_date(object, "nextUpdate", &tcbinfo->next_update_at, why);
    }
    if (fault == 0) {
        fault = signed_get_hex(object, "fmspc", 12, &fmspc, why);
    }
    if (fault == 0) {
        fault = signed_get_hex(object, "pceId", 4, &pceid, why);
    }
    if (fault == 0) {
        fault = signed_get_number(object, "tcbType", INT32_MAX, &tcb_type, why);
    }
    if (fault == 0) {
        fault = signed_get_number(object, "tcbEvaluationDataNumber", UINT32_MAX,
                                  &tcbinfo->tcb_evaluation_data_number, why);
    }
    if (fault != 0) {
        return fault;
    }
    tcbinfo->tcb_type = (int)tcb_type;
    if (!fmspc_parse(fmspc, &tcbinfo->fmspc) ||
        !hex_decode(pceid, tcbinfo->pceid, sizeof tcbinfo->pceid)) {
        return fault_set(why, FAULT_INPUT, "parse", "fmspc or pceId is not hex");
    }
    return 0;
}

int
tcbinfo_parse(struct span inner, struct tcbinfo **ret_tcbinfo, struct fault *why)
{
    auto_json json_t *object = NULL;
    int fault = json_value_parse(inner, &object, why);
    if (fault != 0) {
        return fault;
    }
    struct tcbinfo *tcbinfo = calloc(1, sizeof *tcbinfo);
    if (tcbinfo == NULL) {
        return fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
    }
    fault = parse_layout(object, tcbinfo, why);
    if (fault == 0) {
        fault = parse_head(object, tcbinfo, why);
    }
    if (fault == 0) {
        fault = parse_levels(object, tcbinfo, why);
    }
    if (fault != 0) {
        tcbinfo_free(tcbinfo);
        return fault;
    }
    *ret_tcbinfo = tcbinfo;
    return 0;
}

void
tcbinfo_free(struct tcbinfo *tcbinfo)
{
    if (tcbinfo != NULL) {
        free(tcbinfo->levels);
        free(tcbinfo);
    }
}

/* Is it the TCB info of this place? An authentic one of another place is as bad as a forged one. */
static int
check_key(const struct tcbinfo *tcbinfo, const struct item_key *key, struct fault *why)
{
    int version = key->api_version == 3 ? 2 : 3;
    if (tcbinfo->version != version) {
        return fault_set(why, FAULT_MISMATCH, "match",
                         "TCB info version %d does not belong to API v%u", tcbinfo->version,
                         key->api_version);
    }
    if (tcbinfo->product != key->product) {
        return fault_set(why, FAULT_MISMATCH, "match", "TCB info id is %s, not %s",
                         product_word(tcbinfo->product), product_word(key->product));
    }
    if (strcmp(tcbinfo->fmspc.hex, key->fmspc.hex) != 0) {
        return fault_set(why, FAULT_MISMATCH, "match", "TCB info is for FMSPC %s, not %s",
                         tcbinfo->fmspc.hex, key->fmspc.hex);
    }
    if (key->update == UPDATE_NUMBERED && tcbinfo->tcb_evaluation_data_number != key->eval_number) {
        return fault_set(why, FAULT_MISMATCH, "match", "tcbEvaluationDataNumber is %u, not %u",
                         tcbinfo->tcb_evaluation_data_number, key->eval_number);
    }
    return 0;
}

int
tcbinfo_prove(const struct verification *v, struct fault *why)
{
    auto_cleanup(signed_json_done) struct signed_json json = {0};
    int fault = signed_json_parse(&json, buf_span(&v->raw->body), "tcbInfo", why);
    if (fault == 0) {
        fault = tcbinfo_parse(json.inner, &v->proven->tcbinfo, why);
    }
    if (fault != 0) {
        return fault;
    }
    const struct tcbinfo *tcbinfo = v->proven->tcbinfo;
    fault = signed_json_prove(v, &json, tcbinfo->issued_at, tcbinfo->next_update_at, why);
    if (fault == 0) {
        fault = check_key(tcbinfo, v->key, why);
    }
    return fault != 0 ? fault : client_size_check(v, v->proven->body.size, why);
}
