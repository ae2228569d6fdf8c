/* Chaos: four proxies, twenty devices with databases that change, sixty programs that read, write,
 * subscribe and give up at random, and a fleet in which everything breaks at random. What must be
 * true all the time: a request ends once, with a cause that fits; a value that is read was read
 * after it was asked for; a value that arrived on a link that lives is told once and in order, and
 * each reader knows exactly what it lost. And at the end: every slot is free, nothing is held.
 *
 *   test_gatt_chaos [runs [requests [seed]]] */
#include "gatt/gatt_fixture.h"

#define FLEET     4
#define HOUSE     20
#define PEOPLE    60
#define MOMENT    MSEC(50)
#define SENDS_MAX 65536 /* of one device; a run has fewer */
#define WAIT_MAX  SECONDS(400)

struct chaos {
    struct gatt_world *w;
    uint64_t seed, random;
    unsigned wanted, asked, cancelled;
    usec_t acts_at[PEOPLE], gives_up_at[PEOPLE];
    struct gatt_wish wishes[PEOPLE];
    char leases[PEOPLE][LINK_LEASE_ID_SIZE];
    usec_t comes_back_at[FLEET], hears_again_at[FLEET], wakes_at[FLEET], works_again_at[HOUSE];
    uint64_t told[HOUSE], last[HOUSE]; /* values told, and the newest of them */
    uint32_t place[HOUSE][SENDS_MAX];  /* of each value sent among those told */
    struct gatt_reader *readers[HOUSE];
    uint64_t taken[HOUSE], lost[HOUSE], delivered;
    unsigned by_code[64];
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

/* ---- values ---- */

static uint64_t number_of(struct bytes value)
{
    uint64_t number = 0;

    if (value.size == sizeof number)
        memcpy(&number, value.data, sizeof number);
    return number;
}

static void on_value(struct gatt_world *w, const struct gatt_value *value)
{
    size_t device = NUMBER(value->address);
    uint64_t number = number_of(value->value);

    (void) w;
    assert_true(number > chaos->last[device] && number < SENDS_MAX); /* in order, none twice */
    chaos->last[device] = number;
    chaos->place[device][number] = (uint32_t) ++chaos->told[device];
}

static bool is_held(struct gatt_world *w, uint64_t address, uint32_t handle, uint16_t source)
{
    struct gatt_subscription_view view;
    struct link_view link;

    if (!links_get(w->f->links, address, &link) || link.state != LINK_CONNECTED ||
        link.source != source)
        return false;
    for (size_t i = 0; gatt_get_subscription(w->gatt, address, i, &view); i++)
        if (view.handle == handle)
            return view.since > 0 && view.since >= link.since;
    return false;
}

/* Nothing that arrives for who holds a subscription on a living link is lost. */
static void deliver(struct fixture *f, const struct step *step)
{
    struct gatt_world *w = world_of(f);
    const struct message_gatt *m = &step->message.gatt;
    bool is_value = step->message.type == MESSAGE_GATT_NOTIFY_DATA_RESPONSE;
    size_t before = w->values_count;
    bool must_be_told;

    guest_settle(f);
    must_be_told = is_value && is_held(w, m->address, m->handle, step->source);
    guest_deliver(f, step);
    chaos->delivered += must_be_told;
    if (must_be_told)
        assert_int_equal(w->values_count, before + 1);
}

static void on_ready(void *user)
{
    (void) user;
}

static void read_on(struct chaos *c, size_t device)
{
    struct gatt_value value;
    uint64_t lost;

    for (uint64_t n = draw(c, 30); n > 0; n--) {
        if (!gatt_reader_next(c->readers[device], &value, &lost))
            return;
        c->lost[device] += lost;
        c->taken[device]++;
        assert_int_equal(c->place[device][number_of(value.value)],
                         c->taken[device] + c->lost[device]);
    }
}

static void send_values(struct chaos *c)
{
    for (size_t n = 0; n < 6; n++) {
        size_t device = draw(c, HOUSE);
        struct gadget *gadget = &c->w->gadgets[device];

        (void) gadget_notify(c->w, device, moved(gadget, H_BATTERY), moved(gadget, H_BATTERY_CCCD),
                             gadget->sent + 1);
    }
}

/* ---- is the answer right? ---- */

static void check_code(const struct program *p, const struct gatt_wish *wish)
{
    switch (p->code) {
    case 0:
        if (wish->verb == GATT_VERB_READ) {
            uint32_t value;

            memcpy(&value, p->value, sizeof value);
            assert_int_equal(p->value_size, 4);
            assert_true(value > p->reads_before);
        }
        return;
    case E_GATT_ERROR:
        assert_true(p->has_number || wish->verb == GATT_VERB_SUBSCRIBE || !wish->target.has_handle);
        return;
    case E_VALUE_TOO_LONG: /* the link is with cache, and its MTU not known */
        assert_int_equal(wish->verb, GATT_VERB_WRITE);
        return;
    case E_PAIRING_FAILED:
        assert_int_equal(wish->verb, GATT_VERB_PAIR);
        return;
    case E_CHARACTERISTIC_NOT_FOUND: /* it asked by handle, and the database is another one */
        assert_true(wish->target.has_handle || wish->verb == GATT_VERB_SUBSCRIBE);
        return;
    case E_GONE:
        assert_true(wish->link.renew || wish->verb == GATT_VERB_SUBSCRIBE);
        return;
    case E_DISCONNECTED:
    case E_GATT_TIMEOUT:
    case E_CANCELLED:
    case E_NO_ROUTE:
    case E_NO_FREE_SLOT:
    case E_CONNECT_FAILED:
    case E_CONNECT_ABORTED:
    case E_CONNECT_TIMEOUT:
    case E_PROXY_OFFLINE:
    case E_OVERLOADED:
        return;
    default:
        fail_msg("verb %d was answered with %s", wish->verb, error_token(p->code));
    }
}

static unsigned *count_of(struct chaos *c, int code)
{
    return &c->by_code[code ? E_RESOLVE_FAILED - code + 1 : 0];
}

static void on_done(struct program *p)
{
    struct chaos *c = chaos;
    size_t person = (size_t) (p - c->w->programs);

    check_code(p, &c->wishes[person]);
    assert_true(p->answered - p->asked < WAIT_MAX);
    (*count_of(c, p->code))++;
    if (p->lease[0])
        memcpy(c->leases[person], p->lease, sizeof p->lease);
    c->acts_at[person] = c->w->f->now + MSEC(draw(c, 8000));
}

/* ---- people ---- */

static struct gatt_wish random_wish(struct chaos *c, size_t person)
{
    static const uint8_t octets[100];
    static const enum gatt_verb verbs[] = {
            GATT_VERB_READ,       GATT_VERB_READ,      GATT_VERB_READ,        GATT_VERB_WRITE,
            GATT_VERB_WRITE,      GATT_VERB_SUBSCRIBE, GATT_VERB_SUBSCRIBE,   GATT_VERB_SERVICES,
            GATT_VERB_SUBSCRIBE,  GATT_VERB_SUBSCRIBE, GATT_VERB_UNSUBSCRIBE, GATT_VERB_PAIR,
            GATT_VERB_CLEAR_CACHE};
    enum gatt_verb verb = verbs[draw(c, ARRAY_SIZE(verbs))];
    struct gatt_wish wish =
            gatt_wish_of(draw(c, HOUSE), verb, verb == GATT_VERB_WRITE ? U_ANY_WRITE : U_BATTERY);

