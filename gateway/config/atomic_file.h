/* A small file that is replaced as a whole, and keeps its last versions.
 *
 * Whenever the process or the machine stops, the file has the old content or the new one, never a
 * mixture, and it is never missing. One writer at a time for a path; blocks for as long as the disk
 * takes. Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* FILE.1 is the content before the last write, FILE.5 the oldest. */
#define ATOMIC_FILE_VERSIONS 5

/* Writes data to the file of this name, mode 0600; the content that was there becomes version 1.
 * Returns 0 or a negative errno. After a failure the file has its old content, but for the rare one
 * that the directory cannot be flushed: the new content is then in place and may not survive a
 * power cut. A symbolic link is followed. Beside the file, FILE.new and FILE.old are used and
 * removed. */
int atomic_file_write(const char *path, const void *data, size_t size);

/* Makes content that the file had before somebody else wrote to it version 1. 0 or a negative
 * errno.
 */
int atomic_file_keep(const char *path, const void *data, size_t size);

struct atomic_file_version {
    int number;      /* 1: of FILE.1 */
    int64_t written; /* when this content was: microseconds since 1970 */
    uint64_t size;   /* octets */
};

/* Those that are there, the newest first; returns how many. */
size_t atomic_file_versions(const char *path,
                            struct atomic_file_version ret_versions[ATOMIC_FILE_VERSIONS]);

/* The name of the file that a version is in. free() it. */
char *atomic_file_version_path(const char *path, int number);
