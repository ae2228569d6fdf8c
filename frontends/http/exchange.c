/* The story: the library tells the target, then calls once with the headers, once for each part of
 * the body, and once at its end. At the headers we refuse what may not come in (foreign Host or
 * Origin), can be read in two ways or is announced too long; at the end the request goes to rest.
 * If the answer is there, it is queued; if not, the connection is suspended and resumed when rest
 * is done, and the library calls once more.
 *
 * Who asks is found at the headers, by a token, the cookie of a session, or because there are no
 * tokens yet; who may not ask for this is refused there, before a body comes. A stream whose reader
 * is no longer who they were ends.
 *
 * A body that the route wants as a file is written part by part; the connection is suspended while
 * a part is on its way to the disk, so that the client is as fast as the disk and no faster.
 *
 * An answer may be a stream: then the library asks for text whenever the socket takes some. With
 * nothing to give the connection is suspended, until the stream wakes us.
 *
 * Failure modes: a body that turns out too long is dropped as it comes and refused at its end; one
 * that does not end then loses its connection. Whom we refuse here is told in the log, a few times
 * a minute. A client that goes away while its request waits is not noticed by the library: we look
 * once a second, and cancel its request. Who shuts its sending side alone counts as gone too. One
 * that leaves a stream is noticed at the next text, a sign of life at the latest; one that does not
 * read has a small buffer in the kernel, and is cut when the stream says so. */
#include "exchange.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/caller.h"
#include "http/framing.h"
#include "http/listen.h"
#include "http/origin.h"
#include "http/page.h"
#include "http/spool.h"

#define BODIES_MAX  ((size_t) 128 << 20) /* octets of all bodies that are being read */
#define DISCARD_MAX ((size_t) 4 << 20)   /* octets of a too long body that we let pass */

#define WATCH_INTERVAL USEC_PER_SEC /* for clients that are gone */

#define REFUSALS_TOLD  3 /* in the log, in a window */
#define REFUSAL_WINDOW (60 * USEC_PER_SEC)

#define STREAM_BLOCK       ((size_t) 16 << 10) /* the library's room for text of a stream */
#define STREAM_SEND_BUFFER (64 << 10) /* in the kernel, which would let it grow to megabytes */

static const char welcome[] = "This is blefleet: Bluetooth LE devices over ESPHome proxies.\n"
                              "The API is at /api/v1, its contract at /api/v1/openapi.json.\n"
                              "Begin with /api/v1/info, /api/v1/proxies and /api/v1/devices.\n";

enum exchange_state {
    EXCHANGE_NEW,       /* the target is known, the headers are not */
    EXCHANGE_READING,   /* the body comes */
    EXCHANGE_SPOOLING,  /* a part of it goes to the disk, the connection is suspended */
    EXCHANGE_WAITING,   /* rest has it, the connection is suspended */
    EXCHANGE_DONE,      /* the answer is there, or already queued */
    EXCHANGE_STREAMING, /* the library reads the stream, to its end */
};

struct exchange {
    struct exchange *next, *previous; /* among the waiting, streaming or spooling ones */
    struct exchanges *all;            /* borrowed */
    struct MHD_Connection *connection;
    enum exchange_state state;
    char *target;
    struct buffer body;
    struct spool *spool; /* instead of the body; NULL: it goes into memory */
    size_t discarded;
    bool is_suspended; /* a stream that has nothing to give */
    bool is_cut;       /* a stream that ends at once */
    int refusal;       /* of the body: E_BODY_TOO_LARGE, E_OVERLOADED; 0: none */
    char remote[LISTEN_TEXT_SIZE];
    struct account_source source;
    struct account_identity identity;
    struct rest_request request;
};

/* ---- the waiting and the streaming ones ---- */

static void push(struct exchange **first, struct exchange *x)
{
    x->previous = NULL;
    x->next = *first;
    if (x->next)
        x->next->previous = x;
    *first = x;
}

