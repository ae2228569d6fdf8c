#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/node.h"
#include "proxy/proxy.h"

static void X01_from_api_1_9_on_the_flags_decide(void **state)
{
    (void) state;
    assert_int_equal(node_features(1, 9, 0x7f, 0), 0x7f);
    assert_int_equal(node_features(1, 9, 0x21, 5), 0x21);
    assert_int_equal(node_features(1, 14, 0, 5), 0);
    assert_int_equal(node_features(2, 0, 0xff, 0), 0xff);
}

static void X01_before_api_1_9_the_legacy_number_decides(void **state)
{
    static const uint32_t expected[] = {0, 0x01, 0x03, 0x07, 0x0f, 0x1f, 0x1f};

    (void) state;
    for (uint32_t legacy = 0; legacy < 7; legacy++)
        assert_int_equal(node_features(1, 8, 0xff, legacy), expected[legacy]);
}

static void every_state_has_the_token_of_the_contract(void **state)
{
    (void) state;
    assert_string_equal(proxy_state_name(PROXY_DISABLED), "disabled");
    assert_string_equal(proxy_state_name(PROXY_ONLINE_NO_BLUETOOTH), "online_no_bluetooth");
    assert_string_equal(proxy_state_name(PROXY_SUBSCRIPTION_REFUSED), "subscription_refused");
    assert_string_equal(proxy_state_name(PROXY_WAITING_RETRY), "waiting_retry");
    assert_string_equal(proxy_state_name(PROXY_FAILED), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(X01_from_api_1_9_on_the_flags_decide),
            cmocka_unit_test(X01_before_api_1_9_the_legacy_number_decides),
            cmocka_unit_test(every_state_has_the_token_of_the_contract),
    };

    return cmocka_run_group_tests_name("proxy.node", tests, NULL, NULL);
}
