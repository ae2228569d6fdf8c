/* Accounts of the fake gateway: real ones that nothing keeps, with chance that is none. */
#include <string.h>

#include "fake_inside.h"

static int64_t wall_now(const struct gateway *g)
{
    return gateway_wall(g, gateway_now(g));
}

static void draw(const struct gateway *g, uint8_t ret_random[SECRET_RANDOM_SIZE])
{
    static uint8_t last;

    (void) g;
    memset(ret_random, ++last, SECRET_RANDOM_SIZE);
}

struct accounts *gateway_accounts(const struct gateway *g)
{
    return fake_inside_accounts(g);
}

bool gateway_has_tokens(const struct gateway *g)
{
    return accounts_has_tokens(gateway_accounts(g));
}

void gateway_identify(struct gateway *g, const struct account_credentials *credentials,
                      const char *remote, struct account_identity *ret_identity)
{
    (void) remote;
    (void) accounts_identify(gateway_accounts(g), credentials, gateway_now(g), wall_now(g),
                             ret_identity);
}

bool gateway_stands(const struct gateway *g, const struct account_identity *identity)
{
    return accounts_stands(gateway_accounts(g), identity, wall_now(g));
}

int gateway_add_token(struct gateway *g, const char *name, enum account_role role,
                      char ret_secret[SECRET_TOKEN_SIZE], struct gateway_token_change *change)
{
    uint8_t random[SECRET_RANDOM_SIZE];
    int rc;

    draw(g, random);
    rc = accounts_add_token(gateway_accounts(g), name, role, random, wall_now(g), ret_secret);
    return rc < 0 ? rc : fake_inside_wait_for_store(g, change);
}

int gateway_remove_token(struct gateway *g, const char *name, struct gateway_token_change *change)
{
    int rc = accounts_remove_token(gateway_accounts(g), name);

    return rc < 0 ? rc : fake_inside_wait_for_store(g, change);
}

int gateway_sign_in(struct gateway *g, const char *token, struct account_source source,
                    const char *remote, const struct account_identity *before,
                    char ret_cookie[SECRET_ID_SIZE], struct account_identity *ret_identity)
{
    uint8_t random[SECRET_RANDOM_SIZE];
    const struct accounts_sign_in wish = {token, source, before, 3600000000, random};
    bool is_held;

    (void) remote;
    draw(g, random);
    return accounts_sign_in(gateway_accounts(g), &wish, gateway_now(g), wall_now(g), ret_cookie,
                            ret_identity, &is_held);
}

void gateway_audit(struct gateway *g, const struct audit_entry *entry)
{
    struct audit_entry timed = *entry;

    timed.time = wall_now(g);
    accounts_audit(gateway_accounts(g), &timed, gateway_now(g));
}
