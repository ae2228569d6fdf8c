/* The body of a request as a file: written part by part on a thread of its own, since a disk may
 * take its time, and gone with the request. Internal to this folder. Thread: the loop's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct spool;
struct uv_loop_s;

/* The file is made with the first part; one that is there already is somebody else's. Takes the
 * path. */
struct spool *spool_new(struct uv_loop_s *loop, char *path);

/* Copies the part and calls back, later and once: 0, E_OVERLOADED (another request has the file) or
 * a negative errno. One part at a time; no parts behind a failure. */
typedef void spool_written_fn(void *user, int cause);
void spool_write(struct spool *s, const void *data, size_t size, spool_written_fn *on_written,
                 void *user);

const char *spool_path(const struct spool *s);
uint64_t spool_size(const struct spool *s); /* octets in the file */

/* Removes the file; a part under way is not called back for. Accepts NULL. */
void spool_free(struct spool *s);
