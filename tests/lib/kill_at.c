/* Kills the program at one of its calls that change files: to be preloaded (LD_PRELOAD) into it.
 *
 * Nothing counts until the file that KILL_AT names is there; it holds a number N. The Nth call
 * from then on is the last: it does not happen, and the process is killed by SIGKILL. A call that
 * writes does half of its work first. Standard descriptors, sockets and the like do not count. */
#include <dlfcn.h> /* RTLD_NEXT */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *order_path;
static atomic_long calls_left = -1; /* -1: no order yet */

/* Called at each call that counts, the first of which may find the order. True: this is the last.
 */
static int is_last(void)
{
    char text[16] = {0};
    long fd;

    if (calls_left < 0) {
        order_path = order_path ? order_path : getenv("KILL_AT");
        if (!order_path)
            return 0;
        fd = syscall(SYS_openat, AT_FDCWD, order_path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return 0;
        (void) syscall(SYS_read, fd, text, sizeof text - 1);
        (void) syscall(SYS_close, fd);
        calls_left = strtol(text, NULL, 10);
    }
    return atomic_fetch_sub(&calls_left, 1) == 1;
}

static void die(void)
{
    (void) kill(getpid(), SIGKILL);
    for (;;)
        (void) pause();
}

static int is_file(int fd)
{
    struct stat status;

    return fd > STDERR_FILENO && fstat(fd, &status) == 0 &&
           (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

#define NEXT(name) ((__typeof__(name) *) dlsym(RTLD_NEXT, #name))

/* A call without content. */
#define PASS(counts, name, ...)                                                                    \
    do {                                                                                           \
        if ((counts) && is_last())                                                                 \
            die();                                                                                 \
        return NEXT(name)(__VA_ARGS__);                                                            \
    } while (0)

ssize_t write(int fd, const void *data, size_t size)
{
    if (is_file(fd) && is_last()) {
        (void) syscall(SYS_write, fd, data, size / 2);
        die();
    }
    return NEXT(write)(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    if (is_file(fd) && is_last()) {
        (void) syscall(SYS_pwrite64, fd, data, size / 2, offset);
        die();
    }
    return NEXT(pwrite64)(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

int fsync(int fd)
{
    PASS(is_file(fd), fsync, fd);
}

int fdatasync(int fd)
{
    PASS(is_file(fd), fdatasync, fd);
}

int ftruncate64(int fd, off64_t size)
{
    PASS(is_file(fd), ftruncate64, fd, size);
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int unlink(const char *path)
{
    PASS(1, unlink, path);
}

int unlinkat(int directory, const char *path, int flags)
{
    PASS(1, unlinkat, directory, path, flags);
}

int rename(const char *from, const char *to)
{
    PASS(1, rename, from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    PASS(1, renameat, from_directory, from, to_directory, to);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
    PASS(1, linkat, from_directory, from, to_directory, to, flags);
}

int link(const char *from, const char *to)
{
    PASS(1, link, from, to);
}

int mkdir(const char *path, mode_t mode)
{
    PASS(1, mkdir, path, mode);
}

/* Opening counts when it may make a file. */
#define OPEN(name, ...)                                                                            \
    do {                                                                                           \
        mode_t mode = 0;                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        if (flags & O_CREAT)                                                                       \
            mode = va_arg(arguments, mode_t);                                                      \
        va_end(arguments);                                                                         \
        PASS(flags &O_CREAT, name, __VA_ARGS__, flags, mode);                                      \
    } while (0)

int open(const char *path, int flags, ...)
{
    OPEN(open, path);
}

int open64(const char *path, int flags, ...)
{
    OPEN(open64, path);
}

int openat(int directory, const char *path, int flags, ...)
{
    OPEN(openat, directory, path);
}

int openat64(int directory, const char *path, int flags, ...)
{
    OPEN(openat64, directory, path);
}
