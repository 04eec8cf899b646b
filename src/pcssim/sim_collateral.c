/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Renders and signs what Intel signs as JSON.
 *
 * Takes an FMSPC or an enclave and the terms of issue, gives compact JSON in the member order that
 * Intel uses, the signature over the exact bytes of the inner object. Called on the server's loop.
 * Must never use the product's collateral code: the simulator is an independent witness.
 * Follows trust.md, The shapes; selection.md 3 for the layouts 2 and 3 of TCB info.
 */
#include "pcssim/sim_collateral.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

enum { INNER_BYTES_MAX = 256 * 1024 };

/* A signer that Intel publishes nowhere: modules of this simulator run nowhere either. */
#define ZEROS_96                                                                                   \
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000"             \
    "0000000000000000"

struct identity_level {
    unsigned isvsvn;
    const char *date;
    const char *rest; /* status and advisories as JSON */
};

static const struct identity_row {
    enum enclave enclave;
    unsigned isvprodid;
    const char *mrsigner, *attributes, *attributes_mask;
    struct identity_level levels[3];
} identities[] = {
    {ENCLAVE_QE,
     1,
     "8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF",
     "11000000000000000000000000000000",
     "FBFFFFFFFFFFFFFF0000000000000000",
     {{8, "2025-03-13T00:00:00Z", "\"UpToDate\""},
      {6, "2021-11-10T00:00:00Z", "\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00615\"]"},
      {5, "2020-11-11T00:00:00Z",
       "\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00477\",\"INTEL-SA-00615\"]"}}},
    {ENCLAVE_QVE,
     2,
     "8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF",
     "01000000000000000000000000000000",
     "FBFFFFFFFFFFFFFF0000000000000000",
     {{3, "2025-03-13T00:00:00Z", "\"UpToDate\""},
      {2, "2023-08-09T00:00:00Z", "\"OutOfDate\""},
      {1, "2021-11-10T00:00:00Z", "\"OutOfDate\""}}},
    {ENCLAVE_TDQE,
     2,
     "DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5",
     "11000000000000000000000000000000",
     "FBFFFFFFFFFFFFFF0000000000000000",
     {{4, "2025-03-13T00:00:00Z", "\"UpToDate\""},
      {3, "2023-08-09T00:00:00Z", "\"OutOfDate\""},
      {0}}},
    {ENCLAVE_QAE,
     3,
     "8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF",
     "01000000000000000000000000000000",
     "FBFFFFFFFFFFFFFF0000000000000000",
     {{1, "2025-03-13T00:00:00Z", "\"UpToDate\""}, {0}, {0}}},
};

/* Closes inner into b: {"name":inner,"signature":"..."}. */
static int
envelope_add(struct buf *b, const struct sim_pki *pki, const char *name, struct buf *inner,
             const struct sim_twist *twist)
{
    if (inner->failed != 0) {
        return inner->failed;
    }
    buf_add_format(b, "{\"%s\":", name);
    size_t start = b->size;
    buf_add(b, buf_span(inner));
    buf_add_text(b, ",\"signature\":\"");
    int code = sim_pki_add_signature(b, pki, buf_span(inner), twist, NULL);
    if (code != 0 || buf_add_text(b, "\"}") != 0) {
        return code != 0 ? code : b->failed;
    }
    /* Still well-formed after it: the last digit of the seconds of issueDate changes. */
    const uint8_t *date = memmem(b->data + start, inner->size, "Z\"", 2);
    if (twist->tamper && date != NULL) {
        b->data[date - b->data - 1] ^= 1;
    }
    return 0;
}

static void
dates_add(struct buf *b, const struct sim_issue *issue)
{
    char issued[CLOCK_ISO8601_SIZE], next[CLOCK_ISO8601_SIZE];
    int64_t at = issue->at + issue->twist.issue_shift_s;
    clock_format_iso8601(at, issued);
    clock_format_iso8601(at + SIM_VALID_S, next);
    buf_add_format(b, "\"issueDate\":\"%s\",\"nextUpdate\":\"%s\"", issued, next);
}

