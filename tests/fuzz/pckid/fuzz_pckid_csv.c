/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Saved CSV files: what is taken is written again as a line that is taken again, with the same
 * registration.
 */
#include "base/mem.h"
#include "pckid/pckid_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_record(const struct pckid_record *record)
{
    auto_cleanup(buf_done) struct buf csv = BUF_INIT(PCKID_CSV_LINE_MAX);
    auto_cleanup(buf_done) struct buf once = BUF_INIT(PCKID_CSV_LINE_MAX);
    auto_cleanup(buf_done) struct buf twice = BUF_INIT(PCKID_CSV_LINE_MAX);
    auto_cleanup(pckid_record_done) struct pckid_record again = {.id_size = 0};
    must(pckid_record_add_csv(record, &csv) == 0);
    must(pckid_record_parse(buf_span(&csv), &again, NULL) == 0);
    must(pckid_record_add_json(record, &once) == 0);
    must(pckid_record_add_json(&again, &twice) == 0);
    must(span_equal(buf_span(&once), buf_span(&twice)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_cleanup(pckid_records_done) struct pckid_records records = {.count = 0};
    struct fault why;
    if (pckid_records_parse(span_of(data, size), &records, &why) == 0) {
        must(records.count > 0);
        for (size_t i = 0; i < records.count; i++) {
            check_record(&records.list[i]);
        }
    }
    return 0;
}
