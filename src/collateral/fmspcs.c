/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of FMSPCs: [{"fmspc":"...","platform":"..."}, ...]. Intel does not sign it, so only its
 * form can be checked; nothing is decided by it.
 *
 * Takes a verification of ITEM_FMSPCS; fills the proven's body, compact.
 * Called by verify.c on a worker; pure.
 * Must never: let anything but such a list through, for it is served as JSON.
 */
#include "base/mem.h"
#include "collateral/verify_priv.h"
#include "json/json_scan.h"
#include "json/json_value.h"

static int
check_entry(struct span entry, struct fault *why)
{
    auto_json json_t *object = NULL;
    struct span text;
    int fault = json_value_parse(entry, &object, why);
    if (fault == 0) {
        fault = signed_get_hex(object, "fmspc", 12, &text, why);
    }
    return fault != 0 ? fault : signed_get_string(object, "platform", &text, why);
}

static int
check_list(struct span list, struct fault *why)
{
    struct json_walk walk;
    struct span name, entry;
    if (list.size == 0 || list.data[0] != '[' || json_walk_init(&walk, list, why) != 0) {
        return fault_set(why, FAULT_INPUT, "parse", "the list of FMSPCs is not an array");
    }
    size_t count = 0;
    int fault = 0;
    while (fault == 0 && json_walk_next(&walk, &name, &entry) == 0) {
        count++;
        fault = count > LIMIT_FMSPCS
                    ? fault_set(why, FAULT_INPUT, "parse", "more than %d FMSPCs", LIMIT_FMSPCS)
                    : check_entry(entry, why);
    }
    return fault;
}

int
fmspcs_prove(const struct verification *v, struct fault *why)
{
    struct span body = buf_span(&v->raw->body);
    int fault = json_check(body, why);
    if (fault != 0) {
        return fault;
    }
    v->proven->body = BUF_INIT(body.size);
    fault = json_add_compact(&v->proven->body, body);
    if (fault != 0) {
        return fault_set(why, fault, "parse", "memory ran out");
    }
    return check_list(buf_span(&v->proven->body), why);
}
