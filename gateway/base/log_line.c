#include "log_line.h"

#include <stdbool.h>
#include <string.h>

void log_line_module(const struct log_line *line, char ret_module[LOG_MODULE_SIZE])
{
    size_t length = strcspn(line->message, ". ");

    if (length >= LOG_MODULE_SIZE)
        length = LOG_MODULE_SIZE - 1;
    memcpy(ret_module, line->message, length);
    ret_module[length] = '\0';
}

/* Behind a value in quotes: a quote that ends a word. */
static const char *find_end_of_quotation(const char *value)
{
    const char *quote = value;

    while ((quote = strchr(quote, '"')) && quote[1] != ' ' && quote[1] != '\0' && quote[1] != ',')
        quote++;
    return quote ? quote : value + strlen(value);
}

/* Takes the value from the text behind '='. Returns where the text goes on. */
static const char *take_value(const char *text, struct log_field *ret_field)
{
    const char *end;

    if (*text == '"') {
        text++;
        end = find_end_of_quotation(text);
    } else {
        end = text + strcspn(text, " ");
        if (end > text && end[-1] == ',' && *end == ' ') /* "cause=timeout, ignoring" */
            end--;
    }
    ret_field->value = text;
    ret_field->value_length = (size_t) (end - text);
    return end;
}

static bool is_there(const struct log_field *fields, size_t count, const struct log_field *field)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].key_length == field->key_length &&
            memcmp(fields[i].key, field->key, field->key_length) == 0)
            return true;
    }
    return false;
}

size_t log_line_fields(const struct log_line *line, struct log_field *ret_fields, size_t room)
{
    const char *text = line->message;
    size_t count = 0;

    while (*text && count < room) {
        struct log_field field = {
                .key = text, .key_length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")};

        if (field.key_length > 0 && text[field.key_length] == '=') {
            text = take_value(text + field.key_length + 1, &field);
            if (!is_there(ret_fields, count, &field))
                ret_fields[count++] = field;
        }
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
    return count;
}
