/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes the platform collaterals file apart: the body of PUT platformcollateral, and what
 * pccsadmin carries between a PCCS and the PCS.
 *
 * Takes the whole text; gives platforms, certificates and raw items, each with the key of its
 * place. Works on spans of the text (json_scan.h), never on a tree of all of it, so that memory
 * stays near the size of the values kept. Called by the service's workers and by the tools; pure.
 * Must never judge: whether an item is authentic is verify.c's question, and whether rootcacrl_cdp
 * may be fetched or stored is the caller's.
 *
 * clients.md 5.2; wire_details.md 1; api.md, PUT platformcollateral; trust.md rules 8 and 9.
 */
#include "collateral/collaterals_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/url.h"
#include "collateral/collaterals_priv.h"
#include "json/json_scan.h"

enum { SVN_CHARS = 64 /* the longest svn has 32; what is longer cannot be one */ };

#define NO_CPUSVN "00000000000000000000000000000000"
#define NO_PCESVN "0000"

/* ---- platforms and their certificates ---- */

static int
platform_id_get(const struct member *qeid, const struct member *pceid, const char *place,
                struct platform_id *ret_id, struct fault *why)
{
    auto_free char *qeid_text = NULL;
    auto_free char *pceid_text = NULL;
    struct platform_id id = {0};
    int rc = member_require(qeid, place, why);
    rc = rc != 0 ? rc : member_require(pceid, place, why);
    rc = rc != 0 ? rc : member_get_text(qeid, place, sizeof id.qeid - 1, &qeid_text, why);
    rc = rc != 0 ? rc : member_get_text(pceid, place, SVN_CHARS, &pceid_text, why);
    if (rc != 0) {
        return rc;
    }
    if (!qeid_parse(span_of_text(qeid_text), &id)) {
        return fault_set(why, FAULT_INPUT, "parse", "%s.qe_id: expected 1 to %d characters", place,
                         LIMIT_QEID_CHARS);
    }
    if (!pceid_parse(span_of_text(pceid_text), &id)) {
        return fault_set(why, FAULT_INPUT, "parse", "%s.pce_id: expected 4 hex digits", place);
    }
    *ret_id = id;
    return 0;
}

/* Rows of platforms with a manifest have no svns; one without the other is no raw TCB either. */
static int
raw_tcb_get(const struct member *cpusvn, const struct member *pcesvn, const char *place,
            struct collaterals_platform *platform, struct fault *why)
{
    auto_free char *cpusvn_text = NULL;
    auto_free char *pcesvn_text = NULL;
    int rc = member_get_text(cpusvn, place, SVN_CHARS, &cpusvn_text, why);
    rc = rc != 0 ? rc : member_get_text(pcesvn, place, SVN_CHARS, &pcesvn_text, why);
    if (rc != 0) {
        return rc;
    }
    bool has_cpusvn = cpusvn_text[0] != '\0';
    bool has_pcesvn = pcesvn_text[0] != '\0';
    struct raw_tcb raw;
    if (!raw_tcb_parse(span_of_text(has_cpusvn ? cpusvn_text : NO_CPUSVN),
                       span_of_text(has_pcesvn ? pcesvn_text : NO_PCESVN), &raw)) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "%s: cpu_svn and pce_svn: expected 32 and 4 hex digits, or none", place);
    }
    if (has_cpusvn && has_pcesvn) {
        platform->raw = raw;
        platform->has_raw = true;
    }
    return 0;
}

/* 768 hex digits or none. */
static int
enc_ppid_get(const struct member *member, const char *place, char **ret_hex, struct fault *why)
{
    auto_free char *hex = NULL;
    int rc = member_get_hex(member, place, LIMIT_PPID_HEX, &hex, why);
    if (rc != 0) {
        return rc;
    }
    size_t digits = strlen(hex);
    if (digits != 0 && digits != LIMIT_PPID_HEX) {
        return fault_set(why, FAULT_INPUT, "parse", "%s.%s: %zu hex digits, not 0 or %d", place,
                         member->name, digits, LIMIT_PPID_HEX);
    }
    *ret_hex = take(&hex);
    return 0;
}

/* null, empty and absent are one: the tool "collect" writes null. */
static int
manifest_get(struct member member, const char *place, char **ret_hex, struct fault *why)
{
    if (member.found && span_is(member.value, "null")) {
        member.found = false;
    }
    return member_get_hex(&member, place, LIMIT_MANIFEST_HEX, ret_hex, why);
}

