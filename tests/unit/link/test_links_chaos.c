/* Chaos: eight proxies of both firmwares, sixty devices, two hundred clients that ask, cancel,
 * renew and release at random, and a fleet in which everything breaks at random. What must be true
 * all the time: a request ends once, in time, with a class that fits the facts; no attempt goes to
 * a proxy that had said that it is full and is. And at the end: every slot is free.
 *
 *   test_links_chaos [runs [requests [seed]]] */
#include "links_fixture.h"

#define HOUSE   60 /* devices; those from 56 on are not known, those from 52 on nobody hears */
#define UNHEARD 52
#define UNKNOWN 56
#define PEOPLE  200
#define MOMENT  MSEC(50) /* between two looks at who asks and what breaks */
#define FOREIGN DEVICE(DEVICES - 1)

struct person {
    usec_t acts_at, gives_up_at;
    struct link_wish wish;
    bool has_cancelled;
};

struct chaos {
    struct fixture *f;
    uint64_t seed, random;
    unsigned wanted, asked;
    struct person people[PEOPLE];
    usec_t wakes_at[PROXIES], comes_back_at[PROXIES], hears_again_at[PROXIES];
    usec_t released[DEVICES]; /* the last time that a link was closed for everybody */
    unsigned by_code[64];
    bool is_calm;
};
static struct chaos *chaos; /* of the run, for the answers */

static uint64_t draw(struct chaos *c, uint64_t below)
{
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    return (c->random >> 33) % below;
}

static bool chance(struct chaos *c, unsigned percent)
{
    return draw(c, 100) < percent;
}

/* ---- is the answer right? ---- */

static bool somebody_online_hears(const struct fixture *f, size_t device)
{
    for (size_t i = 0; i < PROXIES; i++)
        if (f->air[device][i].rssi && f->fakes[i].is_online)
            return true;
    return false;
}

static bool has_attempt(const struct client *client, enum attempt_end end)
{
    for (size_t i = 0; i < client->attempts_count; i++)
        if (client->attempts[i].end == end)
            return true;
    return false;
}

static bool is_hearer(const struct fixture *f, size_t device, uint16_t source)
{
    return source != LINK_NO_SOURCE && f->air[device][source].rssi != 0;
}

static void check_no_slot(const struct client *client, const struct link_wish *wish)
{
    usec_t waited = client->answered - client->asked;

    assert_true(waited >= wish->queue_for || waited >= wish->timeout ||
                has_attempt(client, ATTEMPT_REFUSED));
}

static void check_code(const struct client *client, const struct person *p)
{
    const struct fixture *f = client->fixture;
    size_t device = NUMBER(p->wish.address);
    uint16_t source = p->wish.source;

    switch (client->code) {
    case 0:
        assert_true(device < UNHEARD);
        assert_true(source == LINK_NO_SOURCE || client->source == source);
        return;
    case E_DEVICE_NOT_FOUND:
        assert_true(device >= UNKNOWN);
        return;
    case E_NO_ROUTE:
        assert_true(!somebody_online_hears(f, device) ||
                    (source != LINK_NO_SOURCE && !is_hearer(f, device, source)));
        return;
    case E_PROXY_OFFLINE:
        assert_true((source != LINK_NO_SOURCE && !f->fakes[source].is_online) || p->wish.pair ||
                    has_attempt(client, ATTEMPT_PROXY_LOST));
        return;
    case E_NO_FREE_SLOT:
        check_no_slot(client, &p->wish);
        return;
    case E_CONNECT_TIMEOUT:
        assert_true(client->answered - client->asked >= p->wish.timeout ||
                    has_attempt(client, ATTEMPT_TIMED_OUT));
        return;
    case E_CONNECT_FAILED:
    case E_CONNECT_ABORTED:
        assert_true(has_attempt(client, ATTEMPT_FAILED) || has_attempt(client, ATTEMPT_TIMED_OUT));
        return;
    case E_PAIRING_FAILED:
    case E_NOT_SUPPORTED:
        assert_true(p->wish.pair);
        return;
    case E_CANCELLED:
        assert_true(p->has_cancelled || chaos->released[device] >= client->asked);
        return;
    case E_GONE:
        assert_non_null(p->wish.renew);
        return;
    case E_CONFLICT:
        assert_int_not_equal(source, LINK_NO_SOURCE);
        return;
    case E_SHUTTING_DOWN:
        return;
    default:
        fail_msg("a request was answered with %s", error_token(client->code));
    }
}

