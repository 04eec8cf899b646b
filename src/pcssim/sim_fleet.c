/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Platforms and FMSPCs: look-ups, what is derived from names, what a TCB recovery changes, and the
 * fleet that is generated.
 *
 * Takes a parsed fleet (sim_fleet_file.c), gives platforms by index, encrypted PPID or manifest.
 * Made by main.c, read on the server's one loop thread. A generated platform is never kept: its
 * index stands in its encrypted PPID, and everything else follows from that; a million of them cost
 * nothing until they are asked for. Must never look at the clock or at chance.
 */
#include "pcssim/sim_fleet.h"

#include <stdio.h>

#include <openssl/sha.h>

#include "base/hex.h"
#include "base/mem.h"

enum { GENERATED_LEVELS = 4, MANIFEST_HEADER_SIZE = 32 };

/* The GUID of a platform manifest as it lies in memory (retrieval.md 3.3). */
static const uint8_t manifest_guid[16] = {0x17, 0x8e, 0x87, 0x4b, 0x49, 0xe4, 0x4a, 0xa5,
                                          0x99, 0xbb, 0x30, 0x57, 0x17, 0x09, 0x25, 0xb4};
/* Stands where a generated platform's encrypted PPID says that its index follows. */
static const uint8_t generated_mark[4] = {'g', 'e', 'n', '1'};

void
sim_derive(const char *seed, const char *name, const char *what, uint8_t *out, size_t size)
{
    char label[3 * SIM_NAME_SIZE];
    uint8_t hash[SHA256_DIGEST_LENGTH];
    for (uint32_t block = 0; size > 0; block++) {
        int length = snprintf(label, sizeof(label), "%s/%s/%s/%u", seed, name, what, block);
        must(length > 0 && (size_t)length < sizeof(label));
        SHA256((const uint8_t *)label, (size_t)length, hash);
        size_t part = size < sizeof(hash) ? size : sizeof(hash);
        memcpy(out, hash, part);
        out += part;
        size -= part;
    }
}

static void
family_done(struct sim_family *family)
{
    for (size_t i = 0; i < family->level_count; i++) {
        free(family->levels[i].advisories);
    }
    free(family->levels);
}

void
sim_fleet_free(struct sim_fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    for (size_t i = 0; i < fleet->family_count; i++) {
        family_done(&fleet->families[i]);
    }
    for (size_t i = 0; i < fleet->platform_count; i++) {
        free(fleet->platforms[i].enc_ppid_hex);
        free(fleet->platforms[i].pcks);
    }
    free(fleet->families);
    free(fleet->platforms);
    free(fleet->heads);
    free(fleet);
}

/* Level 0 is the highest; each lower one is older by half a year and one SVN. */
static bool
generated_level(struct sim_level *level, size_t rank)
{
    static const char *const dates[GENERATED_LEVELS] = {
        "2025-03-13T00:00:00Z", "2024-03-13T00:00:00Z", "2023-02-15T00:00:00Z",
        "2021-11-10T00:00:00Z"};
    uint8_t svn = (uint8_t)(12 - 2 * rank);
    level->tcb = (struct sim_tcb){.components = {svn, svn, 3, 3, 255, 1, 0, 0},
                                  .pcesvn = (uint16_t)(13 - rank)};
    snprintf(level->status, sizeof(level->status), "%s", rank == 0 ? "UpToDate" : "OutOfDate");
    snprintf(level->date, sizeof(level->date), "%s", dates[rank]);
    level->advisories = rank == 0 ? NULL : strdup("[\"INTEL-SA-00828\"]");
    return rank == 0 || level->advisories != NULL;
}