static int
platform_parse(struct span object, const char *place, struct collaterals_platform *platform,
               struct fault *why)
{
    enum { QE_ID, PCE_ID, CPU_SVN, PCE_SVN, ENC_PPID, MANIFEST, COUNT };
    struct member m[COUNT] = {
        [QE_ID].name = "qe_id",       [PCE_ID].name = "pce_id",
        [CPU_SVN].name = "cpu_svn",   [PCE_SVN].name = "pce_svn",
        [ENC_PPID].name = "enc_ppid", [MANIFEST].name = "platform_manifest",
    };
    int rc = members_find(object, place, m, COUNT, why);
    rc = rc != 0 ? rc : platform_id_get(&m[QE_ID], &m[PCE_ID], place, &platform->id, why);
    rc = rc != 0 ? rc : raw_tcb_get(&m[CPU_SVN], &m[PCE_SVN], place, platform, why);
    rc = rc != 0 ? rc : enc_ppid_get(&m[ENC_PPID], place, &platform->enc_ppid, why);
    rc = rc != 0 ? rc : manifest_get(m[MANIFEST], place, &platform->manifest, why);
    return rc;
}

static int
platforms_parse(struct span array, struct collaterals_file *file, struct fault *why)
{
    struct json_walk walk;
    int rc = array_open(array, "platforms", &walk, why);
    struct span name, value;
    while (rc == 0 && json_walk_next(&walk, &name, &value) == 0) {
        char place[PLACE_SIZE];
        snprintf(place, sizeof place, "platforms[%zu]", file->platform_count);
        struct collaterals_platform *platforms =
            array_room(file->platforms, file->platform_count, sizeof file->platforms[0]);
        if (platforms == NULL) {
            return collaterals_out_of_memory(why);
        }
        file->platforms = platforms;
        rc = platform_parse(value, place, &platforms[file->platform_count++], why);
    }
    return rc;
}

static int
cert_parse(struct span object, const char *place, struct raw_pck *pck, struct fault *why)
{
    struct member tcb = {.name = "tcb"};
    int rc = members_find(object, place, &tcb, 1, why);
    rc = rc != 0 ? rc : member_require(&tcb, place, why);
    if (rc != 0) {
        return rc;
    }
    struct fault inner = {0};
    rc = raw_pck_parse(object, pck, &inner);
    if (rc != 0) {
        return fault_set(why, rc, "parse", "%s: %s", place, inner.text);
    }
    if (pck->cert != NULL && !percent_escapes_are_whole(pck->cert)) {
        return fault_set(why, FAULT_INPUT, "parse", "%s.cert: a broken percent escape", place);
    }
    return 0;
}

static int
certs_parse(struct span array, const char *place, struct raw_reply *raw, struct fault *why)
{
    char at[PLACE_SIZE];
    snprintf(at, sizeof at, "%.64s.certs", place);
    struct json_walk walk;
    int rc = array_open(array, at, &walk, why);
    struct span name, value;
    while (rc == 0 && json_walk_next(&walk, &name, &value) == 0) {
        if (raw->pck_count == LIMIT_PCK_CERTS) {
            return fault_set(why, FAULT_INPUT, "parse", "%s.certs: more than %d certificates",
                             place, LIMIT_PCK_CERTS);
        }
        snprintf(at, sizeof at, "%.64s.certs[%zu]", place, raw->pck_count);
        struct raw_pck *pcks = array_room(raw->pcks, raw->pck_count, sizeof raw->pcks[0]);
        if (pcks == NULL) {
            return collaterals_out_of_memory(why);
        }
        raw->pcks = pcks;
        rc = cert_parse(value, at, &pcks[raw->pck_count++], why);
    }
    return rc;
}

/* Intel's tool drops "Not available" entries, and may so leave none: that is nothing to replace a
 * platform's present certificates with. */
static int
check_has_cert(const struct raw_reply *raw, const char *place, struct fault *why)
{
    for (size_t i = 0; i < raw->pck_count; i++) {
        if (raw->pcks[i].available) {
            return 0;
        }
    }
    return fault_set(why, FAULT_INPUT, "parse", "%s.certs: no certificate of the platform is left",
                     place);
}

