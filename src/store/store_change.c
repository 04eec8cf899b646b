/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a write transaction changes, as text for the other instances on the same database: a line
 * per key, "ANYTHING" if there would be too many.
 * Takes keys, gives lines, and back. Called inside transactions (db_changed), and by whoever reads
 * what another instance wrote (db_change_parse).
 * Must never trust a line: it comes out of the database. What is not understood means anything.
 * docs/decisions/0007; ports/store_port.h, several instances.
 */
#include "base/url.h"
#include "store/store_priv.h"

static const char anything[] = "ANYTHING\n";

/* A word without blanks or line ends; "-" for an empty one. */
static void
add_word(struct buf *changes, const char *text)
{
    (void)buf_add_byte(changes, ' ');
    (void)(text[0] != '\0' ? url_add_encoded(changes, span_of_text(text))
                           : buf_add_byte(changes, '-'));
}

void
db_changed(struct db_connection *connection, const struct item_key *key)
{
    struct buf *changes = &connection->changes;
    if (connection->db->engine->before_commit == NULL ||
        span_equal(buf_span(changes), span_of_text(anything))) {
        return;
    }
    (void)buf_add_format(changes, "%d %u %d %d %d %u %d", (int)key->kind, key->api_version,
                         (int)key->product, (int)key->enclave, (int)key->update,
                         (unsigned)key->eval_number, (int)key->ca);
    add_word(changes, key->fmspc.hex);
    add_word(changes, key->platform.qeid);
    add_word(changes, key->platform.pceid);
    add_word(changes, key->url);
    (void)buf_add_byte(changes, '\n');
    if (changes->failed != 0) {
        buf_clear(changes);
        (void)buf_add_text(changes, anything);
    }
}

/* Cuts the next word off *line. */
static struct span
next_word(struct span *line)
{
    const uint8_t *end = line->size > 0 ? memchr(line->data, ' ', line->size) : NULL;
    size_t size = end != NULL ? (size_t)(end - line->data) : line->size;
    struct span word = span_of(line->data, size);
    size_t used = end != NULL ? size + 1 : size;
    *line = span_of(line->data + used, line->size - used);
    return word;
}

static bool
next_number(struct span *line, int64_t max, int64_t *ret_number)
{
    struct span word = next_word(line);
    int64_t number = 0;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9' || number > max) {
            return false;
        }
        number = 10 * number + (word.data[i] - '0');
    }
    *ret_number = number;
    return word.size > 0 && number <= max;
}

/* "-" stands for nothing. A qeid that is a dash becomes the empty one, which is no platform's: the
 * caller takes a key without a platform for anything. */
static bool
next_text(struct span *line, char *out, size_t out_size)
{
    struct span word = next_word(line);
    auto_cleanup(buf_done) struct buf text = BUF_INIT(out_size);
    bool is_word = span_is(word, "-") || (word.size > 0 && url_add_decoded(&text, word) == 0);
    return is_word && span_to_text(buf_span(&text), out, out_size);
}

bool
db_change_parse(struct span line, struct item_key *ret_key)
{
    struct item_key key = {0};
    int64_t numbers[7];
    static const int64_t most[7] = {ITEM_POLICIES,   9,          PRODUCT_TDX,    ENCLAVE_QAE,
                                    UPDATE_NUMBERED, UINT32_MAX, PCK_CA_PLATFORM};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        if (!next_number(&line, most[i], &numbers[i])) {
            return false;
        }
    }
    key.kind = (enum item_kind)numbers[0];
    key.api_version = (unsigned)numbers[1];
    key.product = (enum product)numbers[2];
    key.enclave = (enum enclave)numbers[3];
    key.update = (enum update_type)numbers[4];
    key.eval_number = (uint32_t)numbers[5];
    key.ca = (enum pck_ca)numbers[6];
    if (!next_text(&line, key.fmspc.hex, sizeof key.fmspc.hex) ||
        !next_text(&line, key.platform.qeid, sizeof key.platform.qeid) ||
        !next_text(&line, key.platform.pceid, sizeof key.platform.pceid) ||
        !next_text(&line, key.url, sizeof key.url) || line.size != 0) {
        return false;
    }
    if (key.kind == ITEM_PCK && key.platform.qeid[0] == '\0') {
        return false;
    }
    *ret_key = key;
    return true;
}