static bool
generated_family(struct sim_family *family, size_t index)
{
    *family = (struct sim_family){
        .ca = index % 2 == 0 ? PCK_CA_PROCESSOR : PCK_CA_PLATFORM,
        .tdx = index % 4 == 1,
        .early = true,
        .levels = calloc(GENERATED_LEVELS, sizeof(*family->levels)),
    };
    if (family->levels == NULL) {
        return false;
    }
    snprintf(family->fmspc.hex, sizeof(family->fmspc.hex), "B0%04X060000", (unsigned)index);
    snprintf(family->platform, sizeof(family->platform), "%s", index % 2 == 0 ? "E3" : "E5");
    for (size_t i = 0; i < GENERATED_LEVELS; i++) {
        family->level_count = i + 1;
        if (!generated_level(&family->levels[i], i)) {
            return false;
        }
        if (family->tdx) {
            family->levels[i].tdx[0] = (uint8_t)(8 - i);
            family->levels[i].tdx[2] = (uint8_t)(8 - i);
        }
    }
    return true;
}

int
sim_fleet_generate(struct sim_fleet *fleet, size_t count, size_t families, struct fault *why)
{
    if (count > LIMIT_SIM_PLATFORMS || families == 0 ||
        families + fleet->family_count > LIMIT_SIM_FMSPCS) {
        return fault_set(why, FAULT_INPUT, "fleet",
                         "at most %d platforms over 1 to %d FMSPCs can be generated",
                         LIMIT_SIM_PLATFORMS, LIMIT_SIM_FMSPCS);
    }
    size_t total = fleet->family_count + families;
    struct sim_family *grown = realloc(fleet->families, total * sizeof(*grown));
    if (grown == NULL) {
        return fault_set(why, FAULT_MEMORY, "fleet", "no memory for %zu FMSPCs", families);
    }
    fleet->families = grown;
    for (size_t i = 0; i < families; i++) {
        bool made = generated_family(&fleet->families[fleet->family_count], i);
        fleet->family_count++;
        if (!made) {
            return fault_set(why, FAULT_MEMORY, "fleet", "no memory for %zu FMSPCs", families);
        }
    }
    fleet->generated_count = count;
    fleet->generated_families = families;
    return 0;
}

size_t
sim_fleet_size(const struct sim_fleet *fleet)
{
    return fleet->platform_count + fleet->generated_count;
}

static void
generated_platform(const struct sim_fleet *fleet, size_t index, struct sim_platform *ret_platform)
{
    struct sim_platform platform = {.pce_id = "0000"};
    snprintf(platform.name, sizeof(platform.name), "gen-%06zu", index);
    platform.family =
        fleet->family_count - fleet->generated_families + index % fleet->generated_families;
    /* Every third machine is a level behind. */
    platform.raw = fleet->families[platform.family].levels[index % 3 == 2 ? 1 : 0].tcb;
    sim_derive(fleet->seed, platform.name, "ppid", platform.ppid, sizeof(platform.ppid));
    sim_derive(fleet->seed, platform.name, "qe", platform.qe_id, sizeof(platform.qe_id));
    *ret_platform = platform;
}

void
sim_fleet_platform(const struct sim_fleet *fleet, size_t index, struct sim_platform *ret_platform)
{
    must(index < sim_fleet_size(fleet));
    if (index < fleet->platform_count) {
        *ret_platform = fleet->platforms[index];
    } else {
        generated_platform(fleet, index - fleet->platform_count, ret_platform);
    }
}

static bool
generated_index(const struct sim_fleet *fleet, const char *name, size_t *ret_index)
{
    unsigned long index = 0;
    char end = '\0';
    char again[SIM_NAME_SIZE];
    if (sscanf(name, "gen-%lu%c", &index, &end) != 1 || index >= fleet->generated_count) {
        return false;
    }
    snprintf(again, sizeof(again), "gen-%06lu", index);
    if (strcmp(again, name) != 0) {
        return false;
    }
    *ret_index = fleet->platform_count + index;
    return true;
}

