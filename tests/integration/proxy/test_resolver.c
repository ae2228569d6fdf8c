/* Look-ups that answer, fail, hang and are given up, on a real loop. getaddrinfo() is replaced at
 * link time: "dead.example" hangs until the test lets go, as it does when a name server is gone. */
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "base/error.h"
#include "proxy/resolver.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static int hanging;
static int is_open;

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list)
{
    struct addrinfo numeric = *hints;

    if (strcmp(host, "dead.example") == 0) {
        pthread_mutex_lock(&gate);
        hanging++;
        pthread_cond_broadcast(&gate_moved);
        while (!is_open)
            pthread_cond_wait(&gate_moved, &gate);
        hanging--;
        pthread_cond_broadcast(&gate_moved);
        pthread_mutex_unlock(&gate);
        return EAI_AGAIN;
    }
    if (strcmp(host, "none.example") == 0)
        return EAI_NONAME;
    numeric.ai_flags = AI_NUMERICHOST;
    return __real_getaddrinfo("127.0.0.9", service, &numeric, ret_list);
}

static void wait_until_hanging(int wanted)
{
    pthread_mutex_lock(&gate);
    while (hanging < wanted)
        pthread_cond_wait(&gate_moved, &gate);
    pthread_mutex_unlock(&gate);
}

static void let_go(void)
{
    pthread_mutex_lock(&gate);
    is_open = 1;
    pthread_cond_broadcast(&gate_moved);
    while (hanging > 0)
        pthread_cond_wait(&gate_moved, &gate);
    is_open = 0;
    pthread_mutex_unlock(&gate);
}

struct answer {
    int calls, status, family, port;
    char detail[200];
    uv_loop_t *loop;
};

static void on_answer(void *user, int status, const struct sockaddr_storage *addresses,
                      size_t count, const char *detail)
{
    struct answer *a = user;

    a->calls++;
    a->status = status;
    if (count > 0) {
        a->family = addresses[0].ss_family;
        a->port = ntohs(((const struct sockaddr_in *) (const void *) &addresses[0])->sin_port);
    }
    (void) snprintf(a->detail, sizeof a->detail, "%s", detail);
    uv_stop(a->loop);
}

struct fixture {
    uv_loop_t loop;
    struct resolver *resolver;
    struct answer answer;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    (void) uv_loop_init(&f->loop);
    f->resolver = resolver_new(&f->loop);
    f->answer.loop = &f->loop;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->resolver)
        resolver_close(f->resolver, NULL, NULL);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static void a_literal_address_is_answered_without_a_thread(void **state)
{
    struct fixture *f = *state;

    (void) resolver_start(f->resolver, "127.0.0.1", 6053, on_answer, &f->answer);
    assert_int_equal(f->answer.calls, 0);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answer.calls, 1);
    assert_int_equal(f->answer.family, AF_INET);
    assert_int_equal(f->answer.port, 6053);
    (void) resolver_start(f->resolver, "::1", 1, on_answer, &f->answer);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answer.family, AF_INET6);
}

static size_t look_in_book(void *user, const char *host, const uint64_t *mac, unsigned port,
                           struct sockaddr_storage *ret_addresses, size_t max)
{
    (void) user, (void) max;
    if (mac ? *mac != 1 : strcmp(host, "kitchen.local") != 0)
        return 0;
    (void) uv_ip6_addr("::1", mac ? 7000 : (int) port, (struct sockaddr_in6 *) ret_addresses);
    return 1;
}

static void who_is_in_the_book_is_asked_of_no_name_server(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];

    assert_int_equal(resolver_find_mac(f->resolver, 1, addresses), 0);
    resolver_set_book(f->resolver, look_in_book, NULL);
    (void) resolver_start(f->resolver, "kitchen.local", 6054, on_answer, &f->answer);
    assert_int_equal(f->answer.calls, 0);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answer.family, AF_INET6);
    assert_int_equal(f->answer.port, 6054);
    (void) resolver_start(f->resolver, "hall.local", 6054, on_answer, &f->answer);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answer.family, AF_INET);
    assert_int_equal(resolver_find_mac(f->resolver, 1, addresses), 1);
    assert_int_equal(resolver_find_mac(f->resolver, 2, addresses), 0);
}

