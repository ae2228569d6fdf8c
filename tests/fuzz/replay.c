/* Gives a fuzz target every file of some folders, and every beginning of the short ones. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_target.h"

#define FILE_MAX  (1u << 20)
#define SHORT_MAX 4096 /* octets; longer files are given whole alone */

/* A copy of its own for each call, so that the sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    (void) LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay_file(const char *path)
{
    static uint8_t data[FILE_MAX];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (!file) {
        perror(path);
        return -1;
    }
    size = fread(data, 1, sizeof(data), file);
    (void) fclose(file);
    for (size_t part = 0; size <= SHORT_MAX && part < size; part++)
        run(data, part);
    run(data, size);
    return 0;
}

static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;

    if (!dir) {
        perror(folder);
        return -1;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void) snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (replay_file(path) < 0)
            break;
        count++;
    }
    (void) closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);

        if (count <= 0) {
            (void) fprintf(stderr, "%s: no seeds\n", argv[i]);
            return 1;
        }
        (void) printf("%s: %d seeds\n", argv[i], count);
    }
    return argc > 1 ? 0 : 1;
}
