/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults on order, as a table that is walked for each request.
 *
 * Takes JSON (control endpoint) or text (--fail), gives the effect on one request and spoils its
 * answer. Called on the server's loop, --fail by main.c before it starts. A fault of the kind delay
 * goes together with the first other fault that fits. Must never touch an answer when nothing was
 * ordered.
 */
#include "pcssim/sim_fault.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "json/json_value.h"

enum { HUGE_BYTES_DEFAULT = 16 * 1024 * 1024, DAY_S = 86400 };

static const struct {
    const char *word, *path, *methods;
} endpoints[] = {
#define SIM_ENDPOINT(name, endpoint_word, endpoint_path, endpoint_methods)                         \
    {endpoint_word, endpoint_path, endpoint_methods},
#include "pcssim/sim_endpoint.def"
#undef SIM_ENDPOINT
};

static const struct {
    const char *word, *meaning;
} kinds[] = {
#define SIM_FAULT(name, kind_word, kind_meaning) {kind_word, kind_meaning},
#include "pcssim/sim_fault_kind.def"
#undef SIM_FAULT
};

const char *
sim_endpoint_word(enum sim_endpoint endpoint)
{
    return endpoints[endpoint].word;
}

const char *
sim_endpoint_path(enum sim_endpoint endpoint)
{
    return endpoints[endpoint].path;
}

const char *
sim_endpoint_methods(enum sim_endpoint endpoint)
{
    return endpoints[endpoint].methods;
}

const char *
sim_fault_kind_word(enum sim_fault_kind kind)
{
    return kinds[kind].word;
}

const char *
sim_fault_kind_meaning(enum sim_fault_kind kind)
{
    return kinds[kind].meaning;
}

static int
endpoint_parse(struct span word, struct sim_fault *fault, struct fault *why)
{
    if (span_is(word, "*")) {
        fault->everywhere = true;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(endpoints); i++) {
        if (span_is(word, endpoints[i].word)) {
            fault->endpoint = (enum sim_endpoint)i;
            return 0;
        }
    }
    return fault_set(why, FAULT_INPUT, "fault", "endpoint: none is called %.*s", SPAN_ARGS(word));
}

static int
kind_parse(struct span word, struct sim_fault *fault, struct fault *why)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (span_is(word, kinds[i].word)) {
            fault->kind = (enum sim_fault_kind)i;
            return 0;
        }
    }
    return fault_set(why, FAULT_INPUT, "fault", "kind: no fault is called %.*s", SPAN_ARGS(word));
}

static int
number_get(const json_t *object, const char *name, int64_t most, int64_t *value, struct fault *why)
{
    int code = json_get_integer(object, name, 0, most, value, why);
    return code == FAULT_NOT_FOUND ? 0 : code;
}

static int
text_get(const json_t *object, const char *name, char *out, size_t out_size, struct fault *why)
{
    struct span text;
    int code = json_get_string(object, name, &text, why);
    if (code != 0) {
        return code == FAULT_NOT_FOUND ? 0 : code;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return fault_set(why, FAULT_INPUT, "fault", "%s: only visible ASCII", name);
        }
    }
    return span_to_text(text, out, out_size)
               ? 0
               : fault_set(why, FAULT_INPUT, "fault", "%s: too long", name);
}

static int
numbers_parse(const json_t *object, struct sim_fault *fault, struct fault *why)
{
    int64_t status = 500, retry_after = 0, delay = 0, count = 0, bytes = 0;
    int code = json_get_integer(object, "status", 300, 599, &status, why);
    code = code == FAULT_NOT_FOUND ? 0 : code;
    if (code == 0) {
        code = number_get(object, "retry_after", 86400, &retry_after, why);
    }
    if (code == 0) {
        code = number_get(object, "delay_ms", LIMIT_SIM_DELAY_MS, &delay, why);
    }
    if (code == 0) {
        code = number_get(object, "count", INT64_MAX, &count, why);
    }
    if (code == 0) {
        code = number_get(object, "bytes", LIMIT_SIM_HUGE_BYTES, &bytes, why);
    }
    fault->status = (int)status;
    fault->retry_after_s = (int)retry_after;
    fault->delay_ms = delay;
    fault->left = (uint64_t)count;
    fault->bytes = (size_t)bytes;
    return code;
}