static void remove_from(struct exchange **first, struct exchange *x)
{
    if (x->previous)
        x->previous->next = x->next;
    else
        *first = x->next;
    if (x->next)
        x->next->previous = x->previous;
}

static int socket_of(const struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

/* ---- streaming ---- */

static void resume_stream(struct exchange *x)
{
    if (!x->is_suspended)
        return;
    x->is_suspended = false;
    MHD_resume_connection(x->connection);
    x->all->on_resumed(x->all->user);
}

static void on_wake(void *user)
{
    resume_stream(user);
}

/* The library finds the socket closed and ends the exchange. */
static void on_stalled(void *user)
{
    struct exchange *x = user;

    log_info("http.stalled", "remote=%s does not read its stream, closing it", x->remote);
    (void) shutdown(socket_of(x), SHUT_RDWR);
}

static ssize_t on_read_stream(void *cls, uint64_t position, char *room, size_t room_size)
{
    struct exchange *x = cls;
    struct answer_stream *stream = x->request.answer.stream;
    ptrdiff_t size;

    (void) position;
    size = x->is_cut ? ANSWER_STREAM_END : stream->read(stream, room, room_size);
    if (size == ANSWER_STREAM_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (size == 0) {
        x->is_suspended = true;
        MHD_suspend_connection(x->connection);
    }
    return size;
}

static struct MHD_Response *make_stream(struct exchange *x)
{
    struct answer_stream *stream = x->request.answer.stream;
    struct MHD_Response *response = MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_read_stream, x, /* free= */ NULL);
    int size = STREAM_SEND_BUFFER;

    if (!response)
        return NULL;
    stream->on_wake = on_wake;
    stream->on_stalled = on_stalled;
    stream->user = x;
    (void) setsockopt(socket_of(x), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    x->state = EXCHANGE_STREAMING;
    push(&x->all->first_streaming, x);
    return response;
}

/* ---- answering ---- */

/* With every answer: what a browser may do with it. The dashboard brings all that it needs in files
 * of its own, is shown in nobody's frame, and talks to nobody but us. */
static const struct {
    const char *name, *value;
} protections[] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
         "connect-src 'self'; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Content-Type-Options", "nosniff"},
};

/* The body goes over to the response. */
static struct MHD_Response *make_whole(struct answer *answer)
{
    enum MHD_ResponseMemoryMode mode = MHD_RESPMEM_PERSISTENT;
    void *body = (void *) (uintptr_t) answer->body;
    struct MHD_Response *response;

    if (answer->is_file) {
        answer->is_file = false; /* the library closes it */
        return MHD_create_response_from_fd64(answer->file_size, answer->fd);
    }
    if (body && !answer->body_is_static) {
        body = answer_take_body(answer);
        mode = MHD_RESPMEM_MUST_FREE;
    }
    response = MHD_create_response_from_buffer(answer->body_size, body, mode);
    if (!response && mode == MHD_RESPMEM_MUST_FREE)
        free(body);
    return response;
}

static void add_headers(struct MHD_Response *response, const struct answer *answer)
{
    bool is_tagged = false, is_cached = false;

    for (size_t i = 0; i < answer->headers_count; i++) {
        const struct answer_header *header = &answer->headers[i];

        is_tagged = is_tagged || strcmp(header->name, MHD_HTTP_HEADER_ETAG) == 0;
        is_cached = is_cached || strcmp(header->name, MHD_HTTP_HEADER_CACHE_CONTROL) == 0;
        (void) MHD_add_response_header(response, header->name, header->value);
    }
    if (answer->content_type)
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                       answer->content_type);
    if (!is_cached)
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                       is_tagged ? "no-cache" : "no-store");
    for (size_t i = 0; i < ARRAY_SIZE(protections); i++)
        (void) MHD_add_response_header(response, protections[i].name, protections[i].value);
}

