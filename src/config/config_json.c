/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration file: JSON with comments.
 *
 * Takes the text and its name; sets what it holds. Comments become blanks, as does a comma before a
 * closing bracket: the reference's own default.json has one there once its example section is
 * commented out. All else is strict JSON, a key that stands twice is refused. Unknown keys are told
 * of by name, they may be misspelt; those that only the reference's database library reads are
 * passed over. Called by setup/options.c for each file in turn. Must never recurse: the sections
 * that are open stand on a stack as deep as the deepest key. config.md, Configuration file.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/config_priv.h"
#include "json/json_value.h"

enum {
    KEY_DEPTH_MAX = 4, /* "mysql.options.pool.max" */
    KEY_SIZE_MAX = 128
};

static const char *const silent_keys[] = {
#define SILENT(key) key,
#include "config/silent_keys.def"
#undef SILENT
};

enum text_state { IN_JSON, IN_STRING, IN_ESCAPE, IN_LINE_COMMENT, IN_BLOCK_COMMENT };

/* The state behind the byte at text[at]; a comment's two bytes are seen from the first one. */
static enum text_state
next_state(enum text_state state, const char *text, size_t at)
{
    switch (state) {
    case IN_JSON:
        if (text[at] == '"') {
            return IN_STRING;
        }
        if (text[at] == '/' && text[at + 1] == '/') {
            return IN_LINE_COMMENT;
        }
        return text[at] == '/' && text[at + 1] == '*' ? IN_BLOCK_COMMENT : IN_JSON;
    case IN_STRING:
        if (text[at] == '\\') {
            return IN_ESCAPE;
        }
        return text[at] == '"' ? IN_JSON : IN_STRING;
    case IN_ESCAPE:
        return IN_STRING;
    case IN_LINE_COMMENT:
        return text[at] == '\n' ? IN_JSON : IN_LINE_COMMENT;
    case IN_BLOCK_COMMENT:
        break;
    }
    return IN_BLOCK_COMMENT;
}

/* Blanks where comments were, line ends stay: what is found wrong later is still on its line. */
static bool
blank_comments(char *text, size_t size)
{
    enum text_state state = IN_JSON;
    for (size_t at = 0; at < size; at++) {
        enum text_state before = state;
        state = next_state(state, text, at);
        if (before == IN_JSON && state == IN_BLOCK_COMMENT) {
            text[at] = ' ';
            text[++at] = ' '; /* so that its star does not close it */
        } else if (before == IN_BLOCK_COMMENT && text[at] == '*' && text[at + 1] == '/') {
            text[at] = ' ';
            text[++at] = ' ';
            state = IN_JSON;
        } else if (state > IN_ESCAPE && text[at] != '\n') {
            text[at] = ' ';
        }
    }
    return state != IN_BLOCK_COMMENT;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Comments are gone. A comma behind a value is blanked if nothing but blanks stands before the next
 * bracket. */
static void
blank_trailing_commas(char *text, size_t size)
{
    enum text_state state = IN_JSON;
    char *comma = NULL;
    char previous = '{';
    for (size_t at = 0; at < size; at++) {
        bool in_json = state == IN_JSON;
        state = next_state(state, text, at);
        if (!in_json || is_blank(text[at])) {
            continue;
        }
        if (comma != NULL && (text[at] == '}' || text[at] == ']')) {
            *comma = ' ';
        }
        comma = text[at] == ',' && strchr("{[,", previous) == NULL ? &text[at] : NULL;
        previous = text[at];
    }
}

/* The same letters in another case or without underscores: probably what was meant. */
static const char *
similar_key(const char *key)
{
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const char *a = key;
        const char *b = config_rows[i].key;
        while (*a != '\0' || *b != '\0') {
            a += strspn(a, "_");
            b += strspn(b, "_");
            if (((uint8_t)*a | 0x20) != ((uint8_t)*b | 0x20) || *a == '\0' || *b == '\0') {
                break;
            }
            a++;
            b++;
        }
        if (*a == '\0' && *b == '\0') {
            return config_rows[i].key;
        }
    }
    return NULL;
}

struct layer {
    struct config *config;
    const char *source;
    config_warn_fn *warn;
    void *warn_self;
};

static void
warn_unknown(const struct layer *layer, const char *key)
{
    char text[FAULT_TEXT_SIZE];
    const char *similar = similar_key(key);
    if (similar != NULL) {
        snprintf(text, sizeof text, "%s: unknown key %s; is %s meant?", layer->source, key,
                 similar);
    } else {
        snprintf(text, sizeof text, "%s: unknown key %s", layer->source, key);
    }
    if (layer->warn != NULL) {
        layer->warn(layer->warn_self, text);
    }
}

