/* Any text gives a configuration without faults, or faults without a configuration; a fault's
 * detail is one line; and what is dumped gives the same configuration again, without the
 * environment too, which is in the dump. An octet FF (in no text) ends the file; behind it stand
 * the variables of the environment, one a line. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "fuzz_target.h"

#define VARIABLES_MAX 64
#define FILE_END      0xff

static const char *const parts[] = {"core", NULL};

static void dump_and_parse(const struct config *config)
{
    struct config_faults faults;
    char *first = config_dump(config, /* with_secrets= */ true), *second;
    char *shown = config_dump(config, /* with_secrets= */ false);
    struct config *again = config_parse(first, strlen(first), parts, &faults);

    if (!again)
        abort();
    second = config_dump(again, /* with_secrets= */ true);
    if (strcmp(first, second) != 0)
        abort();
    config_free(again);
    free(first);
    free(second);
    free(shown);
}

static void check_faults(const struct config_faults *faults)
{
    if (faults->count > CONFIG_FAULTS_MAX + 1)
        abort();
    for (size_t i = 0; i < faults->count; i++) {
        if (strpbrk(faults->items[i].detail, "\n\r") || !*faults->items[i].detail)
            abort();
    }
}

/* Lines of a text, which are cut apart in place; NULL at the end. */
static void cut_lines(char *text, char *ret_lines[VARIABLES_MAX + 1])
{
    size_t count = 0;

    while (text && count < VARIABLES_MAX) {
        ret_lines[count++] = text;
        text = strchr(text, '\n');
        if (text)
            *text++ = '\0';
    }
    ret_lines[count] = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, FILE_END, size) : NULL;
    const size_t file_size = end ? (size_t) (end - data) : size;
    char *text AUTO_FREE = xnew(char, size - file_size + 1);
    char *environment[VARIABLES_MAX + 1];
    struct config_faults faults;
    struct config *config;

    if (end)
        memcpy(text, end + 1, size - file_size - 1);
    cut_lines(end ? text : NULL, environment);
    config = config_parse_under((const char *) data, file_size, parts, environment, &faults);
    if ((config != NULL) != (faults.count == 0))
        abort();
    check_faults(&faults);
    if (config)
        dump_and_parse(config);
    config_free(config);
    config_faults_done(&faults);
    return 0;
}
