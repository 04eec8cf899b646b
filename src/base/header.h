/* SPDX-License-Identifier: BSD-3-Clause */
/* One HTTP header field, as the server and the request room both see it. */
#ifndef BASE_HEADER_H
#define BASE_HEADER_H

#include "base/span.h"

struct header {
    struct span name;  /* as received */
    struct span value; /* without surrounding blanks */
};

/* The first field of that name (any case); false if there is none. */
bool header_find(const struct header *headers, size_t count, const char *name,
                 struct span *ret_value);

#endif
