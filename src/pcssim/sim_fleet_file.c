/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a fleet from JSON: {"seed", "fmspcs": [...], "platforms": [...]}.
 *
 * Takes the text, gives a fleet, or a fault that names the member and its place. Called by main.c
 * at start. Must never take what could not be rendered as Intel renders it: unknown statuses,
 * levels that stand twice, manifests of a size that Intel's service refuses. The format stands in
 * docs/man/pcs-sim.md; what TCB info may hold, in selection.md 3.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "pcssim/sim_fleet.h"
#include "json/json_value.h"

static const char *const statuses[] = {
    "UpToDate",
    "OutOfDate",
    "ConfigurationNeeded",
    "Revoked",
    "OutOfDateConfigurationNeeded",
    "SWHardeningNeeded",
    "ConfigurationAndSWHardeningNeeded",
};

/* Absent is fine and leaves the output as it is. */
static int
optional(int code, struct fault *why)
{
    if (code == FAULT_NOT_FOUND) {
        if (why != NULL) {
            *why = (struct fault){0};
        }
        return 0;
    }
    return code;
}

static int
get_text(const json_t *object, const char *name, char *out, size_t out_size, struct fault *why)
{
    struct span text;
    int code = json_get_string(object, name, &text, why);
    if (code == 0 && (text.size == 0 || !span_to_text(text, out, out_size))) {
        code = fault_set(why, FAULT_INPUT, "fleet", "%s: 1 to %zu characters", name, out_size - 1);
    }
    return code;
}

static int
get_hex(const json_t *object, const char *name, uint8_t *out, size_t out_size, struct fault *why)
{
    struct span text;
    int code = json_get_string(object, name, &text, why);
    if (code == 0 && !hex_decode(text, out, out_size)) {
        code = fault_set(why, FAULT_INPUT, "fleet", "%s: not %zu hex digits", name, 2 * out_size);
    }
    return code;
}

static int
get_tcb(const json_t *object, struct sim_tcb *ret_tcb, struct fault *why)
{
    struct sim_tcb tcb;
    int64_t pcesvn = 0;
    int code = get_hex(object, "components", tcb.components, 16, why);
    if (code == 0) {
        code = json_get_integer(object, "pcesvn", 0, UINT16_MAX, &pcesvn, why);
    }
    if (code == 0) {
        tcb.pcesvn = (uint16_t)pcesvn;
        *ret_tcb = tcb;
    }
    return code;
}

static int
get_status(const json_t *object, struct sim_level *level, struct fault *why)
{
    int code = get_text(object, "status", level->status, sizeof(level->status), why);
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(statuses); i++) {
        if (strcmp(level->status, statuses[i]) == 0) {
            return 0;
        }
    }
    return code != 0 ? code
                     : fault_set(why, FAULT_INPUT, "fleet", "status: no TCB status is called %s",
                                 level->status);
}

static int
get_advisories(const json_t *object, struct sim_level *level, struct fault *why)
{
    json_t *list = NULL;
    int code = json_get_array(object, "advisories", &list, why);
    if (code != 0) {
        return optional(code, why);
    }
    size_t index;
    json_t *one;
    json_array_foreach(list, index, one)
    {
        if (!json_is_string(one)) {
            return fault_set(why, FAULT_INPUT, "fleet", "advisories: not a list of strings");
        }
    }
    level->advisories = json_dumps(list, JSON_COMPACT | JSON_ENSURE_ASCII);
    return level->advisories != NULL ? 0 : fault_set(why, FAULT_MEMORY, "fleet", "no memory");
}