    if (verb == GATT_VERB_READ && chance(c, 20))
        wish.target = (struct gatt_target){.has_handle = true, .handle = H_BATTERY};
    wish.timeout = MSEC(500 + draw(c, 10000));
    wish.tries = 1 + (unsigned) draw(c, 3);
    wish.refresh = chance(c, 20);
    wish.response = (enum gatt_response) draw(c, 3);
    wish.value = (struct bytes){octets, draw(c, sizeof octets)};
    wish.clears_cccd = chance(c, 80);
    wish.link.timeout = MSEC(1000 + draw(c, 30000));
    wish.link.attempt_timeout = MSEC(1000 + draw(c, 10000));
    wish.link.lease = MSEC(500 + draw(c, 60000));
    wish.link.is_auto_reconnect = chance(c, 30);
    if (chance(c, 10) && c->leases[person][0] && c->wishes[person].link.address) {
        wish.link.address = c->wishes[person].link.address;
        wish.link.renew = c->leases[person];
    }
    return wish;
}

static void ask(struct chaos *c, size_t person)
{
    int result;

    c->wishes[person] = random_wish(c, person);
    c->gives_up_at[person] = chance(c, 15) ? c->w->f->now + MSEC(draw(c, 3000)) : USEC_NEVER;
    c->w->programs[person].on_done = on_done;
    result = world_ask(c->w, person, &c->wishes[person]);
    if (result)
        assert_int_equal(result, E_QUEUE_FULL);
    c->asked += result == 0;
    c->acts_at[person] = c->w->f->now + SECONDS(1);
}

static void act(struct chaos *c, size_t person)
{
    struct program *p = &c->w->programs[person];

    if (p->request && c->w->f->now >= c->gives_up_at[person]) {
        world_cancel(c->w, person);
        c->cancelled++;
    }
    if (!p->request && c->w->f->now >= c->acts_at[person] && c->asked < c->wanted)
        ask(c, person);
}

/* ---- what breaks ---- */

static void drop_a_link(struct chaos *c, size_t device)
{
    for (uint16_t i = 0; i < FLEET; i++)
        if (c->w->f->fakes[i].is_online && world_slot(c->w, i, device))
            fixture_drop(c->w->f, i, device, 0x08);
}

/* New firmware: the device starts again with it. */
static void change_database(struct chaos *c, size_t device)
{
    drop_a_link(c, device);
    c->w->gadgets[device].has_moved = !c->w->gadgets[device].has_moved;
}

static void change_gadget(struct chaos *c, size_t device)
{
    static const enum message_type types[] = {
            MESSAGE_GATT_READ_REQUEST, MESSAGE_GATT_WRITE_REQUEST, MESSAGE_GATT_NOTIFY_REQUEST,
            MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST, MESSAGE_GATT_GET_SERVICES_REQUEST};
    struct gadget *gadget = &c->w->gadgets[device];

    switch (draw(c, 4)) {
    case 0:
        gadget->silent = types[draw(c, ARRAY_SIZE(types))];
        break;
    case 1:
        gadget->slow = MSEC(draw(c, 12000));
        break;
    case 2:
        gadget->failing = moved(gadget, chance(c, 50) ? H_BATTERY : H_BATTERY_CCCD);
        gadget->error = (int32_t[]){0x01, 0x05, 0x85}[draw(c, 3)];
        break;
    default:
        gadget->stops_in_services = true;
    }
    c->works_again_at[device] = c->w->f->now + MSEC(draw(c, 15000));
}

static void change_air(struct chaos *c, size_t device)
{
    struct air *air = &c->w->f->air[device][draw(c, FLEET)];

    air->outcome = chance(c, 80) ? CONNECTS : chance(c, 70) ? FAILS : NEVER;
    air->reason = (int32_t[]){0, 0x08, 0x3e, 0x85}[draw(c, 4)];
    air->delay = MSEC(50 + draw(c, 800));
    air->pair_error = chance(c, 80) ? 0 : 82;
}

static void go_away(struct chaos *c, uint16_t source)
{
    fixture_offline(c->w->f, source);
    guest_settle(c->w->f);
    gatt_proxy_offline(c->w->gatt, source, c->w->f->now);
    if (chance(c, 50)) /* it restarted */
        gatt_cache_forget_source(gatt_get_cache(c->w->gatt), source);
    c->comes_back_at[source] = c->w->f->now + MSEC(draw(c, 8000));
}

static void recover(struct chaos *c)
{
    usec_t now = c->w->f->now;

    for (uint16_t i = 0; i < FLEET; i++) {
        struct fake *fake = &c->w->f->fakes[i];

        if (!fake->is_online && now >= c->comes_back_at[i])
            fixture_online(c->w->f, i);
        if (now >= c->hears_again_at[i])
            fake->is_deaf = false;
        if (now >= c->wakes_at[i])
            fake->takes_nothing = false;
    }
    for (size_t i = 0; i < HOUSE; i++) {
        struct gadget *gadget = &c->w->gadgets[i];

        if (now < c->works_again_at[i])
            continue;
        gadget->silent = 0;
        gadget->slow = gadget->failing = 0;
        gadget->stops_in_services = false;
    }
}

static void break_something(struct chaos *c)
{
    uint16_t source = (uint16_t) draw(c, FLEET);
    size_t device = draw(c, HOUSE);

    switch (draw(c, 40)) {
    case 0:
        if (c->w->f->fakes[source].is_online)
            go_away(c, source);
        return;
    case 1:
        c->w->f->fakes[source].is_deaf = true;
        c->hears_again_at[source] = c->w->f->now + MSEC(draw(c, 10000));
        return;
    case 2:
        c->w->f->fakes[source].takes_nothing = true;
        c->wakes_at[source] = c->w->f->now + MSEC(draw(c, 3000));
        return;
    case 3:
        change_database(c, device);
        return;
    case 4:
        links_release(c->w->f->links, DEVICE(device), NULL, c->w->f->now);
        return;
    case 5:
    case 6:
        change_gadget(c, device);
        return;
    case 7:
        c->w->ignores_commands = chance(c, 50);
        return;
    case 8:
    case 9:
    case 10:
        drop_a_link(c, device);
        return;
    default:
        change_air(c, device);
    }
}

/* ---- a run ---- */

static void furnish(struct chaos *c)
{
    for (uint16_t i = 0; i < FLEET; i++) {
        world_proxy(c->w, i, -40 - 10 * i);
        c->w->f->fakes[i].is_old = i % 2;
        c->w->f->fakes[i].features = i == 3 ? (uint32_t) NEWEST : (uint32_t) ALL_FEATURES;
    }
    for (size_t i = 0; i < HOUSE; i++) {
        c->w->gadgets[i].is_hashed = i % 2;
        assert_int_equal(gatt_reader_new(c->w->gatt, DEVICE(i), 0, on_ready, NULL, &c->readers[i]),
                         0);
    }
    c->w->on_value = on_value;
    c->w->f->guest.deliver = deliver;
}

static void live(struct chaos *c)
{
    struct gatt_world *w = c->w;

    while (c->asked < c->wanted || w->accepted > w->answered) {
        fixture_run(w->f, MOMENT);
        for (size_t i = 0; i < PEOPLE; i++)
            act(c, i);
        for (size_t i = 0; i < HOUSE; i++)
            if (chance(c, 2))
                read_on(c, i);
        recover(c);
        send_values(c);
        if (chance(c, 50))
            break_something(c);
        assert_true(w->f->now < START + SECONDS(1000000));
    }
}

static void calm_down(struct chaos *c)
{
    struct fixture *f = c->w->f;

    memset(c->comes_back_at, 0, sizeof c->comes_back_at);
    memset(c->hears_again_at, 0, sizeof c->hears_again_at);
    memset(c->wakes_at, 0, sizeof c->wakes_at);
    memset(c->works_again_at, 0, sizeof c->works_again_at);
    recover(c);
    for (uint16_t i = 0; i < FLEET; i++)
        fixture_say_slots(f, i);
    for (size_t i = 0; i < HOUSE; i++)
        links_release(f->links, DEVICE(i), NULL, f->now);
    fixture_run(f, SECONDS(100));
    for (size_t i = 0; i < HOUSE; i++)
        gatt_reader_free(c->readers[i]);
}

static void check_the_end(const struct chaos *c)
{
    struct gatt_statistics s;

    gatt_get_statistics(c->w->gatt, &s);
    assert_int_equal(s.requests, c->w->accepted + c->cancelled);
    assert_int_equal(s.subscriptions, 0);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.readers, 0);
    assert_int_equal(links_count(c->w->f->links), 0);
    for (uint16_t i = 0; i < FLEET; i++)
        assert_int_equal(fake_free(&c->w->f->fakes[i]), c->w->f->fakes[i].limit);
    assert_true(c->delivered > c->wanted / 20);
    print_message("seed %lu: %u requests in %lu s, %u well; %lu operations, %lu reads shared, "
                  "%lu discoveries, %lu values, %lu lost by readers\n",
                  (unsigned long) c->seed, c->asked,
                  (unsigned long) ((c->w->f->now - START) / USEC_PER_SEC), c->by_code[0],
                  (unsigned long) s.operations, (unsigned long) s.shared_reads,
                  (unsigned long) s.discoveries, (unsigned long) s.values,
                  (unsigned long) s.values_lost);
}

