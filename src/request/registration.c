/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body of POST platforms: a platform introduces itself.
 *
 * Takes the JSON text; gives a registration in normal form: with a manifest nothing but platform
 * and manifest, without one raw TCB and encrypted PPID. Called by a worker for each authenticated
 * registration. Must never put PPID or manifest into a fault's text.
 * api.md, POST platforms; wire_details.md 8. Members that nobody knows are ignored, a member that
 * stands twice is refused: two readers could differ about it.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "request/request.h"
#include "request/request_priv.h"
#include "json/json_value.h"

static int
refuse(struct fault *why, const char *member, const char *expected)
{
    return fault_set(why, FAULT_INPUT, "body", "%s: expected %s", member, expected);
}

static int
read_platform(const json_t *body, struct platform_id *platform, struct fault *why)
{
    struct span text;
    int code = json_get_string(body, "qe_id", &text, why);
    if (code != 0) {
        return code == FAULT_NOT_FOUND ? refuse(why, "qe_id", "a text") : code;
    }
    if (!qeid_parse(text, platform)) {
        return refuse(why, "qe_id", "1 to 260 characters");
    }
    code = json_get_string(body, "pce_id", &text, why);
    if (code != 0) {
        return code == FAULT_NOT_FOUND ? refuse(why, "pce_id", "a text") : code;
    }
    return pceid_parse(text, platform) ? 0 : refuse(why, "pce_id", "4 hex digits");
}

/* null and the empty text are no manifest. */
static int
read_manifest(const json_t *body, struct span *ret_manifest, struct fault *why)
{
    if (json_is_null(json_object_get(body, "platform_manifest"))) {
        *ret_manifest = (struct span){0};
        return 0;
    }
    struct span text;
    bool present;
    int code = member_text(body, "platform_manifest", &text, &present, why);
    if (code != 0) {
        return code;
    }
    if (text.size > LIMIT_MANIFEST_HEX) {
        return refuse(why, "platform_manifest", "at most 1048576 hex digits");
    }
    if (!hex_is(text) || text.size % 2 != 0) {
        return refuse(why, "platform_manifest", "an even number of hex digits");
    }
    *ret_manifest = text;
    return 0;
}

struct svns_and_ppid {
    struct span cpu_svn, pce_svn, enc_ppid;
    bool has_cpu_svn, has_pce_svn, has_enc_ppid;
};

/* Each has its form wherever it stands, beside a manifest too: empty and null are no form. */
static int
read_svns_and_ppid(const json_t *body, struct svns_and_ppid *values, struct fault *why)
{
    int code = member_text(body, "cpu_svn", &values->cpu_svn, &values->has_cpu_svn, why);
    if (code == 0) {
        code = member_text(body, "pce_svn", &values->pce_svn, &values->has_pce_svn, why);
    }
    if (code == 0) {
        code = member_text(body, "enc_ppid", &values->enc_ppid, &values->has_enc_ppid, why);
    }
    if (code != 0) {
        return code;
    }
    if (values->has_cpu_svn && !hex_is_sized(values->cpu_svn, 32)) {
        return refuse(why, "cpu_svn", "32 hex digits");
    }
    if (values->has_pce_svn && !hex_is_sized(values->pce_svn, 4)) {
        return refuse(why, "pce_svn", "4 hex digits");
    }
    if (values->has_enc_ppid && !hex_is_sized(values->enc_ppid, LIMIT_PPID_HEX)) {
        return refuse(why, "enc_ppid", "768 hex digits");
    }
    return 0;
}

/* With a manifest the other three are ignored; without one all are needed. */
static int
fill_registration(struct span manifest, const struct svns_and_ppid *values,
                  struct registration *registration, struct fault *why)
{
    struct span ppid = {0};
    if (manifest.size == 0) {
        if (!values->has_cpu_svn || !values->has_pce_svn || !values->has_enc_ppid) {
            return fault_set(why, FAULT_INPUT, "body",
                             "without a manifest cpu_svn, pce_svn and enc_ppid are required");
        }
        must(raw_tcb_parse(values->cpu_svn, values->pce_svn, &registration->raw));
        registration->has_raw = true;
        ppid = values->enc_ppid;
    }
    registration->encrypted_ppid = text_dup_upper(ppid);
    registration->manifest = text_dup_upper(manifest);
    if (registration->encrypted_ppid == NULL || registration->manifest == NULL) {
        return fault_set(why, FAULT_MEMORY, "body", "no memory for a registration");
    }
    return 0;
}

int
registration_parse(struct span body, struct registration *ret_registration, struct fault *why)
{
    auto_json json_t *root = NULL;
    auto_cleanup(registration_done) struct registration registration = {0};
    struct svns_and_ppid values = {0};
    struct span manifest = {0};
    int code = json_value_parse(body, &root, why);
    if (code != 0) {
        return code;
    }
    if (!json_is_object(root)) {
        return fault_set(why, FAULT_INPUT, "body", "the body is not a JSON object");
    }
    code = read_platform(root, &registration.platform, why);
    if (code == 0) {
        code = read_svns_and_ppid(root, &values, why);
    }
    if (code == 0) {
        code = read_manifest(root, &manifest, why);
    }
    if (code == 0) {
        code = fill_registration(manifest, &values, &registration, why);
    }
    if (code != 0) {
        return code;
    }
    *ret_registration = registration;
    registration = (struct registration){0};
    return 0;
}

void
registration_done(struct registration *registration)
{
    if (registration == NULL) {
        return;
    }
    free(registration->encrypted_ppid);
    free(registration->manifest);
    *registration = (struct registration){0};
}
