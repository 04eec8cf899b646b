/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin fetch: the collateral of a list of platforms from Intel's PCS, verified, into a file
 * that pccsadmin put, ours or Intel's, uploads; or with -c the revocation lists alone.
 * Takes platform_list.json; gives platform_collaterals.json, and beside it the platforms that
 * failed and the TCBs whose certificates are not available.
 * Called by main.c. The story: CRLs, identities, platforms (with the TCB infos of their FMSPCs),
 * the other FMSPCs, the file. Must never let one platform stop the others, nor write a file with
 * nothing in it (tools.md, fetch).
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "pccsadmin/fetch.h"
#include "pccsadmin/signature_file.h"

void
fetch_broken(struct fetch *fetch, int failed, const struct fault *why)
{
    if (fetch->broken == 0) {
        fetch->broken = failed;
        if (why != NULL) {
            fetch->broken_why = *why;
        } else {
            fault_set(&fetch->broken_why, failed, "memory", "memory ran out");
        }
    }
}

void
fetch_item_failed(struct fetch *fetch, const char *what, const struct fault *why)
{
    progress_clear(&fetch->progress);
    say_error("%s: %s", what, why->text);
    fetch->item_failures++;
    enum trouble trouble = trouble_of(why, true);
    fetch->troubles[trouble == TROUBLE_UNKNOWN ? TROUBLE_NONE : trouble] = true;
}

void
fetch_write_tcb(struct fetch *fetch, struct tcb_entry *entry)
{
    if (entry->is_written) {
        return;
    }
    entry->is_written = true;
    if (entry->why.code != FAULT_NONE) {
        fetch_item_failed(fetch, "a TCB info", &entry->why);
    }
    out_file_write_text(&fetch->tcb_part, fetch->tcb_count++ == 0 ? "" : ", ");
    out_file_write(&fetch->tcb_part, buf_span(&entry->text));
    buf_done(&entry->text);
    if (fetch->tcb_chain == NULL) {
        fetch->tcb_chain = take(&entry->chain);
    }
    if (entry->fresh_until < fetch->tcb_fresh_until) {
        fetch->tcb_fresh_until = entry->fresh_until;
    }
}

/* ---- the command line ---- */

static bool
is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(word, *words) != 0) {
        words++;
    }
    return *words != NULL;
}

static int
usage_check(const struct arguments *args, struct tcb_wants *ret_wants)
{
    static const char *const updates[] = {"standard", "early", "all", NULL};
    static const char *const platforms[] = {"all", "client", "E3", "E5", NULL};
    const char *update = arguments_text(args, ADMIN_UPDATE_TYPE, "standard");
    struct fault why;
    if (!is_one_of(update, updates)) {
        fault_set(&why, FAULT_INPUT, "usage", "-t: standard, early or all is wanted");
        return say_usage(args, &why);
    }
    if (!is_one_of(arguments_text(args, ADMIN_PLATFORM, "all"), platforms)) {
        fault_set(&why, FAULT_INPUT, "usage", "-p: all, client, E3 or E5 is wanted");
        return say_usage(args, &why);
    }
    *ret_wants = (struct tcb_wants){
        .standard = strcmp(update, "early") != 0,
        .early = strcmp(update, "standard") != 0,
        .tdx = true,
    };
    return 0;
}

static bool
is_crl_only(const struct arguments *args)
{
    return arguments_have(args, ADMIN_CRL) && !arguments_have(args, ADMIN_INPUT_FILE);
}

