/* SPDX-License-Identifier: BSD-3-Clause */
/* A configuration file: applied, checked, printed; what was checked stays good. */
#include "base/mem.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ignore(void *self, const char *text)
{
    *(size_t *)self += strlen(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct fault why;
    struct buf b = BUF_INIT(1024 * 1024);
    size_t warned = 0;
    config_init(&config);
    if (config_apply_json(&config, "fuzz", span_of(data, size), ignore, &warned, &why) == 0 &&
        config_check(&config, &why) == 0) {
        must(config_check(&config, &why) == 0);
        must(config_print(&config, &b) == 0);
    }
    buf_done(&b);
    config_done(&config);
    return 0;
}
