#include "token_lines.h"

#include <stdio.h>
#include <string.h>

#define BARE_NAME     "env"
#define BLANKS        " \t\r"
#define WORDS_MAX     3
#define LINE_MAX_SIZE (ACCOUNT_NAME_SIZE + 16 + SECRET_LENGTH_MAX)

/* Splits in place. The number of words, of which WORDS_MAX are told. */
static size_t split(char *line, char *ret_words[WORDS_MAX])
{
    size_t count = 0;

    for (char *rest = NULL, *word = strtok_r(line, BLANKS, &rest); word;
         word = strtok_r(NULL, BLANKS, &rest)) {
        if (count < WORDS_MAX)
            ret_words[count] = word;
        count++;
    }
    return count;
}

static const char *find_fault(const struct token_lines *lines, const struct account_token *token,
                              const char *secret)
{
    if (!account_name_is_valid(token->name))
        return "the name is not valid";
    if (strlen(secret) < TOKEN_LINES_SECRET_MIN)
        return "a secret has 32 characters at least";
    if (strlen(secret) > SECRET_LENGTH_MAX)
        return "the secret is too long";
    if (lines->count == TOKEN_LINES_MAX)
        return "too many tokens";
    for (size_t i = 0; i < lines->count; i++) {
        if (strcmp(lines->items[i].name, token->name) == 0)
            return "the name is there twice";
        if (secret_is_equal(lines->items[i].hash, token->hash))
            return "the secret is there twice";
    }
    return NULL;
}

/* NULL: it was one more token, or an empty line. */
static const char *read_line(struct token_lines *lines, char *line)
{
    struct account_token token = {.role = ACCOUNT_ADMIN, .name = BARE_NAME, .is_environment = true};
    char *words[WORDS_MAX];
    size_t count = split(line, words);
    const char *secret = words[count == 1 ? 0 : 2], *fault;

    if (count == 0)
        return NULL;
    if (count != 1 && count != WORDS_MAX)
        return "not NAME ROLE SECRET, nor one bare secret";
    if (count == WORDS_MAX) {
        if (!account_role_parse(words[1], &token.role))
            return "the role is not read, control or admin";
        (void) snprintf(token.name, sizeof token.name, "%s", words[0]);
        if (strlen(words[0]) >= sizeof token.name)
            return "the name is not valid";
    }
    secret_hash(secret, token.hash);
    fault = find_fault(lines, &token, secret);
    if (!fault)
        lines->items[lines->count++] = token;
    return fault;
}

bool token_lines_read(const char *text, size_t size, struct token_lines *ret_lines,
                      char ret_fault[TOKEN_LINES_FAULT])
{
    char line[LINE_MAX_SIZE + 1];
    const char *end = text + size, *fault = NULL;
    unsigned number = 0;

    *ret_lines = (struct token_lines){0};
    while (text < end && !fault) {
        const char *stop = memchr(text, '\n', (size_t) (end - text));
        size_t length = (size_t) ((stop ? stop : end) - text);

        number++;
        if (length > LINE_MAX_SIZE) {
            fault = "the line is too long";
        } else {
            memcpy(line, text, length);
            line[length] = '\0';
            fault = strlen(line) == length ? read_line(ret_lines, line) : "a zero octet";
        }
        text += length + 1;
    }
    secret_wipe(line, sizeof line);
    if (!fault && ret_lines->count == 0)
        (void) snprintf(ret_fault, TOKEN_LINES_FAULT, "there is no token in it");
    else if (fault)
        (void) snprintf(ret_fault, TOKEN_LINES_FAULT, "line %u: %s", number, fault);
    return !fault && ret_lines->count > 0;
}
