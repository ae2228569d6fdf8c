/* Files that cannot be the store: put aside under another name instead of being destroyed.
 *
 * FILE becomes FILE.damaged-YYYYMMDDTHHMMSS (UTC), with its -wal and -shm. The newest
 * DAMAGED_KEPT_MAX are kept, so that a disk that damages a file at each start is not filled.
 * Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DAMAGED_KEPT_MAX 3

/* Moves what is there as folder/name aside, whatever it is; wall is the present time. The new name,
 * without the folder, is in ret_name. Negative errno: nothing was moved. */
int damaged_move_aside(const char *folder, const char *name, int64_t wall, char *ret_name,
                       size_t name_size);