static void check_variety(struct chaos *c)
{
    static const int codes[] = {0,           E_GATT_ERROR, E_GATT_TIMEOUT,  E_DISCONNECTED,
                                E_CANCELLED, E_GONE,       E_PAIRING_FAILED};

    for (size_t i = 0; i < ARRAY_SIZE(codes) && c->wanted >= 20000; i++)
        if (*count_of(c, codes[i]) == 0)
            fail_msg("no request was answered with %s", error_token(codes[i]));
}

static void run(uint64_t seed, unsigned requests)
{
    struct chaos *c = xnew(struct chaos, 1);

    print_message("seed %lu\n", (unsigned long) seed); /* also when it fails */
    c->seed = c->random = seed;
    c->wanted = requests;
    chaos = c;
    world_setup((void **) &c->w);
    furnish(c);
    live(c);
    calm_down(c);
    check_the_end(c);
    check_variety(c);
    world_teardown((void **) &c->w);
    free(c);
}

static unsigned runs = 1, requests = 3000;
static uint64_t first_seed = 1;

static void G08_G09_G11_a_fleet_in_which_everything_breaks_answers_each_request_once(void **state)
{
    (void) state;
    for (unsigned i = 0; i < runs; i++)
        run(first_seed + i, requests);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(
                    G08_G09_G11_a_fleet_in_which_everything_breaks_answers_each_request_once),
    };

    if (argc > 1)
        runs = (unsigned) strtoul(argv[1], NULL, 10);
    if (argc > 2)
        requests = (unsigned) strtoul(argv[2], NULL, 10);
    if (argc > 3)
        first_seed = strtoul(argv[3], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
