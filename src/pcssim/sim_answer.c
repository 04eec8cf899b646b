/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers of the simulator before they meet the server.
 *
 * Gives header lines and bodies that sim_serve.c hands to the http room. Used on the server's loop;
 * freed on whatever thread lets go last. Every answer starts with a fresh Request-ID (pcs.md).
 */
#include "pcssim/sim_answer.h"

#include <stdlib.h>

#include <openssl/rand.h>

#include "base/hex.h"
#include "base/limits.h"

struct sim_answer *
sim_answer_new(void)
{
    uint8_t id[16];
    struct sim_answer *answer = calloc(1, sizeof(*answer));
    if (answer == NULL || RAND_bytes(id, sizeof(id)) != 1) {
        free(answer);
        return NULL;
    }
    char text[2 * sizeof(id) + 1];
    hex_encode_lower(span_of(id, sizeof(id)), text);
    answer->status = 200;
    answer->head = BUF_INIT(SIM_HEAD_BYTES_MAX);
    answer->body = BUF_INIT(LIMIT_SIM_HUGE_BYTES);
    if (sim_answer_header(answer, "Request-ID", span_of_text(text)) != 0) {
        sim_answer_free(answer);
        return NULL;
    }
    return answer;
}

void
sim_answer_free(void *owner)
{
    struct sim_answer *answer = owner;
    if (answer != NULL) {
        buf_done(&answer->head);
        buf_done(&answer->body);
        free(answer);
    }
}

int
sim_answer_header(struct sim_answer *answer, const char *name, struct span value)
{
    buf_add_text(&answer->head, name);
    buf_add_text(&answer->head, ": ");
    buf_add(&answer->head, value);
    return buf_add_text(&answer->head, "\r\n");
}

/* The first line is the Request-ID. */
void
sim_answer_clear(struct sim_answer *answer)
{
    const char *end = strstr(buf_text(&answer->head), "\r\n");
    if (end != NULL) {
        answer->head.size = (size_t)(end - buf_text(&answer->head)) + 2;
        answer->head.data[answer->head.size] = '\0';
        answer->head.failed = 0;
    }
    buf_clear(&answer->body);
}

void
sim_answer_refuse(struct sim_answer *answer, int status, const char *code, const char *message)
{
    sim_answer_clear(answer);
    answer->status = status;
    if (code != NULL) {
        sim_answer_header(answer, "Error-Code", span_of_text(code));
        sim_answer_header(answer, "Error-Message", span_of_text(message));
    }
}

static bool
line_is_named(struct span line, const char *name)
{
    const char *suffix = "issuer-chain";
    const uint8_t *colon = memchr(line.data, ':', line.size);
    struct span found = span_of(line.data, colon != NULL ? (size_t)(colon - line.data) : 0);
    if (name != NULL) {
        return span_is_nocase(found, name);
    }
    size_t size = strlen(suffix);
    return found.size >= size &&
           span_is_nocase(span_of(found.data + found.size - size, size), suffix);
}

void
sim_answer_drop_header(struct sim_answer *answer, const char *name)
{
    struct buf kept = BUF_INIT(SIM_HEAD_BYTES_MAX);
    struct span rest = buf_span(&answer->head);
    while (rest.size > 0) {
        const uint8_t *end = memmem(rest.data, rest.size, "\r\n", 2);
        size_t size = end != NULL ? (size_t)(end - rest.data) + 2 : rest.size;
        struct span line = span_of(rest.data, size);
        if (!line_is_named(line, name)) {
            buf_add(&kept, line);
        }
        rest = span_of(rest.data + size, rest.size - size);
    }
    buf_done(&answer->head);
    answer->head = kept;
}
