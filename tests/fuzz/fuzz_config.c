/* Any text gives a configuration without faults, or faults without a configuration; a fault's
 * detail is one line; and what is dumped gives the same configuration again. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "fuzz_target.h"

static void dump_and_parse(const struct config *config, const char *const *parts)
{
    struct config_faults faults;
    char *first = config_dump(config, /* with_secrets= */ true), *second;
    struct config *again = config_parse(first, strlen(first), parts, &faults);

    if (!again)
        abort();
    second = config_dump(again, /* with_secrets= */ true);
    if (strcmp(first, second) != 0)
        abort();
    config_free(again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const parts[] = {"core", NULL};
    struct config_faults faults;
    struct config *config = config_parse((const char *) data, size, parts, &faults);

    if ((config != NULL) != (faults.count == 0))
        abort();
    for (size_t i = 0; i < faults.count; i++) {
        if (strpbrk(faults.items[i].detail, "\n\r") || !*faults.items[i].detail)
            abort();
    }
    if (config)
        dump_and_parse(config, parts);
    config_free(config);
    config_faults_done(&faults);
    return 0;
}
