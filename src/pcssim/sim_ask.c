/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads what a request asks for: path, parameters, body.
 *
 * Takes the request as the http room hands it over, gives a struct sim_ask or a refusal with the
 * status that Intel's service has for it. Called on the server's loop. Must never be more lenient
 * than Intel's service: clients are tested against it.
 * Follows pcs.md.
 */
#include <stdio.h>

#include "base/hex.h"
#include "base/mem.h"
#include "pcssim/sim.h"
#include "json/json_value.h"

static bool
refuse_parameter(struct sim_answer *answer, const char *name)
{
    char text[96];
    snprintf(text, sizeof(text), "Invalid or missing parameter: %s", name);
    sim_answer_refuse(answer, 400, "InvalidParameterOrValue", text);
    return false;
}

/* The value of the first parameter of that name, as it stands in the query. */
static bool
query_find(struct span query, const char *name, struct span *ret_value)
{
    size_t name_size = strlen(name);
    while (query.size > 0) {
        const uint8_t *end = memchr(query.data, '&', query.size);
        size_t size = end != NULL ? (size_t)(end - query.data) : query.size;
        if (size > name_size && memcmp(query.data, name, name_size) == 0 &&
            query.data[name_size] == '=') {
            *ret_value = span_of(query.data + name_size + 1, size - name_size - 1);
            return true;
        }
        size_t skip = end != NULL ? size + 1 : size;
        query = span_of(query.data + skip, query.size - skip);
    }
    return false;
}

/* Compares a path with a pattern in which V stands for v3 or v4. */
static bool
path_matches(struct span path, const char *pattern, unsigned *ret_api_version)
{
    const char *version = strstr(pattern, "/V/");
    if (version == NULL) {
        *ret_api_version = 4;
        return span_is(path, pattern);
    }
    size_t before = (size_t)(version - pattern) + 1;
    const char *after = version + 2;
    size_t after_size = strlen(after);
    if (path.size != before + 2 + after_size || memcmp(path.data, pattern, before) != 0 ||
        path.data[before] != 'v' ||
        (path.data[before + 1] != '3' && path.data[before + 1] != '4') ||
        memcmp(path.data + before + 2, after, after_size) != 0) {
        return false;
    }
    *ret_api_version = path.data[before + 1] == '3' ? 3 : 4;
    return true;
}

bool
sim_path_parse(struct span path, enum sim_endpoint *ret_endpoint, unsigned *ret_api_version)
{
    for (int i = 0; i < SIM_ENDPOINT_COUNT; i++) {
        unsigned version = 4;
        if (!path_matches(path, sim_endpoint_path((enum sim_endpoint)i), &version)) {
            continue;
        }
        /* API version 3 knows neither TDX nor the list of numbers. */
        if (version == 3 && (i == SIM_TCB_TDX || i == SIM_TDQE || i == SIM_EVALNUMBERS_SGX ||
                             i == SIM_EVALNUMBERS_TDX || i == SIM_QAE)) {
            return false;
        }
        *ret_endpoint = (enum sim_endpoint)i;
        *ret_api_version = version;
        return true;
    }
    return false;
}

/* update or tcbEvaluationDataNumber, not both. */
static bool
update_read(const struct sim *sim, struct span query, struct sim_ask *ask,
            struct sim_answer *answer)
{
    struct span update, number;
    bool has_update = query_find(query, "update", &update);
    ask->update = UPDATE_STANDARD;
    ask->number = sim->standard;
    if (query_find(query, "tcbEvaluationDataNumber", &number)) {
        char text[11], end = '\0';
        unsigned value = 0;
        if (has_update) {
            return refuse_parameter(answer, "update with tcbEvaluationDataNumber");
        }
        if (!span_to_text(number, text, sizeof(text)) ||
            strspn(text, "0123456789") != strlen(text) || sscanf(text, "%u%c", &value, &end) != 1) {
            return refuse_parameter(answer, "tcbEvaluationDataNumber");
        }
        ask->update = UPDATE_NUMBERED;
        ask->number = value;
    } else if (has_update) {
        if (!update_type_parse(update, &ask->update) || ask->update == UPDATE_ALL) {
            return refuse_parameter(answer, "update");
        }
        ask->number = ask->update == UPDATE_EARLY ? sim->early : sim->standard;
    }
    return true;
}

static void
update_word(const struct sim_ask *ask, char *out, size_t out_size)
{
    if (ask->update == UPDATE_NUMBERED) {
        snprintf(out, out_size, "%u", ask->number);
    } else {
        snprintf(out, out_size, "%s", update_type_word(ask->update));
    }
}

