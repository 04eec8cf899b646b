/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body of POST platforms/ack: the rows that an administrator's tool has safely on disk.
 *
 * Takes the JSON text, an array; gives the rows in normal form. The file that the tool wrote may be
 * sent as it is: members besides the four are ignored. Called by a worker. Must never take a row
 * halfway: one bad row refuses all, so that nobody believes it acknowledged.
 * api.md, GET platforms.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "request/request.h"
#include "request/request_priv.h"
#include "json/json_value.h"

static int
refuse(struct fault *why, size_t row, const char *expected)
{
    return fault_set(why, FAULT_INPUT, "body", "row %zu: expected %s", row, expected);
}

/* Both svns, or neither (rows that were registered with a manifest). */
static int
read_svns(const json_t *object, size_t row, struct ack_row *out, struct fault *why)
{
    struct span cpusvn;
    struct span pcesvn;
    bool present;
    int code = member_text(object, "cpu_svn", &cpusvn, &present, why);
    if (code == 0) {
        code = member_text(object, "pce_svn", &pcesvn, &present, why);
    }
    if (code != 0) {
        return code;
    }
    if (cpusvn.size == 0 && pcesvn.size == 0) {
        return 0;
    }
    if (!hex_to_upper(cpusvn, 32, out->cpusvn) || !hex_to_upper(pcesvn, 4, out->pcesvn)) {
        return refuse(why, row, "cpu_svn and pce_svn with 32 and 4 hex digits, or both empty");
    }
    return 0;
}

static int
read_row(const json_t *object, size_t row, struct ack_row *out, struct fault *why)
{
    struct span qeid;
    struct span pceid;
    if (!json_is_object(object)) {
        return refuse(why, row, "an object");
    }
    if (json_get_string(object, "qe_id", &qeid, NULL) != 0 || !qeid_parse(qeid, &out->platform)) {
        return refuse(why, row, "qe_id with 1 to 260 characters");
    }
    if (json_get_string(object, "pce_id", &pceid, NULL) != 0 ||
        !pceid_parse(pceid, &out->platform)) {
        return refuse(why, row, "pce_id with 4 hex digits");
    }
    return read_svns(object, row, out, why);
}

int
ack_parse(struct span body, struct ack_row **ret_rows, size_t *ret_count, struct fault *why)
{
    auto_json json_t *root = NULL;
    int code = json_value_parse(body, &root, why);
    if (code != 0) {
        return code;
    }
    if (!json_is_array(root)) {
        return fault_set(why, FAULT_INPUT, "body", "the body is not a JSON array");
    }
    size_t count = json_array_size(root);
    if (count > LIMIT_ACK_ROWS) {
        return fault_set(why, FAULT_INPUT, "body", "%zu rows; acknowledge at most %d at once",
                         count, LIMIT_ACK_ROWS);
    }
    auto_free struct ack_row *rows = count > 0 ? calloc(count, sizeof *rows) : NULL;
    if (count > 0 && rows == NULL) {
        return fault_set(why, FAULT_MEMORY, "body", "no memory for %zu rows", count);
    }
    for (size_t i = 0; i < count && code == 0; i++) {
        code = read_row(json_array_get(root, i), i, &rows[i], why);
    }
    if (code != 0) {
        return code;
    }
    *ret_rows = take(&rows);
    *ret_count = count;
    return 0;
}
