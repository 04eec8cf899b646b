/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body of PUT appraisalpolicy: a policy for the quote verification library, a JWT.
 *
 * Takes the JSON text; gives the policy with its id (SHA-384 of its text) and its type, which is
 * learnt from the class of the first environment that the policy speaks of. The JWT's signature is
 * nobody's here: the verifier that uses the policy judges it, this service only keeps it. Called by
 * a worker. Must never trust a type inside: each step checks what it was given.
 * api.md, PUT appraisalpolicy.
 */
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "request/request.h"
#include "json/json_value.h"

/* Environment class ids and the type stored for them; CLASS_PASSED_OVER says nothing by itself. */
enum { CLASS_PASSED_OVER = -1 };
static const struct {
    const char *id;
    int type;
} classes[] = {
    {"3123ec35-8d38-4ea5-87a5-d6c48b567570", 0},
    {"9eec018b-7481-4b1c-8e1a-9f7c0c8c777f", 1},
    {"f708b97f-0fb2-4e6b-8b03-8a5bcd1221d3", 2},
    {"3769258c-75e6-4bc7-8d72-d2b0e224cad2", CLASS_PASSED_OVER}, /* TD QE */
};

static int
refuse(struct fault *why, const char *reason)
{
    return fault_set(why, FAULT_INPUT, "body", "%s", reason);
}

/* The six bits of a base64url letter, or -1. */
static int
base64url_digit(uint8_t c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *found = c != '\0' ? strchr(alphabet, c) : NULL;
    return found != NULL ? (int)(found - alphabet) : -1;
}

/* RFC 4648 section 5; padding may stand there or not (RFC 7515 has none). */
static bool
base64url_decode(struct span text, struct buf *out)
{
    size_t padding = 0;
    while (padding < 2 && text.size > 0 && text.data[text.size - 1] == '=') {
        text.size--;
        padding++;
    }
    if (text.size % 4 == 1 || (padding > 0 && (text.size + padding) % 4 != 0)) {
        return false;
    }
    unsigned bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.size; i++) {
        int digit = base64url_digit(text.data[i]);
        if (digit < 0) {
            return false;
        }
        bits = (bits << 6 | (unsigned)digit) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            buf_add_byte(out, (uint8_t)(bits >> held));
        }
    }
    return out->failed == 0;
}

/* What stands between the first '.' and the next one or the end, without white space behind it (a
 * policy that was read from a file ends in a newline). */
static bool
jwt_second_part(struct span jwt, struct span *ret_part)
{
    const uint8_t *dot = jwt.size > 0 ? memchr(jwt.data, '.', jwt.size) : NULL;
    if (dot == NULL) {
        return false;
    }
    size_t before = (size_t)(dot - jwt.data) + 1;
    struct span part = span_of(dot + 1, jwt.size - before);
    dot = part.size > 0 ? memchr(part.data, '.', part.size) : NULL;
    if (dot != NULL) {
        part.size = (size_t)(dot - part.data);
    }
    while (part.size > 0 && memchr(" \t\r\n", part.data[part.size - 1], 4) != NULL) {
        part.size--;
    }
    *ret_part = part;
    return true;
}

static int
class_find(struct span class_id, int *ret_type, struct fault *why)
{
    for (size_t i = 0; i < ARRAY_COUNT(classes); i++) {
        if (span_is_nocase(class_id, classes[i].id)) {
            *ret_type = classes[i].type;
            return 0;
        }
    }
    return refuse(why, "policy: an environment.class_id is not known");
}

static int
type_of_array(const json_t *policies, int *ret_type, struct fault *why)
{
    for (size_t i = 0; i < json_array_size(policies); i++) {
        json_t *environment = NULL;
        struct span class_id;
        int type = CLASS_PASSED_OVER;
        if (json_get_object(json_array_get(policies, i), "environment", &environment, NULL) != 0 ||
            json_get_string(environment, "class_id", &class_id, NULL) != 0) {
            return refuse(why, "policy: an entry of policy_array has no environment.class_id");
        }
        int code = class_find(class_id, &type, why);
        if (code != 0) {
            return code;
        }
        if (type != CLASS_PASSED_OVER) {
            *ret_type = type;
            return 0;
        }
    }
    return refuse(why, "policy: policy_array has no entry for SGX or TDX");
}

/* JWT -> payload (JSON) -> policy_payload (JSON in a text) -> policy_array -> type. */
static int
type_of_policy(struct span jwt, int *ret_type, struct fault *why)
{
    auto_cleanup(buf_done) struct buf payload = BUF_INIT(jwt.size + 1);
    auto_json json_t *outer = NULL;
    auto_json json_t *inner = NULL;
    json_t *policies = NULL;
    struct span part;
    struct span text;
    if (!jwt_second_part(jwt, &part) || !base64url_decode(part, &payload)) {
        return payload.failed == FAULT_MEMORY
                   ? fault_set(why, FAULT_MEMORY, "body", "no memory for a policy")
                   : refuse(why, "policy: not a JWT, its second part is not base64url");
    }
    int code = json_value_parse(buf_span(&payload), &outer, why);
    if (code != 0) {
        return code;
    }
    if (!json_is_object(outer) || json_get_string(outer, "policy_payload", &text, NULL) != 0) {
        return refuse(why, "policy: the payload has no text policy_payload");
    }
    code = json_value_parse(text, &inner, why);
    if (code != 0) {
        return code;
    }
    if (!json_is_object(inner) || json_get_array(inner, "policy_array", &policies, NULL) != 0) {
        return refuse(why, "policy: policy_payload has no policy_array");
    }
    return type_of_array(policies, ret_type, why);
}

static int
read_members(const json_t *root, struct policy_upload *upload, struct span *ret_policy,
             struct fault *why)
{
    struct span fmspc;
    if (json_get_bool(root, "is_default", &upload->is_default, NULL) != 0) {
        return refuse(why, "is_default: expected true or false");
    }
    if (json_get_string(root, "fmspc", &fmspc, NULL) != 0 || !fmspc_parse(fmspc, &upload->fmspc)) {
        return refuse(why, "fmspc: expected 12 hex digits");
    }
    if (json_get_string(root, "policy", ret_policy, NULL) != 0 || ret_policy->size == 0) {
        return refuse(why, "policy: expected the text of a JWT");
    }
    return 0;
}

int
policy_upload_parse(struct span body, struct policy_upload *ret_upload, struct fault *why)
{
    auto_json json_t *root = NULL;
    struct policy_upload upload = {0};
    struct span policy = {0};
    int code = json_value_parse(body, &root, why);
    if (code != 0) {
        return code;
    }
    if (!json_is_object(root)) {
        return refuse(why, "the body is not a JSON object");
    }
    code = read_members(root, &upload, &policy, why);
    if (code == 0) {
        code = type_of_policy(policy, &upload.type, why);
    }
    if (code != 0) {
        return code;
    }
    uint8_t digest[SHA384_DIGEST_LENGTH];
    upload.policy = span_dup_text(policy);
    if (upload.policy == NULL || SHA384(policy.data, policy.size, digest) == NULL) {
        policy_upload_done(&upload);
        return fault_set(why, FAULT_MEMORY, "body", "no memory for a policy");
    }
    hex_encode_lower(span_of(digest, sizeof digest), upload.id);
    *ret_upload = upload;
    return 0;
}

void
policy_upload_done(struct policy_upload *upload)
{
    if (upload == NULL) {
        return;
    }
    free(upload->policy);
    *upload = (struct policy_upload){0};
}
