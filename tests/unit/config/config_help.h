/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of this room share: one layer in, the refusal's text out. */
#ifndef TESTS_CONFIG_HELP_H
#define TESTS_CONFIG_HELP_H

#include <stdio.h>
#include <string.h>

#include "config/config.h"

struct warnings {
    char text[2048];
    int count;
};

static inline void
keep_warning(void *self, const char *text)
{
    struct warnings *warnings = self;
    size_t at = strlen(warnings->text);
    snprintf(warnings->text + at, sizeof warnings->text - at, "%s\n", text);
    warnings->count++;
}

/* Applies a JSON text to the defaults; the caller calls config_done. */
static inline int
apply(struct config *config, const char *text, struct warnings *warnings, struct fault *why)
{
    config_init(config);
    return config_apply_json(config, "test.json", span_of_text(text),
                             warnings != NULL ? keep_warning : NULL, warnings, why);
}

/* Refused with FAULT_CONFIG, and the text has all the words (up to three). */
static inline bool
is_refused(const char *text, const char *word, const char *second, const char *third)
{
    struct config config;
    struct fault why = {0};
    int code = apply(&config, text, NULL, &why);
    config_done(&config);
    return code == FAULT_CONFIG && why.code == FAULT_CONFIG && strstr(why.text, word) != NULL &&
           strstr(why.text, second) != NULL && strstr(why.text, third) != NULL;
}

#endif
