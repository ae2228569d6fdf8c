/* Any octets as a backup: they are staged as a store of ours with a valid configuration, or refused
 * with a cause and what is wrong. Each input is tried as it is, and as changes to a good one: some
 * of its octets are replaced, by a place (three octets) and a value each. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/backup.h"
#include "backup/restore.h"
#include "backup/staged.h"
#include "base/buffer.h"
#include "base/error.h"
#include "config/config_file.h"
#include "fuzz_target.h"
#include "store/migrations.h"

#define CONFIG "{\"log\":{\"level\":\"info\"}}"

static char folder[] = "/dev/shm/blefleet-fuzz-XXXXXX";
static char given[64], config[64], store[64];
static struct buffer whole; /* a good backup */

static void remove_all(void)
{
    static const char *const names[] = {"given",      "config",      "store",    STAGED_BACKUP,
                                        STAGED_STORE, STAGED_CONFIG, STAGED_WORK};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = staged_path(folder, names[i]);

        (void) unlink(path);
        free(path);
    }
    (void) rmdir(folder);
    buffer_done(&whole);
}

static void write_at(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");

    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static void make_store(void)
{
    sqlite3 *connection;

    if (sqlite3_open(store, &connection) != SQLITE_OK ||
        migrations_run(connection, 0, migrations_count()) != SQLITE_OK ||
        sqlite3_exec(connection, "INSERT INTO devices VALUES(181, 0, 'Fridge', 1, 2, 3, x'01', 4)",
                     NULL, NULL, NULL) != SQLITE_OK)
        abort();
    (void) sqlite3_close(connection);
}

static void make_whole(void)
{
    char made[32];
    const struct backup_order order = {
            .store = store, .config = CONFIG, .config_size = strlen(CONFIG), .path = given};
    uint64_t size;
    int fd;

    if (!mkdtemp(folder))
        abort();
    (void) snprintf(given, sizeof given, "%s/given", folder);
    (void) snprintf(config, sizeof config, "%s/config", folder);
    (void) snprintf(store, sizeof store, "%s/store", folder);
    (void) atexit(remove_all);
    make_store();
    write_at(config, "{}", 2);
    if (backup_make(&order, &fd, &size) != 0)
        abort();
    (void) snprintf(made, sizeof made, "/proc/self/fd/%d", fd);
    if (config_file_read(made, &whole) != 0 || buffer_size(&whole) != size)
        abort();
    (void) close(fd);
}

/* The good one with the changes of the input. */
static void write_changed(const uint8_t *data, size_t size)
{
    struct buffer changed = {0};

    buffer_append(&changed, buffer_front(&whole), buffer_size(&whole));
    for (; size >= 4; data += 4, size -= 4) {
        size_t at =
                ((size_t) data[0] << 16 | (size_t) data[1] << 8 | data[2]) % buffer_size(&changed);

        changed.data[changed.start + at] = data[3];
    }
    write_at(given, buffer_front(&changed), buffer_size(&changed));
    buffer_done(&changed);
}

static void check(int rc, const struct restore_outcome *outcome)
{
    char *staged = staged_path(folder, STAGED_STORE);
    bool is_staged = access(staged, F_OK) == 0, is_said = outcome->sentence[0] != '\0';

    if ((rc == 0) != is_staged || strpbrk(outcome->sentence, "\n\r"))
        abort();
    if ((rc == -EBADMSG || rc == E_INVALID_REQUEST) && !is_said && outcome->faults.count == 0)
        abort();
    free(staged);
}

static void restore(void)
{
    static const char *const parts[] = {"core", NULL};
    const struct restore_order order = {.path = given,
                                        .passphrase = NULL,
                                        .folder = folder,
                                        .config_path = config,
                                        .parts = parts,
                                        .environment = (char *[]){NULL}};
    struct restore_outcome outcome;

    check(restore_stage(&order, &outcome), &outcome);
    restore_outcome_done(&outcome);
    (void) staged_drop(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (buffer_size(&whole) == 0)
        make_whole();
    write_changed(data, size);
    restore();
    write_at(given, data, size); /* and as it is */
    restore();
    return 0;
}
