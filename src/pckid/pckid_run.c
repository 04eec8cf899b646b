/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collects what identifies this server, saves it, registers it, and only then tells the firmware.
 *
 * Takes the settings; gives the exit status. The order of work is run_collect, read from top to
 * bottom: what can fail without having done anything comes first, what cannot be undone last.
 * The program's only thread. Must never set the completion bit before the record is durable on disk
 * and, where a registration was asked for, the PCCS has answered 200.
 *
 * tools.md, PCKIDRetrievalTool (order of work, exit 3, the state of the machine).
 */
#include "pckid/pckid_run.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "pckid/pckid_output.h"
#include "pckid/pckid_upload.h"
#include "pckid/test_machine.h"
#include "platform/machine.h"
#include "platform/manifest.h"
#include "platform/sgx_collect.h"

struct work {
    const struct pckid_settings *settings;
    struct pckid_report *report;
    struct pccs_client *client; /* NULL: nothing to register */
    bool is_pccs_ready;         /* it answers and takes the token */
    struct manifest manifest;
    struct pckid_record record;
    struct buf csv;
    char copy_path[PCKID_PATH_SIZE]; /* "" until it is kept */
};

static void
work_done(struct work *work)
{
    pccs_client_free(work->client);
    manifest_done(&work->manifest);
    pckid_record_done(&work->record);
    buf_done(&work->csv);
}

/* ---- before anything is done ---- */

static int
efivars_check(struct work *work)
{
    const char *given = work->settings->options->values[PCKID_EFIVARS];
    struct stat status;
    if (given == NULL) {
        return PCKID_DONE;
    }
    if (stat(given, &status) != 0) {
        return report_fail(work->report, PCKID_FAILED, "--efivars: %s: %s", given,
                           strerrordesc_np(errno));
    }
    return S_ISDIR(status.st_mode)
               ? PCKID_DONE
               : report_fail(work->report, PCKID_FAILED, "--efivars: %s is no folder", given);
}

static int
prepare(struct work *work)
{
    const struct pckid_settings *settings = work->settings;
    int rc = efivars_check(work);
    if (rc != 0 || settings->options->is_given[PCKID_DRY_RUN]) {
        return rc;
    }
    rc = output_check(settings, work->report);
    if (rc != 0 || settings->endpoint.size == 0) {
        return rc;
    }
    rc = upload_open(settings, work->report, &work->client);
    if (rc != 0) {
        return rc;
    }
    work->is_pccs_ready = upload_probe(work->client, settings, work->report);
    if (!work->is_pccs_ready) {
        report_say(work->report, "The data will be collected and saved all the same.");
    }
    return PCKID_DONE;
}

/* ---- collecting ---- */

static bool
manifest_is_fine(const struct manifest *manifest)
{
    return manifest->payload.size > 0;
}

static void
manifest_report(struct work *work)
{
    const struct manifest *m = &work->manifest;
    json_t *object = json_pack("{s:s, s:i, s:i}", "state", platform_state_word(m->finding.state),
                               "bytes", (int)m->payload.size, "version", (int)m->version);
    if (m->has_status) {
        (void)json_object_set_new(object, "status_bits", json_integer(m->status.bits));
        (void)json_object_set_new(object, "status_error", json_integer(m->status.error));
    }
    report_set_value(work->report, "manifest", object);
    if (manifest_is_fine(m)) {
        report_say(work->report, "Platform manifest: %zu bytes (%s).", m->payload.size,
                   platform_state_word(m->finding.state));
        return;
    }
    if (!work->settings->is_platform_id) {
        report_warn(work->report, "no platform manifest; the record goes without one");
    }
    report_finding(work->report, &m->finding);
}

static int
collect_manifest(struct work *work)
{
    struct fault why = {.number = 0};
    if (manifest_read(work->settings->efivars, &work->manifest, &why) != 0) {
        return report_fail(work->report, PCKID_FAILED, "%s", why.text);
    }
    manifest_report(work);
    return !work->settings->is_platform_id || manifest_is_fine(&work->manifest)
               ? PCKID_DONE
               : report_fail(work->report, PCKID_FAILED,
                             "with -platform_id a platform manifest is needed, and there is none");
}

static void
diagnose(struct work *work, const struct sgx_trouble *trouble, const struct fault *why)
{
    auto_free struct machine *machine = calloc(1, sizeof *machine);
    auto_free struct findings *findings = calloc(1, sizeof *findings);
    if (machine == NULL || findings == NULL) {
        return;
    }
    char folder[SGX_PATH_SIZE];
    (void)snprintf(folder, sizeof folder, "%s", trouble->path);
    struct test_machine test = test_machine_load();
    const struct machine_sources sources = {
        .root = test.root,
        .efivars = work->settings->efivars,
        .enclave_dir = folder[0] != '\0' ? dirname(folder) : NULL,
        .cpuid = test.has_cpuid ? test_machine_cpuid : NULL,
        .cpuid_self = &test,
    };
    machine_survey(&sources, machine);
    machine_judge_trouble(trouble, why, findings);
    machine_judge(machine, findings);
    for (unsigned i = 0; i < findings->count; i++) {
        report_finding(work->report, &findings->list[i]);
    }
}

static int
collect_identity(struct work *work, struct sgx_identity *identity)
{
    const struct pckid_settings *settings = work->settings;
    const struct sgx_sources sources = {
        .runtime = settings->options->values[PCKID_SGX_RUNTIME],
        .enclave_dir = settings->options->values[PCKID_ENCLAVE_DIR],
        .program_dir = settings->program_dir,
    };
    auto_free struct sgx_trouble *trouble = calloc(1, sizeof *trouble);
    struct fault why = {.number = 0};
    if (trouble == NULL) {
        return report_fail(work->report, PCKID_FAILED, "no memory");
    }
    if (sgx_collect(&sources, identity, trouble, &why) == 0) {
        return PCKID_DONE;
    }
    (void)report_fail(work->report, PCKID_FAILED, "this server's identity cannot be read: %s",
                      why.text);
    diagnose(work, trouble, &why);
    return PCKID_FAILED;
}