static int
level_parse(const json_t *object, bool tdx, struct sim_level *level, struct fault *why)
{
    int code = get_tcb(object, &level->tcb, why);
    if (code == 0) {
        code = get_status(object, level, why);
    }
    if (code == 0) {
        code = get_text(object, "date", level->date, sizeof(level->date), why);
    }
    int64_t at = 0;
    if (code == 0 && !clock_parse_iso8601(span_of_text(level->date), &at)) {
        code = fault_set(why, FAULT_INPUT, "fleet", "date: not like 2025-03-13T00:00:00Z");
    }
    if (code == 0 && tdx) {
        code = get_hex(object, "tdx_components", level->tdx, 16, why);
    }
    return code != 0 ? code : get_advisories(object, level, why);
}

static int
levels_parse(const json_t *object, struct sim_family *family, struct fault *why)
{
    json_t *list = NULL;
    int code = json_get_array(object, "levels", &list, why);
    if (code != 0) {
        return code;
    }
    size_t count = json_array_size(list);
    if (count == 0 || count > LIMIT_SIM_LEVELS) {
        return fault_set(why, FAULT_INPUT, "fleet", "levels: 1 to %d are possible",
                         LIMIT_SIM_LEVELS);
    }
    family->levels = calloc(count, sizeof(*family->levels));
    if (family->levels == NULL) {
        return fault_set(why, FAULT_MEMORY, "fleet", "no memory");
    }
    family->level_count = count;
    for (size_t i = 0; i < count && code == 0; i++) {
        code = level_parse(json_array_get(list, i), family->tdx, &family->levels[i], why);
        for (size_t k = 0; code == 0 && k < i; k++) {
            const struct sim_level *a = &family->levels[i], *b = &family->levels[k];
            if (memcmp(a->tcb.components, b->tcb.components, 16) == 0 &&
                a->tcb.pcesvn == b->tcb.pcesvn) {
                code = fault_set(why, FAULT_INPUT, "fleet", "levels %zu and %zu are equal", k, i);
            }
        }
    }
    return code;
}

static int
platform_word_parse(const json_t *object, struct sim_family *family, struct fault *why)
{
    snprintf(family->platform, sizeof(family->platform), "E5");
    int code = optional(
        get_text(object, "platform", family->platform, sizeof(family->platform), why), why);
    if (code == 0 && strcmp(family->platform, "client") != 0 &&
        strcmp(family->platform, "E3") != 0 && strcmp(family->platform, "E5") != 0) {
        code = fault_set(why, FAULT_INPUT, "fleet", "platform: client, E3 or E5");
    }
    return code;
}

static int
family_parse(const json_t *object, struct sim_family *family, struct fault *why)
{
    struct span text;
    int code = json_get_string(object, "fmspc", &text, why);
    if (code == 0 && !fmspc_parse(text, &family->fmspc)) {
        code = fault_set(why, FAULT_INPUT, "fleet", "fmspc: not 12 hex digits");
    }
    if (code == 0) {
        code = json_get_string(object, "ca", &text, why);
    }
    if (code == 0 && !pck_ca_parse(text, &family->ca)) {
        code = fault_set(why, FAULT_INPUT, "fleet", "ca: processor or platform");
    }
    if (code == 0) {
        code = platform_word_parse(object, family, why);
    }
    family->early = true;
    if (code == 0) {
        code = optional(json_get_bool(object, "tdx", &family->tdx, why), why);
    }
    if (code == 0) {
        code = optional(json_get_bool(object, "early", &family->early, why), why);
    }
    return code != 0 ? code : levels_parse(object, family, why);
}

static int
pcks_parse(const json_t *object, struct sim_platform *platform, struct fault *why)
{
    json_t *list = NULL;
    int code = json_get_array(object, "certs", &list, why);
    if (code != 0) {
        return optional(code, why);
    }
    size_t count = json_array_size(list);
    if (count == 0 || count > LIMIT_SIM_LEVELS) {
        return fault_set(why, FAULT_INPUT, "fleet", "certs: 1 to %d are possible",
                         LIMIT_SIM_LEVELS);
    }
    platform->pcks = calloc(count, sizeof(*platform->pcks));
    if (platform->pcks == NULL) {
        return fault_set(why, FAULT_MEMORY, "fleet", "no memory");
    }
    platform->pck_count = count;
    for (size_t i = 0; i < count && code == 0; i++) {
        platform->pcks[i].available = true;
        code = get_tcb(json_array_get(list, i), &platform->pcks[i].tcb, why);
    }
    return code;
}