/* Intel says of some components what they are. */
static const char *
component_note(size_t index)
{
    static const char *const notes[] = {
        ",\"category\":\"BIOS\",\"type\":\"Early Microcode Update\"",
        ",\"category\":\"OS/VMM\",\"type\":\"SGX Late Microcode Update\"",
        ",\"category\":\"OS/VMM\",\"type\":\"TXT SINIT\"",
        ",\"category\":\"BIOS\"",
        ",\"category\":\"BIOS\"",
        ",\"category\":\"BIOS\"",
    };
    return index < ARRAY_COUNT(notes) ? notes[index] : "";
}

static void
components_add(struct buf *b, const char *name, const uint8_t svns[16], bool notes)
{
    buf_add_format(b, "\"%s\":[", name);
    for (size_t i = 0; i < 16; i++) {
        buf_add_format(b, "%s{\"svn\":%u%s}", i == 0 ? "" : ",", svns[i],
                       notes ? component_note(i) : "");
    }
    buf_add_text(b, "]");
}

static void
level_add(struct buf *b, const struct sim_level *level, enum product product, unsigned version)
{
    buf_add_text(b, "{\"tcb\":{");
    if (version == 2) {
        for (size_t i = 0; i < 16; i++) {
            buf_add_format(b, "\"sgxtcbcomp%02zusvn\":%u,", i + 1, level->tcb.components[i]);
        }
        buf_add_format(b, "\"pcesvn\":%u}", level->tcb.pcesvn);
    } else {
        components_add(b, "sgxtcbcomponents", level->tcb.components, true);
        buf_add_format(b, ",\"pcesvn\":%u", level->tcb.pcesvn);
        if (product == PRODUCT_TDX) {
            buf_add_text(b, ",");
            components_add(b, "tdxtcbcomponents", level->tdx, false);
        }
        buf_add_text(b, "}");
    }
    buf_add_format(b, ",\"tcbDate\":\"%s\",\"tcbStatus\":\"%s\"", level->date, level->status);
    if (level->advisories != NULL) {
        buf_add_format(b, ",\"advisoryIDs\":%s", level->advisories);
    }
    buf_add_text(b, "}");
}

static void
tdx_modules_add(struct buf *b)
{
    static const char signer[] =
        "\"mrsigner\":\"" ZEROS_96
        "\",\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\"";
    buf_add_format(b, "\"tdxModule\":{%s},\"tdxModuleIdentities\":[", signer);
    for (unsigned major = 1; major <= 3; major += 2) {
        buf_add_format(b,
                       "%s{\"id\":\"TDX_%02u\",%s,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u},"
                       "\"tcbDate\":\"2025-03-13T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
                       "{\"tcb\":{\"isvsvn\":2},\"tcbDate\":\"2023-08-09T00:00:00Z\","
                       "\"tcbStatus\":\"OutOfDate\"}]}",
                       major == 1 ? "" : ",", major, signer, 4 + major);
    }
    buf_add_text(b, "],");
}

int
sim_tcbinfo_add(struct buf *b, const struct sim_pki *pki, const struct sim_family *family,
                const struct sim_issue *issue, enum product product, unsigned api_version)
{
    auto_cleanup(buf_done) struct buf inner = BUF_INIT(INNER_BYTES_MAX);
    struct sim_level levels[SIM_LEVELS_MAX];
    size_t count = sim_family_levels(family, issue->number, levels);
    unsigned version = api_version == 3 ? 2 : 3;
    buf_add_text(&inner, "{");
    if (version == 3) {
        buf_add_format(&inner, "\"id\":\"%s\",", product_word(product));
    }
    buf_add_format(&inner, "\"version\":%u,", version);
    dates_add(&inner, issue);
    buf_add_format(&inner,
                   ",\"fmspc\":\"%s\",\"pceId\":\"0000\",\"tcbType\":0,"
                   "\"tcbEvaluationDataNumber\":%u,",
                   family->fmspc.hex, issue->number);
    if (product == PRODUCT_TDX) {
        tdx_modules_add(&inner);
    }
    buf_add_text(&inner, "\"tcbLevels\":[");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&inner, i == 0 ? "" : ",");
        level_add(&inner, &levels[i], product, version);
    }
    buf_add_text(&inner, "]}");
    return envelope_add(b, pki, "tcbInfo", &inner, &issue->twist);
}

