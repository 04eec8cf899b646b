/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of states, and the list that a diagnosis is.
 *
 * Takes a state and what was seen; gives the constant texts of platform_state.def. Any thread; a
 * list belongs to one function. Must never hand on a byte that is not printable.
 * tools.md, PCKIDRetrievalTool (the state of the machine is told apart).
 */
#include "platform/platform_state.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *word, *means, *cure;
} states[STATE_COUNT] = {
#define PLATFORM_STATE(name, word, means, cure) [STATE_##name] = {word, means, cure},
#include "platform/platform_state.def"
#undef PLATFORM_STATE
};

const char *
platform_state_word(enum platform_state state)
{
    return states[state].word;
}

const char *
platform_state_means(enum platform_state state)
{
    return states[state].means;
}

const char *
platform_state_cure(enum platform_state state)
{
    return states[state].cure;
}

void
findings_add(struct findings *findings, enum platform_state state, const char *format, ...)
{
    if (findings->count == FINDINGS_MAX) {
        return;
    }
    struct finding *finding = &findings->list[findings->count++];
    finding->state = state;
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(finding->seen, sizeof finding->seen, format, arguments) < 0) {
        finding->seen[0] = '\0';
    }
    va_end(arguments);
    for (char *c = finding->seen; *c != '\0'; c++) {
        *c = *c < 0x20 || *c > 0x7e ? '?' : *c;
    }
}
