#include "token_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "database.h"

struct token_file {
    struct database *database;
    struct account_token tokens[TOKENS_MAX];
    size_t count;
};

static int write_op(struct token_file *f, const struct account_op *op)
{
    struct batch batch = {0};
    int rc;

    account_queue_push(&batch.accounts, op);
    rc = database_write(f->database, &batch, SIZE_MAX);
    batch_done(&batch);
    return rc;
}

int token_file_open(const char *folder, struct token_file **ret_file, char *ret_error,
                    size_t error_size)
{
    struct token_file *f = xnew(struct token_file, 1);
    int rc = database_join(folder, &f->database, ret_error, error_size);

    if (rc < 0) {
        free(f);
        return rc;
    }
    rc = database_load_tokens(f->database, f->tokens, &f->count);
    if (rc < 0) {
        (void) snprintf(ret_error, error_size, "store %s: %s", folder, error_sentence(rc));
        token_file_close(f);
        return rc;
    }
    *ret_file = f;
    return 0;
}

void token_file_close(struct token_file *f)
{
    if (!f)
        return;
    database_close(f->database);
    free(f);
}

bool token_file_has_any(const char *folder)
{
    return database_has_tokens(folder);
}

const struct account_token *token_file_get(const struct token_file *f, size_t index)
{
    return index < f->count ? &f->tokens[index] : NULL;
}

const struct account_token *token_file_find(const struct token_file *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->tokens[i].name, name) == 0)
            return &f->tokens[i];
    }
    return NULL;
}

int token_file_add(struct token_file *f, const struct account_token *token)
{
    const struct account_op op = {.kind = ACCOUNT_ADD_TOKEN, .token = *token};

    return f->count < TOKENS_MAX ? write_op(f, &op) : E_OVERLOADED;
}

int token_file_remove(struct token_file *f, const char *name)
{
    struct account_op op = {.kind = ACCOUNT_DROP_TOKEN};

    (void) snprintf(op.token.name, sizeof op.token.name, "%s", name);
    return write_op(f, &op);
}