static struct resolver_statistics statistics_of(const struct fixture *f)
{
    struct resolver_statistics s;

    resolver_get_statistics(f->resolver, &s);
    return s;
}

static void D03_look_ups_are_counted_but_not_literals(void **state)
{
    struct fixture *f = *state;

    (void) resolver_start(f->resolver, "127.0.0.1", 6053, on_answer, &f->answer);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(statistics_of(f).look_ups, 0);
    (void) resolver_start(f->resolver, "kitchen.example", 6053, on_answer, &f->answer);
    assert_int_equal(statistics_of(f).running, 1);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    (void) resolver_start(f->resolver, "none.example", 6053, on_answer, &f->answer);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(statistics_of(f).look_ups, 2);
    assert_int_equal(statistics_of(f).failed, 1);
    assert_int_equal(statistics_of(f).running, 0);
    assert_int_equal(statistics_of(f).waiting, 0);
}

static void a_name_is_looked_up_and_keeps_its_port(void **state)
{
    struct fixture *f = *state;

    (void) resolver_start(f->resolver, "kitchen.example", 6054, on_answer, &f->answer);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answer.status, 0);
    assert_int_equal(f->answer.port, 6054);
}

static void an_unknown_name_says_so_with_the_name(void **state)
{
    struct fixture *f = *state;

    (void) resolver_start(f->resolver, "none.example", 1, on_answer, &f->answer);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answer.status, E_RESOLVE_FAILED);
    assert_non_null(strstr(f->answer.detail, "none.example: "));
}

static void dead_name_servers_do_not_hold_up_literals(void **state)
{
    struct fixture *f = *state;
    struct answer dead = {.loop = &f->loop};
    struct resolver_request *requests[RESOLVER_THREADS_MAX + 4];

    for (size_t i = 0; i < RESOLVER_THREADS_MAX + 4; i++)
        requests[i] = resolver_start(f->resolver, "dead.example", 1, on_answer, &dead);
    wait_until_hanging(RESOLVER_THREADS_MAX);
    (void) resolver_start(f->resolver, "127.0.0.1", 2, on_answer, &f->answer);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answer.calls, 1);
    assert_int_equal(dead.calls, 0);
    for (size_t i = 0; i < RESOLVER_THREADS_MAX + 4; i++)
        resolver_cancel(requests[i]);
    let_go();
}

static void the_end_does_not_wait_for_a_hanging_look_up(void **state)
{
    struct fixture *f = *state;

    resolver_cancel(resolver_start(f->resolver, "dead.example", 1, on_answer, &f->answer));
    wait_until_hanging(1);
    resolver_close(f->resolver, NULL, NULL);
    f->resolver = NULL;
    (void) uv_run(&f->loop, UV_RUN_DEFAULT); /* returns although the look-up hangs */
    assert_int_equal(f->answer.calls, 0);
    let_go();
}

static void a_cancelled_look_up_never_calls_back(void **state)
{
    struct fixture *f = *state;
    struct answer other = {.loop = &f->loop};

    resolver_cancel(resolver_start(f->resolver, "kitchen.example", 1, on_answer, &f->answer));
    resolver_cancel(resolver_start(f->resolver, "127.0.0.1", 1, on_answer, &f->answer));
    (void) resolver_start(f->resolver, "hall.example", 1, on_answer, &other);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->answer.calls, 0);
    assert_int_equal(other.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(a_literal_address_is_answered_without_a_thread, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(who_is_in_the_book_is_asked_of_no_name_server, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(D03_look_ups_are_counted_but_not_literals, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(a_name_is_looked_up_and_keeps_its_port, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(an_unknown_name_says_so_with_the_name, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(dead_name_servers_do_not_hold_up_literals, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(the_end_does_not_wait_for_a_hanging_look_up, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(a_cancelled_look_up_never_calls_back, set_up,
                                            tear_down),
    };

    return cmocka_run_group_tests_name("proxy.resolver", tests, NULL, NULL);
}
