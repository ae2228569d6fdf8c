#include "framing.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

/* What the headers say, as far as it counts here. */
struct framing {
    unsigned hosts, lengths, encodings; /* headers of these names */
    bool is_malformed;                  /* a name or a value has what it must not have */
    bool is_unknown;                    /* an encoding of the transfer other than "chunked" */
    bool is_compressed;                 /* the body */
};

/* A token of RFC 9110: no blank, no control character. */
static bool is_token(const char *text, size_t size)
{
    static const char octets[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "!#$%&'*+-.^_`|~";

    return size > 0 && strspn(text, octets) >= size;
}

/* No end of a line in the middle of a value: others would read a header behind it. */
static bool is_one_line(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\r' || text[i] == '\n' || text[i] == '\0')
            return false;
    }
    return true;
}

static bool is_named(const char *name, const char *wanted)
{
    return strcasecmp(name, wanted) == 0;
}

static enum MHD_Result on_header(void *user, enum MHD_ValueKind kind, const char *name,
                                 size_t name_size, const char *value, size_t value_size)
{
    struct framing *f = user;

    (void) kind;
    if (!value)
        value = "";
    if (!is_token(name, name_size) || !is_one_line(value, value_size))
        f->is_malformed = true;
    else if (is_named(name, MHD_HTTP_HEADER_HOST))
        f->hosts++;
    else if (is_named(name, MHD_HTTP_HEADER_CONTENT_LENGTH))
        f->lengths++;
    else if (is_named(name, MHD_HTTP_HEADER_CONTENT_ENCODING))
        f->is_compressed = f->is_compressed || strcasecmp(value, "identity") != 0;
    else if (is_named(name, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
        f->encodings++;
        f->is_unknown = f->is_unknown || strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

static const char *find_fault(const struct framing *f)
{
    if (f->is_malformed)
        return "a header is malformed";
    if (f->hosts > 1)
        return "there is more than one Host";
    if (f->lengths + f->encodings > 1)
        return "the length of the body is told more than once";
    return f->is_unknown ? "of the transfer encodings only chunked is known" : NULL;
}

int framing_judge(struct MHD_Connection *connection, const char **ret_why, int *ret_cause)
{
    struct framing f = {0};

    (void) MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, &f);
    *ret_cause = E_INVALID_REQUEST;
    *ret_why = find_fault(&f);
    if (*ret_why)
        return 400;
    if (!f.is_compressed)
        return 0;
    *ret_cause = E_UNSUPPORTED_MEDIA_TYPE;
    *ret_why = "compressed bodies are not taken";
    return 415;
}
