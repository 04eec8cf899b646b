/* SPDX-License-Identifier: BSD-3-Clause */
/* Percent encoding as JavaScript's encodeURIComponent has it (api.md, Transport). */
#ifndef BASE_URL_H
#define BASE_URL_H

#include "base/buf.h"

/* Appends text with everything but A-Z a-z 0-9 - _ . ! ~ * ' ( ) as %XX, upper case. */
int url_add_encoded(struct buf *b, struct span text);
/* Appends the decoded text. FAULT_INPUT on a '%' without two hex digits. '+' stays '+'. */
int url_add_decoded(struct buf *b, struct span text);

/* An absolute URL taken apart, without any normalisation; spans point into the URL. FAULT_INPUT if
 * it is not http(s)://host[:port]/..., has user information, white space, control bytes or a
 * fragment. */
struct url_parts {
    bool https;
    struct span host; /* without brackets for IPv6 */
    uint16_t port;    /* 80 or 443 if absent */
    struct span path; /* from the first '/', with the query; "/" span may be empty if absent */
};
int url_split(struct span url, struct url_parts *ret_parts);
/* localhost, 127.0.0.0/8, ::1. */
bool url_host_is_loopback(struct span host);

#endif
