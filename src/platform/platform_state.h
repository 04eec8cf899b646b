/* SPDX-License-Identifier: BSD-3-Clause */
/* The states of a server that the tool tells apart, and a finding: a state with what was seen. */
#ifndef PLATFORM_PLATFORM_STATE_H
#define PLATFORM_PLATFORM_STATE_H

enum platform_state {
#define PLATFORM_STATE(name, word, means, cure) STATE_##name,
#include "platform/platform_state.def"
#undef PLATFORM_STATE
    STATE_COUNT
};

enum { FINDING_SEEN_SIZE = 512, FINDINGS_MAX = 8 };

struct finding {
    enum platform_state state;
    char seen[FINDING_SEEN_SIZE]; /* one line of what was seen on this machine */
};

struct findings {
    struct finding list[FINDINGS_MAX];
    unsigned count;
};

/* "manifest-waiting". */
const char *platform_state_word(enum platform_state state);
const char *platform_state_means(enum platform_state state);
const char *platform_state_cure(enum platform_state state);

/* The next finding; what does not fit any more is dropped, the first ones being the causes. Foreign
 * bytes are made printable. */
void findings_add(struct findings *findings, enum platform_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
