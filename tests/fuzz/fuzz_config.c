/* Any text gives a configuration without faults, or faults without a configuration; and a fault's
 * detail is one line. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "fuzz_target.h"

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
    config_free(config);
    config_faults_done(&faults);
    return 0;
}
