/* The story: at the start the store hands back tokens, sessions and rows; from then on accounts
 * tell what changed and it goes to the store. Who adds or removes a token waits until a batch is
 * written that has it. When another program has changed the tokens, the store tells them all.
 *
 * Failure modes: a batch that cannot be written answers who waits, while the change counts and is
 * tried again. A token file that makes no sense changes nothing. */
#include "accounting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "accounts/wrong_tokens.h"
#include "base/log.h"
#include "base/memory.h"
#include "gateway.h"
#include "store/store.h"

#define SWEEP       (60 * USEC_PER_SEC)
#define LOG_BURST   5 /* lines of those who are held off, in that time */
#define USEC_OF_DAY ((int64_t) 24 * 3600 * 1000000)

struct accounting {
    struct gateway *gateway; /* borrowed */
    struct store *store;     /* borrowed; NULL: nothing is kept */
    struct accounts *accounts;
    struct gateway_token_change *waiting;
    struct gateway_timer *sweep;
    struct log_limit log_limit;
};

/* ---- keeping ---- */

static void put(const struct accounting *a, const struct account_op *op)
{
    if (a->store)
        store_put_account(a->store, op);
}

static void on_add_token(void *user, const struct account_token *token)
{
    put(user, &(struct account_op){.kind = ACCOUNT_ADD_TOKEN, .token = *token});
}

static void on_use_token(void *user, const struct account_token *token)
{
    put(user, &(struct account_op){.kind = ACCOUNT_USE_TOKEN, .token = *token});
}

static void on_drop_token(void *user, const char *name)
{
    struct account_op op = {.kind = ACCOUNT_DROP_TOKEN};

    (void) snprintf(op.token.name, sizeof op.token.name, "%s", name);
    put(user, &op);
}

static void on_put_session(void *user, const struct account_session *session)
{
    put(user, &(struct account_op){.kind = ACCOUNT_PUT_SESSION, .session = *session});
}

static void on_drop_session(void *user, const uint8_t id[SECRET_HASH_SIZE])
{
    struct account_op op = {.kind = ACCOUNT_DROP_SESSION};

    memcpy(op.session.id, id, sizeof op.session.id);
    put(user, &op);
}

static void on_put_audit(void *user, const struct audit_entry *entry)
{
    const struct accounting *a = user;

    if (a->store)
        store_put_audit(a->store, entry);
}

/* ---- waiting for the disk ---- */

static void finish_all(struct accounting *a, int cause)
{
    struct gateway_token_change *change = TAKE(a->waiting), *next;

    for (; change; change = next) {
        next = change->next;
        change->is_waiting = false;
        change->done(change, cause);
    }
}

static void on_written(void *user, int result)
{
    struct accounting *a = user;

    if (result < 0 || !store_is_behind_with_tokens(a->store))
        finish_all(a, result);
}

/* After a change that was made (0) or not. */
static int wait_for_disk(struct accounting *a, struct gateway_token_change *change, int rc)
{
    if (rc < 0)
        return rc;
    if (!a->store)
        return GATEWAY_DONE;
    change->is_waiting = true;
    change->next = a->waiting;
    a->waiting = change;
    return 0;
}

/* ---- time ---- */

static int64_t wall_now(const struct accounting *a)
{
    return gateway_wall(a->gateway, gateway_now(a->gateway));
}

static void forget_old_rows(struct accounting *a)
{
    int64_t since = wall_now(a) - gateway_config(a->gateway)->log_audit_days * USEC_OF_DAY;

    if (accounts_forget_audit(a->accounts, since) && a->store)
        store_prune_audit(a->store, since);
}

static void on_sweep(void *user)
{
    struct accounting *a = user;

    a->sweep = gateway_timer_start(a->gateway, SWEEP, on_sweep, a);
    accounts_sweep(a->accounts, wall_now(a));
    forget_old_rows(a);
}

/* ---- the start ---- */