static void
identity_levels_add(struct buf *b, const struct identity_row *row, uint32_t number)
{
    unsigned raised = number > SIM_NUMBER_BASE ? number - SIM_NUMBER_BASE : 0;
    const char *separator = "";
    if (raised > 0) {
        buf_add_format(b,
                       "{\"tcb\":{\"isvsvn\":%u},\"tcbDate\":\"%04u-%02u-10T00:00:00Z\","
                       "\"tcbStatus\":\"UpToDate\"}",
                       row->levels[0].isvsvn + raised, 2025 + raised / 2, raised % 2 == 1 ? 9 : 3);
        separator = ",";
    }
    for (size_t i = 0; i < ARRAY_COUNT(row->levels) && row->levels[i].date != NULL; i++) {
        const char *rest = raised > 0 && i == 0 ? "\"OutOfDate\"" : row->levels[i].rest;
        buf_add_format(b, "%s{\"tcb\":{\"isvsvn\":%u},\"tcbDate\":\"%s\",\"tcbStatus\":%s}",
                       separator, row->levels[i].isvsvn, row->levels[i].date, rest);
        separator = ",";
    }
}

int
sim_identity_add(struct buf *b, const struct sim_pki *pki, enum enclave enclave,
                 const struct sim_issue *issue)
{
    const struct identity_row *row = identities;
    while (row->enclave != enclave) {
        row++; /* every enclave has its row */
        must(row < identities + ARRAY_COUNT(identities));
    }
    auto_cleanup(buf_done) struct buf inner = BUF_INIT(INNER_BYTES_MAX);
    buf_add_format(&inner, "{\"id\":\"%s\",\"version\":2,", enclave_word(enclave));
    dates_add(&inner, issue);
    buf_add_format(
        &inner,
        ",\"tcbEvaluationDataNumber\":%u,\"miscselect\":\"00000000\","
        "\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"%s\",\"attributesMask\":\"%s\","
        "\"mrsigner\":\"%s\",\"isvprodid\":%u,\"tcbLevels\":[",
        issue->number, row->attributes, row->attributes_mask, row->mrsigner, row->isvprodid);
    identity_levels_add(&inner, row, issue->number);
    buf_add_text(&inner, "]}");
    return envelope_add(b, pki, "enclaveIdentity", &inner, &issue->twist);
}

int
sim_evalnumbers_add(struct buf *b, const struct sim_pki *pki, enum product product,
                    const struct sim_issue *issue, uint32_t early)
{
    auto_cleanup(buf_done) struct buf inner = BUF_INIT(INNER_BYTES_MAX);
    buf_add_format(&inner, "{\"id\":\"%s\",\"version\":1,", product_word(product));
    dates_add(&inner, issue);
    buf_add_text(&inner, ",\"tcbEvalNumbers\":[");
    for (uint32_t number = early; number >= issue->number; number--) {
        /* Number 17 belongs to March 2025; two recoveries a year before and after it. */
        unsigned half_years = 4050 + number - SIM_NUMBER_BASE;
        unsigned year = half_years / 2, month = half_years % 2 == 0 ? 3 : 9;
        buf_add_format(&inner,
                       "%s{\"tcbEvaluationDataNumber\":%u,"
                       "\"tcbRecoveryEventDate\":\"%04u-%02u-10T00:00:00Z\","
                       "\"tcbDate\":\"%04u-%02u-10T00:00:00Z\"}",
                       number == early ? "" : ",", number, year, month, year, month);
    }
    buf_add_text(&inner, "]}");
    return envelope_add(b, pki, "tcbEvaluationDataNumbers", &inner, &issue->twist);
}
