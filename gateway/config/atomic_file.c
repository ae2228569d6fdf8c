/* The happy path: the content goes into FILE.new and to the disk; the versions move up by one name,
 * FILE gets FILE.1 as a second name, and FILE.new is renamed to FILE, which in one step gives the
 * name to the new content and leaves FILE.1 to the old. Then the directory goes to the disk.
 *
 * Failure modes: before the last rename FILE is untouched; temporary files are removed, and what a
 * killed process left of them goes at the next write. A process that is killed between two of the
 * renames leaves a hole among the versions, or FILE.1 as a second name of FILE; the next write
 * moves up only what lies before the first hole, and does not count the same file twice. A file
 * system without second names gets FILE.1 as a copy. */
#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

#define COPY_STEP 65536

struct target {
    int directory;
    char *name;      /* in the directory */
    char *temporary; /* FILE.new */
    char *copy;      /* FILE.old */
};

static char *append(const char *name, const char *ending)
{
    size_t size = strlen(name) + strlen(ending) + 1;
    char *text = memory_zalloc(size, 1);

    (void) snprintf(text, size, "%s%s", name, ending);
    return text;
}

static char *version_name(const struct target *t, int version)
{
    char ending[16];

    (void) snprintf(ending, sizeof(ending), ".%d", version);
    return append(t->name, ending);
}

/* ---- one file ---- */

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);

        if (written < 0 && errno != EINTR)
            return -errno;
        if (written == 0)
            return -ENOSPC; /* would go on for ever */
        if (written > 0) {
            data += written;
            size -= (size_t) written;
        }
    }
    return 0;
}

