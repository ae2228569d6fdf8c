/* The facade's way to backups, restores and another start. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backup/restore.h"
#include "backup/staged.h"
#include "backups.h"
#include "inside.h"
#include "keeping.h"

#define RESTART_DELAY (100 * USEC_PER_MSEC) /* the answer to who asked goes first */

static_assert(GATEWAY_UPLOAD_MAX == RESTORE_FILE_MAX, "what is checked is what is taken in");

int gateway_back_up(struct gateway *g, const char *passphrase, gateway_backup_fn *done, void *user)
{
    return backups_make(g->backups, passphrase, done, user);
}

int gateway_restore(struct gateway *g, const char *path, const char *passphrase,
                    gateway_restore_fn *done, void *user)
{
    return backups_restore(g->backups, path, passphrase, done, user);
}

char *gateway_upload_path(const struct gateway *g)
{
    const char *folder = keeping_folder(g->keeping);

    return folder ? staged_path(folder, STAGED_UPLOAD) : NULL;
}

static void on_restart_time(void *user)
{
    struct gateway *g = user;

    g->on_restart(g->restart_user);
}

void gateway_on_restart(struct gateway *g, void (*on_restart)(void *user), void *user)
{
    g->on_restart = on_restart;
    g->restart_user = user;
}

bool gateway_restart(struct gateway *g)
{
    if (!g->on_restart)
        return false;
    if (!g->is_restarting)
        (void) gateway_timer_start(g, RESTART_DELAY, on_restart_time, g);
    g->is_restarting = true;
    return true;
}
