/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks a human at the terminal: yes or no, a platform id, a token without echo.
 *
 * Takes a question; gives the answer. The program's only thread. Must never ask when standard input
 * is no terminal, nor leave the terminal without echo: a signal in the meantime puts it back.
 *
 * tools.md, All (nothing is ever asked when standard input is not a terminal).
 */
#include "pckid/pckid_ask.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"

static struct termios terminal_before; /* written before the handlers are set, then only read */

bool
pckid_can_ask(void)
{
    return isatty(STDIN_FILENO) == 1;
}

/* Byte by byte: what follows the line is somebody else's. */
static int
line_read(struct buf *answer, struct fault *why)
{
    bool has_any = false;
    for (;;) {
        uint8_t byte;
        ssize_t count = read(STDIN_FILENO, &byte, 1);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0 || byte == '\n') {
            has_any |= count > 0;
            break;
        }
        has_any = true;
        int rc = buf_add_byte(answer, byte);
        if (rc != 0) {
            return fault_set(why, (enum fault_code)rc, "ask", "the answer is too long");
        }
    }
    return has_any ? 0 : fault_set(why, FAULT_INPUT, "ask", "there is no answer");
}

bool
pckid_ask_yes(const char *question)
{
    auto_cleanup(buf_done) struct buf answer = BUF_INIT(64);
    if (!pckid_can_ask()) {
        return false;
    }
    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    return line_read(&answer, NULL) == 0 && answer.size > 0 &&
           (answer.data[0] == 'y' || answer.data[0] == 'Y');
}

static void
on_signal(int number)
{
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    (void)raise(number); /* the handler was reset: now it ends the program */
}

static void
question_show(const char *question)
{
    fprintf(stderr, "%s: ", question);
    fflush(stderr);
}

/* The echo goes before the question comes: what is typed early is neither shown nor lost. */
static int
secret_read(const char *question, struct buf *answer, struct fault *why)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction before[ARRAY_COUNT(signals)];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    if (tcgetattr(STDIN_FILENO, &terminal_before) != 0) {
        return fault_set(why, FAULT_IO, "ask", "the terminal's echo cannot be switched off");
    }
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
        (void)sigaction(signals[i], &action, &before[i]);
    }
    struct termios silent = terminal_before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    int rc = fault_set(why, FAULT_IO, "ask", "the terminal's echo cannot be switched off");
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &silent) == 0) {
        question_show(question);
        rc = line_read(answer, why);
    }
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_before);
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
        (void)sigaction(signals[i], &before[i], NULL);
    }
    fputc('\n', stderr);
    return rc;
}

int
pckid_ask_line(const char *question, bool is_secret, struct buf *answer, struct fault *why)
{
    if (!pckid_can_ask()) {
        return line_read(answer, why);
    }
    if (is_secret) {
        return secret_read(question, answer, why);
    }
    question_show(question);
    return line_read(answer, why);
}
