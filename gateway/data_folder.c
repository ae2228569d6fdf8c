#include "data_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

char *data_folder_find(const char *data_dir, const char *config)
{
    const char *state = getenv("STATE_DIRECTORY"), *slash = config ? strrchr(config, '/') : NULL;
    char *folder;

    if (data_dir || (state && state[0]))
        return memory_copy_text(data_dir ? data_dir : state);
    if (!config)
        return NULL;
    if (asprintf(&folder, "%.*sblefleet.data", slash ? (int) (slash - config) + 1 : 0, config) < 0)
        abort(); /* no memory at the start */
    return folder;
}