/* The causes of errors go downwards from the first. */
static unsigned *count_of(struct chaos *c, int code)
{
    return &c->by_code[code ? E_RESOLVE_FAILED - code + 1 : 0];
}

static void on_done(struct client *client)
{
    struct chaos *c = chaos;
    struct person *p = &c->people[client - c->f->clients];

    check_code(client, p);
    assert_true(client->answered <= client->asked + p->wish.timeout + LINK_SLOT_PATIENCE);
    (*count_of(c, client->code))++;
    p->acts_at = c->f->now + MSEC(draw(c, 20000));
}

/* ---- people ---- */

static struct link_wish random_wish(struct chaos *c, size_t person)
{
    size_t device = draw(c, 4) ? draw(c, 20) : draw(c, HOUSE); /* some devices are liked more */
    struct link_wish wish = wish_for(device);

    wish.timeout = MSEC(500 + draw(c, 30000));
    wish.attempt_timeout = MSEC(1000 + draw(c, 10000));
    wish.queue_for = chance(c, 20) ? 0 : MSEC(draw(c, 8000));
    wish.attempts = 1 + (unsigned) draw(c, 5);
    wish.source = chance(c, 15) ? (uint16_t) draw(c, PROXIES) : LINK_NO_SOURCE;
    wish.pair = chance(c, 10);
    wish.is_auto_reconnect = chance(c, 5);
    wish.priority = (int) draw(c, 3) - 1;
    wish.lease = MSEC(1 + draw(c, 10000));
    if (chance(c, 10) && c->f->clients[person].lease[0]) {
        wish.address = c->f->clients[person].address;
        wish.renew = c->f->clients[person].lease;
    }
    return wish;
}

static void ask(struct chaos *c, size_t person)
{
    struct person *p = &c->people[person];
    char lease[LINK_LEASE_ID_SIZE];
    int result;

    p->wish = random_wish(c, person);
    if (p->wish.renew) { /* the client forgets it with the next answer */
        memcpy(lease, p->wish.renew, sizeof(lease));
        p->wish.renew = lease;
    }
    p->has_cancelled = false;
    p->gives_up_at = chance(c, 15) ? c->f->now + MSEC(draw(c, 3000)) : USEC_NEVER;
    c->f->clients[person].on_done = on_done;
    result = fixture_ask(c->f, person, &p->wish);
    if (result == 0)
        c->asked++;
    else
        assert_int_equal(result, E_OVERLOADED);
    p->acts_at = c->f->now + SECONDS(1);
    if (p->wish.renew)
        p->wish.renew = ""; /* that it was one is all that is checked */
}

static void release(struct chaos *c, size_t person)
{
    struct client *client = &c->f->clients[person];
    int result;

    if (!client->lease[0])
        return;
    if (chance(c, 10)) {
        c->released[NUMBER(client->address)] = c->f->now;
        assert_int_equal(links_release(c->f->links, client->address, NULL, c->f->now), 0);
        return;
    }
    result = links_release(c->f->links, client->address, client->lease, c->f->now);
    assert_true(result == 0 || result == E_GONE);
}

static void act(struct chaos *c, size_t person)
{
    struct client *client = &c->f->clients[person];
    struct person *p = &c->people[person];

    if (client->request && c->f->now >= p->gives_up_at && !p->has_cancelled) {
        p->has_cancelled = true;
        links_cancel(c->f->links, client->request, c->f->now);
    }
    if (client->request || c->f->now < p->acts_at || c->asked >= c->wanted)
        return;
    if (chance(c, 60))
        release(c, person);
    ask(c, person);
}

/* ---- what breaks ---- */

static void change_air(struct chaos *c)
{
    size_t device = draw(c, UNHEARD), source = draw(c, PROXIES);
    struct air *air = &c->f->air[device][source];

    air->outcome = chance(c, 70) ? CONNECTS : chance(c, 70) ? FAILS : NEVER;
    air->reason = (int32_t[]){0, 0x08, 0x13, 0x16, 0x3e, 0x85, 0x100, 99}[draw(c, 8)];
    air->delay = MSEC(50 + draw(c, 1500));
    air->pair_error = chance(c, 80) ? 0 : chance(c, 80) ? 82 : INT32_MAX;
    air->is_proved = chance(c, 50);
}

