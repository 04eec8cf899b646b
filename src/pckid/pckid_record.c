/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records: to CSV, to a registration's JSON, and back from CSV.
 *
 * Takes what was collected, or a line of a saved file; gives bytes, or a record, or the field that
 * is wrong. Pure; the program's only thread, and a fuzzer. Must never change a byte of Intel's
 * format: others read these files, and a PCCS the body.
 *
 * clients.md 3 (fields, order, byte order, case).
 */
#include "pckid/pckid_record.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/reader.h"

enum { FIELDS_MAX = 6, RECORDS_AT_FIRST = 16 };

/* ---- making ---- */

static int
record_fill(struct pckid_record *record, struct span id, struct span manifest, struct fault *why)
{
    must(id.size <= sizeof record->id);
    memcpy(record->id, id.data, id.size);
    record->id_size = id.size;
    record->manifest = BUF_INIT(LIMIT_EFI_VARIABLE_BYTES);
    return buf_add(&record->manifest, manifest) == 0
               ? 0
               : fault_set(why, FAULT_MEMORY, "record", "no memory for the record");
}

int
pckid_record_of_identity(const struct sgx_identity *identity, struct span manifest,
                         struct pckid_record *ret_record, struct fault *why)
{
    struct pckid_record record = {.has_identity = true, .identity = *identity};
    int rc = record_fill(&record, span_of(identity->qe_id, sizeof identity->qe_id), manifest, why);
    if (rc == 0) {
        *ret_record = record;
    }
    return rc;
}

int
pckid_record_of_id(struct span id, struct span manifest, struct pckid_record *ret_record,
                   struct fault *why)
{
    struct pckid_record record = {.has_identity = false};
    int rc = record_fill(&record, id, manifest, why);
    if (rc == 0) {
        *ret_record = record;
    }
    return rc;
}

void
pckid_record_done(struct pckid_record *record)
{
    buf_done(&record->manifest);
}

bool
pckid_record_ppid_is_zero(const struct pckid_record *record)
{
    uint8_t any = 0;
    for (size_t i = 0; i < sizeof record->identity.enc_ppid; i++) {
        any |= record->identity.enc_ppid[i];
    }
    return record->has_identity && any == 0;
}

/* ---- out ---- */

static const uint8_t no_pce_id[2] = {0, 0};

static struct span
pce_id_of(const struct pckid_record *record)
{
    return record->has_identity ? span_of(record->identity.pce_id, 2) : span_of(no_pce_id, 2);
}

int
pckid_record_add_csv(const struct pckid_record *record, struct buf *out)
{
    const struct sgx_identity *identity = &record->identity;
    bool has = record->has_identity;
    hex_add_lower(out, span_of(identity->enc_ppid, has ? sizeof identity->enc_ppid : 0));
    buf_add_byte(out, ',');
    hex_add_lower(out, pce_id_of(record));
    buf_add_byte(out, ',');
    hex_add_lower(out, span_of(identity->cpu_svn, has ? sizeof identity->cpu_svn : 0));
    buf_add_byte(out, ',');
    hex_add_lower(out, span_of(identity->pce_svn, has ? sizeof identity->pce_svn : 0));
    buf_add_byte(out, ',');
    hex_add_lower(out, span_of(record->id, record->id_size));
    if (record->manifest.size > 0) {
        buf_add_byte(out, ',');
        hex_add_lower(out, buf_span(&record->manifest));
    }
    return out->failed;
}

static void
add_member(struct buf *out, const char *before, const char *name, struct span value)
{
    buf_add_format(out, "%s\"%s\": \"", before, name);
    hex_add_upper(out, value);
    buf_add_byte(out, '"');
}

int
pckid_record_add_json(const struct pckid_record *record, struct buf *out)
{
    const struct sgx_identity *identity = &record->identity;
    if (record->has_identity) {
        add_member(out, "{", "enc_ppid", span_of(identity->enc_ppid, sizeof identity->enc_ppid));
        add_member(out, " ,", "pce_id", pce_id_of(record));
        add_member(out, " ,", "cpu_svn", span_of(identity->cpu_svn, sizeof identity->cpu_svn));
        add_member(out, " ,", "pce_svn", span_of(identity->pce_svn, sizeof identity->pce_svn));
    } else {
        add_member(out, "{", "pce_id", pce_id_of(record));
    }
    add_member(out, " ,", "qe_id", span_of(record->id, record->id_size));
    add_member(out, " ,", "platform_manifest", buf_span(&record->manifest));
    buf_add_text(out, " }");
    return out->failed;
}

/* ---- in ---- */

/* How many fields the line has; at most FIELDS_MAX of them are kept. */
static size_t
fields_split(struct span line, struct span fields[FIELDS_MAX])
{
    struct reader r = reader_of(line);
    size_t count = 0;
    struct span field;
    while (reader_until(&r, ',', &field)) {
        if (count < FIELDS_MAX) {
            fields[count] = field;
        }
        count++;
    }
    if (count < FIELDS_MAX) {
        fields[count] = r.rest;
    }
    return count + 1;
}

static int
refuse_field(const char *name, size_t digits, struct fault *why)
{
    return fault_set(why, FAULT_INPUT, "csv", "%s: expected %zu hex digits", name, digits);
}