bool
sim_fleet_find_name(const struct sim_fleet *fleet, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < fleet->platform_count; i++) {
        if (strcmp(fleet->platforms[i].name, name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return generated_index(fleet, name, ret_index);
}

void
sim_platform_enc_ppid(const struct sim_fleet *fleet, const struct sim_platform *platform,
                      uint8_t out[SIM_ENC_PPID_SIZE])
{
    size_t index = 0;
    if (platform->enc_ppid_hex != NULL) {
        must(hex_decode(span_of_text(platform->enc_ppid_hex), out, SIM_ENC_PPID_SIZE));
        return;
    }
    sim_derive(fleet->seed, platform->name, "enc_ppid", out, SIM_ENC_PPID_SIZE);
    if (generated_index(fleet, platform->name, &index)) {
        uint32_t number = (uint32_t)(index - fleet->platform_count);
        memcpy(out, generated_mark, sizeof(generated_mark));
        out[4] = (uint8_t)(number >> 24);
        out[5] = (uint8_t)(number >> 16);
        out[6] = (uint8_t)(number >> 8);
        out[7] = (uint8_t)number;
    }
}

static bool
platform_has_enc_ppid(const struct sim_fleet *fleet, size_t index,
                      const uint8_t enc_ppid[SIM_ENC_PPID_SIZE])
{
    struct sim_platform platform;
    uint8_t expected[SIM_ENC_PPID_SIZE];
    sim_fleet_platform(fleet, index, &platform);
    sim_platform_enc_ppid(fleet, &platform, expected);
    return memcmp(expected, enc_ppid, SIM_ENC_PPID_SIZE) == 0;
}

bool
sim_fleet_find_enc_ppid(const struct sim_fleet *fleet, const uint8_t enc_ppid[SIM_ENC_PPID_SIZE],
                        size_t *ret_index)
{
    for (size_t i = 0; i < fleet->platform_count; i++) {
        if (memcmp(fleet->heads[i], enc_ppid, 16) == 0 &&
            platform_has_enc_ppid(fleet, i, enc_ppid)) {
            *ret_index = i;
            return true;
        }
    }
    if (memcmp(enc_ppid, generated_mark, sizeof(generated_mark)) != 0) {
        return false;
    }
    size_t number = (size_t)enc_ppid[4] << 24 | (size_t)enc_ppid[5] << 16 |
                    (size_t)enc_ppid[6] << 8 | enc_ppid[7];
    if (number >= fleet->generated_count ||
        !platform_has_enc_ppid(fleet, fleet->platform_count + number, enc_ppid)) {
        return false;
    }
    *ret_index = fleet->platform_count + number;
    return true;
}

int
sim_platform_add_manifest(struct buf *b, const struct sim_fleet *fleet,
                          const struct sim_platform *platform)
{
    if (platform->manifest_bytes == 0) {
        return 0;
    }
    size_t content = platform->manifest_bytes - MANIFEST_HEADER_SIZE;
    uint8_t header[MANIFEST_HEADER_SIZE] = {0};
    memcpy(header, manifest_guid, sizeof(manifest_guid));
    header[16] = (uint8_t)content;
    header[17] = (uint8_t)(content >> 8);
    header[18] = 1;
    buf_add(b, span_of(header, sizeof(header)));
    uint8_t *room = buf_reserve(b, content);
    if (room == NULL) {
        return FAULT_MEMORY;
    }
    sim_derive(fleet->seed, platform->name, "manifest", room, content);
    buf_grew(b, content);
    return 0;
}

bool
sim_fleet_find_manifest(const struct sim_fleet *fleet, struct span manifest, size_t *ret_index)
{
    bool found = false;
    for (size_t i = 0; i < fleet->platform_count && !found; i++) {
        const struct sim_platform *platform = &fleet->platforms[i];
        uint8_t head[16];
        if (platform->manifest_bytes == 0 || platform->manifest_bytes != manifest.size) {
            continue;
        }
        sim_derive(fleet->seed, platform->name, "manifest", head, sizeof(head));
        if (memcmp(manifest.data + MANIFEST_HEADER_SIZE, head, sizeof(head)) != 0) {
            continue;
        }
        auto_cleanup(buf_done) struct buf whole = BUF_INIT(SIM_MANIFEST_BYTES_MOST);
        found = sim_platform_add_manifest(&whole, fleet, platform) == 0 &&
                span_equal(buf_span(&whole), manifest);
        if (found) {
            *ret_index = i;
        }
    }
    return found;
}

const struct sim_family *
sim_fleet_family(const struct sim_fleet *fleet, struct span fmspc)
{
    struct fmspc wanted;
    if (!fmspc_parse(fmspc, &wanted)) {
        return NULL;
    }
    for (size_t i = 0; i < fleet->family_count; i++) {
        if (strcmp(fleet->families[i].fmspc.hex, wanted.hex) == 0) {
            return &fleet->families[i];
        }
    }
    return NULL;
}

/* What becomes of a level's status when a higher one appears. */
static void
status_demote(struct sim_level *level)
{
    const char *status = level->status;
    if (strcmp(status, "ConfigurationNeeded") == 0 ||
        strcmp(status, "ConfigurationAndSWHardeningNeeded") == 0) {
        snprintf(level->status, sizeof(level->status), "OutOfDateConfigurationNeeded");
    } else if (strcmp(status, "UpToDate") == 0 || strcmp(status, "SWHardeningNeeded") == 0) {
        snprintf(level->status, sizeof(level->status), "OutOfDate");
    }
}

static struct sim_level
level_raised(const struct sim_level *top, uint32_t steps)
{
    struct sim_level level = *top;
    level.tcb.components[0] = (uint8_t)(level.tcb.components[0] + steps);
    level.tcb.components[1] = (uint8_t)(level.tcb.components[1] + steps);
    if (level.tdx[0] != 0) {
        level.tdx[0] = (uint8_t)(level.tdx[0] + steps);
    }
    level.advisories = NULL;
    /* One recovery in half a year, from the autumn of 2025 on. */
    snprintf(level.date, sizeof(level.date), "%04u-%02u-10T00:00:00Z", 2025 + steps / 2,
             steps % 2 == 1 ? 9u : 3u);
    return level;
}

size_t
sim_family_levels(const struct sim_family *family, uint32_t number,
                  struct sim_level out[SIM_LEVELS_MAX])
{
    uint32_t steps = family->early && number > SIM_NUMBER_BASE ? number - SIM_NUMBER_BASE : 0;
    steps = steps > LIMIT_SIM_RECOVERIES ? LIMIT_SIM_RECOVERIES : steps;
    size_t count = 0;
    for (uint32_t step = steps; step > 0; step--) {
        out[count++] = level_raised(&family->levels[0], step);
    }
    for (size_t i = 0; i < family->level_count; i++) {
        out[count++] = family->levels[i];
    }
    for (size_t i = 1; steps > 0 && i < count; i++) {
        status_demote(&out[i]);
    }
    return count;
}

static bool
pck_is_listed(const struct sim_pck *list, size_t count, const struct sim_tcb *tcb)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(list[i].tcb.components, tcb->components, 16) == 0 &&
            list[i].tcb.pcesvn == tcb->pcesvn) {
            return true;
        }
    }
    return false;
}

size_t
sim_platform_pcks(const struct sim_fleet *fleet, const struct sim_platform *platform,
                  uint32_t number, struct sim_pck out[SIM_LEVELS_MAX])
{
    size_t count = 0;
    if (platform->pcks != NULL) {
        memcpy(out, platform->pcks, platform->pck_count * sizeof(*out));
        count = platform->pck_count;
    } else {
        struct sim_level levels[SIM_LEVELS_MAX];
        size_t level_count = sim_family_levels(&fleet->families[platform->family], number, levels);
        for (size_t i = 0; i < level_count; i++) {
            if (!pck_is_listed(out, count, &levels[i].tcb)) {
                out[count++] = (struct sim_pck){.tcb = levels[i].tcb, .available = true};
            }
        }
    }
    /* Counted from the lowest TCB, so that a recovery does not move them. */
    for (size_t i = 0; i < count && i < 64; i++) {
        if ((platform->missing >> i & 1) != 0) {
            out[count - 1 - i].available = false;
        }
    }
    return count;
}