static int
missing_parse(const json_t *object, struct sim_platform *platform, struct fault *why)
{
    json_t *list = NULL;
    int code = json_get_array(object, "not_available", &list, why);
    if (code != 0) {
        return optional(code, why);
    }
    size_t index;
    json_t *one;
    json_array_foreach(list, index, one)
    {
        json_int_t number = json_is_integer(one) ? json_integer_value(one) : -1;
        if (number < 0 || number >= LIMIT_SIM_LEVELS) {
            return fault_set(why, FAULT_INPUT, "fleet", "not_available: numbers from 0 to %d",
                             LIMIT_SIM_LEVELS - 1);
        }
        platform->missing |= UINT64_C(1) << number;
    }
    return 0;
}

static int
raw_parse(const json_t *object, struct sim_platform *platform, struct fault *why)
{
    uint8_t pcesvn[2] = {(uint8_t)platform->raw.pcesvn, (uint8_t)(platform->raw.pcesvn >> 8)};
    int code = optional(get_hex(object, "cpu_svn", platform->raw.components, 16, why), why);
    if (code == 0) {
        code = optional(get_hex(object, "pce_svn", pcesvn, 2, why), why);
    }
    platform->raw.pcesvn = (uint16_t)(pcesvn[0] | pcesvn[1] << 8);
    return code;
}

static int
enc_ppid_parse(const json_t *object, struct sim_platform *platform, struct fault *why)
{
    struct span text;
    int code = json_get_string(object, "enc_ppid", &text, why);
    if (code != 0) {
        return optional(code, why);
    }
    if (!hex_is_sized(text, LIMIT_PPID_HEX)) {
        return fault_set(why, FAULT_INPUT, "fleet", "enc_ppid: not %d hex digits", LIMIT_PPID_HEX);
    }
    platform->enc_ppid_hex = span_dup_text(text);
    return platform->enc_ppid_hex != NULL ? 0 : fault_set(why, FAULT_MEMORY, "fleet", "no memory");
}

static int
ids_parse(const json_t *object, const struct sim_fleet *fleet, struct sim_platform *platform,
          struct fault *why)
{
    int64_t manifest = 0;
    memcpy(platform->pce_id, "0000", sizeof("0000"));
    sim_derive(fleet->seed, platform->name, "ppid", platform->ppid, sizeof(platform->ppid));
    sim_derive(fleet->seed, platform->name, "qe", platform->qe_id, sizeof(platform->qe_id));
    int code = optional(get_hex(object, "qe_id", platform->qe_id, 16, why), why);
    if (code == 0) {
        code = optional(get_hex(object, "ppid", platform->ppid, 16, why), why);
    }
    if (code == 0) {
        code = enc_ppid_parse(object, platform, why);
    }
    if (code == 0) {
        code = optional(json_get_integer(object, "manifest", SIM_MANIFEST_BYTES_LEAST,
                                         SIM_MANIFEST_BYTES_MOST, &manifest, why),
                        why);
    }
    platform->manifest_bytes = (size_t)manifest;
    return code;
}

static int
platform_parse(const json_t *object, const struct sim_fleet *fleet, struct sim_platform *platform,
               struct fault *why)
{
    struct span fmspc;
    int code = get_text(object, "name", platform->name, sizeof(platform->name), why);
    if (code == 0) {
        code = json_get_string(object, "fmspc", &fmspc, why);
    }
    if (code != 0) {
        return code;
    }
    const struct sim_family *family = sim_fleet_family(fleet, fmspc);
    if (family == NULL) {
        return fault_set(why, FAULT_INPUT, "fleet", "%s: its fmspc is not among fmspcs",
                         platform->name);
    }
    platform->family = (size_t)(family - fleet->families);
    platform->raw = family->levels[0].tcb;
    code = raw_parse(object, platform, why);
    if (code == 0) {
        code = ids_parse(object, fleet, platform, why);
    }
    if (code == 0) {
        code = pcks_parse(object, platform, why);
    }
    return code != 0 ? code : missing_parse(object, platform, why);
}

