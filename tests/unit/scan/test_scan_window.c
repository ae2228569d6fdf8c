/* Ids and tokens, as the contract has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "scan/windows.h"

static void ids_are_written_and_read_back(void **state)
{
    static const uint64_t ids[] = {1, 12, 4294967296u, UINT64_MAX};
    char text[SCAN_WINDOW_ID_SIZE];
    uint64_t id;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        scan_window_format_id(text, ids[i]);
        assert_true(scan_window_parse_id(text, &id));
        assert_true(id == ids[i]);
    }
    scan_window_format_id(text, 12);
    assert_string_equal(text, "w12");
}

static void other_texts_are_no_ids(void **state)
{
    static const char *const texts[] = {"",
                                        "w",
                                        "12",
                                        "W12",
                                        "w0",
                                        "w012",
                                        "w-12",
                                        "w+1",
                                        "w 1",
                                        "w12x",
                                        "w99999999999999999999999"};
    uint64_t id = 7;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_false(scan_window_parse_id(texts[i], &id));
    assert_int_equal(id, 7);
}

static void tokens_are_those_of_the_schema(void **state)
{
    static const char *const states[] = {"opening", "running", "done", "refused", "failed"};
    static const char *const causes[] = {"need",  "request", "discover",
                                         "sweep", "rescue",  "frontend"};
    static const char *const actions[] = {"opened", "extended", "closed", "refused"};
    static const char *const needs[] = {"waiting", "due", "running", "deferred",
                                        "no_capable_proxy"};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        assert_string_equal(scan_window_state_name((enum scan_window_state) i), states[i]);
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
        assert_string_equal(scan_cause_name((enum scan_cause) i), causes[i]);
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        assert_string_equal(scan_window_action_name((enum scan_window_action) i), actions[i]);
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
        assert_string_equal(scan_need_state_name((enum scan_need_state) i), needs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(ids_are_written_and_read_back),
            cmocka_unit_test(other_texts_are_no_ids),
            cmocka_unit_test(tokens_are_those_of_the_schema),
    };

    return cmocka_run_group_tests_name("scan_window", tests, NULL, NULL);
}