static enum MHD_Result queue_answer(struct exchange *x)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    x->state = EXCHANGE_DONE;
    if (x->request.answer.stream)
        caller_begin_wait(caller_of(x->connection));
    else
        caller_begin_answer(caller_of(x->connection),
                            x->request.answer.body_size + x->request.answer.file_size);
    response = x->request.answer.stream ? make_stream(x) : make_whole(&x->request.answer);
    if (!response)
        return MHD_NO;
    add_headers(response, &x->request.answer);
    x->all->answers[x->request.answer.status / 100]++;
    result = MHD_queue_response(x->connection, (unsigned) x->request.answer.status, response);
    MHD_destroy_response(response);
    return result;
}

static const char *header(const struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static void note_remote(struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (info)
        listen_format_address(info->client_addr, x->remote);
}

/* A page of somebody else's, a name that is missing in http.hosts, a client that has gone mad:
 * worth a look, and never a flood. */
static void tell_refusal(struct exchange *x, int status, const char *why)
{
    const char *host = header(x, MHD_HTTP_HEADER_HOST);
    struct log_limit *limit = &x->all->refusals;
    unsigned held_back = 0;

    limit->burst = REFUSALS_TOLD;
    limit->window = REFUSAL_WINDOW;
    if (!log_allowed(limit, gateway_now(x->all->gateway), &held_back))
        return;
    note_remote(x);
    log_warning("http.refused", "remote=%s host=\"%.64s\" status=%d why=\"%s\" held_back=%u",
                x->remote, host ? host : "", status, why, held_back);
}

static enum MHD_Result refuse(struct exchange *x, int status, int cause, const char *detail)
{
    rest_refuse(&x->request.answer, status, cause, detail);
    if (cause != E_SHUTTING_DOWN)
        tell_refusal(x, status, detail ? detail : error_sentence(cause));
    return queue_answer(x);
}

static uint64_t body_max(const struct exchange *x)
{
    return x->spool ? GATEWAY_UPLOAD_MAX
                    : (uint64_t) gateway_config(x->all->gateway)->limits_body_bytes;
}

static enum MHD_Result refuse_size(struct exchange *x)
{
    rest_refuse_size(&x->request.answer, body_max(x));
    tell_refusal(x, 413, error_sentence(E_BODY_TOO_LARGE));
    return queue_answer(x);
}

/* What stands in the place of the dashboard where the program was built without it. */
static enum MHD_Result answer_welcome(struct exchange *x)
{
    x->request.answer = (struct answer){
            .status = 200,
            .content_type = "text/plain; charset=utf-8",
            .body = welcome,
            .body_size = sizeof welcome - 1,
            .body_is_static = true,
    };
    return queue_answer(x);
}

/* ---- headers ---- */

static bool is_reading_method(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* "gzip" in the list, and not with q=0. */
static bool accepts_gzip(const char *value)
{
    const char *at = value ? strcasestr(value, "gzip") : NULL;
    const char *quality;

    if (!at)
        return false;
    at += strlen("gzip");
    at += strspn(at, " \t");
    if (*at != ';')
        return *at == '\0' || *at == ',';
    quality = strcasestr(at, "q=");
    return !quality || strtod(quality + 2, NULL) > 0;
}

static bool get_local(const struct exchange *x, struct sockaddr_storage *ret_local)
{
    socklen_t size = sizeof *ret_local;

    return getsockname(socket_of(x), (struct sockaddr *) ret_local, &size) == 0;
}

/* The token of an Authorization header; NULL: it brings none that is for us. */
static const char *bearer_of(const struct exchange *x)
{
    static const char scheme[] = "Bearer";
    const char *value = header(x, MHD_HTTP_HEADER_AUTHORIZATION);
    size_t length = sizeof scheme - 1;

    if (!value || strncasecmp(value, scheme, length) != 0 ||
        (value[length] != '\0' && value[length] != ' '))
        return NULL;
    return value + length + strspn(value + length, " ");
}

/* Without an address nobody is anything. */
static void identify(struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct account_credentials credentials = {
            .bearer = bearer_of(x),
            .cookie =
                    MHD_lookup_connection_value(x->connection, MHD_COOKIE_KIND, "blefleet_session"),
    };

    if (!info)
        return;
    listen_format_address(info->client_addr, x->remote);
    x->source = credentials.source = origin_source(info->client_addr);
    credentials.is_loopback = origin_is_loopback(info->client_addr);
    gateway_identify(x->all->gateway, &credentials, x->remote, &x->identity);
}

/* All of the request but its body. */
static void describe(struct exchange *x, const char *method)
{
    x->request = (struct rest_request){
            .method = method,
            .target = x->target,
            .content_type = header(x, MHD_HTTP_HEADER_CONTENT_TYPE),
            .accept = header(x, MHD_HTTP_HEADER_ACCEPT),
            .if_match = header(x, MHD_HTTP_HEADER_IF_MATCH),
            .if_none_match = header(x, MHD_HTTP_HEADER_IF_NONE_MATCH),
            .last_event_id = header(x, "Last-Event-ID"),
            .user_agent = header(x, MHD_HTTP_HEADER_USER_AGENT),
            .remote = x->remote,
            .takes_streams = true,
            .accepts_gzip = accepts_gzip(header(x, MHD_HTTP_HEADER_ACCEPT_ENCODING)),
            .role = (enum rest_role) x->identity.role,
            .client = x->identity.name[0] ? x->identity.name : "loopback",
            .identity = &x->identity,
            .source = x->source,
            .is_secure = x->all->is_secure,
            .user = x,
    };
}

/* NULL: it may come in; else what is wrong. */
static const char *find_foreign(const struct exchange *x, const char *method)
{
    const char *host = header(x, MHD_HTTP_HEADER_HOST);
    const struct config_texts *hosts = &gateway_config(x->all->gateway)->http_hosts;
    struct sockaddr_storage storage;
    const struct sockaddr *local = (const struct sockaddr *) &storage;

    if (!get_local(x, &storage) || !origin_host_is_ours(host, local, hosts))
        return "the Host is not ours; further names go into http.hosts";
    if (!is_reading_method(method) &&
        !origin_is_ours(header(x, MHD_HTTP_HEADER_ORIGIN), host, local, hosts, x->all->is_secure))
        return "the Origin is foreign; further names go into http.hosts";
    return NULL;
}

static bool announces_too_much(const struct exchange *x)
{
    const char *length = header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return length && strtoull(length, NULL, 10) > body_max(x);
}

static void prepare_body(struct exchange *x)
{
    char *path;

    if (!rest_wants_file(x->all->rest, x->request.method, x->target))
        return;
    path = gateway_upload_path(x->all->gateway);
    if (path)
        x->spool = spool_new(x->all->loop, path);
}

static enum MHD_Result refuse_foreign(struct exchange *x, const char *detail)
{
    rest_refuse(&x->request.answer, 403, E_FORBIDDEN, detail);
    tell_refusal(x, 403, detail);
    if (!is_reading_method(x->request.method))
        rest_note_refusal(x->all->rest, &x->request);
    return queue_answer(x);
}

static bool is_page(struct exchange *x)
{
    return page_answer(x->target, header(x, MHD_HTTP_HEADER_IF_NONE_MATCH),
                       accepts_gzip(header(x, MHD_HTTP_HEADER_ACCEPT_ENCODING)),
                       &x->request.answer);
}

static enum MHD_Result on_headers(struct exchange *x, const char *method)
{
    const char *why;
    int status, cause;

    if (x->all->is_closing)
        return refuse(x, 503, E_SHUTTING_DOWN, NULL);
    status = framing_judge(x->connection, &why, &cause);
    if (status != 0)
        return refuse(x, status, cause, why);
    identify(x);
    describe(x, method);
    why = find_foreign(x, method);
    if (why)
        return refuse_foreign(x, why);
    if (is_reading_method(method) && is_page(x))
        return queue_answer(x);
    if (strcmp(x->target, "/") == 0 && is_reading_method(method))
        return answer_welcome(x);
    if (!rest_admits(x->all->rest, &x->request))
        return queue_answer(x);
    prepare_body(x);
    if (announces_too_much(x))
        return refuse_size(x);
    x->state = EXCHANGE_READING;
    caller_begin_body(caller_of(x->connection));
    return MHD_YES;
}

/* ---- body ---- */

static void release_body(struct exchange *x)
{
    x->all->body_bytes -= buffer_size(&x->body);
    buffer_done(&x->body);
}

static int judge_size(const struct exchange *x, size_t size)
{
    if (x->spool)
        return spool_size(x->spool) + size > GATEWAY_UPLOAD_MAX ? E_BODY_TOO_LARGE : 0;
    if (buffer_size(&x->body) + size > (size_t) gateway_config(x->all->gateway)->limits_body_bytes)
        return E_BODY_TOO_LARGE;
    return x->all->body_bytes + size > BODIES_MAX ? E_OVERLOADED : 0;
}

static void leave_spooling(struct exchange *x, int refusal)
{
    remove_from(&x->all->first_spooling, x);
    x->state = EXCHANGE_READING;
    x->refusal = refusal;
    MHD_resume_connection(x->connection);
    x->all->on_resumed(x->all->user);
}

static void on_spooled(void *user, int cause)
{
    leave_spooling(user, cause);
}

static void spool_part(struct exchange *x, const char *data, size_t size)
{
    x->state = EXCHANGE_SPOOLING;
    push(&x->all->first_spooling, x);
    MHD_suspend_connection(x->connection);
    spool_write(x->spool, data, size, on_spooled, x);
}

static enum MHD_Result on_body(struct exchange *x, const char *data, size_t size)
{
    caller_sent(caller_of(x->connection), size);
    if (x->refusal == 0)
        x->refusal = judge_size(x, size);
    if (x->refusal != 0) {
        release_body(x);
        x->discarded += size;
        if (x->discarded <= DISCARD_MAX)
            return MHD_YES;
        tell_refusal(x, 413, "the body does not end");
        return MHD_NO;
    }
    if (x->spool) {
        spool_part(x, data, size);
        return MHD_YES;
    }
    buffer_append(&x->body, data, size);
    x->all->body_bytes += size;
    return MHD_YES;
}

/* ---- request ---- */

static void on_done(struct rest_request *request)
{
    struct exchange *x = request->user;

    remove_from(&x->all->first_waiting, x);
    x->state = EXCHANGE_DONE;
    MHD_resume_connection(x->connection);
    x->all->on_resumed(x->all->user);
}

static bool has_hung_up(const struct exchange *x)
{
    struct pollfd socket = {.fd = socket_of(x), .events = POLLRDHUP};

    return poll(&socket, 1, /* timeout= */ 0) > 0 &&
           socket.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);
}

static void on_watch(void *user)
{
    struct exchanges *all = user;
    struct exchange *x = all->first_waiting, *next;

    all->watch = NULL;
    for (; x; x = next) {
        next = x->next;
        if (has_hung_up(x))
            rest_cancel(all->rest, &x->request, E_CANCELLED);
    }
    if (all->first_waiting)
        all->watch = gateway_timer_start(all->gateway, WATCH_INTERVAL, on_watch, all);
}

static void wait_for_answer(struct exchange *x)
{
    struct exchanges *all = x->all;

    x->state = EXCHANGE_WAITING;
    push(&all->first_waiting, x);
    caller_begin_wait(caller_of(x->connection));
    MHD_suspend_connection(x->connection);
    if (!all->watch)
        all->watch = gateway_timer_start(all->gateway, WATCH_INTERVAL, on_watch, all);
}

static enum MHD_Result submit(struct exchange *x, const char *method)
{
    if (!gateway_stands(x->all->gateway, &x->identity)) /* not any more, while the body came */
        x->identity = (struct account_identity){0};
    describe(x, method);
    x->request.body = buffer_size(&x->body) > 0 ? buffer_front(&x->body) : NULL;
    x->request.body_size = buffer_size(&x->body);
    x->request.body_file = x->spool && spool_size(x->spool) > 0 ? spool_path(x->spool) : NULL;
    x->request.passphrase = header(x, "Blefleet-Passphrase");
    x->request.done = on_done;
    if (rest_submit(x->all->rest, &x->request) == REST_ANSWERED)
        return queue_answer(x);
    wait_for_answer(x);
    return MHD_YES;
}

static enum MHD_Result on_end(struct exchange *x, const char *method)
{
    if (x->all->is_closing)
        return refuse(x, 503, E_SHUTTING_DOWN, NULL);
    if (x->refusal == E_BODY_TOO_LARGE)
        return refuse_size(x);
    if (x->refusal == E_OVERLOADED || x->refusal == E_SHUTTING_DOWN)
        return refuse(x, 503, x->refusal, NULL);
    if (x->refusal != 0)
        return refuse(x, 500, E_INTERNAL, error_sentence(x->refusal));
    return submit(x, method);
}

void *exchange_on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct exchange *x = xnew(struct exchange, 1);

    x->all = cls;
    x->connection = connection;
    x->target = memory_copy_text(target);
    return x;
}