static int
families_parse(const json_t *root, struct sim_fleet *fleet, struct fault *why)
{
    json_t *list = NULL;
    int code = json_get_array(root, "fmspcs", &list, why);
    size_t count = json_array_size(list);
    if (code == 0 && (count == 0 || count > LIMIT_SIM_FMSPCS)) {
        code =
            fault_set(why, FAULT_INPUT, "fleet", "fmspcs: 1 to %d are possible", LIMIT_SIM_FMSPCS);
    }
    if (code != 0) {
        return code;
    }
    fleet->families = calloc(count, sizeof(*fleet->families));
    if (fleet->families == NULL) {
        return fault_set(why, FAULT_MEMORY, "fleet", "no memory");
    }
    for (size_t i = 0; i < count && code == 0; i++) {
        fleet->family_count = i + 1;
        code = family_parse(json_array_get(list, i), &fleet->families[i], why);
    }
    return code;
}

static int
platforms_parse(const json_t *root, struct sim_fleet *fleet, struct fault *why)
{
    json_t *list = NULL;
    int code = json_get_array(root, "platforms", &list, why);
    size_t count = json_array_size(list);
    if (code == 0 && count > LIMIT_SIM_PLATFORMS) {
        code = fault_set(why, FAULT_INPUT, "fleet", "platforms: at most %d", LIMIT_SIM_PLATFORMS);
    }
    if (code != 0) {
        return code;
    }
    fleet->platforms = calloc(count + 1, sizeof(*fleet->platforms));
    fleet->heads = calloc(count + 1, sizeof(*fleet->heads));
    if (fleet->platforms == NULL || fleet->heads == NULL) {
        return fault_set(why, FAULT_MEMORY, "fleet", "no memory");
    }
    for (size_t i = 0; i < count && code == 0; i++) {
        struct sim_platform *platform = &fleet->platforms[i];
        uint8_t enc_ppid[SIM_ENC_PPID_SIZE];
        fleet->platform_count = i + 1;
        code = platform_parse(json_array_get(list, i), fleet, platform, why);
        if (code == 0) {
            sim_platform_enc_ppid(fleet, platform, enc_ppid);
            memcpy(fleet->heads[i], enc_ppid, sizeof(fleet->heads[i]));
        }
    }
    return code;
}

int
sim_fleet_parse(struct span text, const char *seed, struct sim_fleet **ret_fleet, struct fault *why)
{
    auto_json json_t *root = NULL;
    int code = json_value_parse(text, &root, why);
    if (code != 0) {
        return code;
    }
    struct sim_fleet *fleet = calloc(1, sizeof(*fleet));
    if (fleet == NULL) {
        return fault_set(why, FAULT_MEMORY, "fleet", "no memory");
    }
    snprintf(fleet->seed, sizeof(fleet->seed), "default");
    code = optional(get_text(root, "seed", fleet->seed, sizeof(fleet->seed), why), why);
    if (seed != NULL) {
        snprintf(fleet->seed, sizeof(fleet->seed), "%s", seed);
    }
    if (code == 0) {
        code = families_parse(root, fleet, why);
    }
    if (code == 0) {
        code = platforms_parse(root, fleet, why);
    }
    if (code == 0) {
        *ret_fleet = fleet;
        return 0;
    }
    sim_fleet_free(fleet);
    return code == FAULT_NOT_FOUND ? fault_recode(why, FAULT_INPUT) : code;
}