static void drop_a_link(struct chaos *c, uint16_t source)
{
    struct fake_slot *slot = &c->f->fakes[source].slots[draw(c, SLOTS)];

    if (slot->phase == FAKE_OPEN && !slot->is_foreign)
        fake_end(c->f, source, slot, 0x08);
}

static void take_or_free_foreign(struct chaos *c, uint16_t source)
{
    struct fake *fake = &c->f->fakes[source];
    struct fake_slot *slot = fake_find(fake, FOREIGN);

    if (slot) {
        slot->phase = FAKE_FREE;
    } else if (fake_free(fake) > 0) {
        slot = fake_take(fake, FOREIGN);
        slot->phase = FAKE_OPEN;
        slot->is_foreign = true;
    } else {
        return;
    }
    fixture_say_slots(c->f, source);
}

/* It holds a device that it was never asked for, or lies about one. */
static void confuse(struct chaos *c, uint16_t source)
{
    uint64_t address = DEVICE(draw(c, UNHEARD));

    fixture_say_connection(c->f, source, address, chance(c, 50), 23, chance(c, 50) ? 0 : 0x3e);
}

static void go_away(struct chaos *c, uint16_t source)
{
    fixture_offline(c->f, source);
    c->comes_back_at[source] = c->f->now + MSEC(draw(c, 10000));
}

/* Messages are lost, or disconnects not obeyed. Firmware without a list is spared: what it then
 * holds, nobody can know of. */
static void fall_ill(struct chaos *c, uint16_t source)
{
    struct fake *fake = &c->f->fakes[source];

    if (!fake->tells_list)
        return;
    *(chance(c, 50) ? &fake->is_deaf : &fake->ignores_disconnect) = true;
    c->hears_again_at[source] = c->f->now + MSEC(draw(c, 15000));
}

static void stall(struct chaos *c, uint16_t source)
{
    c->f->fakes[source].takes_nothing = true;
    c->wakes_at[source] = c->f->now + MSEC(draw(c, 3000));
}

static void recover(struct chaos *c, uint16_t source)
{
    struct fake *fake = &c->f->fakes[source];

    if (!fake->is_online && c->f->now >= c->comes_back_at[source])
        fixture_online(c->f, source);
    if (c->f->now >= c->hears_again_at[source])
        fake->is_deaf = fake->ignores_disconnect = false;
    if (c->f->now >= c->wakes_at[source])
        fake->takes_nothing = false;
}

static void break_something(struct chaos *c)
{
    uint16_t source = (uint16_t) draw(c, PROXIES);
    bool is_online = c->f->fakes[source].is_online;

    switch (draw(c, 60)) {
    case 0:
        if (is_online)
            go_away(c, source);
        return;
    case 1:
        fall_ill(c, source);
        return;
    case 2:
        stall(c, source);
        return;
    case 3:
    case 4:
        if (is_online)
            take_or_free_foreign(c, source);
        return;
    case 5:
        if (is_online)
            confuse(c, source);
        return;
    case 6:
        links_keep(c->f->links, DEVICE(draw(c, UNHEARD)), chance(c, 30), c->f->now);
        return;
    case 7:
        (void) links_close_stale(c->f->links, c->f->now);
        return;
    default:
        if (is_online)
            drop_a_link(c, source);
        change_air(c);
    }
}

/* ---- a run ---- */

static void furnish(struct chaos *c)
{
    for (uint16_t i = 0; i < PROXIES; i++) {
        struct fake *fake = fixture_proxy(c->f, i, 3);

        fake->tells_list = i < 6;
        fake->is_old = i % 2;
        if (i == 7)
            fake->features = PROXY_FEATURE_ACTIVE_CONNECTIONS;
        fixture_offline(c->f, i);
        fixture_online(c->f, i);
    }
    for (size_t device = 0; device < HOUSE; device++) {
        c->f->is_unknown[device] = device >= UNKNOWN;
        for (size_t i = 0; i < PROXIES && device < UNHEARD; i++) {
            change_air(c);
            c->f->air[device][i].rssi = chance(c, 40) ? -40 - (int) draw(c, 55) : 0;
        }
    }
}

