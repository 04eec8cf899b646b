/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines: one write each, foreign bytes cannot forge one, a full disk ends nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

static char folder[64];
static char path[128];
static struct buf content = {.size_max = 1 << 20};

static int
make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/pccs-log-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/logs/pccs_server.log", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    char other[160];
    log_close();
    snprintf(other, sizeof other, "%s.1", path);
    unlink(other);
    unlink(path);
    snprintf(other, sizeof other, "%s/logs", folder);
    rmdir(other);
    buf_done(&content);
    return rmdir(folder);
}

static void
open_log(bool json, enum log_level level)
{
    struct fault why = {0};
    struct log_options options = {.level = level, .json = json, .path = path};
    assert_int_equal(log_open(&options, &why), 0);
}

static const char *
read_log(const char *from)
{
    struct fault why = {0};
    buf_clear(&content);
    assert_int_equal(file_read(from, &content, &why), 0);
    return buf_text(&content);
}

/* The log's only line, behind its time stamp, whose form is checked here. */
static const char *
only_line(size_t before_time, const char *behind_time)
{
    const char *text = read_log(path);
    const char *newline = strchr(text, '\n');
    assert_non_null(newline);
    assert_int_equal(newline[1], '\0');
    const char *time = text + before_time;
    const char *form = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; form[i] != '\0'; i++) {
        assert_true(form[i] == 'd' ? time[i] >= '0' && time[i] <= '9' : time[i] == form[i]);
    }
    time += strlen(form);
    assert_memory_equal(time, behind_time, strlen(behind_time));
    return time + strlen(behind_time);
}

static void
test_foreign_text_cannot_forge_a_line_or_a_field(void **state)
{
    open_log(false, LOG_INFO);
    log_event(LOG_EVENT_REQUEST_REFUSED, NULL,
              LOG_TEXT("a", "x\n2025-01-01T00:00:00Z info start y=1"),
              LOG_SPAN("b", span_of("\x1b[2J\0\xc3\xa4", 7)), LOG_TEXT("c", "x=1 y"),
              LOG_TEXT("d", "q\"\\"), LOG_TEXT("e", ""));
    assert_string_equal(only_line(0, " info request-refused "),
                        "a=\"x\\n2025-01-01T00:00:00Z info start y=1\" "
                        "b=\"\\x1b[2J\\x00\\xc3\\xa4\" c=\"x=1 y\" d=\"q\\\"\\\\\" e=\"\"\n");
}

static void
test_plain_values_are_not_quoted(void **state)
{
    struct fault why = {0};
    open_log(false, LOG_INFO);
    fault_set_number(&why, FAULT_CHAIN, "chain", 20, "no issuer");
    log_event(LOG_EVENT_COLLATERAL_UNPROVEN, "0123456789abcdef", LOG_NUMBER("port", -8081),
              LOG_TEXT("key", "tcb/SGX/4/STANDARD/00906EA10000"), LOG_TEXT("none", NULL),
              LOG_FAULT(&why));
    assert_string_equal(only_line(0, " error collateral-unproven "),
                        "request_id=0123456789abcdef port=-8081 "
                        "key=tcb/SGX/4/STANDARD/00906EA10000 fault=chain stage=chain number=20 "
                        "reason=\"no issuer\"\n");
}

static void
test_lines_that_name_no_request_get_that_of_their_thread(void **state)
{
    open_log(false, LOG_INFO);
    log_for_request("of-the-thread");
    log_event(LOG_EVENT_ROW_UNPROVEN, NULL, LOG_NUMBER("n", 1));
    assert_string_equal(only_line(0, " error row-unproven "), "request_id=of-the-thread n=1\n");
    unlink(path);
    open_log(false, LOG_INFO);
    log_event(LOG_EVENT_ROW_UNPROVEN, "own", LOG_NUMBER("n", 1));
    assert_string_equal(only_line(0, " error row-unproven "), "request_id=own n=1\n");
    unlink(path);
    open_log(false, LOG_INFO);
    log_for_request(NULL);
    log_event(LOG_EVENT_ROW_UNPROVEN, NULL, LOG_NUMBER("n", 1));
    assert_string_equal(only_line(0, " error row-unproven "), "n=1\n");
}

/* What a child, whose standard error is a file, writes with JOURNAL_STREAM as given or, if NULL, as
 * it should be. */