enum MHD_Result exchange_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *data,
                                    size_t *data_size, void **context)
{
    struct exchange *x = *context;
    size_t size = *data_size;

    (void) cls, (void) connection, (void) url, (void) version;
    switch (x->state) {
    case EXCHANGE_NEW:
        return on_headers(x, method);
    case EXCHANGE_READING:
        *data_size = 0;
        return size > 0 ? on_body(x, data, size) : on_end(x, method);
    case EXCHANGE_DONE:
        return queue_answer(x);
    case EXCHANGE_SPOOLING: /* the next chunk is there already: it stays with the library */
        return MHD_YES;
    case EXCHANGE_WAITING:   /* a suspended connection is not called, */
    case EXCHANGE_STREAMING: /* nor is one that was answered */
        break;
    }
    return MHD_NO;
}

void exchange_on_completed(void *cls, struct MHD_Connection *connection, void **context,
                           enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *context;

    (void) cls, (void) code;
    if (!x)
        return;
    caller_begin_pause(caller_of(connection));
    assert(x->state != EXCHANGE_WAITING && x->state != EXCHANGE_SPOOLING);
    if (x->state == EXCHANGE_STREAMING)
        remove_from(&x->all->first_streaming, x);
    release_body(x);
    spool_free(x->spool);
    answer_done(&x->request.answer);
    free(x->target);
    free(x);
    *context = NULL;
}

void exchanges_close(struct exchanges *all)
{
    all->is_closing = true;
    gateway_timer_stop(all->watch);
    all->watch = NULL;
    while (all->first_waiting)
        rest_cancel(all->rest, &all->first_waiting->request, E_SHUTTING_DOWN);
    while (all->first_spooling) {
        spool_free(TAKE(all->first_spooling->spool)); /* nobody is called back */
        leave_spooling(all->first_spooling, E_SHUTTING_DOWN);
    }
    for (struct exchange *x = all->first_streaming; x; x = x->next) {
        x->is_cut = true;
        resume_stream(x);
    }
}

void exchanges_look_at_accounts(struct exchanges *all)
{
    for (struct exchange *x = all->first_streaming; x; x = x->next) {
        if (x->is_cut || gateway_stands(all->gateway, &x->identity))
            continue;
        x->is_cut = true;
        resume_stream(x);
    }
}