static bool
is_silent(const char *key)
{
    for (size_t i = 0; i < ARRAY_COUNT(silent_keys); i++) {
        if (strcmp(key, silent_keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool
option_find(const char *key, enum config_option *ret_option)
{
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        if (strcmp(key, config_rows[i].key) == 0) {
            *ret_option = (enum config_option)i;
            return true;
        }
    }
    return false;
}

/* "mysql.options": some key begins with it and a dot. */
static bool
is_section(const char *key)
{
    size_t size = strlen(key);
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        if (strncmp(key, config_rows[i].key, size) == 0 && config_rows[i].key[size] == '.') {
            return true;
        }
    }
    return false;
}

/* False if the JSON type is one that no option has. */
static bool
value_of_json(const json_t *json, struct span *elements, size_t most, struct config_value *value)
{
    *value = (struct config_value){.is_json = true};
    if (json_is_string(json)) {
        value->type = CONFIG_VALUE_TEXT;
        value->text = span_of(json_string_value(json), json_string_length(json));
    } else if (json_is_integer(json)) {
        value->type = CONFIG_VALUE_NUMBER;
        value->number = json_integer_value(json);
    } else if (json_is_boolean(json)) {
        value->type = CONFIG_VALUE_BOOL;
        value->truth = json_is_true(json);
    } else if (json_is_array(json) && json_array_size(json) <= most) {
        value->type = CONFIG_VALUE_LIST;
        value->elements = elements;
        value->element_count = json_array_size(json);
        for (size_t i = 0; i < value->element_count; i++) {
            const json_t *element = json_array_get(json, i);
            if (!json_is_string(element)) {
                return false;
            }
            elements[i] = span_of(json_string_value(element), json_string_length(element));
        }
    } else {
        return false;
    }
    return true;
}

static int
set_option(const struct layer *layer, enum config_option option, const json_t *json,
           struct fault *why)
{
    struct span elements[LIMIT_TRUST_ANCHORS];
    struct config_value value;
    if (!value_of_json(json, elements, ARRAY_COUNT(elements), &value)) {
        return config_refuse(option, layer->source, NULL, why);
    }
    return config_set(layer->config, option, &value, layer->source, why);
}

/* An object whose members are being walked, and how long the key in front of them is. */
struct section {
    json_t *object;
    void *iterator;
    size_t prefix_size;
};

struct walk {
    struct section stack[KEY_DEPTH_MAX];
    size_t depth;
    char key[KEY_SIZE_MAX];
};

static void
walk_open(struct walk *walk, json_t *object, size_t prefix_size)
{
    must(walk->depth < KEY_DEPTH_MAX); /* only sections of schema.def are opened */
    walk->stack[walk->depth++] = (struct section){
        .object = object, .iterator = json_object_iter(object), .prefix_size = prefix_size};
}

/* The next member, its dotted name in walk->key; NULL at the end. */
static json_t *
walk_next(struct walk *walk)
{
    while (walk->depth > 0) {
        struct section *top = &walk->stack[walk->depth - 1];
        if (top->iterator == NULL) {
            walk->depth--;
            continue;
        }
        const char *name = json_object_iter_key(top->iterator);
        json_t *value = json_object_iter_value(top->iterator);
        top->iterator = json_object_iter_next(top->object, top->iterator);
        snprintf(walk->key + top->prefix_size, sizeof walk->key - top->prefix_size, "%s%s",
                 top->prefix_size > 0 ? "." : "", name);
        return value;
    }
    return NULL;
}

static int
apply_member(const struct layer *layer, struct walk *walk, json_t *value, struct fault *why)
{
    enum config_option option;
    const char *last_name = walk->key + walk->stack[walk->depth - 1].prefix_size;
    bool dotted_name = strchr(last_name + (*last_name == '.'), '.') != NULL;
    if (!dotted_name && option_find(walk->key, &option)) {
        return set_option(layer, option, value, why);
    }
    if (!dotted_name && is_silent(walk->key)) {
        return 0;
    }
    if (!dotted_name && is_section(walk->key)) {
        if (!json_is_object(value)) {
            return fault_set(why, FAULT_CONFIG, "config", "%s: %s: expected an object",
                             layer->source, walk->key);
        }
        walk_open(walk, value, strlen(walk->key));
        return 0;
    }
    warn_unknown(layer, walk->key);
    return 0;
}

/* The text may hold the API key and a database's password. */
static void
free_wiped(char **text)
{
    if (*text != NULL) {
        explicit_bzero(*text, strlen(*text));
    }
    free(*text);
}

int
config_parse_json(const char *source, struct span text, json_t **ret_root, struct fault *why)
{
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        text = span_of(text.data + 3, text.size - 3); /* some editors put a byte order mark */
    }
    if (text.size > LIMIT_CONFIG_BYTES) {
        return fault_set(why, FAULT_CONFIG, "config", "%s: larger than %d bytes", source,
                         LIMIT_CONFIG_BYTES);
    }
    auto_cleanup(free_wiped) char *copy = span_dup_text(text); /* its NUL ends the look-ahead */
    if (copy == NULL) {
        return fault_set(why, FAULT_MEMORY, "config", "%s: no memory", source);
    }
    if (!blank_comments(copy, text.size)) {
        return fault_set(why, FAULT_CONFIG, "config", "%s: a comment is not closed", source);
    }
    blank_trailing_commas(copy, text.size);
    struct fault inner = {0};
    int code = json_value_parse(span_of(copy, text.size), ret_root, &inner);
    if (code != 0) {
        return fault_set(why, code == FAULT_MEMORY ? FAULT_MEMORY : FAULT_CONFIG, "config",
                         "%s: expected JSON with comments: %s", source, inner.text);
    }
    return 0;
}

int
config_apply_json(struct config *config, const char *source, struct span text, config_warn_fn *warn,
                  void *warn_self, struct fault *why)
{
    struct layer layer = {.config = config, .source = source, .warn = warn, .warn_self = warn_self};
    auto_json json_t *root = NULL;
    int code = config_parse_json(source, text, &root, why);
    if (code != 0) {
        return code;
    }
    if (!json_is_object(root)) {
        return fault_set(why, FAULT_CONFIG, "config", "%s: expected a JSON object", source);
    }
    struct walk walk = {0};
    walk_open(&walk, root, 0);
    for (json_t *value = walk_next(&walk); value != NULL && code == 0; value = walk_next(&walk)) {
        code = apply_member(&layer, &walk, value, why);
    }
    return code;
}
