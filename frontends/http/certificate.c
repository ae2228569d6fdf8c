/* The story: two files become a pair; each handshake is shown the newest pair. A connection goes on
 * using the one it began with, so that pairs of before stay, a bounded number of them.
 *
 * Failure modes: files that cannot be read, or do not belong together, are a sentence with the name
 * of the file, and no pair. */
#include "certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "http/caller.h"

#define CHAIN_MAX  16
#define FILE_MAX   ((size_t) 256 << 10)
#define KEY_ID_MAX 64

struct certificate_pair {
    struct certificate_pair *before;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_count;
    gnutls_privkey_t key;
    bool is_exposed;
};

struct certificate {
    struct certificate_pair *newest;
};

/* ---- files ---- */

struct text {
    unsigned char *data;
    unsigned size;
    bool is_exposed;
};

static void wipe(struct text *text)
{
    if (text->data)
        explicit_bzero(text->data, FILE_MAX);
    free(text->data);
}

/* -EFBIG when it is too long. */
static int read_all(int fd, struct text *ret_text)
{
    size_t size = 0;
    ssize_t got;

    ret_text->data = xnew(unsigned char, FILE_MAX);
    do {
        got = read(fd, ret_text->data + size, FILE_MAX - size);
        size += got > 0 ? (size_t) got : 0;
    } while (size < FILE_MAX && (got > 0 || (got < 0 && errno == EINTR)));
    ret_text->size = (unsigned) size;
    if (got < 0)
        return -errno;
    return size == FILE_MAX ? -EFBIG : 0;
}

static int read_file(const char *path, struct text *ret_text, char *ret_error, size_t error_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    int rc = fd < 0 ? -errno : 0;

    *ret_text = (struct text){0};
    if (rc == 0)
        rc = read_all(fd, ret_text);
    if (rc == 0 && fstat(fd, &status) == 0)
        ret_text->is_exposed = status.st_mode & S_IROTH;
    if (fd >= 0)
        (void) close(fd);
    if (rc < 0)
        (void) snprintf(ret_error, error_size, "%s: %s", path, error_sentence(rc));
    return rc;
}

/* ---- reading a pair ---- */

static int complain(const char *path, const char *detail, char *ret_error, size_t error_size)
{
    int length = (int) strlen(detail);

    length -= length > 0 && detail[length - 1] == '.'; /* GnuTLS ends its sentences */
    (void) snprintf(ret_error, error_size, "%s: %.*s", path, length, detail);
    return -EBADMSG;
}

static int read_chain(struct certificate_pair *pair, const char *path, char *ret_error,
                      size_t error_size)
{
    unsigned count = CHAIN_MAX;
    struct text text;
    gnutls_datum_t pem;
    int rc = read_file(path, &text, ret_error, error_size);

    if (rc == 0) {
        pem = (gnutls_datum_t){text.data, text.size};
        rc = gnutls_pcert_list_import_x509_raw(pair->chain, &count, &pem, GNUTLS_X509_FMT_PEM, 0);
        if (rc < 0)
            rc = complain(path, gnutls_strerror(rc), ret_error, error_size);
        else
            pair->chain_count = count;
    }
    wipe(&text);
    return rc;
}

static int read_key(struct certificate_pair *pair, const char *path, char *ret_error,
                    size_t error_size)
{
    struct text text;
    gnutls_datum_t pem;
    int rc = read_file(path, &text, ret_error, error_size);

    if (rc == 0) {
        pem = (gnutls_datum_t){text.data, text.size};
        pair->is_exposed = text.is_exposed;
        rc = gnutls_privkey_init(&pair->key);
        if (rc == 0)
            rc = gnutls_privkey_import_x509_raw(pair->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (rc < 0)
            rc = complain(path, gnutls_strerror(rc), ret_error, error_size);
    }
    wipe(&text);
    return rc;
}

/* The id of a public key; its size, 0 when there is none. */
static size_t read_id(gnutls_pubkey_t key, unsigned char ret_id[KEY_ID_MAX])
{
    size_t size = KEY_ID_MAX;

    return gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, ret_id, &size) == 0 ? size : 0;
}

