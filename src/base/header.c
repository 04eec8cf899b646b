/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking up a header field by its name.
 * Takes the fields as the server parsed them, gives the value of the first that matches; names are
 * compared without regard to case (RFC 9110, 5.1).
 * Called by the server and the request room, on a loop's thread. The spans point into the bytes of
 * the request. Must never judge what a second field of the same name means: the server has refused
 * the dangerous ones.
 */
#include "base/header.h"

bool
header_find(const struct header *headers, size_t count, const char *name, struct span *ret_value)
{
    struct span wanted = span_of_text(name);
    for (size_t i = 0; i < count; i++) {
        if (headers[i].name.size == wanted.size && span_equal_nocase(headers[i].name, wanted)) {
            *ret_value = headers[i].value;
            return true;
        }
    }
    return false;
}
