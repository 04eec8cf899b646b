/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the command line: which options stand there, with which values.
 *
 * Takes argv; gives presence and value per option of pckid_option.def, or what is wrong. Called
 * once, by main. Must never match a part of an option's name (-foo is not -f), nor take an option
 * for the value of another.
 *
 * tools.md, PCKIDRetrievalTool; Intel's tool for the options with one dash.
 */
#include "pckid/pckid_options.h"

#include <string.h>

#include "base/mem.h"

static const struct {
    const char *word, *argument, *meaning;
} options[PCKID_OPTION_COUNT] = {
#define PCKID_OPTION(id, word, argument, meaning) [PCKID_##id] = {word, argument, meaning},
#include "pckid/pckid_option.def"
#undef PCKID_OPTION
};

/* The option that the first size bytes of word name; PCKID_OPTION_COUNT if none. */
static enum pckid_option
option_find(const char *word, size_t size)
{
    static const char *const helps[] = {"-help", "-?", "--help"};
    for (size_t i = 0; i < ARRAY_COUNT(helps); i++) {
        if (strlen(helps[i]) == size && memcmp(helps[i], word, size) == 0) {
            return PCKID_HELP;
        }
    }
    int found = 0;
    while (found < PCKID_OPTION_COUNT &&
           (strlen(options[found].word) != size || memcmp(options[found].word, word, size) != 0)) {
        found++;
    }
    return (enum pckid_option)found;
}

/* "--name=value" in one word, for ours. */
static char *
inline_value(char *word)
{
    char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    return equals != NULL ? equals + 1 : NULL;
}

static int
option_take(char **argv, int argc, int *at, struct pckid_options *ret, struct fault *why)
{
    char *word = argv[*at];
    char *value = inline_value(word);
    size_t size = value != NULL ? (size_t)(value - word) - 1 : strlen(word);
    enum pckid_option option = option_find(word, size);
    if (option == PCKID_OPTION_COUNT) {
        return fault_set(why, FAULT_INPUT, "usage", "%s is no option", word);
    }
    const char *argument = options[option].argument;
    if (argument == NULL && value != NULL) {
        return fault_set(why, FAULT_INPUT, "usage", "%s takes no value", options[option].word);
    }
    bool has_next = *at + 1 < argc && argv[*at + 1][0] != '-';
    if (argument != NULL && value == NULL && has_next) {
        value = argv[++*at];
    }
    bool is_optional = argument != NULL && argument[0] == '[';
    if (argument != NULL && !is_optional && (value == NULL || value[0] == '\0')) {
        return fault_set(why, FAULT_INPUT, "usage", "%s needs a value: %s", options[option].word,
                         argument);
    }
    ret->is_given[option] = true;
    ret->values[option] = value;
    return 0;
}

int
pckid_options_parse(int argc, char **argv, struct pckid_options *ret_options, struct fault *why)
{
    struct pckid_options parsed = {.is_given = {false}};
    for (int at = 1; at < argc; at++) {
        int rc = option_take(argv, argc, &at, &parsed, why);
        if (rc != 0) {
            return rc;
        }
    }
    *ret_options = parsed;
    return 0;
}

void
pckid_options_help(FILE *out)
{
    fputs("usage: PCKIDRetrievalTool [-f FILE] [-url BASE] [OPTION...]\n"
          "       PCKIDRetrievalTool --send FILE -url BASE [OPTION...]\n\n"
          "Reads what identifies this SGX or TDX server, saves it as CSV, registers it with a "
          "PCCS.\n\n",
          out);
    for (int i = 0; i < PCKID_OPTION_COUNT; i++) {
        char left[64];
        (void)snprintf(left, sizeof left, "%s%s%s", options[i].word,
                       options[i].argument != NULL ? " " : "",
                       options[i].argument != NULL ? options[i].argument : "");
        fprintf(out, "  %-23s %s\n", left, options[i].meaning);
    }
    fputs("\nThe token: PCCS_USER_TOKEN, PCCS_USER_TOKEN_FILE, USER_TOKEN of the settings, else a "
          "question.\n"
          "Exit status: 0 all done, 1 failed, 2 wrong usage, 3 saved but not taken by the PCCS.\n",
          out);
}