static const char *
log_to_journal(const char *stream)
{
    char other[160], own[64];
    snprintf(other, sizeof other, "%s/stderr", folder);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        struct stat seen;
        fstat(fd, &seen);
        snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)seen.st_dev,
                 (unsigned long long)seen.st_ino);
        setenv("JOURNAL_STREAM", stream != NULL ? stream : own, 1);
        dup2(fd, STDERR_FILENO);
        struct fault why = {0};
        struct log_options options = {.level = LOG_DEBUG, .json = true, .path = "-"};
        if (log_open(&options, &why) == 0) {
            log_event(LOG_EVENT_STORE_FAILED, NULL, LOG_NUMBER("n", 1));
            log_event(LOG_EVENT_CEILING, NULL, LOG_NUMBER("n", 2));
            log_event(LOG_EVENT_REQUEST, NULL, LOG_NUMBER("n", 3));
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    const char *text = read_log(other);
    unlink(other);
    return text;
}

static void
test_the_journal_is_told_the_priority_of_each_line(void **state)
{
    const char *text = log_to_journal(NULL);
    assert_memory_equal(text, "<3>{\"time\":", 11);
    assert_non_null(strstr(text, "\n<4>{"));
    assert_non_null(strstr(text, "\n<6>{"));
}

static void
test_nobody_else_is_told_it(void **state)
{
    assert_null(strstr(log_to_journal("1:1"), "<"));
    assert_null(strstr(log_to_journal(""), "<"));
}

static void
test_json_stays_json_whatever_comes_in(void **state)
{
    open_log(true, LOG_INFO);
    log_event(LOG_EVENT_STORE_FAILED, "id", LOG_NUMBER("n", INT64_MIN),
              LOG_SPAN("s", span_of("\"\\\n\x01\x7f\0\xc3\xa4\xff\xc3", 10)));
    assert_string_equal(only_line(9, "\",\"level\":\"error\",\"event\":\"store-failed\""),
                        ",\"request_id\":\"id\",\"n\":-9223372036854775808,"
                        "\"s\":\"\\\"\\\\\\n\\u0001\\u007f\\u0000\xc3\xa4\\ufffd\\ufffd\"}\n");
}

static void
test_a_line_has_a_ceiling_and_says_what_it_lost(void **state)
{
    char large[3000];
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    for (int json = 0; json < 2; json++) {
        unlink(path);
        open_log(json == 1, LOG_INFO);
        log_event(LOG_EVENT_START, NULL, LOG_TEXT("a", large), LOG_TEXT("b", large),
                  LOG_TEXT("c", large), LOG_TEXT("d", large), LOG_TEXT("last", "z"));
        const char *line = read_log(path);
        assert_true(content.size <= 4096);
        assert_non_null(strstr(line, "aaa...\""));
        assert_null(strstr(line, json == 1 ? "\"d\":" : " d="));
        assert_non_null(
            strstr(line, json == 1 ? ",\"last\":\"z\",\"cut\":1}\n" : " last=z cut=1\n"));
    }
}

static void
test_levels_silence_what_is_below(void **state)
{
    open_log(false, LOG_WARN);
    log_event(LOG_EVENT_START, NULL, LOG_NUMBER("port", 1));
    assert_string_equal(read_log(path), "");
    log_set_level(LOG_HTTP);
    assert_true(log_is_on(LOG_HTTP));
    assert_false(log_is_on(LOG_DEBUG));
    log_event(LOG_EVENT_REQUEST, NULL, LOG_NUMBER("code", 200));
    assert_non_null(strstr(read_log(path), " http request code=200\n"));
}

static void
test_knows_the_level_words_of_the_reference(void **state)
{
    static const struct {
        const char *word;
        enum log_level level;
    } words[] = {{"error", LOG_ERROR}, {"warn", LOG_WARN},   {"INFO", LOG_INFO},
                 {"http", LOG_HTTP},   {"debug", LOG_DEBUG}, {"verbose", LOG_DEBUG},
                 {"silly", LOG_DEBUG}};
    enum log_level level = LOG_WARN;
    assert_false(log_level_parse(span_of_text(""), &level));
    assert_false(log_level_parse(span_of_text("warning"), &level));
    assert_false(log_level_parse(span_of_text("info "), &level));
    assert_int_equal(level, LOG_WARN);
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        assert_true(log_level_parse(span_of_text(words[i].word), &level));
        assert_int_equal(level, words[i].level);
    }
}

static void
test_reopening_follows_a_rotation(void **state)
{
    char rotated[160];
    struct fault why = {0};
    snprintf(rotated, sizeof rotated, "%s.1", path);
    open_log(false, LOG_INFO);
    log_event(LOG_EVENT_START, NULL, LOG_NUMBER("n", 1));
    assert_int_equal(rename(path, rotated), 0);
    log_event(LOG_EVENT_START, NULL, LOG_NUMBER("n", 2));
    assert_int_equal(log_reopen(&why), 0);
    log_event(LOG_EVENT_START, NULL, LOG_NUMBER("n", 3));
    assert_non_null(strstr(read_log(rotated), "n=2\n"));
    assert_null(strstr(buf_text(&content), "n=3"));
    assert_non_null(strstr(read_log(path), "n=3\n"));
    assert_null(strstr(buf_text(&content), "n=2"));
}