static void on_tokens_loaded(void *user, const struct account_token *tokens, size_t count)
{
    const struct accounting *a = user;

    accounts_set_tokens(a->accounts, tokens, count);
}

static void on_tokens_changed(void *user, const struct account_token *tokens, size_t count)
{
    log_info("accounts.tokens_read", "tokens=%zu another program has written into the store",
             count);
    on_tokens_loaded(user, tokens, count);
}

static void on_audit_loaded(void *user, const struct audit_entry *entry)
{
    const struct accounting *a = user;

    accounts_load_audit(a->accounts, entry);
}

static void on_session_loaded(void *user, const struct account_session *session)
{
    const struct accounting *a = user;

    accounts_load_session(a->accounts, session, clock_wall());
}

/* What cannot be read is said; who had a token must not become nobody without a word. */
static void restore(struct accounting *a)
{
    const struct store_accounts to = {on_tokens_loaded, on_session_loaded, on_audit_loaded, a};
    int rc = store_load_accounts(a->store, &to);

    if (rc < 0)
        log_warning("store.restore_failed", "cause=%s, going on without some of the accounts",
                    error_token(rc));
    store_watch_tokens(a->store, on_tokens_changed, a);
    store_on_written(a->store, on_written, a);
}

struct accounting *accounting_new(struct gateway *g, struct store *store)
{
    struct accounting *a = xnew(struct accounting, 1);
    const struct accounts_keeper keeper = {on_add_token,
                                           on_use_token,
                                           on_drop_token,
                                           on_put_session,
                                           on_drop_session,
                                           on_put_audit,
                                           a};

    a->gateway = g;
    a->store = store;
    a->accounts = accounts_new(&keeper);
    a->log_limit = (struct log_limit){.burst = LOG_BURST, .window = SWEEP};
    if (store)
        restore(a);
    forget_old_rows(a);
    a->sweep = gateway_timer_start(g, SWEEP, on_sweep, a);
    return a;
}

void accounting_stop(struct accounting *a)
{
    gateway_timer_stop(TAKE(a->sweep));
    if (a->store)
        store_on_written(a->store, NULL, NULL);
    a->store = NULL;
    finish_all(a, E_SHUTTING_DOWN);
}

void accounting_free(struct accounting *a)
{
    if (!a)
        return;
    accounts_free(a->accounts);
    free(a);
}

struct accounts *accounting_accounts(const struct accounting *a)
{
    return a->accounts;
}

/* ---- the tokens of the environment ---- */

/* The octets, of which there may be more than are allowed by one. */
static ssize_t read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t length = 0;
    ssize_t got = -1;

    if (fd < 0)
        return -errno;
    while (length < size &&
           ((got = read(fd, text + length, size - length)) > 0 || (got < 0 && errno == EINTR)))
        length += got > 0 ? (size_t) got : 0;
    got = got < 0 ? -errno : (ssize_t) length;
    (void) close(fd);
    return got;
}

static int use_lines(struct accounting *a, const struct token_lines *lines, const char *path,
                     char *ret_error, size_t error_size)
{
    if (accounts_set_environment(a->accounts, lines)) {
        log_info("accounts.environment", "tokens=%zu file=%s", lines->count, path);
        return 0;
    }
    (void) snprintf(ret_error, error_size, "%s: there are too many tokens", path);
    return E_INVALID_REQUEST;
}

int accounting_read_tokens(struct accounting *a, const char *path, char *ret_error,
                           size_t error_size)
{
    struct token_lines *lines AUTO_FREE = xnew(struct token_lines, 1);
    char *text AUTO_FREE = xnew(char, TOKEN_LINES_OCTETS + 1);
    char fault[TOKEN_LINES_FAULT] = "it is too long";
    ssize_t size = read_file(path, text, TOKEN_LINES_OCTETS + 1);
    bool is_valid = size >= 0 && (size_t) size <= TOKEN_LINES_OCTETS &&
                    token_lines_read(text, (size_t) size, lines, fault);

    secret_wipe(text, TOKEN_LINES_OCTETS + 1);
    if (is_valid)
        return use_lines(a, lines, path, ret_error, error_size);
    (void) snprintf(ret_error, error_size, "%s: %s", path,
                    size < 0 ? error_sentence((int) size) : fault);
    return size < 0 ? (int) size : E_INVALID_REQUEST;
}

