/* Backups and restores, one at a time, on a thread of its own. For gateway.c and gateway_backups.c
 * alone. Thread: the loop's. */
#pragma once

#include "gateway.h"

struct backups;
struct keeping;

/* The file and the keeping outlive it; either is NULL: nothing is kept, so nothing can be done.
 * has_tokens says whether access tokens exist; NULL: none do. */
struct backups *backups_new(struct uv_loop_s *loop, const struct config_file *file,
                            struct keeping *keeping, bool (*has_tokens)(const void *user),
                            const void *user);

/* As gateway_back_up() and gateway_restore(). */
int backups_make(struct backups *b, const char *passphrase, gateway_backup_fn *done, void *user);
int backups_restore(struct backups *b, const char *path, const char *passphrase,
                    gateway_restore_fn *done, void *user);

/* What runs ends soon (E_CANCELLED); then on_closed, from inside if nothing runs, and it is
 * freed. */
void backups_close(struct backups *b, void (*on_closed)(void *user), void *user);