static int
collect_record(struct work *work)
{
    const struct pckid_settings *settings = work->settings;
    struct sgx_identity identity;
    struct fault why = {.number = 0};
    int rc = 0;
    if (settings->is_platform_id) {
        rc = pckid_record_of_id(buf_span(&settings->platform_id), work->manifest.payload,
                                &work->record, &why);
    } else if (collect_identity(work, &identity) != PCKID_DONE) {
        return PCKID_FAILED;
    } else {
        rc = pckid_record_of_identity(&identity, work->manifest.payload, &work->record, &why);
    }
    rc = rc != 0 ? rc : pckid_record_add_csv(&work->record, &work->csv);
    return rc == 0 ? PCKID_DONE
                   : report_fail(work->report, PCKID_FAILED, "no memory for the record");
}

/* ---- saving, registering, marking ---- */

static int
show(struct work *work)
{
    auto_cleanup(buf_done) struct buf body = BUF_INIT(PCKID_CSV_LINE_MAX);
    if (pckid_record_add_json(&work->record, &body) != 0) {
        return report_fail(work->report, PCKID_FAILED, "no memory for the record");
    }
    report_say(work->report, "CSV:\n%s", buf_text(&work->csv));
    report_say(work->report, "Registration%s%s:\n%s",
               work->settings->endpoint.size > 0 ? " for " : "",
               buf_text(&work->settings->endpoint), buf_text(&body));
    report_say(work->report, "Dry run: nothing was written, sent or marked.");
    report_set_value(work->report, "record",
                     json_pack("{s:s, s:s}", "csv", buf_text(&work->csv), "body", buf_text(&body)));
    return PCKID_DONE;
}

static int
save(struct work *work)
{
    const struct pckid_settings *settings = work->settings;
    struct fault why = {.number = 0};
    if (output_keep_copy(settings->state_dir, &work->record, buf_span(&work->csv), work->copy_path,
                         &why) != 0) {
        return report_fail(work->report, PCKID_FAILED,
                           "the private copy was not kept: %s; nothing was sent or marked",
                           why.text);
    }
    report_say(work->report, "A private copy is kept as %s.", work->copy_path);
    report_set_text(work->report, "copy", work->copy_path);
    if (settings->csv_path == NULL) {
        return PCKID_DONE;
    }
    if (output_write_csv(settings->csv_path, buf_span(&work->csv), &why) != 0) {
        return report_fail(work->report, PCKID_FAILED,
                           "the CSV was not written: %s; nothing was sent or marked", why.text);
    }
    report_say(work->report, "%s has been written.", settings->csv_path);
    report_set_text(work->report, "csv", settings->csv_path);
    return PCKID_DONE;
}

static int
send_record(struct work *work)
{
    const struct pckid_settings *settings = work->settings;
    if (work->client == NULL) {
        return PCKID_DONE;
    }
    report_set_text(work->report, "url", buf_text(&settings->endpoint));
    bool is_taken = work->is_pccs_ready && upload_send(work->client, settings, &work->record,
                                                       work->report) == UPLOAD_TAKEN;
    report_set_value(work->report, "taken", json_integer(is_taken ? 1 : 0));
    if (is_taken) {
        report_say(work->report, "The PCCS has taken the registration: %s",
                   buf_text(&settings->endpoint));
        return PCKID_DONE;
    }
    report_warn(work->report,
                "the PCCS has not taken the registration; nothing is lost: correct what is named "
                "above, then PCKIDRetrievalTool --send %s -url ...",
                settings->csv_path != NULL ? settings->csv_path : work->copy_path);
    return PCKID_NOT_TAKEN;
}

static void
mark(struct work *work)
{
    struct fault why = {.text = ""};
    bool is_wanted = work->client != NULL || work->settings->options->is_given[PCKID_MARK_COMPLETE];
    if (!is_wanted || !manifest_is_fine(&work->manifest)) {
        if (manifest_is_fine(&work->manifest)) {
            report_say(work->report, "The firmware was not told: it will offer the manifest again "
                                     "(--mark-complete tells it).");
        }
        return;
    }
    enum manifest_mark result = manifest_mark_complete(work->settings->efivars, &why);
    bool is_marked = result == MANIFEST_MARKED || result == MANIFEST_MARKED_BEFORE;
    report_set_value(work->report, "marked_complete", json_boolean(is_marked));
    if (is_marked) {
        report_say(work->report, "In the firmware %s.", why.text);
    } else {
        report_warn(work->report, "%s", why.text);
    }
}

int
run_collect(const struct pckid_settings *settings, struct pckid_report *report)
{
    auto_cleanup(work_done) struct work work = {
        .settings = settings, .report = report, .csv = BUF_INIT(PCKID_CSV_LINE_MAX)};
    report_set_value(report, "marked_complete", json_false());
    int rc = prepare(&work);
    rc = rc != 0 ? rc : collect_manifest(&work);
    rc = rc != 0 ? rc : collect_record(&work);
    if (rc == 0 && settings->options->is_given[PCKID_DRY_RUN]) {
        return show(&work);
    }
    rc = rc != 0 ? rc : save(&work);
    rc = rc != 0 ? rc : send_record(&work);
    if (rc == 0) {
        mark(&work);
    }
    return rc;
}
