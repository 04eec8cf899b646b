/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions to a human at a terminal; nobody else is ever asked. */
#ifndef PCKID_PCKID_ASK_H
#define PCKID_PCKID_ASK_H

#include "base/buf.h"

bool pckid_can_ask(void); /* standard input is a terminal */
/* Yes or no; an end of input is a no. */
bool pckid_ask_yes(const char *question);
/* A line of standard input without its end, appended to answer; the question only at a terminal,
 * there without echo if is_secret. FAULT_INPUT if there is none, or if it is longer than fits. */
int pckid_ask_line(const char *question, bool is_secret, struct buf *answer,
                   struct fault *why) must_check;

#endif
