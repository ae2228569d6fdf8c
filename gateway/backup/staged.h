/* A restore that was checked and waits for the next start, and how it is applied there.
 *
 * The rule. Two files in the data folder are a staged restore: restore.config, the text of the
 * configuration, and restore.staged, the store. The second one is renamed into place when both are
 * on the disk: from that moment on the restore is decided, before it there is none. At the start,
 * while nobody uses the folder:
 *
 *   1. the configuration file is replaced, unless it has that content already
 *   2. the audit of the present store goes into restore.staged, and its tokens, if the backup
 *      brought none
 *   3. the present store is put aside as blefleet.db.before-restore, with what SQLite keeps beside
 * it
 *   4. restore.staged becomes blefleet.db, which ends the restore
 *
 * A process that is killed before 4 begins again at 1: each step does nothing where it was done.
 * So there is the old state or the new one, and nothing runs on a mixture. When 1 cannot be done,
 * the restore is given up, and all is as before; when a later one cannot, the start fails.
 * Blocking. Thread: any. */
#pragma once

#include <stddef.h>

#define STAGED_STORE  "restore.staged"
#define STAGED_CONFIG "restore.config"
#define STAGED_WORK   "restore.store"  /* the store, while it is made */
#define STAGED_UPLOAD "restore.upload" /* what came over the network */
#define STAGED_BACKUP "backup.new"     /* a backup, until it is open */
#define STAGED_BEFORE ".before-restore"

/* "FOLDER/NAME"; free() it. */
char *staged_path(const char *folder, const char *name);

/* Takes back what is staged, if anything is. */
int staged_drop(const char *folder);

/* Decides a restore: STAGED_WORK is the whole store. A negative errno, and nothing is staged. */
int staged_commit(const char *folder, const char *config, size_t config_size);

/* Applies what is staged, and removes what killed processes left. 0: whatever is in the folder may
 * be used. Negative errno: a restore is half done and must be ended first; it is logged. */
int staged_apply(const char *folder, const char *config_path);