static bool
tcb_read(const struct sim *sim, const struct http_request *request, struct sim_ask *ask,
         struct sim_answer *answer)
{
    struct span text;
    struct fmspc fmspc;
    char update[16];
    if (!query_find(request->query, "fmspc", &text) || !fmspc_parse(text, &fmspc)) {
        return refuse_parameter(answer, "fmspc");
    }
    if (!update_read(sim, request->query, ask, answer)) {
        return false;
    }
    update_word(ask, update, sizeof(update));
    snprintf(ask->key, sizeof(ask->key), "%s/%s", fmspc.hex, update);
    ask->family = sim_fleet_family(sim->fleet, span_of_text(fmspc.hex));
    return true;
}

static bool
identity_read(const struct sim *sim, const struct http_request *request, struct sim_ask *ask,
              struct sim_answer *answer)
{
    if (!update_read(sim, request->query, ask, answer)) {
        return false;
    }
    update_word(ask, ask->key, sizeof(ask->key));
    return true;
}

static bool
pckcrl_read(const struct http_request *request, struct sim_ask *ask, struct sim_answer *answer)
{
    struct span text;
    if (!query_find(request->query, "ca", &text) || !pck_ca_parse(text, &ask->ca)) {
        return refuse_parameter(answer, "ca");
    }
    if (query_find(request->query, "encoding", &text)) {
        ask->der = span_is_nocase(text, "der");
        if (!ask->der && !span_is_nocase(text, "pem")) {
            return refuse_parameter(answer, "encoding");
        }
    }
    snprintf(ask->key, sizeof(ask->key), "%s", pck_ca_word(ask->ca));
    return true;
}

static bool
fmspcs_read(const struct http_request *request, struct sim_ask *ask, struct sim_answer *answer)
{
    static const char *const words[] = {"all", "client", "E3", "E5"};
    struct span text = span_of_text("all");
    query_find(request->query, "platform", &text);
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (span_is_nocase(text, words[i])) {
            snprintf(ask->word, sizeof(ask->word), "%s", words[i]);
            snprintf(ask->key, sizeof(ask->key), "%s", words[i]);
            return true;
        }
    }
    return refuse_parameter(answer, "platform");
}

/* The platform itself is found here; whether it may be answered is sim_render's business. */
static void
platform_found(const struct sim *sim, struct sim_ask *ask, bool known)
{
    struct sim_platform platform = {.name = "unknown"};
    ask->platform_known = known;
    if (known) {
        sim_fleet_platform(sim->fleet, ask->platform, &platform);
    }
    snprintf(ask->key, sizeof(ask->key), "%s", platform.name);
}

static bool
is_media_type(const struct http_request *request, const char *type)
{
    struct span value;
    return header_find(request->headers, request->header_count, "Content-Type", &value) &&
           span_starts_with(value, type);
}

static bool
manifest_read(const struct sim *sim, const struct http_request *request, struct sim_ask *ask,
              json_t *body, struct sim_answer *answer)
{
    struct span text, pceid;
    if (json_get_string(body, "platformManifest", &text, NULL) != 0 || text.size == 0 ||
        !hex_is(text) || text.size % 2 != 0) {
        return refuse_parameter(answer, "platformManifest");
    }
    if (json_get_string(body, "pceid", &pceid, NULL) != 0 || !hex_is_sized(pceid, 4)) {
        return refuse_parameter(answer, "pceid");
    }
    auto_cleanup(buf_done) struct buf manifest = BUF_INIT(LIMIT_MANIFEST_HEX / 2 + 1);
    ask->by_manifest = true;
    platform_found(sim, ask,
                   hex_add_decoded(&manifest, text) == 0 && span_is(pceid, "0000") &&
                       sim_fleet_find_manifest(sim->fleet, buf_span(&manifest), &ask->platform));
    return true;
}

static bool
cpusvn_read(struct span text, struct sim_ask *ask, struct sim_answer *answer)
{
    return hex_decode(text, ask->raw.components, 16) || refuse_parameter(answer, "cpusvn");
}

static bool
pckcerts_post_read(const struct sim *sim, const struct http_request *request, struct sim_ask *ask,
                   struct sim_answer *answer)
{
    auto_json json_t *body = NULL;
    struct span text;
    if (!is_media_type(request, "application/json")) {
        sim_answer_refuse(answer, 415, "InvalidRequestSyntax",
                          "Content-Type is not application/json");
        return false;
    }
    if (json_value_parse(request->body, &body, NULL) != 0 || !json_is_object(body)) {
        sim_answer_refuse(answer, 400, "InvalidRequestSyntax", "The body is not a JSON object");
        return false;
    }
    if (ask->endpoint == SIM_PCKCERTS_CONFIG &&
        (json_get_string(body, "cpusvn", &text, NULL) != 0 || !cpusvn_read(text, ask, answer))) {
        return refuse_parameter(answer, "cpusvn");
    }
    return manifest_read(sim, request, ask, body, answer);
}

