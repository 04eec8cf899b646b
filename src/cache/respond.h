/* SPDX-License-Identifier: BSD-3-Clause */
/* Renders what is proven into finished responses: header names, encodings, ETag (api.md). */
#ifndef CACHE_RESPOND_H
#define CACHE_RESPOND_H

#include "cache/response.h"
#include "collateral/proven.h"
#include "request/request.h"

/* The response to a GET of a proven item (any kind but ITEM_PCK). NULL if memory ran out. */
struct response *respond_item(const struct proven *proven, enum crl_encoding encoding);
/* The response to a pckcert: one certificate of a proven platform. fresh_until: INT64_MAX, or when
 * to ask the PCS again. */
struct response *respond_pck(const struct proven *proven, const struct proven_pck *pck,
                             int64_t fresh_until);
/* 200 with a text ("Operation successful."): success of POST, PUT, refresh. */
struct response *respond_done(void);
struct response *respond_text(struct span text);
/* The answer to GET appraisalpolicy: cacheable text. */
struct response *respond_policies(struct span policies);
/* 200 with JSON; extra_head may be NULL. */
struct response *respond_json(struct span json, const char *extra_head);
int respond_status(enum fault_code code);

#endif
