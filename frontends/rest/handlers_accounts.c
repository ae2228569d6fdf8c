/* The story: a session is a cookie that stands for a token, made and ended at once. A token that is
 * made or removed counts at once, and its request waits until the store has it.
 *
 * Failure modes: when the store cannot write, who waits is told so; the change counts all the same,
 * and is tried again. */
#include "handlers_accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/cursor.h"
#include "json/account_json.h"

#define COOKIE "blefleet_session"

const struct body_rule handlers_session_request[] = {
        {.name = "token", .type = BODY_TEXT, .is_required = true},
        {.name = NULL},
};

const struct body_rule handlers_token_request[] = {
        {.name = "name", .type = BODY_TEXT, .is_required = true},
        {.name = "role", .type = BODY_TEXT, .values = "read|control|admin", .is_required = true},
        {.name = NULL},
};

const struct query_rule handlers_tokens_query[] = {
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "cursor", .type = QUERY_TEXT},
        {.name = NULL},
};

const struct query_rule handlers_audit_query[] = {
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "cursor", .type = QUERY_TEXT},
        {.name = "since", .type = QUERY_TIME},
        {.name = "until", .type = QUERY_TIME},
        {.name = "actor", .type = QUERY_TEXT},
        {.name = NULL},
};

#define LIMIT_STANDARD 100

/* A request that waits for the store. */
struct wait {
    struct pending pending;
    struct gateway_token_change change;
    struct gateway *gateway;
    char name[ACCOUNT_NAME_SIZE];
    char secret[SECRET_TOKEN_SIZE]; /* "": a removal */
};

/* ---- sessions ---- */

static const struct account_identity *identity_of(const struct call *call)
{
    static const struct account_identity nobody;

    return call->request->identity ? call->request->identity : &nobody;
}

static int answer_session(struct call *call, const struct account_identity *identity)
{
    struct writer w = {0};

    account_json_write_session(&w, NULL, identity, gateway_has_tokens(call->gateway));
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}

static void set_cookie(struct call *call, const char *value, long long lasts_s)
{
    answer_add_header(&call->request->answer, "Set-Cookie",
                      COOKIE "=%s; Max-Age=%lld; Path=/; HttpOnly; SameSite=Strict%s", value,
                      lasts_s, call->request->is_secure ? "; Secure" : "");
}

int handlers_session(struct call *call)
{
    return answer_session(call, identity_of(call));
}

int handlers_sign_in(struct call *call)
{
    struct rest_request *request = call->request;
    struct account_identity identity;
    char cookie[SECRET_ID_SIZE];
    int rc = gateway_sign_in(call->gateway, body_text(call->body, "token"), request->source,
                             request->remote, identity_of(call), cookie, &identity);

    if (rc == E_RATE_LIMITED) {
        rest_refuse_tokens(&request->answer, identity.retry_after);
    } else if (rc == E_UNAUTHORIZED) {
        rest_refuse_role(&request->answer, REST_ROLE_NONE, REST_ROLE_READ);
    } else if (rc < 0) {
        rest_refuse(&request->answer, 500, E_INTERNAL, NULL);
    } else {
        set_cookie(call, cookie, gateway_config(call->gateway)->http_session_s);
        secret_wipe(cookie, sizeof cookie);
        return answer_session(call, &identity);
    }
    return REST_ANSWERED;
}

int handlers_sign_out(struct call *call)
{
    accounts_sign_out(gateway_accounts(call->gateway), identity_of(call));
    set_cookie(call, "", 0);
    call->request->answer.status = 204;
    return REST_ANSWERED;
}

/* ---- tokens ---- */

static void answer_unwritten(int cause, struct answer *ret_answer)
{
    char detail[192];

    (void) snprintf(detail, sizeof detail,
                    "it counts, but the store cannot be written, and is tried again: %.100s",
                    error_sentence(cause));
    rest_refuse(ret_answer, cause == E_SHUTTING_DOWN ? 503 : 500,
                cause == E_SHUTTING_DOWN ? cause : E_INTERNAL, detail);
}

static void answer_made(const struct wait *wait, struct answer *ret_answer)
{
    const struct account_token *token =
            accounts_find_token(gateway_accounts(wait->gateway), wait->name);
    struct writer w = {0};

    if (!token) {
        rest_refuse(ret_answer, 404, E_NOT_FOUND, "the token was removed meanwhile");
        return;
    }
    account_json_write_token(&w, NULL, token, wait->secret);
    answer_add_header(ret_answer, "Location", "/api/v1/tokens/%s", wait->name);
    answer_set_json(ret_answer, 201, &w);
}

