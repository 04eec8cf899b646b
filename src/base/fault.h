/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults: what went wrong, as a code from one table (fault.def) and a line for a human.
 *
 * A function that can fail returns 0 or an enum fault_code (as int), and takes a caller-owned
 * struct fault *why as its very last argument where detail matters; why may be NULL. Outputs
 * (ret_*) are untouched on failure.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stddef.h>

enum fault_code {
    FAULT_NONE = 0,
#define FAULT(name, word) FAULT_##name,
#include "base/fault.def"
#undef FAULT
    FAULT_COUNT
};

enum { FAULT_TEXT_SIZE = 256 };

struct fault {
    enum fault_code code;
    const char *stage;          /* a literal: "tls", "parse", "chain", "store" ...; never NULL
                                   once set */
    long number;                /* errno, OpenSSL, libcurl or SQL number; an HTTP status; or 0 */
    char text[FAULT_TEXT_SIZE]; /* one line, printable ASCII, no secrets; the clause or rule is
                                   named in it */
};

#define must_check __attribute__((warn_unused_result))

/* Sets *why (if not NULL) and returns code, so that a refusal is one line:
 *     return fault_set(why, FAULT_INPUT, "parse", "fmspc has %zu characters, not 12", n);
 * Foreign bytes in the text are replaced by '?' where not printable ASCII; too long text is cut
 * with "..." at its end. */
int fault_set(struct fault *why, enum fault_code code, const char *stage, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* As fault_set, with the foreign number. */
int fault_set_number(struct fault *why, enum fault_code code, const char *stage, long number,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Changes the code of an already set fault, keeps the text, returns the code. */
int fault_recode(struct fault *why, enum fault_code code);

/* The word of a code: "not-found". Never NULL. */
const char *fault_word(int code);

#endif
