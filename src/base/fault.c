/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making of faults: a code, where it happened, one printable line.
 * Takes a format and its arguments, which may hold foreign bytes (and may point into the very
 * fault that is being set); gives the code back, so that a refusal is one line.
 * Any room, any thread; the fault belongs to the caller.
 * Must never let a byte into the text that is not printable ASCII: texts go to logs and into the
 * header PCCS-Error-Detail (api.md, Status codes).
 */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char *const fault_words[] = {
    [FAULT_NONE] = "none",
#define FAULT(name, word) [FAULT_##name] = word,
#include "base/fault.def"
#undef FAULT
};

static void
text_make_printable(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
}

static void __attribute__((format(printf, 5, 0)))
fault_fill(struct fault *why, enum fault_code code, const char *stage, long number,
           const char *format, va_list arguments)
{
    if (why == NULL) {
        return;
    }
    /* aside first: an argument may be why->text */
    char text[FAULT_TEXT_SIZE];
    int size = vsnprintf(text, sizeof text, format, arguments);
    if (size < 0) {
        text[0] = '\0';
    } else if ((size_t)size >= sizeof text) {
        memcpy(text + sizeof text - 4, "...", 4);
    }
    text_make_printable(text);
    why->code = code;
    why->stage = stage != NULL ? stage : "";
    why->number = number;
    memcpy(why->text, text, sizeof text);
}

int
fault_set(struct fault *why, enum fault_code code, const char *stage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fault_fill(why, code, stage, 0, format, arguments);
    va_end(arguments);
    return (int)code;
}

int
fault_set_number(struct fault *why, enum fault_code code, const char *stage, long number,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fault_fill(why, code, stage, number, format, arguments);
    va_end(arguments);
    return (int)code;
}

int
fault_recode(struct fault *why, enum fault_code code)
{
    if (why != NULL) {
        why->code = code;
    }
    return (int)code;
}

const char *
fault_word(int code)
{
    if (code < 0 || (size_t)code >= ARRAY_COUNT(fault_words)) {
        return "unknown";
    }
    return fault_words[code];
}
