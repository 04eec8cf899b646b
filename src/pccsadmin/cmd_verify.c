/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin verify: the offline judgement of a collaterals file, before it is carried on or put.
 * Takes a file of fetch or of Intel's tools; gives a line for each item: what, for whom, issued,
 * fresh until, verdict. Exit status 1 if anything is forged; expired is said, and is no forgery
 * (trust.md, rule 5). No network: revocation by the lists of the same file.
 * Called by main.c. Must never call an item authentic that did not pass verify().
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "collateral/collaterals_file.h"
#include "pccsadmin/pcs_side.h"
#include "pccsadmin/signature_file.h"
#include "json/json_scan.h"

enum { VERDICTS_MAX = 4 };
enum verdict { VERDICT_AUTHENTIC, VERDICT_EXPIRED, VERDICT_FORGED, VERDICT_UNJUDGED };

static const char *const verdict_words[VERDICTS_MAX] = {"authentic", "authentic, EXPIRED", "FORGED",
                                                        "not judged"};

struct judgement {
    const struct arguments *args;
    struct trust_anchors *anchors;
    struct collaterals_file file;
    struct verify_context context;
    struct proven *crls[3]; /* kept as long as the context names them */
    json_t *items;
    size_t counts[VERDICTS_MAX];
};

/* ---- one item ---- */

static void
key_words(const struct item_key *key, char what[40], char whom[80])
{
    bool is_early = key->update == UPDATE_EARLY;
    snprintf(whom, 80, "-");
    switch (key->kind) {
    case ITEM_TCBINFO:
        snprintf(what, 40, "TCB info %s%s", product_word(key->product), is_early ? ", early" : "");
        snprintf(whom, 80, "FMSPC %s", key->fmspc.hex);
        return;
    case ITEM_IDENTITY:
        snprintf(what, 40, "identity%s", is_early ? ", early" : "");
        snprintf(whom, 80, "%s", enclave_word(key->enclave));
        return;
    case ITEM_PCK_CRL:
        snprintf(what, 40, "PCK CRL");
        snprintf(whom, 80, "%s CA", pck_ca_word(key->ca));
        return;
    case ITEM_ROOT_CRL:
        snprintf(what, 40, "root CA CRL");
        return;
    case ITEM_PCK:
        snprintf(what, 40, "PCK certificates");
        snprintf(whom, 80, "QE ID %.16s", key->platform.qeid);
        return;
    case ITEM_CRL:
    case ITEM_EVALNUMBERS:
    case ITEM_FMSPCS:
    case ITEM_POLICIES:
        break; /* not in such a file */
    }
    snprintf(what, 40, "item");
}

static void
time_text(int64_t at, char out[CLOCK_ISO8601_SIZE])
{
    if (at > 0 && at < INT64_MAX) {
        clock_format_iso8601(at, out);
    } else {
        snprintf(out, CLOCK_ISO8601_SIZE, "-");
    }
}

static enum verdict
verdict_of(const struct judgement *j, int failed, const struct proven *proven)
{
    if (failed == FAULT_NO_CHAIN) {
        return VERDICT_UNJUDGED;
    }
    if (failed != 0) {
        return VERDICT_FORGED;
    }
    return proven_is_fresh(proven, j->context.now) ? VERDICT_AUTHENTIC : VERDICT_EXPIRED;
}

static size_t
revoked_count(const struct proven *proven)
{
    size_t count = 0;
    for (size_t i = 0; proven != NULL && i < proven->pck_count; i++) {
        count += proven->pcks[i].revoked;
    }
    return count;
}

static void
item_tell(struct judgement *j, const struct item_key *key, const struct proven *proven,
          enum verdict verdict, const struct fault *why)
{
    char what[40];
    char whom[80];
    char issued[CLOCK_ISO8601_SIZE];
    char until[CLOCK_ISO8601_SIZE];
    char note[FAULT_TEXT_SIZE + 32] = "";
    key_words(key, what, whom);
    time_text(proven != NULL ? proven->issued_at : 0, issued);
    time_text(proven != NULL ? proven->fresh_until : 0, until);
    size_t revoked = revoked_count(proven);
    if (proven == NULL) {
        snprintf(note, sizeof note, "%s", why->text);
    } else if (revoked > 0) {
        snprintf(note, sizeof note, "%zu of %zu certificates are revoked", revoked,
                 proven->pck_count);
    } else if (proven->pck_count > 0) {
        snprintf(note, sizeof note, "%zu certificates, FMSPC %s", proven->pck_count,
                 proven->fmspc.hex);
    }
    say(j->args, "%-18s %-24s %-20s %-20s %s%s%s", what, whom, issued, until,
        verdict_words[verdict], note[0] != '\0' ? ": " : "", note);
    json_array_append_new(j->items, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "what", what, "for",
                                              whom, "issued_at", issued, "fresh_until", until,
                                              "verdict", verdict_words[verdict], "note", note));
    j->counts[verdict]++;
}

/* ret_proven may be NULL: the item is dropped. */
static void
item_judge(struct judgement *j, const struct item_key *key, const struct raw_reply *raw,
           struct proven **ret_proven)
{
    struct fault why;
    auto_proven struct proven *proven = NULL;
    int failed = verify(&j->context, key, raw, &proven, &why);
    item_tell(j, key, proven, verdict_of(j, failed, proven), &why);
    if (ret_proven != NULL && proven != NULL) {
        proven_unref(*ret_proven);
        *ret_proven = take(&proven);
    }
}

