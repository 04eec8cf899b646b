/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON as Python's json.dump writes it, which is how Intel's tools write their files. */
#ifndef PCCSADMIN_JSON_STYLE_H
#define PCCSADMIN_JSON_STYLE_H

#include "base/buf.h"

/* Appends a value that json_check has passed: ", " and ": " between, ASCII only, nothing else
 * changed. */
int json_style_add(struct buf *b, struct span value) must_check;
/* Appends a text as a JSON string, ASCII only. */
int json_style_add_text(struct buf *b, struct span text);

#endif