static void
test_a_failed_reopening_keeps_the_old_file(void **state)
{
    char rotated[160];
    struct fault why = {0};
    snprintf(rotated, sizeof rotated, "%s.1", path);
    open_log(false, LOG_INFO);
    assert_int_equal(rename(path, rotated), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(log_reopen(&why), FAULT_IO);
    log_event(LOG_EVENT_START, NULL, LOG_NUMBER("n", 1));
    assert_non_null(strstr(read_log(rotated), "n=1\n"));
    rmdir(path);
}

static void
test_refuses_a_file_that_cannot_be_opened(void **state)
{
    struct fault why = {0};
    struct log_options options = {.level = LOG_INFO, .path = "/proc/none/such/file"};
    assert_int_equal(log_open(&options, &why), FAULT_IO);
    assert_true(why.number != 0);
}

/* A process of its own: the limit on file sizes plays the full disk. */
static int
log_on_a_full_disk(void)
{
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 5; i++) {
        log_event(LOG_EVENT_START, NULL, LOG_NUMBER("early", i));
    }
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    log_event(LOG_EVENT_START, NULL, LOG_NUMBER("late", 1));
    return 0;
}

static void
test_a_full_disk_loses_lines_only_and_says_how_many(void **state)
{
    open_log(false, LOG_INFO);
    pid_t child = fork();
    if (child == 0) {
        _exit(log_on_a_full_disk());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    const char *text = read_log(path);
    assert_non_null(strstr(text, " early=0\n"));
    assert_null(strstr(text, "early=4"));
    /* two lines of some 50 bytes fit, or one and a torn one; the last stands on a line of its own
     */
    const char *late = strstr(text, " late=1\n");
    assert_non_null(late);
    const char *lost = strstr(text, "start lost=");
    assert_non_null(lost);
    assert_int_equal(late[8], '\0');
    while (lost > text && lost[-1] != '\n') {
        lost--;
    }
    assert_int_equal(lost[4], '-'); /* the year: nothing torn stands before it */
}

static void
test_a_reader_that_is_gone_ends_nothing(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        int ends[2];
        struct fault why = {0};
        struct log_options options = {.level = LOG_INFO, .path = "-"};
        signal(SIGPIPE, SIG_DFL);
        if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0 || log_open(&options, &why) != 0) {
            _exit(1);
        }
        close(ends[0]);
        log_event(LOG_EVENT_START, NULL, LOG_NUMBER("n", 1));
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

enum { THREADS = 4, LINES_PER_THREAD = 200 };

static void *
write_lines(void *unused)
{
    for (int i = 0; i < LINES_PER_THREAD; i++) {
        log_event(LOG_EVENT_START, NULL, LOG_TEXT("x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    }
    return NULL;
}

static void
test_lines_of_threads_do_not_mix(void **state)
{
    pthread_t threads[THREADS];
    open_log(false, LOG_INFO);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
    }
    struct fault why = {0};
    assert_int_equal(log_reopen(&why), 0); /* under way */
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    const char *text = read_log(path);
    unsigned lines = 0;
    size_t line_size = strcspn(text, "\n");
    for (; *text != '\0'; text += line_size + 1, lines++) {
        assert_int_equal(strcspn(text, "\n"), line_size);
    }
    assert_int_equal(lines, THREADS * LINES_PER_THREAD);
}

static void
test_every_event_has_a_word_of_its_own(void **state)
{
    for (unsigned i = 0; i < LOG_EVENT_COUNT; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(log_event_word(i), log_event_word(j));
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_foreign_text_cannot_forge_a_line_or_a_field),
        TEST(test_plain_values_are_not_quoted),
        TEST(test_json_stays_json_whatever_comes_in),
        TEST(test_a_line_has_a_ceiling_and_says_what_it_lost),
        TEST(test_levels_silence_what_is_below),
        cmocka_unit_test(test_knows_the_level_words_of_the_reference),
        TEST(test_reopening_follows_a_rotation),
        TEST(test_a_failed_reopening_keeps_the_old_file),
        cmocka_unit_test(test_refuses_a_file_that_cannot_be_opened),
        TEST(test_a_full_disk_loses_lines_only_and_says_how_many),
        cmocka_unit_test(test_a_reader_that_is_gone_ends_nothing),
        TEST(test_lines_of_threads_do_not_mix),
        TEST(test_lines_that_name_no_request_get_that_of_their_thread),
        TEST(test_the_journal_is_told_the_priority_of_each_line),
        TEST(test_nobody_else_is_told_it),
        cmocka_unit_test(test_every_event_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
