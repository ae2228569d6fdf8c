#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "config/config_secrets.h"

#define KEY   "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
#define OTHER "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define IRK   "00112233445566778899aabbccddeeff"

static const char full[] =
        "{\"mqtt\":{\"password\":\"hunter\",\"port\":1884},"
        "\"esphome\":{\"single\":{\"encryption_key\":\"" KEY "\"}},"
        "\"matter\":{\"servers\":[{\"url\":\"ws://m.example\",\"authorization\":\"hunter\"}]},"
        "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\",\"encryption_key\":\"" KEY
        "\",\"password\":null},{\"name\":\"hall\",\"host\":\"192.0.2.11\"}],"
        "\"devices\":[{\"address\":\"a4c13812ab56\",\"bindkey\":\"" IRK "\",\"irk\":\"" IRK "\"}],"
        "\"identities\":[{\"name\":\"Anna\",\"irk\":\"" IRK "\"}]}";

static json_t *read_json(const char *text)
{
    json_t *document = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(document);
    return document;
}

static void assert_equal(const char *text, const char *expected)
{
    json_t *a = read_json(text), *b = read_json(expected);

    if (!json_equal(a, b))
        fail_msg("%s is not %s", text, expected);
    json_decref(a);
    json_decref(b);
}

static char *mask(const char *text)
{
    size_t size;
    char *masked = config_secrets_mask(text, strlen(text), &size);

    assert_non_null(masked);
    assert_int_equal(strlen(masked), size);
    return masked;
}

static void every_secret_is_masked_and_nothing_else(void **state)
{
    char *masked = mask(full);

    (void) state;
    assert_equal(
            masked,
            "{\"mqtt\":{\"password\":\"***\",\"port\":1884},"
            "\"esphome\":{\"single\":{\"encryption_key\":\"***\"}},"
            "\"matter\":{\"servers\":[{\"url\":\"ws://m.example\",\"authorization\":\"***\"}]},"
            "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\","
            "\"encryption_key\":\"***\",\"password\":null},"
            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"}],"
            "\"devices\":[{\"address\":\"a4c13812ab56\",\"bindkey\":\"***\",\"irk\":\"***\"}],"
            "\"identities\":[{\"name\":\"Anna\",\"irk\":\"***\"}]}");
    free(masked);
}

static void fill(const char *text, const char *present, const char *expected,
                 struct config_texts *missing)
{
    size_t size;
    char *filled =
            config_secrets_fill(text, strlen(text), present, strlen(present), &size, missing);

    assert_non_null(filled);
    assert_int_equal(strlen(filled), size);
    assert_equal(filled, expected);
    free(filled);
}

static void what_was_masked_is_filled_from_the_same_configuration(void **state)
{
    struct config_texts missing = {0};
    char *masked = mask(full);

    (void) state;
    fill(masked, full, full, &missing);
    assert_int_equal(missing.count, 0);
    free(masked);
}

static void entries_are_found_by_name_in_whatever_order_and_spelling(void **state)
{
    struct config_texts missing = {0};

    (void) state;
    fill("{\"proxies\":[{\"name\":\"hall\",\"password\":\"***\"},"
         "{\"name\":\"kitchen\",\"password\":\"***\"}],"
         "\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\",\"bindkey\":\"***\"}]}",
         "{\"proxies\":[{\"name\":\"kitchen\",\"password\":\"k\"},"
         "{\"name\":\"hall\",\"password\":\"h\"}],"
         "\"devices\":[{\"address\":\"a4c13812ab56\",\"bindkey\":\"" IRK "\"}]}",
         "{\"proxies\":[{\"name\":\"hall\",\"password\":\"h\"},"
         "{\"name\":\"kitchen\",\"password\":\"k\"}],"
         "\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\",\"bindkey\":\"" IRK "\"}]}",
         &missing);
    assert_int_equal(missing.count, 0);
}

static void what_is_not_there_becomes_null_and_is_named(void **state)
{
    struct config_texts missing = {0};

    (void) state;
    fill("{\"mqtt\":{\"password\":\"***\"},\"proxies\":[{\"name\":\"hall\"},"
         "{\"name\":\"kitchen\",\"encryption_key\":\"***\",\"password\":\"***\"}]}",
         "{\"proxies\":[{\"name\":\"kitchen\",\"encryption_key\":\"" OTHER "\"}]}",
         "{\"mqtt\":{\"password\":null},\"proxies\":[{\"name\":\"hall\"},"
         "{\"name\":\"kitchen\",\"encryption_key\":\"" OTHER "\",\"password\":null}]}",
         &missing);
    assert_int_equal(missing.count, 2);
    assert_string_equal(missing.items[0], "/mqtt/password");
    assert_string_equal(missing.items[1], "/proxies/1/password");
    config_texts_done(&missing);
}

static void entry_that_cannot_be_without_its_secret_goes(void **state)
{
    struct config_texts missing = {0};

    (void) state;
    fill("{\"identities\":[{\"name\":\"Anna\",\"irk\":\"***\"},{\"name\":\"Ben\",\"irk\":\"***\"}]"
         "}",
         "{\"identities\":[{\"name\":\"Ben\",\"irk\":\"" IRK "\"}]}",
         "{\"identities\":[{\"name\":\"Ben\",\"irk\":\"" IRK "\"}]}", &missing);
    assert_int_equal(missing.count, 1);
    assert_string_equal(missing.items[0], "/identities/0/irk");
    config_texts_done(&missing);
}

static void secrets_that_are_told_win(void **state)
{
    struct config_texts missing = {0};

    (void) state;
    fill("{\"mqtt\":{\"password\":\"new\"}}", "{\"mqtt\":{\"password\":\"old\"}}",
         "{\"mqtt\":{\"password\":\"new\"}}", &missing);
    assert_int_equal(missing.count, 0);
}

static void documents_of_any_shape_do_no_harm(void **state)
{
    static const char *const texts[] = {
            "{\"proxies\":7}", "{\"proxies\":[null,[],\"x\",{\"password\":\"***\"}]}",
            "{\"mqtt\":\"***\"}", "{\"mqtt\":{\"password\":[\"***\"]}}", "{}"};
    size_t size;

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config_texts missing = {0};
        char *masked = mask(texts[i]);
        char *filled = config_secrets_fill(texts[i], strlen(texts[i]), full, strlen(full), &size,
                                           &missing);

        assert_non_null(filled);
        free(filled);
        free(masked);
        config_texts_done(&missing);
    }
    assert_null(config_secrets_mask("[]", 2, &size));
    assert_null(config_secrets_mask("{", 1, &size));
    assert_null(config_secrets_fill("7", 1, full, strlen(full), &size, NULL));
    assert_null(config_secrets_fill("{}", 2, "[", 1, &size, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_secret_is_masked_and_nothing_else),
            cmocka_unit_test(what_was_masked_is_filled_from_the_same_configuration),
            cmocka_unit_test(entries_are_found_by_name_in_whatever_order_and_spelling),
            cmocka_unit_test(what_is_not_there_becomes_null_and_is_named),
            cmocka_unit_test(entry_that_cannot_be_without_its_secret_goes),
            cmocka_unit_test(secrets_that_are_told_win),
            cmocka_unit_test(documents_of_any_shape_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