static void live(struct chaos *c)
{
    struct fixture *f = c->f;

    while (c->asked < c->wanted || f->accepted > f->answered) {
        fixture_run(f, MOMENT);
        for (size_t i = 0; i < PEOPLE; i++)
            act(c, i);
        for (uint16_t i = 0; i < PROXIES; i++)
            recover(c, i);
        if (chance(c, 50))
            break_something(c);
        assert_true(f->now < START + SECONDS(1000000));
    }
}

static void calm_down(struct chaos *c)
{
    struct fixture *f = c->f;

    for (uint16_t i = 0; i < PROXIES; i++) {
        c->comes_back_at[i] = c->hears_again_at[i] = c->wakes_at[i] = 0;
        recover(c, i);
        if (fake_find(&f->fakes[i], FOREIGN))
            take_or_free_foreign(c, i);
        fixture_say_slots(f, i);
    }
    for (size_t i = 0; i < DEVICES; i++) {
        links_keep(f->links, DEVICE(i), false, f->now);
        links_release(f->links, DEVICE(i), NULL, f->now);
    }
    fixture_run(f, SECONDS(60));
}

static void check_the_end(const struct chaos *c)
{
    const struct fixture *f = c->f;
    struct links_statistics statistics;

    links_get_statistics(f->links, &statistics);
    assert_int_equal(statistics.requests, f->accepted);
    assert_int_equal(statistics.answered, f->accepted);
    assert_int_equal(statistics.by_code_ok, c->by_code[0]);
    assert_int_equal(links_count(f->links), 0);
    for (uint16_t i = 0; i < PROXIES; i++) {
        struct link_proxy_view view;

        assert_int_equal(f->fakes[i].oversold, 0);
        assert_int_equal(fake_free(&f->fakes[i]), f->fakes[i].limit);
        links_get_proxy(f->links, i, f->now, &view);
        assert_int_equal(view.slots.ours, 0);
        assert_int_equal(view.slots.free, f->fakes[i].limit);
    }
}

/* A run that meets each class of answer is worth something. */
static void check_variety(const struct chaos *c)
{
    static const int codes[] = {E_DEVICE_NOT_FOUND, E_NO_ROUTE,       E_PROXY_OFFLINE,
                                E_NO_FREE_SLOT,     E_CONNECT_FAILED, E_CONNECT_ABORTED,
                                E_CONNECT_TIMEOUT,  E_PAIRING_FAILED, E_NOT_SUPPORTED,
                                E_CANCELLED,        E_GONE,           E_CONFLICT};

    for (size_t i = 0; i < ARRAY_SIZE(codes) && c->wanted >= 20000; i++)
        if (*count_of((struct chaos *) c, codes[i]) == 0)
            fail_msg("no request was answered with %s", error_token(codes[i]));
}

static void report(const struct chaos *c)
{
    unsigned connects = 0, refused = 0;

    for (size_t i = 0; i < PROXIES; i++) {
        connects += c->f->fakes[i].connects;
        refused += c->f->fakes[i].refused;
    }
    print_message("seed %lu: %u requests in %lu s, %u with a link; %u attempts, %u refused\n",
                  (unsigned long) c->seed, c->f->accepted,
                  (unsigned long) ((c->f->now - START) / USEC_PER_SEC), c->by_code[0], connects,
                  refused);
}

static void run(uint64_t seed, unsigned requests)
{
    struct chaos *c = xnew(struct chaos, 1);

    print_message("seed %lu\n", (unsigned long) seed); /* also when it fails */
    c->seed = c->random = seed;
    c->wanted = requests;
    chaos = c;
    fixture_setup((void **) &c->f);
    furnish(c);
    live(c);
    calm_down(c);
    report(c);
    check_the_end(c);
    check_variety(c);
    fixture_teardown((void **) &c->f);
    free(c);
}

static unsigned runs = 1, requests = 3000;
static uint64_t first_seed = 1;

static void
C05_C10_C13_X05_a_fleet_in_which_everything_breaks_answers_each_request_once(void **state)
{
    (void) state;
    for (unsigned i = 0; i < runs; i++)
        run(first_seed + i, requests);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(
                    C05_C10_C13_X05_a_fleet_in_which_everything_breaks_answers_each_request_once),
    };

    if (argc > 1)
        runs = (unsigned) strtoul(argv[1], NULL, 10);
    if (argc > 2)
        requests = (unsigned) strtoul(argv[2], NULL, 10);
    if (argc > 3)
        first_seed = strtoul(argv[3], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
