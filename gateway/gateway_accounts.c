/* The facade's view of accounts. */
#include "accounting.h"
#include "inside.h"

struct accounts *gateway_accounts(const struct gateway *g)
{
    return accounting_accounts(g->accounting);
}

bool gateway_has_tokens(const struct gateway *g)
{
    return accounts_has_tokens(gateway_accounts(g));
}

int gateway_read_tokens(struct gateway *g, const char *path, char *ret_error, size_t error_size)
{
    return accounting_read_tokens(g->accounting, path, ret_error, error_size);
}

void gateway_identify(struct gateway *g, const struct account_credentials *credentials,
                      const char *remote, struct account_identity *ret_identity)
{
    accounting_identify(g->accounting, credentials, remote, ret_identity);
}

bool gateway_stands(const struct gateway *g, const struct account_identity *identity)
{
    return accounts_stands(gateway_accounts(g), identity, gateway_wall(g, gateway_now(g)));
}

int gateway_add_token(struct gateway *g, const char *name, enum account_role role,
                      char ret_secret[SECRET_TOKEN_SIZE], struct gateway_token_change *change)
{
    return accounting_add_token(g->accounting, name, role, ret_secret, change);
}

int gateway_remove_token(struct gateway *g, const char *name, struct gateway_token_change *change)
{
    return accounting_remove_token(g->accounting, name, change);
}

void gateway_token_change_cancel(struct gateway *g, struct gateway_token_change *change)
{
    accounting_cancel(g->accounting, change);
}

int gateway_sign_in(struct gateway *g, const char *token, struct account_source source,
                    const char *remote, const struct account_identity *before,
                    char ret_cookie[SECRET_ID_SIZE], struct account_identity *ret_identity)
{
    return accounting_sign_in(g->accounting, token, source, remote, before, ret_cookie,
                              ret_identity);
}

void gateway_audit(struct gateway *g, const struct audit_entry *entry)
{
    accounting_audit(g->accounting, entry);
}
