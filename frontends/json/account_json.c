#include "account_json.h"

#include <string.h>

/* null for 0. */
static void write_moment(struct writer *w, const char *key, int64_t wall)
{
    if (wall > 0)
        writer_time(w, key, wall);
    else
        writer_null(w, key);
}

static const char *via_name(enum account_via via)
{
    switch (via) {
    case ACCOUNT_VIA_NOBODY:
        break;
    case ACCOUNT_VIA_LOOPBACK:
        return "loopback";
    case ACCOUNT_VIA_BEARER:
        return "bearer";
    case ACCOUNT_VIA_COOKIE:
        return "cookie";
    }
    return NULL;
}

void account_json_write_token(struct writer *w, const char *key, const struct account_token *token,
                              const char *secret)
{
    writer_begin_object(w, key);
    writer_text(w, "name", token->name);
    writer_text(w, "role", account_role_name(token->role));
    write_moment(w, "created", token->created);
    write_moment(w, "last_used", token->last_used);
    writer_text(w, "source", token->is_environment ? "environment" : "store");
    if (secret)
        writer_text(w, "token", secret);
    writer_end_object(w);
}

void account_json_write_session(struct writer *w, const char *key,
                                const struct account_identity *identity, bool auth_required)
{
    bool is_somebody = identity->via != ACCOUNT_VIA_NOBODY;

    writer_begin_object(w, key);
    writer_bool(w, "authenticated", is_somebody);
    writer_bool(w, "auth_required", auth_required);
    writer_bool(w, "first_run", identity->via == ACCOUNT_VIA_LOOPBACK);
    writer_text(w, "name", identity->name[0] ? identity->name : NULL);
    writer_text(w, "role", is_somebody ? account_role_name(identity->role) : NULL);
    writer_text(w, "via", via_name(identity->via));
    write_moment(w, "expires", identity->expires);
    writer_end_object(w);
}

void account_json_write_audit(struct writer *w, const char *key, const struct audit_entry *entry)
{
    writer_begin_object(w, key);
    writer_time(w, "time", entry->time);
    writer_text(w, "actor", entry->actor);
    writer_text(w, "role", account_role_name(entry->role));
    writer_text(w, "remote", entry->remote);
    writer_text(w, "action", entry->action);
    writer_integer(w, "status", entry->status);
    writer_begin_array(w, "changed");
    for (const char *line = entry->changed; *line; line += *line == '\n') {
        size_t length = strcspn(line, "\n");

        writer_text_sized(w, NULL, line, length);
        line += length;
    }
    writer_end_array(w);
    writer_end_object(w);
}