int
sim_fault_parse_json(const json_t *object, struct sim_fault *ret_fault, struct fault *why)
{
    struct sim_fault fault = {0};
    struct span word;
    int code = json_get_string(object, "kind", &word, why);
    if (code == 0) {
        code = kind_parse(word, &fault, why);
    }
    if (code != 0) {
        return fault_recode(why, FAULT_INPUT);
    }
    code = json_get_string(object, "endpoint", &word, why);
    if (code == FAULT_NOT_FOUND) {
        fault.everywhere = true;
        code = 0;
    } else if (code == 0) {
        code = endpoint_parse(word, &fault, why);
    }
    if (code == 0) {
        code = numbers_parse(object, &fault, why);
    }
    if (code == 0) {
        code = text_get(object, "match", fault.match, sizeof(fault.match), why);
    }
    if (code == 0) {
        code = text_get(object, "header", fault.header, sizeof(fault.header), why);
    }
    if (code == 0 && fault.kind == SIM_FAULT_DELAY && fault.delay_ms == 0) {
        code = fault_set(why, FAULT_INPUT, "fault", "delay: delay_ms is missing");
    }
    if (code == 0) {
        *ret_fault = fault;
    }
    return code;
}

/* name=value: numbers become numbers, all else strings. */
static bool
setting_add(json_t *object, char *setting)
{
    char *equals = strchr(setting, '=');
    if (equals == NULL || equals == setting) {
        return false;
    }
    *equals = '\0';
    const char *value = equals + 1;
    bool is_text = strcmp(setting, "match") == 0 || strcmp(setting, "header") == 0;
    char *end = NULL;
    long long number = strtoll(value, &end, 10);
    if (is_text) {
        return json_object_set_new(object, setting, json_string(value)) == 0;
    }
    static const char *const known[] = {"status", "retry_after", "delay_ms", "count", "bytes"};
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (strcmp(setting, known[i]) == 0) {
            return *value != '\0' && *end == '\0' &&
                   json_object_set_new(object, setting, json_integer(number)) == 0;
        }
    }
    return false;
}

int
sim_fault_parse_spec(const char *spec, struct sim_fault *ret_fault, struct fault *why)
{
    auto_free char *text = strdup(spec);
    auto_json json_t *object = json_object();
    if (text == NULL || object == NULL) {
        return fault_set(why, FAULT_MEMORY, "fault", "no memory");
    }
    char *colon = strchr(text, ':');
    if (colon == NULL) {
        return fault_set(why, FAULT_INPUT, "fault", "%s: not ENDPOINT:KIND[,name=value...]", spec);
    }
    *colon = '\0';
    char *rest = colon + 1;
    const char *kind = strsep(&rest, ",");
    if (json_object_set_new(object, "endpoint", json_string(text)) != 0 ||
        json_object_set_new(object, "kind", json_string(kind)) != 0) {
        return fault_set(why, FAULT_INPUT, "fault", "%s: not UTF-8", spec);
    }
    while (rest != NULL) {
        char *setting = strsep(&rest, ",");
        if (!setting_add(object, setting)) {
            return fault_set(why, FAULT_INPUT, "fault", "%s: no such setting, or a bad value",
                             setting);
        }
    }
    return sim_fault_parse_json(object, ret_fault, why);
}

int
sim_faults_add(struct sim_faults *faults, const struct sim_fault *fault, struct fault *why)
{
    if (faults->count == LIMIT_SIM_FAULTS) {
        return fault_set(why, FAULT_BUSY, "fault", "%d faults are active already",
                         LIMIT_SIM_FAULTS);
    }
    faults->list[faults->count++] = *fault;
    return 0;
}

static bool
fault_fits(const struct sim_fault *fault, enum sim_endpoint endpoint, const char *key)
{
    return (fault->everywhere || fault->endpoint == endpoint) && strstr(key, fault->match) != NULL;
}

static void
effect_add(struct sim_effect *effect, const struct sim_fault *fault)
{
    effect->delay_ms += fault->delay_ms;
    if (fault->kind == SIM_FAULT_DELAY) {
        return;
    }
    effect->active = true;
    effect->fault = *fault;
    effect->twist.tamper = fault->kind == SIM_FAULT_TAMPER;
    effect->twist.wrong_signer = fault->kind == SIM_FAULT_WRONG_SIGNER;
    if (fault->kind == SIM_FAULT_EXPIRED) {
        effect->twist.issue_shift_s = -60 * DAY_S;
    } else if (fault->kind == SIM_FAULT_OLDER) {
        effect->twist.issue_shift_s = -10 * DAY_S;
    }
}

