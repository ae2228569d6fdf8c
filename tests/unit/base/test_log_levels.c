#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log_levels.h"

static void a_level_alone_is_for_all(void **state)
{
    struct log_levels levels;

    (void) state;
    assert_true(log_levels_parse("debug", LOG_LEVEL_INFO, &levels));
    assert_int_equal(log_levels_of(&levels, "proxy.online"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_levels_of(&levels, "ready"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_levels_loudest(&levels), LOG_LEVEL_DEBUG);
}

static void rooms_have_levels_of_their_own(void **state)
{
    struct log_levels levels;

    (void) state;
    assert_true(log_levels_parse("info,proxy=debug,http=warning", LOG_LEVEL_ERROR, &levels));
    assert_int_equal(log_levels_of(&levels, "proxy.online"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_levels_of(&levels, "proxy"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_levels_of(&levels, "http.library"), LOG_LEVEL_WARNING);
    assert_int_equal(log_levels_of(&levels, "proxy_table.x"), LOG_LEVEL_INFO);
    assert_int_equal(log_levels_of(&levels, "prox.x"), LOG_LEVEL_INFO);
    assert_int_equal(log_levels_loudest(&levels), LOG_LEVEL_DEBUG);
}

static void what_is_not_named_has_the_standard_level(void **state)
{
    struct log_levels levels;

    (void) state;
    assert_true(log_levels_parse("http=error", LOG_LEVEL_WARNING, &levels));
    assert_int_equal(levels.level, LOG_LEVEL_WARNING);
    assert_true(log_levels_parse("http=error,debug", LOG_LEVEL_WARNING, &levels));
    assert_int_equal(levels.level, LOG_LEVEL_DEBUG);
}

static void anything_else_is_refused_and_changes_nothing(void **state)
{
    static const char too_many[] =
            "a=info,b=info,c=info,d=info,e=info,f=info,g=info,h=info,i=info,j=info,k=info,l=info,"
            "m=info,n=info,o=info,p=info,q=info";
    static const char *const faulty[] = {
            "",
            "loud",
            "info,",
            ",info",
            "info,debug",
            "proxy=",
            "proxy=loud",
            "=debug",
            "proxy=debug,proxy=info",
            "Proxy=debug",
            "proxy.online=debug",
            "proxy=debug=info",
            "info debug",
            "a_very_long_name_of_a_room=debug",
            too_many,
    };
    struct log_levels levels;

    (void) state;
    memset(&levels, 0x5a, sizeof levels);
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        print_message("%s\n", faulty[i]);
        assert_false(log_levels_parse(faulty[i], LOG_LEVEL_INFO, &levels));
    }
    assert_int_equal(levels.rooms[3].module[2], 0x5a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_level_alone_is_for_all),
            cmocka_unit_test(rooms_have_levels_of_their_own),
            cmocka_unit_test(what_is_not_named_has_the_standard_level),
            cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests_name("base.log_levels", tests, NULL, NULL);
}
