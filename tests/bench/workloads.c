/* Runs one of a few fixed workloads, for instructions.py, which counts: all that is set up and all
 * that is said is outside of ingest_run(), house_run() and faces_run(). Also says what it was made
 * with, because counts of different compilers and libraries cannot be compared. */
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <sodium/runtime.h>
#include <sodium/version.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/memory.h"
#include "faces.h"
#include "house.h"
#include "ingest.h"

#define ROUNDS 20

/* libsodium asks itself these when it starts, and then takes the code for the processor that it
 * runs on. In this program they answer for the plainest, so that counts are the same everywhere. */
int sodium_runtime_has_ssse3(void)
{
    return 0;
}

int sodium_runtime_has_sse41(void)
{
    return 0;
}

int sodium_runtime_has_avx(void)
{
    return 0;
}

int sodium_runtime_has_avx2(void)
{
    return 0;
}

int sodium_runtime_has_avx512f(void)
{
    return 0;
}

static void play_ingest(bool is_encrypted)
{
    struct ingest *i = ingest_new(is_encrypted, /* changed_percent= */ 20, ROUNDS);

    (void) printf("%" PRIu64 " reports\n", ingest_run(i));
    ingest_free(i);
}

static void play_plaintext(void)
{
    play_ingest(false);
}

static void play_noise(void)
{
    play_ingest(true);
}

static void play_recorded(void)
{
    struct ingest *i = ingest_new(/* is_encrypted= */ false, /* changed_percent= */ 20, ROUNDS);

    ingest_record(i);
    (void) printf("%" PRIu64 " reports, recorded\n", ingest_run(i));
    ingest_free(i);
}

static void play_house(void)
{
    struct house *h = house_new();

    house_run(h);
    house_report(h, stdout);
    house_free(h);
}

static void play_faces(void)
{
    struct faces *f = faces_new();

    faces_run(f);
    faces_report(f, stdout);
    faces_free(f);
}

static void tell_origin(void)
{
    struct utsname system;

    (void) printf("compiler %s\n", __VERSION__);
    (void) printf("libc %s\n", gnu_get_libc_version());
    (void) printf("libsodium %s\n", sodium_version_string());
    if (uname(&system) == 0)
        (void) printf("machine %s\n", system.machine);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*play)(void);
    } workloads[] = {{"origin", tell_origin}, {"plaintext", play_plaintext},
                     {"noise", play_noise},   {"recorded", play_recorded},
                     {"house", play_house},   {"faces", play_faces}};

    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(workloads); i++) {
        if (strcmp(argv[1], workloads[i].name) != 0)
            continue;
        workloads[i].play();
        return 0;
    }
    (void) fprintf(stderr, "usage: bench-workloads origin|plaintext|noise|recorded|house|faces\n");
    return 1;
}
