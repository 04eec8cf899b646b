/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --send: registers each record of a saved CSV, and does nothing else.
 *
 * Takes the settings; gives the exit status. The whole file is read and checked before the first
 * record is sent; a record that is refused does not stop the others, a PCCS that is not there does.
 * The program's only thread. Must never touch the file, the firmware or the enclaves.
 *
 * tools.md, PCKIDRetrievalTool (--send; exit 3, for the data are on disk).
 */
#include "base/file.h"
#include "base/mem.h"
#include "pckid/pckid_run.h"
#include "pckid/pckid_upload.h"

static void
client_done(struct pccs_client **client)
{
    pccs_client_free(*client);
}

static int
records_load(const char *path, struct pckid_records *ret_records, struct pckid_report *report)
{
    auto_cleanup(buf_done) struct buf text = BUF_INIT(LIMIT_PCKID_CSV_BYTES);
    struct fault why = {.number = 0};
    if (file_read(path, &text, &why) != 0) {
        return report_fail(report, PCKID_FAILED, "%s", why.text);
    }
    if (pckid_records_parse(buf_span(&text), ret_records, &why) != 0) {
        return report_fail(report, PCKID_FAILED, "%s: %s", path, why.text);
    }
    return PCKID_DONE;
}

int
run_send(const struct pckid_settings *settings, struct pckid_report *report)
{
    const char *path = settings->options->values[PCKID_SEND];
    auto_cleanup(pckid_records_done) struct pckid_records records = {.list = NULL};
    auto_cleanup(client_done) struct pccs_client *client = NULL;
    int rc = records_load(path, &records, report);
    rc = rc != 0 ? rc : upload_open(settings, report, &client);
    if (rc != 0) {
        return rc;
    }
    size_t taken = 0;
    enum upload_result result = UPLOAD_TAKEN;
    for (size_t i = 0; i < records.count && result != UPLOAD_STOPPED; i++) {
        result = upload_send(client, settings, &records.list[i], report);
        taken += result == UPLOAD_TAKEN ? 1 : 0;
        if (result != UPLOAD_TAKEN && records.count > 1) {
            report_warn(report, "record %zu of %zu was not taken", i + 1, records.count);
        }
    }
    report_set_text(report, "csv", path);
    report_set_text(report, "url", buf_text(&settings->endpoint));
    report_set_value(report, "records", json_integer((json_int_t)records.count));
    report_set_value(report, "taken", json_integer((json_int_t)taken));
    report_say(report, "%zu of %zu records of %s taken by %s", taken, records.count, path,
               buf_text(&settings->endpoint));
    return taken == records.count ? PCKID_DONE : PCKID_NOT_TAKEN;
}