/* Asks for all three names before anything is done. */
static int
outputs_check(const struct fetch *fetch)
{
    struct fault why;
    const char *key = fetch->args->values[ADMIN_SIGN];
    if (key != NULL && access(key, R_OK) != 0) {
        say_error("--sign: cannot read %s", key);
        return ADMIN_FAILED;
    }
    const char *path = arguments_text(fetch->args, ADMIN_OUTPUT_FILE, "platform_collaterals.json");
    if (ask_overwrite(fetch->args, path, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    return 0;
}

static int
files_open(struct fetch *fetch, struct fault *why)
{
    const char *path = arguments_text(fetch->args, ADMIN_OUTPUT_FILE, "platform_collaterals.json");
    int failed = out_file_open(path, &fetch->file, why);
    failed = failed != 0 ? failed : out_file_open(path, &fetch->pck_part, why);
    failed = failed != 0 ? failed : out_file_open(path, &fetch->tcb_part, why);
    if (failed == 0) {
        out_file_write_text(&fetch->file, "{\"platforms\": [");
    }
    return failed;
}

static int
list_open(struct fetch *fetch)
{
    const char *path = arguments_text(fetch->args, ADMIN_INPUT_FILE, "platform_list.json");
    struct fault why;
    if (platform_list_count(path, &fetch->row_count, &why) != 0 ||
        platform_list_open(path, &fetch->list, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    return 0;
}

/* ---- the end ---- */

/* A name that is free, for lists that nobody asked to overwrite: name.json, name.1.json, ... */
static void
free_name(const struct arguments *args, const char *wanted, char out[PATH_MAX])
{
    const char *dot = strrchr(wanted, '.');
    size_t stem = dot != NULL && strchr(dot, '/') == NULL ? (size_t)(dot - wanted) : strlen(wanted);
    snprintf(out, PATH_MAX, "%s", wanted);
    bool may_replace = arguments_have(args, ADMIN_OVERWRITE) || arguments_have(args, ADMIN_YES);
    for (int i = 1; !may_replace && access(out, F_OK) == 0 && i < 1000; i++) {
        snprintf(out, PATH_MAX, "%.*s.%d%s", (int)stem, wanted, i, wanted + stem);
    }
}

static int
array_finish(struct fetch *fetch, struct out_array *array, const char *wanted)
{
    struct fault why;
    if (array->count == 0) {
        return 0;
    }
    free_name(fetch->args, wanted, array->file.path);
    if (out_array_commit(array, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    return 0;
}

static void
say_end(const struct fetch *fetch, const char *path, bool has_file)
{
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        if (fetch->troubles[i]) {
            trouble_explain((enum trouble)i);
        }
    }
    if (fetch->failed_count > 0) {
        say_error("%zu of %zu platforms failed; they are in %s, with the reason",
                  fetch->failed_count, fetch->row_count, fetch->failed.file.path);
    }
    if (fetch->missing_count > 0 && fetch->not_available.file.path[0] != '\0') {
        say_warning("%zu certificates are 'Not available'; their TCBs are in %s",
                    fetch->missing_count, fetch->not_available.file.path);
    }
    if (has_file && is_crl_only(fetch->args)) {
        say(fetch->args, "%s saved successfully: revocation lists only.", path);
    } else if (has_file) {
        say(fetch->args, "%s saved successfully: %zu platforms, TCB infos of %zu FMSPCs.", path,
            fetch->pck_count, fetch->tcb_count);
    } else {
        say_error("nothing was got: %s was not written", path);
    }
    say_json(fetch->args,
             json_pack("{s:s*, s:i, s:i, s:s*, s:i, s:i, s:s*, s:i}", "file",
                       has_file ? path : NULL, "platforms", (int)fetch->pck_count, "failed",
                       (int)fetch->failed_count, "failed_file",
                       fetch->failed_count > 0 ? fetch->failed.file.path : NULL, "fmspcs",
                       (int)fetch->tcb_count, "not_available", (int)fetch->missing_count,
                       "not_available_file",
                       fetch->missing_count > 0 ? fetch->not_available.file.path : NULL,
                       "failed_items", (int)fetch->item_failures));
}

/* On a terminal the list of what is not available is offered, else it is written. */
static int
not_available_finish(struct fetch *fetch)
{
    const char *wanted = arguments_text(fetch->args, ADMIN_NOT_AVAILABLE, "not_available.json");
    auto_cleanup(buf_done) struct buf name = BUF_INIT(PATH_MAX - 1);
    bool is_asked = fetch->missing_count > 0 && ask_is_possible() &&
                    !arguments_have(fetch->args, ADMIN_YES) &&
                    !arguments_have(fetch->args, ADMIN_NOT_AVAILABLE);
    if (is_asked) {
        if (!ask_yes("Some certificates are 'Not available'. Do you want to save the list?(y/n)")) {
            out_file_abort(&fetch->not_available.file);
            fetch->not_available.count = 0;
            fetch->not_available.file.path[0] = '\0';
            return 0;
        }
        if (ask_line("Please input file name (Press enter to use default name "
                     "not_available.json):",
                     &name, NULL) == 0 &&
            name.size > 0) {
            wanted = buf_text(&name);
        }
    }
    return array_finish(fetch, &fetch->not_available, wanted);
}

static int
finish(struct fetch *fetch)
{
    const char *path = arguments_text(fetch->args, ADMIN_OUTPUT_FILE, "platform_collaterals.json");
    const char *key = fetch->args->values[ADMIN_SIGN];
    bool has_file = is_crl_only(fetch->args) ? fetch->item_failures < 3
                                             : fetch->got > 0 || fetch->row_count == 0;
    struct fault why = fetch->broken_why;
    int failed = fetch->broken;
    if (failed == 0 && has_file) {
        failed = fetch_file_finish(fetch, &why);
    }
    if (failed == 0 && has_file && key != NULL) {
        failed = signature_file_make(path, key, &why);
    }
    if (failed != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    int status =
        array_finish(fetch, &fetch->failed,
                     arguments_text(fetch->args, ADMIN_FAILED_FILE, "failed_platforms.json"));
    status = status != 0 ? status : not_available_finish(fetch);
    say_end(fetch, path, has_file);
    bool is_whole = has_file && fetch->failed_count == 0 && fetch->item_failures == 0;
    return status == 0 && is_whole ? ADMIN_DONE : ADMIN_FAILED;
}

/* ---- the story ---- */

/* False: the PCS cannot be asked at all. */
static bool
crls_get(struct fetch *fetch)
{
    static const char *const names[] = {
        [PCK_CA_PROCESSOR] = "PCK CRL of the Processor CA",
        [PCK_CA_PLATFORM] = "PCK CRL of the Platform CA",
        [2] = "root CA CRL",
    };
    size_t unreachable = 0;
    if (pcs_side_get_crls(&fetch->side)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct fault *why = &fetch->side.crl_why[i];
        if (why->code != FAULT_NONE) {
            fetch_item_failed(fetch, names[i], why);
        }
        unreachable += why->code == FAULT_UPSTREAM_DOWN;
    }
    return unreachable < ARRAY_COUNT(names);
}

static int
fetch_run(struct fetch *fetch)
{
    struct fault why;
    if (!crls_get(fetch)) {
        say_end(fetch, arguments_text(fetch->args, ADMIN_OUTPUT_FILE, "platform_collaterals.json"),
                false);
        return ADMIN_FAILED;
    }
    if (files_open(fetch, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    if (!is_crl_only(fetch->args)) {
        fetch_identities(fetch);
        fetch_platforms(fetch);
        if (fetch->broken == 0 && (fetch->got > 0 || fetch->row_count == 0)) {
            fetch_fmspcs(fetch);
        }
    }
    return finish(fetch);
}

static void
fetch_done(struct fetch *fetch)
{
    platform_list_close(&fetch->list);
    seen_done(&fetch->seen);
    out_file_abort(&fetch->file);
    out_file_abort(&fetch->pck_part);
    out_file_abort(&fetch->tcb_part);
    out_file_abort(&fetch->failed.file);
    out_file_abort(&fetch->not_available.file);
    for (size_t i = 0; i < fetch->identity_count; i++) {
        proven_unref(fetch->identities[i].proven);
    }
    proven_unref(fetch->fmspcs);
    json_decref(fetch->fmspc_list);
    free(fetch->tcb_chain);
    tcb_shelf_done(&fetch->shelf);
    pcs_side_done(&fetch->side);
}

int
cmd_fetch(const struct arguments *args)
{
    auto_cleanup(fetch_done) struct fetch fetch = {.args = args, .tcb_fresh_until = INT64_MAX};
    fetch.failed.path = arguments_text(args, ADMIN_FAILED_FILE, "failed_platforms.json");
    fetch.not_available.path = arguments_text(args, ADMIN_NOT_AVAILABLE, "not_available.json");
    int status = usage_check(args, &fetch.wants);
    if (status == 0 && !is_crl_only(args)) {
        status = list_open(&fetch);
    }
    status = status != 0 ? status : outputs_check(&fetch);
    status = status != 0 ? status : pcs_side_open(args, &fetch.side);
    if (status != 0) {
        return status;
    }
    tcb_shelf_init(&fetch.shelf, &fetch.side, fetch.wants);
    return fetch_run(&fetch);
}