/* ---- the file ---- */

static void
crls_judge(struct judgement *j, enum item_kind kind)
{
    for (size_t i = 0; i < j->file.item_count; i++) {
        const struct collaterals_item *item = &j->file.items[i];
        if (item->key.kind != kind) {
            continue;
        }
        size_t place = kind == ITEM_ROOT_CRL ? 2 : (size_t)item->key.ca;
        item_judge(j, &item->key, &item->raw, &j->crls[place]);
    }
    j->context.root_crl = j->crls[2] != NULL ? j->crls[2]->crl : NULL;
    for (int ca = 0; ca < 2; ca++) {
        j->context.pck_crls[ca] = j->crls[ca] != NULL ? j->crls[ca]->crl : NULL;
    }
}

static void
all_judge(struct judgement *j)
{
    say(j->args, "%-18s %-24s %-20s %-20s %s", "what", "for", "issued", "fresh until", "verdict");
    crls_judge(j, ITEM_ROOT_CRL);
    crls_judge(j, ITEM_PCK_CRL);
    for (size_t i = 0; i < j->file.item_count; i++) {
        const struct collaterals_item *item = &j->file.items[i];
        if (item->key.kind != ITEM_ROOT_CRL && item->key.kind != ITEM_PCK_CRL) {
            item_judge(j, &item->key, &item->raw, NULL);
        }
    }
    for (size_t i = 0; i < j->file.pck_count; i++) {
        struct item_key key = {.kind = ITEM_PCK, .api_version = 4, .platform = j->file.pcks[i].id};
        item_judge(j, &key, &j->file.pcks[i].raw, NULL);
    }
}

/* The file says its own version. */
static int
file_parse(struct span bytes, struct collaterals_file *ret_file, struct fault *why)
{
    struct span collaterals;
    struct span version;
    int failed = json_check(bytes, why);
    failed = failed != 0 ? failed : json_find_member(bytes, "collaterals", &collaterals, why);
    failed = failed != 0 ? failed : json_find_member(collaterals, "version", &version, why);
    if (failed != 0) {
        return failed;
    }
    return collaterals_file_parse(bytes, span_is(version, "3") ? 3 : 4, ret_file, why);
}

static int
file_read_all(struct judgement *j, const char *path)
{
    auto_cleanup(mapped_file_close) struct mapped_file mapped = {0};
    const char *key = j->args->values[ADMIN_VERIFY_KEY];
    struct fault why;
    if (mapped_file_open(path, LIMIT_COLLATERALS_FILE_BYTES, &mapped, &why) != 0 ||
        (key != NULL && signature_file_check(path, mapped.bytes, key, &why) != 0)) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    if (file_parse(mapped.bytes, &j->file, &why) != 0) {
        say_error("%s is no collaterals file: %s", path, why.text);
        return ADMIN_FAILED;
    }
    return 0;
}

static int
finish(struct judgement *j, const char *path)
{
    size_t forged = j->counts[VERDICT_FORGED];
    size_t expired = j->counts[VERDICT_EXPIRED];
    size_t unjudged = j->counts[VERDICT_UNJUDGED];
    say(j->args,
        "%s: %zu authentic, %zu of them expired; %zu forged; %zu not judged for want of an "
        "issuer chain",
        path, j->counts[VERDICT_AUTHENTIC] + expired, expired, forged, unjudged);
    if (forged > 0) {
        say_error("SECURITY: %s holds %zu item%s that Intel did not sign so; do not use it", path,
                  forged, forged == 1 ? "" : "s");
    }
    say_json(j->args,
             json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:O}", "file", path, "verdict",
                       forged > 0 ? "forged" : "authentic", "authentic",
                       (int)(j->counts[VERDICT_AUTHENTIC] + expired), "expired", (int)expired,
                       "forged", (int)forged, "not_judged", (int)unjudged, "items", j->items));
    return forged > 0 ? ADMIN_FAILED : ADMIN_DONE;
}

static void
judgement_done(struct judgement *j)
{
    for (size_t i = 0; i < ARRAY_COUNT(j->crls); i++) {
        proven_unref(j->crls[i]);
    }
    collaterals_file_done(&j->file);
    trust_anchors_free(j->anchors);
    json_decref(j->items);
}

int
cmd_verify(const struct arguments *args)
{
    auto_cleanup(judgement_done) struct judgement j = {.args = args, .items = json_array()};
    const char *path = arguments_text(args, ADMIN_INPUT_FILE, args->operand);
    struct fault why;
    if (path == NULL) {
        path = "platform_collaterals.json";
    }
    if (admin_anchors(args, &j.anchors, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    if (!trust_anchors_are_builtin(j.anchors)) {
        say_warning("Intel's root key is replaced: what is called authentic here is not what Intel "
                    "signed");
    }
    if (file_read_all(&j, path) != 0) {
        return ADMIN_FAILED;
    }
    j.context =
        (struct verify_context){.anchors = j.anchors,
                                .now = clock_now(clock_system()),
                                .origin = VERIFY_UPLOAD,
                                .pck_chain_pems = {j.file.pck_chains[0], j.file.pck_chains[1]}};
    all_judge(&j);
    return finish(&j, path);
}
