/* SPDX-License-Identifier: BSD-3-Clause */
/* The bodies of PUT appraisalpolicy and POST platforms/ack, and a Content-Type. */
#include <stdlib.h>

#include "request/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_of(data, size);
    struct header type = {.name = span_of_text("Content-Type"), .value = body};
    struct policy_upload upload;
    struct ack_row *rows = NULL;
    size_t count = 0;
    struct fault why;
    if (policy_upload_parse(body, &upload, &why) == 0) {
        policy_upload_done(&upload);
    }
    if (ack_parse(body, &rows, &count, &why) == 0) {
        free(rows);
    }
    (void)!request_check_body_headers(&type, 1, &why);
    return 0;
}