static int
identity_parse(const struct span fields[FIELDS_MAX], struct sgx_identity *identity,
               struct fault *why)
{
    const struct {
        const char *name;
        uint8_t *out;
        size_t size;
    } rows[] = {
        {"enc_ppid", identity->enc_ppid, sizeof identity->enc_ppid},
        {"pce_id", identity->pce_id, sizeof identity->pce_id},
        {"cpu_svn", identity->cpu_svn, sizeof identity->cpu_svn},
        {"pce_svn", identity->pce_svn, sizeof identity->pce_svn},
        {"qe_id", identity->qe_id, sizeof identity->qe_id},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (!hex_decode(fields[i], rows[i].out, rows[i].size)) {
            return refuse_field(rows[i].name, 2 * rows[i].size, why);
        }
    }
    return 0;
}

static int
id_parse(const struct span fields[FIELDS_MAX], struct pckid_record *record, struct fault *why)
{
    if (!span_is(fields[1], "0000") || fields[2].size != 0 || fields[3].size != 0) {
        return fault_set(why, FAULT_INPUT, "csv",
                         "enc_ppid is empty, but pce_id, cpu_svn and pce_svn are not 0000, empty "
                         "and empty");
    }
    size_t size = fields[4].size / 2;
    if (size == 0 || size > sizeof record->id || !hex_decode(fields[4], record->id, size)) {
        return fault_set(why, FAULT_INPUT, "csv", "qe_id: expected 2 to %zu hex digits",
                         2 * sizeof record->id);
    }
    record->id_size = size;
    return 0;
}

int
pckid_record_parse(struct span line, struct pckid_record *ret_record, struct fault *why)
{
    struct span fields[FIELDS_MAX] = {{NULL, 0}};
    size_t count = fields_split(line, fields);
    if (count != FIELDS_MAX - 1 && count != FIELDS_MAX) {
        return fault_set(why, FAULT_INPUT, "csv", "%zu fields, not 5 or 6", count);
    }
    struct pckid_record record = {.has_identity = fields[0].size > 0,
                                  .manifest = BUF_INIT(LIMIT_EFI_VARIABLE_BYTES)};
    int rc = record.has_identity ? identity_parse(fields, &record.identity, why)
                                 : id_parse(fields, &record, why);
    if (rc != 0) {
        return rc;
    }
    if (record.has_identity) {
        record.id_size = sizeof record.identity.qe_id;
        memcpy(record.id, record.identity.qe_id, record.id_size);
    }
    if (count == FIELDS_MAX && hex_add_decoded(&record.manifest, fields[5]) != 0) {
        bool is_memory = record.manifest.failed == FAULT_MEMORY;
        buf_done(&record.manifest);
        return fault_set(why, is_memory ? FAULT_MEMORY : FAULT_INPUT, "csv",
                         "platform_manifest: expected at most %d pairs of hex digits",
                         LIMIT_EFI_VARIABLE_BYTES);
    }
    if (!record.has_identity && record.manifest.size == 0) {
        buf_done(&record.manifest);
        return fault_set(why, FAULT_INPUT, "csv", "neither enc_ppid nor platform_manifest");
    }
    *ret_record = record;
    return 0;
}

static int
records_add(struct pckid_records *records, size_t *capacity, const struct pckid_record *record)
{
    if (records->count == *capacity) {
        size_t wider = *capacity == 0 ? RECORDS_AT_FIRST : 2 * *capacity;
        struct pckid_record *list = reallocarray(records->list, wider, sizeof *list);
        if (list == NULL) {
            return FAULT_MEMORY;
        }
        records->list = list;
        *capacity = wider;
    }
    records->list[records->count++] = *record;
    return 0;
}

static int
line_add(struct span line, size_t number, struct pckid_records *records, size_t *capacity,
         struct fault *why)
{
    struct pckid_record record;
    struct fault reason = {.number = 0};
    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    if (line.size == 0) {
        return 0;
    }
    if (records->count == LIMIT_PCKID_RECORDS) {
        return fault_set(why, FAULT_TOO_LARGE, "csv", "more than %d records", LIMIT_PCKID_RECORDS);
    }
    int rc = pckid_record_parse(line, &record, &reason);
    if (rc != 0) {
        return fault_set(why, (enum fault_code)rc, "csv", "line %zu: %s", number, reason.text);
    }
    if (records_add(records, capacity, &record) != 0) {
        pckid_record_done(&record);
        return fault_set(why, FAULT_MEMORY, "csv", "no memory for the records");
    }
    return 0;
}

int
pckid_records_parse(struct span text, struct pckid_records *ret_records, struct fault *why)
{
    auto_cleanup(pckid_records_done) struct pckid_records records = {.list = NULL};
    size_t capacity = 0;
    struct reader r = reader_of(text);
    for (size_t number = 1; !reader_at_end(&r); number++) {
        struct span line;
        if (!reader_until(&r, '\n', &line)) {
            line = r.rest;
            r = reader_of(span_of(NULL, 0));
        }
        int rc = line_add(line, number, &records, &capacity, why);
        if (rc != 0) {
            return rc;
        }
    }
    if (records.count == 0) {
        return fault_set(why, FAULT_INPUT, "csv", "there is no record in it");
    }
    ret_records->count = records.count;
    ret_records->list = take(&records.list);
    records.count = 0;
    return 0;
}

void
pckid_records_done(struct pckid_records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        pckid_record_done(&records->list[i]);
    }
    free(take(&records->list));
    records->count = 0;
}