void
sim_faults_take(struct sim_faults *faults, enum sim_endpoint endpoint, const char *key,
                struct sim_effect *ret_effect)
{
    struct sim_effect effect = {0};
    size_t kept = 0;
    for (size_t i = 0; i < faults->count; i++) {
        struct sim_fault *fault = &faults->list[i];
        bool used_up = false;
        bool takes = fault->kind == SIM_FAULT_DELAY || !effect.active;
        if (takes && fault_fits(fault, endpoint, key)) {
            effect_add(&effect, fault);
            used_up = fault->left == 1;
            fault->left -= fault->left > 1;
        }
        if (!used_up) {
            faults->list[kept++] = *fault;
        }
    }
    faults->count = kept;
    *ret_effect = effect;
}

json_t *
sim_faults_json(const struct sim_faults *faults)
{
    json_t *list = json_array();
    for (size_t i = 0; i < faults->count; i++) {
        const struct sim_fault *fault = &faults->list[i];
        const char *endpoint = fault->everywhere ? "*" : endpoints[fault->endpoint].word;
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "endpoint", endpoint, "kind",
                                              kinds[fault->kind].word, "match", fault->match,
                                              "left", (json_int_t)fault->left));
    }
    return list;
}

bool
sim_effect_replaces(const struct sim_effect *effect, struct sim_answer *answer, const char *url)
{
    char text[32];
    answer->delay_ms = effect->delay_ms;
    if (!effect->active) {
        return false;
    }
    switch (effect->fault.kind) {
    case SIM_FAULT_STATUS:
        sim_answer_refuse(answer, effect->fault.status, NULL, NULL);
        if (effect->fault.retry_after_s > 0) {
            snprintf(text, sizeof(text), "%d", effect->fault.retry_after_s);
            sim_answer_header(answer, "Retry-After", span_of_text(text));
        }
        return true;
    case SIM_FAULT_DROP:
        answer->drop = true;
        return true;
    case SIM_FAULT_REDIRECT:
        sim_answer_refuse(answer, 302, NULL, NULL);
        sim_answer_header(answer, "Location", span_of_text(url));
        return true;
    case SIM_FAULT_REDIRECT_OTHER:
        sim_answer_refuse(answer, 302, NULL, NULL);
        sim_answer_header(answer, "Location", span_of_text("https://elsewhere.invalid/"));
        return true;
    case SIM_FAULT_DELAY:
    case SIM_FAULT_TRUNCATE:
    case SIM_FAULT_TAMPER:
    case SIM_FAULT_WRONG_SIGNER:
    case SIM_FAULT_MISMATCH:
    case SIM_FAULT_MISSING_HEADER:
    case SIM_FAULT_GARBAGE:
    case SIM_FAULT_EMPTY:
    case SIM_FAULT_HUGE:
    case SIM_FAULT_EXPIRED:
    case SIM_FAULT_OLDER:
    case SIM_FAULT_COUNT:
        break;
    }
    return false;
}

static void
body_make_huge(struct sim_answer *answer, size_t bytes)
{
    size_t size = bytes != 0 ? bytes : HUGE_BYTES_DEFAULT;
    buf_clear(&answer->body);
    uint8_t *room = buf_reserve(&answer->body, size);
    if (room != NULL) {
        memset(room, '[', size);
        buf_grew(&answer->body, size);
    }
}

void
sim_effect_spoil(const struct sim_effect *effect, struct sim_answer *answer)
{
    if (!effect->active || answer->status != 200) {
        return;
    }
    const struct sim_fault *fault = &effect->fault;
    if (fault->kind == SIM_FAULT_MISSING_HEADER) {
        sim_answer_drop_header(answer, fault->header[0] != '\0' ? fault->header : NULL);
    } else if (fault->kind == SIM_FAULT_GARBAGE) {
        buf_clear(&answer->body);
        buf_add_text(&answer->body,
                     "<html><body>Please log in to the guest network.</body></html>");
    } else if (fault->kind == SIM_FAULT_EMPTY) {
        buf_clear(&answer->body);
    } else if (fault->kind == SIM_FAULT_HUGE) {
        body_make_huge(answer, fault->bytes);
    } else if (fault->kind == SIM_FAULT_TRUNCATE) {
        answer->cut = true;
        answer->cut_body_bytes = fault->bytes != 0 ? fault->bytes : answer->body.size / 2;
    }
}