static void answer_change(const struct wait *wait, int cause, struct answer *ret_answer)
{
    if (cause < 0)
        answer_unwritten(cause, ret_answer);
    else if (wait->secret[0])
        answer_made(wait, ret_answer);
    else
        ret_answer->status = 204;
}

static void free_wait(struct wait *wait)
{
    secret_wipe(wait->secret, sizeof wait->secret);
    free(wait);
}

static void on_release(struct pending *pending)
{
    struct wait *wait = CONTAINER_OF(pending, struct wait, pending);

    gateway_token_change_cancel(wait->gateway, &wait->change);
    free_wait(wait);
}

static void on_changed(struct gateway_token_change *change, int cause)
{
    struct wait *wait = CONTAINER_OF(change, struct wait, change);

    answer_change(wait, cause, &wait->pending.request->answer);
    pending_finish(&wait->pending);
}

static void refuse_change(int cause, struct answer *ret_answer)
{
    struct problem problem = {.cause = cause, .status = 409};
    struct faults faults = {0};

    switch (cause) {
    case E_INVALID_REQUEST:
        faults_add(&faults, "/role", "the first token must be an admin, else nobody could go on");
        faults_answer(&faults, ret_answer);
        break;
    case E_CONFLICT:
        answer_set_problem(ret_answer, &problem);
        break;
    case E_OVERRIDDEN:
        problem.detail = "the token is in the file that BLEFLEET_TOKEN_FILE names";
        problem.parts[0] = (struct problem_part){"variable", "\"BLEFLEET_TOKEN_FILE\""};
        answer_set_problem(ret_answer, &problem);
        break;
    case E_NOT_FOUND:
        rest_refuse(ret_answer, 404, cause, "no token of that name");
        break;
    case E_OVERLOADED:
        rest_refuse(ret_answer, 503, cause, "there are too many tokens");
        break;
    default:
        rest_refuse(ret_answer, 500, E_INTERNAL, NULL);
    }
    faults_done(&faults);
}

static void refuse_conflict(const char *detail, const char *holder, struct answer *ret_answer)
{
    const struct problem problem = {
            .cause = E_CONFLICT, .status = 409, .detail = detail, .holder = holder};

    answer_set_problem(ret_answer, &problem);
}

/* A change must not begin whose request cannot wait. */
static struct wait *begin(struct call *call, const char *name)
{
    struct wait *wait;

    if (pendings_are_full(call->pendings)) {
        rest_refuse(&call->request->answer, 503, E_OVERLOADED, "too many requests wait already");
        return NULL;
    }
    wait = xnew(struct wait, 1);
    wait->gateway = call->gateway;
    wait->change.done = on_changed;
    (void) snprintf(wait->name, sizeof wait->name, "%s", name);
    return wait;
}

/* After the change was made (0: it is on its way to the store) or refused. */
static int go_on(struct call *call, struct wait *wait, int rc)
{
    if (rc == 0)
        return pendings_add(call->pendings, &wait->pending, call->request, on_release);
    if (rc == GATEWAY_DONE)
        answer_change(wait, 0, &call->request->answer);
    else if (!call->request->answer.status)
        refuse_change(rc, &call->request->answer);
    free_wait(wait);
    return REST_ANSWERED;
}

/* Those behind the name; the last one written is *ret_last. True: there are more. */
static bool write_tokens(struct writer *w, const struct accounts *accounts, const char *after,
                         int64_t limit, const struct account_token **ret_last)
{
    const struct account_token *token;

    *ret_last = NULL;
    for (size_t i = 0; (token = accounts_get_token(accounts, i)); i++) {
        if (strcmp(token->name, after) <= 0)
            continue;
        if (limit-- == 0)
            return true;
        account_json_write_token(w, NULL, token, NULL);
        *ret_last = token;
    }
    return false;
}

static bool read_name_cursor(const char *text, char ret_name[CURSOR_SIZE_MAX + 1])
{
    size_t size = 0;

    if (text && !cursor_decode((uint8_t *) ret_name, text, &size))
        return false;
    ret_name[size] = '\0';
    return !text || (strlen(ret_name) == size && account_name_is_valid(ret_name));
}