static int
pck_parse(struct span object, const char *place, struct collaterals_pck *pck, struct fault *why)
{
    enum { QE_ID, PCE_ID, ENC_PPID, MANIFEST, CERTS, COUNT };
    struct member m[COUNT] = {
        [QE_ID].name = "qe_id",       [PCE_ID].name = "pce_id",
        [ENC_PPID].name = "enc_ppid", [MANIFEST].name = "platform_manifest",
        [CERTS].name = "certs",
    };
    int rc = members_find(object, place, m, COUNT, why);
    rc = rc != 0 ? rc : platform_id_get(&m[QE_ID], &m[PCE_ID], place, &pck->id, why);
    rc = rc != 0 ? rc : member_require(&m[ENC_PPID], place, why);
    rc = rc != 0 ? rc : enc_ppid_get(&m[ENC_PPID], place, &pck->enc_ppid, why);
    rc = rc != 0 ? rc : manifest_get(m[MANIFEST], place, &pck->manifest, why);
    rc = rc != 0 ? rc : member_require(&m[CERTS], place, why);
    rc = rc != 0 ? rc : certs_parse(m[CERTS].value, place, &pck->raw, why);
    rc = rc != 0 ? rc : check_has_cert(&pck->raw, place, why);
    return rc;
}

static void
pck_done(struct collaterals_pck *pck)
{
    free(pck->enc_ppid);
    free(pck->manifest);
    raw_reply_done(&pck->raw);
}

static int
pcks_parse(struct span array, struct collaterals_file *file, struct fault *why)
{
    struct json_walk walk;
    int rc = array_open(array, "collaterals.pck_certs", &walk, why);
    struct span name, value;
    while (rc == 0 && json_walk_next(&walk, &name, &value) == 0) {
        char place[PLACE_SIZE];
        snprintf(place, sizeof place, "collaterals.pck_certs[%zu]", file->pck_count);
        struct collaterals_pck *pcks =
            array_room(file->pcks, file->pck_count, sizeof file->pcks[0]);
        if (pcks == NULL) {
            return collaterals_out_of_memory(why);
        }
        file->pcks = pcks;
        struct collaterals_pck *pck = &pcks[file->pck_count++];
        raw_reply_init(&pck->raw);
        rc = pck_parse(value, place, pck, why);
    }
    return rc;
}

/* ---- a platform twice: the last one wins, as there is no date to judge by ---- */

struct sameness {
    const uint8_t *elements;
    size_t element_size;
    int (*compare)(const void *a, const void *b);
};

static int
sameness_compare(const struct sameness *same, size_t a, size_t b)
{
    return same->compare(same->elements + a * same->element_size,
                         same->elements + b * same->element_size);
}

static int
order_compare(const void *a, const void *b, void *same)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    int order = sameness_compare(same, x, y);
    return order != 0 ? order : (x > y) - (x < y);
}

/* Marks every element that a later one equals. Sorted, not searched: a file may hold a hundred
 * thousand platforms. *ret_is_replaced is the caller's; NULL if there is nothing to mark. */
static int
find_replaced(const struct sameness *same, size_t count, bool **ret_is_replaced, struct fault *why)
{
    if (count < 2) {
        return 0;
    }
    auto_free size_t *order = calloc(count, sizeof order[0]);
    auto_free bool *is_replaced = calloc(count, sizeof is_replaced[0]);
    if (order == NULL || is_replaced == NULL) {
        return collaterals_out_of_memory(why);
    }
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    struct sameness context = *same;
    qsort_r(order, count, sizeof order[0], order_compare, &context);
    for (size_t i = 0; i + 1 < count; i++) {
        is_replaced[order[i]] = sameness_compare(same, order[i], order[i + 1]) == 0;
    }
    *ret_is_replaced = take(&is_replaced);
    return 0;
}

static int
pck_compare(const void *a, const void *b)
{
    const struct platform_id *x = &((const struct collaterals_pck *)a)->id;
    const struct platform_id *y = &((const struct collaterals_pck *)b)->id;
    int order = strcmp(x->qeid, y->qeid);
    return order != 0 ? order : strcmp(x->pceid, y->pceid);
}

