/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks a human, and only a human: where standard input is no terminal nothing is asked, and the
 * fault says which option or variable would have answered (tools.md, All).
 * Takes questions, written to standard error so that standard output stays for results; gives
 * answers. Called by the commands, on the main thread.
 * Must never leave the terminal without echo, also when interrupted.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "pccsadmin/admin.h"

static struct termios echo_on; /* for the signal handler; written before it is installed */

bool
ask_is_possible(void)
{
    return isatty(STDIN_FILENO) == 1;
}

static int
read_line(struct buf *answer, struct fault *why)
{
    uint8_t byte = 0;
    ssize_t count = 0;
    while (answer->failed == 0) {
        count = read(STDIN_FILENO, &byte, 1);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count != 1 || byte == '\n') {
            break;
        }
        buf_add_byte(answer, byte);
    }
    if (answer->failed != 0) {
        return fault_set(why, FAULT_INPUT, "ask", "the answer is longer than %zu bytes",
                         answer->size_max);
    }
    if (count != 1 && answer->size == 0) {
        return fault_set(why, FAULT_INPUT, "ask",
                         "the input ended before the question was answered");
    }
    return 0;
}

int
ask_line(const char *question, struct buf *answer, struct fault *why)
{
    fflush(stdout);
    fputs(question, stderr);
    fflush(stderr);
    return read_line(answer, why);
}

bool
ask_yes(const char *question)
{
    for (;;) {
        struct buf answer = BUF_INIT(16);
        int failed = ask_line(question, &answer, NULL);
        bool is_yes =
            span_is_nocase(buf_span(&answer), "y") || span_is_nocase(buf_span(&answer), "yes");
        bool is_no =
            span_is_nocase(buf_span(&answer), "n") || span_is_nocase(buf_span(&answer), "no");
        bool is_over = failed != 0 && answer.failed == 0;
        buf_done(&answer);
        if (is_yes || is_no || is_over) {
            return is_yes;
        }
    }
}

static void
restore_and_die(int number)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &echo_on);
    signal(number, SIG_DFL);
    raise(number);
}

int
ask_secret(const char *question, struct buf *answer, struct fault *why)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    struct sigaction action = {.sa_handler = restore_and_die};
    struct sigaction kept[COUNT];
    if (tcgetattr(STDIN_FILENO, &echo_on) != 0) {
        return fault_set_number(why, FAULT_IO, "ask", errno, "cannot turn the terminal's echo off");
    }
    struct termios echo_off = echo_on;
    echo_off.c_lflag &= ~(tcflag_t)ECHO;
    for (int i = 0; i < COUNT; i++) {
        sigaction(numbers[i], &action, &kept[i]);
    }
    int failed =
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &echo_off) != 0
            ? fault_set_number(why, FAULT_IO, "ask", errno, "cannot turn the terminal's echo off")
            : ask_line(question, answer, why);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &echo_on);
    fputc('\n', stderr);
    for (int i = 0; i < COUNT; i++) {
        sigaction(numbers[i], &kept[i], NULL);
    }
    return failed;
}

int
ask_overwrite(const struct arguments *args, const char *path, struct fault *why)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return 0; /* what else is wrong with it, writing tells */
    }
    if (!S_ISREG(status.st_mode)) {
        return fault_set(why, FAULT_CONFIG, "file", "%s exists and is no regular file", path);
    }
    if (arguments_have(args, ADMIN_OVERWRITE) || arguments_have(args, ADMIN_YES)) {
        return 0;
    }
    if (!ask_is_possible()) {
        return fault_set(why, FAULT_CONFIG, "file",
                         "%s exists; --overwrite replaces it, another name keeps it", path);
    }
    char question[512];
    snprintf(question, sizeof question, "File %.400s already exists. Overwrite? (y/n) ", path);
    return ask_yes(question)
               ? 0
               : fault_set(why, FAULT_CONFIG, "file", "%s was left as it is: nothing done", path);
}
