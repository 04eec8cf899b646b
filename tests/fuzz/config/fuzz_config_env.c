/* SPDX-License-Identifier: BSD-3-Clause */
/* An environment: a variable a line; the input is every file too. */
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
read_all(void *self, const char *path, struct buf *b, struct fault *why)
{
    (void)path;
    (void)why;
    return buf_add(b, *(struct span *)self);
}

static void
ignore(void *self, const char *text)
{
    *(size_t *)self += strlen(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { VARIABLES = 32 };
    struct span input = span_of(data, size);
    char *text = span_dup_text(input);
    char *environment[VARIABLES + 1] = {0};
    char *rest = text;
    for (int i = 0; text != NULL && i < VARIABLES && rest != NULL; i++) {
        environment[i] = strsep(&rest, "\n");
    }
    struct config config;
    struct fault why;
    size_t warned = 0;
    config_init(&config);
    if (config_apply_environment(&config, environment, read_all, &input, &why) == 0) {
        (void)!config_check(&config, &why);
    }
    config_warn_environment(environment, ignore, &warned);
    config_done(&config);
    free(text);
    return 0;
}