static bool
pck_get_read(const struct sim *sim, const struct http_request *request, struct sim_ask *ask,
             struct sim_answer *answer)
{
    uint8_t enc_ppid[SIM_ENC_PPID_SIZE], pcesvn[2];
    struct span text, pceid;
    if (!query_find(request->query, "encrypted_ppid", &text) ||
        !hex_decode(text, enc_ppid, sizeof(enc_ppid))) {
        return refuse_parameter(answer, "encrypted_ppid");
    }
    if (!query_find(request->query, "pceid", &pceid) || !hex_is_sized(pceid, 4)) {
        return refuse_parameter(answer, "pceid");
    }
    if (ask->endpoint != SIM_PCKCERTS &&
        (!query_find(request->query, "cpusvn", &text) || !cpusvn_read(text, ask, answer))) {
        return refuse_parameter(answer, "cpusvn");
    }
    if (ask->endpoint == SIM_PCKCERT) {
        if (!query_find(request->query, "pcesvn", &text) || !hex_decode(text, pcesvn, 2)) {
            return refuse_parameter(answer, "pcesvn");
        }
        ask->raw.pcesvn = (uint16_t)(pcesvn[0] | pcesvn[1] << 8);
    }
    platform_found(sim, ask,
                   span_is(pceid, "0000") &&
                       sim_fleet_find_enc_ppid(sim->fleet, enc_ppid, &ask->platform));
    return true;
}

static bool
registration_read(const struct sim *sim, const struct http_request *request, struct sim_ask *ask,
                  struct sim_answer *answer)
{
    if (!is_media_type(request, "application/octet-stream")) {
        sim_answer_refuse(answer, 415, NULL, NULL);
        return false;
    }
    if (request->body.size == 0) {
        sim_answer_refuse(answer, 400, "InvalidRequestSyntax", "The body is empty");
        return false;
    }
    ask->by_manifest = true;
    platform_found(sim, ask, sim_fleet_find_manifest(sim->fleet, request->body, &ask->platform));
    return true;
}

/* Intel takes the PCK requests without a key too, unless told otherwise here (pcs.md). */
static bool
key_check(const struct sim *sim, const struct http_request *request, enum sim_endpoint endpoint,
          struct sim_answer *answer)
{
    struct span key = {0};
    bool wanted = endpoint == SIM_REGISTER_PACKAGE ||
                  (sim->key_required && (endpoint == SIM_PCKCERT || endpoint == SIM_PCKCERTS ||
                                         endpoint == SIM_PCKCERTS_CONFIG));
    if (!wanted ||
        (header_find(request->headers, request->header_count, "Ocp-Apim-Subscription-Key", &key) &&
         key.size > 0)) {
        return true;
    }
    sim_answer_refuse(answer, 401, NULL, NULL);
    return false;
}

bool
sim_ask_parse(const struct sim *sim, const struct http_request *request, enum sim_endpoint endpoint,
              unsigned api_version, struct sim_ask *ret_ask, struct sim_answer *answer)
{
    struct sim_ask *ask = ret_ask;
    *ask = (struct sim_ask){.endpoint = endpoint, .api_version = api_version};
    if (!key_check(sim, request, endpoint, answer)) {
        return false;
    }
    switch (endpoint) {
    case SIM_PCKCERTS:
    case SIM_PCKCERTS_CONFIG:
        return request->method == HTTP_POST ? pckcerts_post_read(sim, request, ask, answer)
                                            : pck_get_read(sim, request, ask, answer);
    case SIM_PCKCERT:
        return pck_get_read(sim, request, ask, answer);
    case SIM_PCKCRL:
        return pckcrl_read(request, ask, answer);
    case SIM_TCB_SGX:
    case SIM_TCB_TDX:
        return tcb_read(sim, request, ask, answer);
    case SIM_QE:
    case SIM_QVE:
    case SIM_QAE:
    case SIM_TDQE:
        return identity_read(sim, request, ask, answer);
    case SIM_FMSPCS:
        return fmspcs_read(request, ask, answer);
    case SIM_EVALNUMBERS_SGX:
    case SIM_EVALNUMBERS_TDX:
    case SIM_ROOT_CRL:
        return true;
    case SIM_REGISTER_PLATFORM:
    case SIM_REGISTER_PACKAGE:
        return registration_read(sim, request, ask, answer);
    case SIM_ENDPOINT_COUNT:
        break;
    }
    return false;
}