/* ---- who somebody is ---- */

/* Many addresses are not many lines. */
static void tell_held_off(struct accounting *a, const char *remote)
{
    unsigned held_back = 0;

    if (!log_allowed(&a->log_limit, gateway_now(a->gateway), &held_back))
        return;
    log_warning("accounts.held_off",
                "remote=%s sent %d wrong tokens in a minute, looking at none from there for %d s "
                "held_back=%u",
                remote, WRONG_TOKENS_MAX, (int) (WRONG_TOKENS_HOLD / USEC_PER_SEC), held_back);
}

void accounting_identify(struct accounting *a, const struct account_credentials *credentials,
                         const char *remote, struct account_identity *ret_identity)
{
    if (accounts_identify(a->accounts, credentials, gateway_now(a->gateway), wall_now(a),
                          ret_identity))
        tell_held_off(a, remote);
}

static bool draw(uint8_t ret_random[SECRET_RANDOM_SIZE])
{
    return getrandom(ret_random, SECRET_RANDOM_SIZE, 0) == SECRET_RANDOM_SIZE;
}

int accounting_sign_in(struct accounting *a, const char *token, struct account_source source,
                       const char *remote, const struct account_identity *before,
                       char ret_cookie[SECRET_ID_SIZE], struct account_identity *ret_identity)
{
    int64_t lasts = gateway_config(a->gateway)->http_session_s * (int64_t) USEC_PER_SEC;
    uint8_t random[SECRET_RANDOM_SIZE];
    const struct accounts_sign_in wish = {token, source, before, lasts, random};
    bool is_held = false;
    int rc;

    if (!draw(random))
        return E_INTERNAL;
    rc = accounts_sign_in(a->accounts, &wish, gateway_now(a->gateway), wall_now(a), ret_cookie,
                          ret_identity, &is_held);
    secret_wipe(random, sizeof random);
    if (is_held)
        tell_held_off(a, remote);
    return rc;
}

/* ---- tokens ---- */

int accounting_add_token(struct accounting *a, const char *name, enum account_role role,
                         char ret_secret[SECRET_TOKEN_SIZE], struct gateway_token_change *change)
{
    uint8_t random[SECRET_RANDOM_SIZE];
    int rc;

    if (!draw(random))
        return E_INTERNAL;
    rc = accounts_add_token(a->accounts, name, role, random, wall_now(a), ret_secret);
    secret_wipe(random, sizeof random);
    if (rc == 0)
        log_info("accounts.token_added", "name=%s role=%s", name, account_role_name(role));
    return wait_for_disk(a, change, rc);
}

int accounting_remove_token(struct accounting *a, const char *name,
                            struct gateway_token_change *change)
{
    int rc = accounts_remove_token(a->accounts, name);

    if (rc == 0)
        log_info("accounts.token_removed", "name=%s", name);
    return wait_for_disk(a, change, rc);
}

void accounting_cancel(struct accounting *a, struct gateway_token_change *change)
{
    struct gateway_token_change **at = &a->waiting;

    if (!change->is_waiting)
        return;
    while (*at != change)
        at = &(*at)->next;
    *at = change->next;
    change->is_waiting = false;
}

/* ---- who changed what ---- */

void accounting_audit(struct accounting *a, const struct audit_entry *entry)
{
    struct audit_entry timed = *entry;

    timed.time =
            wall_now(a) / 1000 * 1000; /* as it is told, so that who asks from then on has it */
    if (gateway_config(a->gateway)->log_audit_days > 0)
        accounts_audit(a->accounts, &timed, gateway_now(a->gateway));
}