static int flush(int fd)
{
    int rc;

    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

/* Makes the file anew, its content on the disk; removes it when that fails. */
static int make_file(const struct target *t, const char *name, const void *data, size_t size)
{
    int fd, rc;

    if (unlinkat(t->directory, name, 0) < 0 && errno != ENOENT)
        return -errno;
    fd = openat(t->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    rc = write_all(fd, data, size);
    if (rc == 0)
        rc = flush(fd);
    if (close(fd) < 0 && errno != EINTR && rc == 0)
        rc = -errno;
    if (rc < 0)
        (void) unlinkat(t->directory, name, 0); /* best effort */
    return rc;
}

static int read_all(int fd, struct buffer *ret_content)
{
    ssize_t got;

    do {
        got = read(fd, buffer_reserve(ret_content, COPY_STEP), COPY_STEP);
        if (got > 0)
            buffer_commit(ret_content, (size_t) got);
    } while (got > 0 || (got < 0 && errno == EINTR));
    return got < 0 ? -errno : 0;
}

/* Renaming; a name that is not there is fine. */
static int move_if_there(const struct target *t, const char *from, const char *to)
{
    if (renameat(t->directory, from, t->directory, to) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}

/* ---- versions ---- */

/* The second name by other means, for file systems that have none. */
static int copy_as(const struct target *t, const char *version)
{
    struct buffer content = {0};
    int fd = openat(t->directory, t->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc;

    if (fd < 0)
        return -errno;
    rc = read_all(fd, &content);
    (void) close(fd);
    if (rc == 0)
        rc = make_file(t, t->copy, buffer_front(&content), buffer_size(&content));
    if (rc == 0 && renameat(t->directory, t->copy, t->directory, version) < 0) {
        rc = -errno;
        (void) unlinkat(t->directory, t->copy, 0); /* best effort */
    }
    if (content.data)
        explicit_bzero(content.data, content.capacity);
    buffer_done(&content);
    return rc;
}

static bool has_no_second_names(int error)
{
    return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EMLINK ||
           error == EXDEV;
}

/* The lowest version that does not exist, or the last; or a negative errno. */
static int find_free_version(const struct target *t)
{
    int version = 1;

    for (; version < ATOMIC_FILE_VERSIONS; version++) {
        char *name AUTO_FREE = version_name(t, version);
        struct stat status;

        if (fstatat(t->directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return errno == ENOENT ? version : -errno;
    }
    return version;
}

static int move_versions_up(const struct target *t)
{
    int free_version = find_free_version(t);

    if (free_version < 0)
        return free_version;
    for (int version = free_version; version > 1; version--) {
        char *from AUTO_FREE = version_name(t, version - 1);
        char *to AUTO_FREE = version_name(t, version);
        int rc = move_if_there(t, from, to);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool is_same_file(const struct target *t, const struct stat *file, const char *name)
{
    struct stat other;

    return fstatat(t->directory, name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
           other.st_dev == file->st_dev && other.st_ino == file->st_ino;
}

/* Makes the present content version 1, too. */
static int keep_present(const struct target *t)
{
    char *version AUTO_FREE = version_name(t, 1);
    struct stat status;
    int rc;

    if (fstatat(t->directory, t->name, &status, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (is_same_file(t, &status, version))
        return 0; /* an earlier write came as far as this */
    rc = move_versions_up(t);
    if (rc < 0)
        return rc;
    if (linkat(t->directory, t->name, t->directory, version, 0) == 0)
        return 0;
    return has_no_second_names(errno) ? copy_as(t, version) : -errno;
}

/* A file that people wrote may have been readable by all. Best effort. */
static void protect_version(const struct target *t)
{
    char *version AUTO_FREE = version_name(t, 1);

    if (fchmodat(t->directory, version, 0600, 0) < 0)
        return; /* its owner is another one */
}

/* ---- the whole ---- */

static int flush_directory(const struct target *t)
{
    int rc = flush(t->directory);

    return rc == -EINVAL ? 0 : rc; /* a file system on which directories cannot be flushed */
}

static int replace(const struct target *t, const void *data, size_t size)
{
    int rc;

    (void) unlinkat(t->directory, t->copy, 0); /* what a killed process left */
    rc = make_file(t, t->temporary, data, size);
    if (rc < 0)
        return rc;
    rc = keep_present(t);
    if (rc == 0 && renameat(t->directory, t->temporary, t->directory, t->name) < 0)
        rc = -errno;
    if (rc < 0) {
        (void) unlinkat(t->directory, t->temporary, 0); /* best effort */
        return rc;
    }
    protect_version(t);
    return flush_directory(t);
}

static int insert(const struct target *t, const void *data, size_t size)
{
    char *version AUTO_FREE = version_name(t, 1);
    int rc = make_file(t, t->copy, data, size);

    if (rc == 0)
        rc = move_versions_up(t);
    if (rc == 0 && renameat(t->directory, t->copy, t->directory, version) < 0)
        rc = -errno;
    if (rc < 0)
        (void) unlinkat(t->directory, t->copy, 0); /* best effort */
    return rc < 0 ? rc : flush_directory(t);
}

/* The path that is meant: behind symbolic links, if there are. */
static char *resolve(const char *path)
{
    char *resolved = realpath(path, NULL);

    return resolved ? resolved : memory_copy_text(path);
}

/* What is to be done in the folder of the file. */
static int work_on(const char *path, const void *data, size_t size,
                   int (*work)(const struct target *t, const void *data, size_t size))
{
    char *folder AUTO_FREE = resolve(path);
    char *slash = strrchr(folder, '/');
    struct target t = {.name = memory_copy_text(slash ? slash + 1 : folder)};
    int rc;

    if (slash)
        slash[slash == folder] = '\0'; /* "/x" is in "/" */
    t.temporary = append(t.name, ".new");
    t.copy = append(t.name, ".old");
    t.directory = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = t.directory < 0 ? -errno : work(&t, data, size);
    if (t.directory >= 0)
        (void) close(t.directory);
    free(t.name);
    free(t.temporary);
    free(t.copy);
    return rc;
}

int atomic_file_write(const char *path, const void *data, size_t size)
{
    return work_on(path, data, size, replace);
}

int atomic_file_keep(const char *path, const void *data, size_t size)
{
    return work_on(path, data, size, insert);
}

char *atomic_file_version_path(const char *path, int number)
{
    char *resolved AUTO_FREE = resolve(path);
    char ending[16];

    (void) snprintf(ending, sizeof ending, ".%d", number);
    return append(resolved, ending);
}

size_t atomic_file_versions(const char *path,
                            struct atomic_file_version ret_versions[ATOMIC_FILE_VERSIONS])
{
    struct stat present, version;
    bool has_present = stat(path, &present) == 0;
    size_t count = 0;

    for (int i = 1; i <= ATOMIC_FILE_VERSIONS; i++) {
        char *name AUTO_FREE = atomic_file_version_path(path, i);

        if (lstat(name, &version) < 0 || !S_ISREG(version.st_mode))
            continue;
        if (has_present && version.st_dev == present.st_dev && version.st_ino == present.st_ino)
            continue; /* a write was killed before it replaced the present content */
        ret_versions[count++] = (struct atomic_file_version){
                .number = i,
                .written =
                        (int64_t) version.st_mtim.tv_sec * 1000000 + version.st_mtim.tv_nsec / 1000,
                .size = (uint64_t) version.st_size,
        };
    }
    return count;
}