static int
pcks_drop_replaced(struct collaterals_file *file, struct fault *why)
{
    auto_free bool *is_replaced = NULL;
    struct sameness same = {(const uint8_t *)file->pcks, sizeof file->pcks[0], pck_compare};
    int rc = find_replaced(&same, file->pck_count, &is_replaced, why);
    if (rc != 0 || is_replaced == NULL) {
        return rc;
    }
    size_t kept = 0;
    for (size_t i = 0; i < file->pck_count; i++) {
        if (is_replaced[i]) {
            pck_done(&file->pcks[i]);
        } else {
            file->pcks[kept++] = file->pcks[i];
        }
    }
    file->pck_count = kept;
    return 0;
}

/* ---- the file ---- */

static int
version_check(const struct member *member, unsigned version, struct fault *why)
{
    if (!span_is(member->value, version == 3 ? "3" : "4")) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "collaterals.version: expected %u, the version of the path", version);
    }
    return 0;
}

static int
root_crl_url_get(const struct member *member, char **ret_url, struct fault *why)
{
    auto_free char *url = NULL;
    int rc = member_get_text(member, "collaterals", LIMIT_URL_CHARS, &url, why);
    if (rc != 0 || url[0] == '\0') {
        return rc;
    }
    struct url_parts parts;
    if (url_split(span_of_text(url), &parts) != 0) {
        return fault_set(why, FAULT_INPUT, "parse", "collaterals.rootcacrl_cdp: expected a URL");
    }
    *ret_url = take(&url);
    return 0;
}

static int
collaterals_parse(struct span object, struct collaterals_file *file, struct fault *why)
{
    static const char place[] = "collaterals";
    enum { VERSION, PCK_CERTS, ROOTCACRL_CDP, COUNT };
    struct member m[COUNT] = {
        [VERSION].name = "version",
        [PCK_CERTS].name = "pck_certs",
        [ROOTCACRL_CDP].name = "rootcacrl_cdp",
    };
    int rc = members_find(object, place, m, COUNT, why);
    rc = rc != 0 ? rc : member_require(&m[VERSION], place, why);
    rc = rc != 0 ? rc : version_check(&m[VERSION], file->version, why);
    rc = rc != 0 ? rc : member_require(&m[PCK_CERTS], place, why);
    rc = rc != 0 ? rc : pcks_parse(m[PCK_CERTS].value, file, why);
    rc = rc != 0 ? rc : pcks_drop_replaced(file, why);
    rc = rc != 0 ? rc : collaterals_items_parse(object, file, why);
    rc = rc != 0 ? rc : root_crl_url_get(&m[ROOTCACRL_CDP], &file->root_crl_url, why);
    return rc;
}

int
collaterals_file_parse(struct span body, unsigned version, struct collaterals_file *ret_file,
                       struct fault *why)
{
    must(version == 3 || version == 4);
    enum { PLATFORMS, COLLATERALS, COUNT };
    struct member m[COUNT] = {[PLATFORMS].name = "platforms", [COLLATERALS].name = "collaterals"};
    struct collaterals_file file = {.version = version};
    int rc = json_check(body, why);
    rc = rc != 0 ? rc : members_find(body, "the body", m, COUNT, why);
    rc = rc != 0 ? rc : member_require(&m[PLATFORMS], "the body", why);
    rc = rc != 0 ? rc : member_require(&m[COLLATERALS], "the body", why);
    rc = rc != 0 ? rc : platforms_parse(m[PLATFORMS].value, &file, why);
    rc = rc != 0 ? rc : collaterals_parse(m[COLLATERALS].value, &file, why);
    if (rc != 0) {
        collaterals_file_done(&file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

void
collaterals_file_done(struct collaterals_file *file)
{
    for (size_t i = 0; i < file->platform_count; i++) {
        free(file->platforms[i].enc_ppid);
        free(file->platforms[i].manifest);
    }
    for (size_t i = 0; i < file->pck_count; i++) {
        pck_done(&file->pcks[i]);
    }
    for (size_t i = 0; i < file->item_count; i++) {
        collaterals_item_done(&file->items[i]);
    }
    free(file->platforms);
    free(file->pcks);
    free(file->items);
    free(file->pck_chains[PCK_CA_PROCESSOR]);
    free(file->pck_chains[PCK_CA_PLATFORM]);
    free(file->root_crl_url);
    *file = (struct collaterals_file){0};
}