static bool belong_together(const struct certificate_pair *pair)
{
    unsigned char ids[2][KEY_ID_MAX];
    gnutls_pubkey_t of_key;
    size_t size = 0;

    if (gnutls_pubkey_init(&of_key) < 0)
        return false;
    if (gnutls_pubkey_import_privkey(of_key, pair->key, 0, 0) == 0)
        size = read_id(of_key, ids[0]);
    gnutls_pubkey_deinit(of_key);
    return size > 0 && read_id(pair->chain[0].pubkey, ids[1]) == size &&
           memcmp(ids[0], ids[1], size) == 0;
}

int certificate_read(const char *chain_path, const char *key_path,
                     struct certificate_pair **ret_pair, char *ret_error, size_t error_size)
{
    struct certificate_pair *pair = xnew(struct certificate_pair, 1);
    int rc = read_chain(pair, chain_path, ret_error, error_size);

    if (rc == 0)
        rc = read_key(pair, key_path, ret_error, error_size);
    if (rc == 0 && !belong_together(pair))
        rc = complain(key_path, "is not the key of the certificate beside it", ret_error,
                      error_size);
    if (rc < 0) {
        certificate_pair_free(pair);
        return rc;
    }
    *ret_pair = pair;
    return 0;
}

void certificate_pair_free(struct certificate_pair *pair)
{
    if (!pair)
        return;
    for (unsigned i = 0; i < pair->chain_count; i++)
        gnutls_pcert_deinit(&pair->chain[i]);
    if (pair->key)
        gnutls_privkey_deinit(pair->key);
    free(pair);
}

bool certificate_is_exposed(const struct certificate_pair *pair)
{
    return pair->is_exposed;
}

static void look(const char *path, unsigned long long ret_facts[4])
{
    struct stat status;

    if (stat(path, &status) < 0)
        return;
    ret_facts[0] = status.st_ino;
    ret_facts[1] = (unsigned long long) status.st_size;
    ret_facts[2] = (unsigned long long) status.st_mtim.tv_sec;
    ret_facts[3] = (unsigned long long) status.st_mtim.tv_nsec;
}

void certificate_look(const char *chain_path, const char *key_path,
                      struct certificate_stamp *ret_stamp)
{
    *ret_stamp = (struct certificate_stamp){0};
    look(chain_path, ret_stamp->facts[0]);
    look(key_path, ret_stamp->facts[1]);
}

/* ---- showing it ---- */

/* The oldest goes when there are too many: no connection lasts so many certificates. */
static void drop_surplus(struct certificate_pair *newest)
{
    struct certificate_pair *last = newest;

    for (int i = 0; last && i < CERTIFICATE_KEPT_MAX; i++)
        last = last->before;
    if (last)
        certificate_pair_free(TAKE(last->before));
}

struct certificate *certificate_new(struct certificate_pair *pair)
{
    struct certificate *c = xnew(struct certificate, 1);

    c->newest = pair;
    return c;
}

void certificate_free(struct certificate *c)
{
    struct certificate_pair *pair, *before;

    if (!c)
        return;
    for (pair = c->newest; pair; pair = before) {
        before = pair->before;
        certificate_pair_free(pair);
    }
    free(c);
}

void certificate_use(struct certificate *c, struct certificate_pair *pair)
{
    pair->before = c->newest;
    c->newest = pair;
    drop_surplus(pair);
}

/* The library has the connection in the session, and the connection its caller, who knows. */
static int on_handshake(gnutls_session_t session, const gnutls_datum_t *authorities,
                        int authorities_count, const gnutls_pk_algorithm_t *algorithms,
                        int algorithms_count, gnutls_pcert_st **ret_chain, unsigned *ret_count,
                        gnutls_privkey_t *ret_key)
{
    struct MHD_Connection *connection = gnutls_session_get_ptr(session);
    const struct certificate *c = connection ? caller_certificate(caller_of(connection)) : NULL;

    (void) authorities, (void) authorities_count, (void) algorithms, (void) algorithms_count;
    if (!c)
        return -1;
    *ret_chain = c->newest->chain;
    *ret_count = c->newest->chain_count;
    *ret_key = c->newest->key;
    return 0;
}

certificate_handshake_fn *certificate_get_handshake(void)
{
    return (certificate_handshake_fn *) (void (*)(void)) on_handshake;
}
