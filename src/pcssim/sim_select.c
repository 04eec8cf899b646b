/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which PCK certificate fits a platform's raw TCB, as Intel's library chooses it.
 *
 * Takes TCB levels, certificates and a raw TCB, gives an index. Called for GET pckcert and for the
 * expectations that --print-fleet writes, on the caller's thread. Must never share code with the
 * product's own selection: that the two agree is a test of both.
 * Follows selection.md 4 and 5.
 */
#include <stdio.h>

#include "base/hex.h"
#include "base/mem.h"
#include "pcssim/sim_fleet.h"

/* Every value of a is at least that of b (selection.md 4: EQUAL OR GREATER). */
static bool
tcb_reaches(const struct sim_tcb *a, const struct sim_tcb *b)
{
    for (int i = 0; i < 16; i++) {
        if (a->components[i] < b->components[i]) {
            return false;
        }
    }
    return a->pcesvn >= b->pcesvn;
}

/* The total order of levels: components as text, then PCESVN. */
static int
tcb_order(const struct sim_tcb *a, const struct sim_tcb *b)
{
    int order = memcmp(a->components, b->components, 16);
    return order != 0 ? order : (int)a->pcesvn - (int)b->pcesvn;
}

/* The rank of the first level that tcb reaches, counted from the highest level; level_count if it
 * reaches none. Ranks are found by counting the reached levels' superiors: no sorted copy needed.
 */
static size_t
tcb_bucket(const struct sim_level *levels, size_t level_count, const struct sim_tcb *tcb)
{
    const struct sim_tcb *best = NULL;
    for (size_t i = 0; i < level_count; i++) {
        if (tcb_reaches(tcb, &levels[i].tcb) &&
            (best == NULL || tcb_order(&levels[i].tcb, best) > 0)) {
            best = &levels[i].tcb;
        }
    }
    if (best == NULL) {
        return level_count;
    }
    size_t rank = 0;
    for (size_t i = 0; i < level_count; i++) {
        rank += tcb_order(&levels[i].tcb, best) > 0;
    }
    return rank;
}

/* Inserts index before the first member of its bucket that it reaches, else at the bucket's end. */
static void
bucket_insert(size_t *list, size_t *count, size_t index, const struct sim_pck *pcks)
{
    size_t at = 0;
    while (at < *count && !tcb_reaches(&pcks[index].tcb, &pcks[list[at]].tcb)) {
        at++;
    }
    memmove(&list[at + 1], &list[at], (*count - at) * sizeof(*list));
    list[at] = index;
    (*count)++;
}

int
sim_select(const struct sim_level *levels, size_t level_count, const struct sim_pck *pcks,
           size_t pck_count, const struct sim_tcb *raw)
{
    must(pck_count <= SIM_LEVELS_MAX);
    for (size_t bucket = 0; bucket <= level_count; bucket++) {
        size_t list[SIM_LEVELS_MAX + 1];
        size_t count = 0;
        for (size_t i = 0; i < pck_count; i++) {
            if (pcks[i].available && tcb_bucket(levels, level_count, &pcks[i].tcb) == bucket) {
                bucket_insert(list, &count, i, pcks);
            }
        }
        for (size_t i = 0; i < count; i++) {
            if (tcb_reaches(raw, &pcks[list[i]].tcb)) {
                return (int)list[i];
            }
        }
    }
    return -1;
}

void
sim_tcb_hex(const struct sim_tcb *tcb, char out[37])
{
    const uint8_t pcesvn[2] = {(uint8_t)tcb->pcesvn, (uint8_t)(tcb->pcesvn >> 8)};
    hex_encode_upper(span_of(tcb->components, 16), out);
    hex_encode_upper(span_of(pcesvn, 2), out + 32);
}

static int
platform_add_json(struct buf *b, const struct sim_fleet *fleet, size_t index, uint32_t number)
{
    struct sim_platform platform;
    sim_fleet_platform(fleet, index, &platform);
    const struct sim_family *family = &fleet->families[platform.family];
    struct sim_level levels[SIM_LEVELS_MAX];
    struct sim_pck pcks[SIM_LEVELS_MAX];
    size_t level_count = sim_family_levels(family, number, levels);
    size_t pck_count = sim_platform_pcks(fleet, &platform, number, pcks);
    int chosen = sim_select(levels, level_count, pcks, pck_count, &platform.raw);
    size_t missing = 0;
    for (size_t i = 0; i < pck_count; i++) {
        missing += !pcks[i].available;
    }
    uint8_t enc_ppid[SIM_ENC_PPID_SIZE];
    char raw[37], tcbm[37] = "";
    sim_platform_enc_ppid(fleet, &platform, enc_ppid);
    sim_tcb_hex(&platform.raw, raw);
    if (chosen >= 0) {
        sim_tcb_hex(&pcks[chosen].tcb, tcbm);
    }
    auto_cleanup(buf_done) struct buf manifest = BUF_INIT(SIM_MANIFEST_BYTES_MOST);
    int code = sim_platform_add_manifest(&manifest, fleet, &platform);
    buf_add_format(b, "{\"name\":\"%s\",\"qe_id\":\"", platform.name);
    hex_add_upper(b, span_of(platform.qe_id, sizeof(platform.qe_id)));
    buf_add_format(b,
                   "\",\"pce_id\":\"%s\",\"cpu_svn\":\"%.32s\",\"pce_svn\":\"%s\",\"enc_ppid\":\"",
                   platform.pce_id, raw, raw + 32);
    hex_add_lower(b, span_of(enc_ppid, sizeof(enc_ppid)));
    buf_add_text(b, "\",\"platform_manifest\":\"");
    hex_add_lower(b, buf_span(&manifest));
    int added = buf_add_format(
        b,
        "\",\"fmspc\":\"%s\",\"ca\":\"%s\",\"tdx\":%s,\"early\":%s,\"certificates\":%zu,"
        "\"not_available\":%zu,\"expected_tcbm\":\"%s\"}",
        family->fmspc.hex, pck_ca_word(family->ca), family->tdx ? "true" : "false",
        family->early ? "true" : "false", pck_count, missing, tcbm);
    return code != 0 ? code : added;
}

int
sim_fleet_add_json(struct buf *b, const struct sim_fleet *fleet, uint32_t number)
{
    size_t size = sim_fleet_size(fleet);
    int code = buf_add_byte(b, '[');
    for (size_t i = 0; i < size && code == 0; i++) {
        buf_add_text(b, i == 0 ? "\n" : ",\n");
        code = platform_add_json(b, fleet, i, number);
    }
    return code != 0 ? code : buf_add_text(b, "\n]\n");
}
