#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/origin.h"

static char *names[] = {(char[]){"blefleet.local"}};
static const struct config_texts hosts = {names, 1};
static const struct config_texts no_hosts = {NULL, 0};

static struct sockaddr_in four(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};

    assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return address;
}

static struct sockaddr_in6 six(const char *text)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(8080)};

    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return address;
}

static bool host_is_ours(const char *host)
{
    struct sockaddr_in local = four("127.0.0.1");

    return origin_host_is_ours(host, (const struct sockaddr *) &local, &hosts);
}

static bool origin_passes(const char *origin, const char *host)
{
    struct sockaddr_in local = four("127.0.0.1");

    return origin_is_ours(origin, host, (const struct sockaddr *) &local, &hosts,
                          /* is_secure= */ false);
}

static void host_may_be_localhost_our_address_or_a_configured_name(void **state)
{
    (void) state;
    assert_true(host_is_ours("127.0.0.1"));
    assert_true(host_is_ours("127.0.0.1:8080"));
    assert_true(host_is_ours("127.0.0.1:1")); /* behind a forwarded port */
    assert_true(host_is_ours("LocalHost:8080"));
    assert_true(host_is_ours("BleFleet.local"));
}

static void host_of_anybody_else_is_foreign(void **state)
{
    (void) state;
    assert_false(host_is_ours(NULL));
    assert_false(host_is_ours(""));
    assert_false(host_is_ours("evil.example"));
    assert_false(host_is_ours("127.0.0.2"));
    assert_false(host_is_ours("127.0.0.1.evil.example"));
    assert_false(host_is_ours("localhost.evil.example"));
    assert_false(host_is_ours("[::1]:8080")); /* the request came in over IPv4 */
    assert_false(host_is_ours("127.0.0.1:"));
    assert_false(host_is_ours("127.0.0.1:80x"));
    assert_false(host_is_ours("127.0.0.1:99999"));
    assert_false(host_is_ours("[127.0.0.1]"));
    assert_false(host_is_ours("user@localhost"));
}

static void host_may_be_an_ipv6_literal_in_brackets(void **state)
{
    struct sockaddr_in6 local = six("::1");

    (void) state;
    assert_true(origin_host_is_ours("[::1]:8080", (const struct sockaddr *) &local, &no_hosts));
    assert_true(origin_host_is_ours("[0:0::1]", (const struct sockaddr *) &local, &no_hosts));
    assert_false(origin_host_is_ours("::1", (const struct sockaddr *) &local, &no_hosts));
    assert_false(origin_host_is_ours("[::2]", (const struct sockaddr *) &local, &no_hosts));
    assert_false(origin_host_is_ours("[::1", (const struct sockaddr *) &local, &no_hosts));
}

static void origin_of_our_own_pages_passes(void **state)
{
    (void) state;
    assert_true(origin_passes(NULL, "127.0.0.1:8080"));
    assert_true(origin_passes("http://127.0.0.1:8080", "127.0.0.1:8080"));
    assert_true(origin_passes("http://localhost:8080", "127.0.0.1:8080"));
    assert_true(origin_passes("http://localhost", "localhost"));
    assert_true(origin_passes("https://blefleet.local", "127.0.0.1:8080"));
}

static void origin_of_other_pages_is_foreign(void **state)
{
    (void) state;
    assert_false(origin_passes("null", "127.0.0.1:8080"));
    assert_false(origin_passes("", "127.0.0.1:8080"));
    assert_false(origin_passes("http://evil.example", "127.0.0.1:8080"));
    assert_false(origin_passes("http://localhost:3000", "localhost:8080"));
    assert_false(origin_passes("http://localhost.evil.example:8080", "localhost:8080"));
    assert_false(origin_passes("file://localhost:8080", "localhost:8080"));
    assert_false(origin_passes("http://localhost:8080/path", "localhost:8080"));
}

static void loopback_is_known_in_all_its_forms(void **state)
{
    struct sockaddr_in near = four("127.1.2.3"), far = four("192.0.2.1");
    struct sockaddr_in6 near6 = six("::1"), mapped = six("::ffff:127.0.0.1");
    struct sockaddr_in6 far6 = six("2001:db8::1"), far_mapped = six("::ffff:192.0.2.1");

    (void) state;
    assert_true(origin_is_loopback((const struct sockaddr *) &near));
    assert_true(origin_is_loopback((const struct sockaddr *) &near6));
    assert_true(origin_is_loopback((const struct sockaddr *) &mapped));
    assert_false(origin_is_loopback((const struct sockaddr *) &far));
    assert_false(origin_is_loopback((const struct sockaddr *) &far6));
    assert_false(origin_is_loopback((const struct sockaddr *) &far_mapped));
}

static void wrong_tokens_are_counted_by_address_and_by_the_upper_half_of_ipv6(void **state)
{
    struct sockaddr_in plain = four("192.0.2.7");
    struct sockaddr_in6 mapped = six("::ffff:192.0.2.7"), one = six("2001:db8::1"),
                        neighbour = six("2001:db8::ffff:1"), other = six("2001:db8:0:1::1");
    struct account_source a = origin_source((const struct sockaddr *) &plain),
                          b = origin_source((const struct sockaddr *) &mapped),
                          c = origin_source((const struct sockaddr *) &one),
                          d = origin_source((const struct sockaddr *) &neighbour),
                          e = origin_source((const struct sockaddr *) &other);

    (void) state;
    assert_true(a.prefix == 0xc0000207 && !a.is_six);
    assert_true(b.prefix == a.prefix && !b.is_six);
    assert_true(c.prefix == 0x20010db800000000 && c.is_six);
    assert_true(d.prefix == c.prefix && e.prefix != c.prefix);
}

static void over_tls_a_host_without_a_port_means_443(void **state)
{
    struct sockaddr_in local = four("127.0.0.1");
    const struct sockaddr *address = (const struct sockaddr *) &local;

    (void) state;
    assert_true(origin_is_ours("https://localhost", "localhost", address, &hosts, true));
    assert_false(origin_is_ours("http://localhost", "localhost", address, &hosts, true));
    assert_false(origin_is_ours("https://localhost", "localhost", address, &hosts, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(host_may_be_localhost_our_address_or_a_configured_name),
            cmocka_unit_test(host_of_anybody_else_is_foreign),
            cmocka_unit_test(host_may_be_an_ipv6_literal_in_brackets),
            cmocka_unit_test(origin_of_our_own_pages_passes),
            cmocka_unit_test(origin_of_other_pages_is_foreign),
            cmocka_unit_test(loopback_is_known_in_all_its_forms),
            cmocka_unit_test(wrong_tokens_are_counted_by_address_and_by_the_upper_half_of_ipv6),
            cmocka_unit_test(over_tls_a_host_without_a_port_means_443),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
