/* A small file that is replaced as a whole, and keeps its last versions.
 *
 * Whenever the process or the machine stops, the file has the old content or the new one, never a
 * mixture, and it is never missing. One writer at a time for a path; blocks for as long as the disk
 * takes. Thread: any. */
#pragma once

#include <stddef.h>

#define ATOMIC_FILE_VERSIONS                                                                       \
    5 /* FILE.1 is the content before the last write, FILE.5 the oldest                            \
       */

/* Writes data to the file of this name, mode 0600; the content that was there becomes version 1.
 * Returns 0 or a negative errno. After a failure the file has its old content, but for the rare one
 * that the directory cannot be flushed: the new content is then in place and may not survive a
 * power cut. A symbolic link is followed. Beside the file, FILE.new and FILE.old are used and
 * removed. */
int atomic_file_write(const char *path, const void *data, size_t size);