int handlers_tokens(struct call *call)
{
    char after[CURSOR_SIZE_MAX + 1], *next AUTO_FREE = NULL;
    const struct account_token *last;
    struct writer w = {0};

    if (!read_name_cursor(query_text(call->query, "cursor"), after)) {
        rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST,
                    "cursor is not one of this list");
        return REST_ANSWERED;
    }
    writer_begin_object(&w, NULL);
    writer_begin_array(&w, "items");
    if (write_tokens(&w, gateway_accounts(call->gateway), after,
                     query_integer(call->query, "limit", LIMIT_STANDARD), &last))
        next = cursor_encode((const uint8_t *) last->name, strlen(last->name));
    writer_end_array(&w);
    writer_text(&w, "next", next);
    writer_end_object(&w);
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}

int handlers_add_token(struct call *call)
{
    const char *name = body_text(call->body, "name");
    enum account_role role = ACCOUNT_READ;
    struct wait *wait;
    int rc;

    if (!account_name_is_valid(name)) {
        struct faults faults = {0};

        faults_add(&faults, "/name", "1 to 64 of A-Z a-z 0-9 _ . -, the first a letter or digit");
        faults_answer(&faults, &call->request->answer);
        faults_done(&faults);
        return REST_ANSWERED;
    }
    (void) account_role_parse(body_text(call->body, "role"), &role); /* the rules know the roles */
    wait = begin(call, name);
    if (!wait)
        return REST_ANSWERED;
    rc = gateway_add_token(call->gateway, name, role, wait->secret, &wait->change);
    if (rc == E_CONFLICT)
        refuse_conflict("the name is taken by another token", name, &call->request->answer);
    return go_on(call, wait, rc);
}

int handlers_remove_token(struct call *call)
{
    struct wait *wait;
    int rc;

    if (!account_name_is_valid(call->parameters[0])) {
        refuse_change(E_NOT_FOUND, &call->request->answer);
        return REST_ANSWERED;
    }
    wait = begin(call, call->parameters[0]);
    if (!wait)
        return REST_ANSWERED;
    rc = gateway_remove_token(call->gateway, wait->name, &wait->change);
    if (rc == E_CONFLICT)
        refuse_conflict("it is the last admin token: nobody could make another one", wait->name,
                        &call->request->answer);
    return go_on(call, wait, rc);
}

/* ---- who changed what ---- */

struct audit_wish {
    const char *actor; /* NULL: whoever */
    int64_t since, until;
};

/* The newest wanted one below *before, which becomes its id; NULL: there is none. */
static const struct audit_entry *next_entry(const struct accounts *accounts,
                                            const struct audit_wish *wish, uint64_t *before)
{
    const struct audit_entry *e;

    while ((e = accounts_audit_before(accounts, *before))) {
        *before = e->id;
        if (e->time >= wish->since && e->time <= wish->until &&
            (!wish->actor || strcmp(wish->actor, e->actor) == 0))
            return e;
    }
    return NULL;
}

static void write_audit(struct writer *w, const struct accounts *accounts,
                        const struct audit_wish *wish, uint64_t before, int64_t limit)
{
    char *next AUTO_FREE = NULL;
    const struct audit_entry *e;
    uint64_t last = before;

    writer_begin_object(w, NULL);
    writer_begin_array(w, "items");
    while ((e = next_entry(accounts, wish, &before))) {
        if (limit-- == 0) {
            next = cursor_encode_number(last);
            break;
        }
        account_json_write_audit(w, NULL, e);
        last = e->id;
    }
    writer_end_array(w);
    writer_text(w, "next", next);
    writer_end_object(w);
}

int handlers_audit(struct call *call)
{
    const char *cursor = query_text(call->query, "cursor");
    const struct audit_wish wish = {
            .actor = query_text(call->query, "actor"),
            .since = query_time(call->query, "since", INT64_MIN),
            .until = query_time(call->query, "until", INT64_MAX),
    };
    uint64_t before = UINT64_MAX;
    struct writer w = {0};

    if (cursor && !cursor_decode_number(cursor, &before)) {
        rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST,
                    "cursor is not one of this list");
        return REST_ANSWERED;
    }
    write_audit(&w, gateway_accounts(call->gateway), &wish, before,
                query_integer(call->query, "limit", LIMIT_STANDARD));
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}
