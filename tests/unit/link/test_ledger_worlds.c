/* The ledger in random worlds. In the first everything may happen in any order, and what it finds
 * is compared with a model that looks at all pairs anew. In the others proxies behave as firmware
 * does, of both generations, with messages on their way in both directions; there it is seen that
 * no request meets a proxy without a free slot, that no living link is called lost, and that no
 * slot is left over. The number of the world that fails is printed. */
#include <stdio.h>

#include "ledger_fixture.h"

#define SOURCES 4
#define DEVICES 6
#define WORLDS  60
#define STEPS   1500

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static uint32_t below(uint32_t *state, uint32_t limit)
{
    return draw(state) % limit;
}

/* ---- anything, in any order ---- */

#define NO_ENTRY (-1)

struct pair { /* a device at a source */
    int phase;
    bool is_listed, was_sent;
    usec_t nobodys; /* since when the model calls it nobody's; 0: it does not */
    usec_t told;
};

struct model {
    struct ledger *ledger;
    usec_t now;
    bool is_online[SOURCES], is_consistent[SOURCES];
    struct pair pairs[SOURCES][DEVICES];
    unsigned orphans; /* told */
};

static bool is_carried(const struct model *m, size_t device)
{
    for (size_t s = 0; s < SOURCES; s++) {
        if (m->pairs[s][device].phase != NO_ENTRY)
            return true;
    }
    return false;
}

static bool is_nobodys(const struct model *m, size_t source, size_t device)
{
    const struct pair *p = &m->pairs[source][device];

    return m->is_online[source] && m->is_consistent[source] && p->is_listed &&
           p->phase == NO_ENTRY && (p->was_sent || is_carried(m, device));
}

static void forget(struct model *m, size_t source)
{
    for (size_t d = 0; d < DEVICES; d++)
        m->pairs[source][d] = (struct pair){.phase = NO_ENTRY};
    m->is_consistent[source] = false;
}

static void check_model(struct model *m)
{
    for (size_t s = 0; s < SOURCES; s++) {
        unsigned ours = 0;

        for (size_t d = 0; d < DEVICES; d++) {
            struct pair *p = &m->pairs[s][d];
            usec_t quiet_since = p->told > p->nobodys ? p->told : p->nobodys;

            ours += p->phase != NO_ENTRY;
            if (p->nobodys)
                assert_true(m->now - quiet_since <= SECONDS(10));
            if (!is_nobodys(m, s, d))
                p->nobodys = 0;
            else if (!p->nobodys)
                p->nobodys = m->now;
        }
        check_proxy(m->ledger, (uint16_t) s, m->now);
        assert_int_equal(proxy_of(m->ledger, (uint16_t) s, m->now).ours, ours);
        assert_int_equal(proxy_of(m->ledger, (uint16_t) s, m->now).is_online, m->is_online[s]);
    }
}

static void take_findings(struct model *m)
{
    enum ledger_finding finding;
    uint16_t source;
    uint64_t address;

    while (ledger_find(m->ledger, m->now, &finding, &source, &address)) {
        struct pair *p = &m->pairs[source][address ? address - 1 : 0];

        if (finding == LEDGER_LOST)
            assert_true(p->phase == SLOT_OPEN && !p->is_listed && m->is_consistent[source]);
        if (finding == LEDGER_INCONSISTENT)
            assert_false(m->is_consistent[source]);
        if (finding != LEDGER_ORPHANED)
            continue;
        assert_true(is_nobodys(m, source, address - 1));
        assert_true(p->told == 0 || m->now - p->told >= SECONDS(10) || p->told <= p->nobodys);
        p->told = m->now;
        m->orphans++;
    }
    assert_true(ledger_deadline(m->ledger) > m->now);
}

static void wait_until(struct model *m, usec_t then)
{
    while (ledger_deadline(m->ledger) <= then) {
        m->now = ledger_deadline(m->ledger) > m->now ? ledger_deadline(m->ledger) : m->now;
        take_findings(m);
        check_model(m);
    }
    m->now = then;
    check_model(m);
}

static void tell(struct model *m, size_t source, uint32_t *random)
{
    uint64_t addresses[DEVICES];
    uint32_t limit = below(random, 8), chance = below(random, 4), count = 0, told_free;

    for (size_t d = 0; d < DEVICES; d++) {
        struct pair *p = &m->pairs[source][d];

        if (m->is_online[source])
            p->is_listed = below(random, 4) < chance;
        if (m->is_online[source] && p->is_listed)
            addresses[count++] = d + 1;
    }
    told_free = limit >= count && below(random, 4) ? limit - count : below(random, 9);
    m->is_consistent[source] = limit > 0 && told_free <= limit && count == limit - told_free;
    ledger_told(m->ledger, (uint16_t) source, limit, told_free, addresses, count, m->now);
    check_model(m);
    take_findings(m);
}

static void use(struct model *m, size_t source, size_t device, uint32_t what)
{
    struct pair *p = &m->pairs[source][device];
    uint16_t s = (uint16_t) source;
    uint64_t address = device + 1;

    if (what == 0 && ledger_reserve(m->ledger, s, address, m->now) == 0)
        p->phase = SLOT_RESERVED;
    if (what == 1 && ledger_establish(m->ledger, s, address, m->now)) {
        p->phase = SLOT_ESTABLISHING;
        p->was_sent = true;
    }
    if (what == 2)
        ledger_opened(m->ledger, s, address, m->now);
    if (what == 2 && p->phase == SLOT_ESTABLISHING)
        p->phase = SLOT_OPEN;
    if (what == 3)
        ledger_closing(m->ledger, s, address, m->now);
    if (what == 3 && p->phase != NO_ENTRY) {
        p->was_sent = true;
        p->phase = SLOT_CLOSING;
    }
    if (what >= 4) {
        ledger_released(m->ledger, s, address, what == 4, m->now);
        p->phase = NO_ENTRY;
    }
}

static void come_or_go(struct model *m, size_t source, bool is_online)
{
    forget(m, source);
    m->is_online[source] = is_online;
    if (is_online)
        ledger_online(m->ledger, (uint16_t) source, m->now);
    else
        ledger_offline(m->ledger, (uint16_t) source);
}

static void play_anything(uint32_t seed)
{
    struct model m = {.ledger = ledger_new(), .now = AT(0)};
    uint32_t random = seed;

    for (size_t s = 0; s < SOURCES; s++)
        come_or_go(&m, s, true);
    for (int step = 0; step < STEPS; step++) {
        size_t source = below(&random, SOURCES), device = below(&random, DEVICES);
        uint32_t what = below(&random, 40);

        if (what == 0)
            come_or_go(&m, source, below(&random, 3) > 0);
        else if (what < 6)
            tell(&m, source, &random);
        else
            use(&m, source, device, below(&random, 6));
        check_model(&m);
        wait_until(&m, m.now + below(&random, below(&random, 8) ? 300000 : 8000000));
    }
    assert_true(m.orphans > 0);
    for (size_t s = 0; s < SOURCES; s++)
        come_or_go(&m, s, false);
    check_model(&m);
    assert_int_equal(ledger_deadline(m.ledger), USEC_NEVER);
    ledger_free(m.ledger);
}

/* ---- proxies as they are ---- */

#define LINKS_MAX 4 /* slots of a proxy */
#define QUEUE     512
#define LAG       (USEC_PER_SEC / 2)

enum wire_kind { CONNECT, DISCONNECT, CONNECTED, ENDED, SLOTS };
struct wire {
    enum wire_kind kind;
    uint64_t address;
    uint32_t limit, free;
    uint64_t list[LINKS_MAX];
    size_t count;
    usec_t arrives;
};
struct queue {
    struct wire items[QUEUE];
    size_t first, end;
};

enum radio { IDLE, CONNECTING, UP };
struct firmware_slot {
    uint64_t address; /* 0: free */
    enum radio radio;
    bool is_to_end;
};
struct firmware {
    uint32_t limit;
    bool tells_list;  /* newer ones do */
    bool frees_first; /* takes an address out of the list before it says that it ended */
    bool says_twice;  /* that a link ended */
    bool is_deaf;     /* loses a request to disconnect now and then */
    struct firmware_slot slots[LINKS_MAX];
    struct queue in, out;
};

struct house {
    struct ledger *ledger;
    usec_t now;
    uint32_t random;
    struct firmware proxies[SOURCES];
    usec_t asked[SOURCES][DEVICES]; /* when it was told to connect or to disconnect */
    usec_t seen[SOURCES][DEVICES];  /* when it was last in the ledger */
    unsigned opened, lost, orphans, refused;
    bool is_closing;
    bool is_patient; /* asks for an address again when no old word of it can be on its way */
};

static struct wire *push(struct house *h, struct queue *q, enum wire_kind kind, uint64_t address)
{
    struct wire *w = &q->items[q->end++ % QUEUE];

    assert_true(q->end - q->first <= QUEUE);
    *w = (struct wire){.kind = kind,
                       .address = address,
                       .arrives = h->now + below(&h->random, (uint32_t) LAG)};
    return w;
}

static const struct wire *pop(const struct house *h, struct queue *q)
{
    if (q->first == q->end || q->items[q->first % QUEUE].arrives > h->now)
        return NULL;
    return &q->items[q->first++ % QUEUE];
}

static struct firmware_slot *held(struct firmware *f, uint64_t address)
{
    for (size_t i = 0; i < f->limit; i++) {
        if (f->slots[i].address == address)
            return &f->slots[i];
    }
    return NULL;
}

static void send_slots(struct house *h, struct firmware *f)
{
    struct wire *w = push(h, &f->out, SLOTS, 0);

    w->limit = w->free = f->limit;
    for (size_t i = 0; i < f->limit; i++) {
        if (f->slots[i].address == 0)
            continue;
        w->free--;
        if (f->tells_list)
            w->list[w->count++] = f->slots[i].address;
    }
}

static void end_slot(struct house *h, struct firmware *f, struct firmware_slot *s)
{
    uint64_t address = s->address;

    if (!f->frees_first)
        push(h, &f->out, ENDED, address);
    *s = (struct firmware_slot){0};
    send_slots(h, f);
    if (f->frees_first)
        push(h, &f->out, ENDED, address);
    if (f->says_twice)
        push(h, &f->out, ENDED, address);
}

static void on_connect(struct house *h, struct firmware *f, uint64_t address)
{
    struct firmware_slot *s = held(f, address);

    if (s && s->radio == CONNECTING)
        return;
    if (s) {
        push(h, &f->out, CONNECTED, address);
        send_slots(h, f);
        return;
    }
    s = held(f, 0);
    h->refused += s == NULL;
    if (!s) {
        push(h, &f->out, ENDED, address);
        return;
    }
    *s = (struct firmware_slot){.address = address, .radio = CONNECTING};
    send_slots(h, f);
}

static void on_disconnect(struct house *h, struct firmware *f, uint64_t address)
{
    struct firmware_slot *s = held(f, address);

    if (f->is_deaf && !h->is_closing && below(&h->random, 4) == 0)
        return;
    if (s) {
        s->is_to_end = true;
        return;
    }
    push(h, &f->out, ENDED, address);
    send_slots(h, f);
}

static void run_firmware(struct house *h, struct firmware *f)
{
    const struct wire *w;

    while ((w = pop(h, &f->in))) {
        if (w->kind == CONNECT)
            on_connect(h, f, w->address);
        else
            on_disconnect(h, f, w->address);
    }
    for (size_t i = 0; i < f->limit; i++) {
        struct firmware_slot *s = &f->slots[i];

        if (s->address == 0 || s->address > DEVICES || below(&h->random, 8))
            continue;
        if (s->is_to_end || below(&h->random, 40) == 0) {
            end_slot(h, f, s);
        } else if (s->radio == CONNECTING) {
            s->radio = UP;
            push(h, &f->out, CONNECTED, s->address);
            send_slots(h, f);
        }
    }
}

static void ask(struct house *h, uint16_t source, enum wire_kind kind, uint64_t address)
{
    push(h, &h->proxies[source].in, kind, address);
    if (address <= DEVICES)
        h->asked[source][address - 1] = h->now;
}

static void hear(struct house *h, uint16_t source, const struct wire *w)
{
    struct ledger_slot s;
    bool is_ours = slot_of(h->ledger, source, w->address, &s) && s.holder == SLOT_OURS;

    if (w->kind == SLOTS)
        ledger_told(h->ledger, source, w->limit, w->free, w->list, w->count, h->now);
    if (w->kind == ENDED)
        ledger_released(h->ledger, source, w->address, is_ours && s.phase == SLOT_ESTABLISHING,
                        h->now);
    if (w->kind != CONNECTED || (is_ours && s.phase == SLOT_OPEN))
        return;
    ledger_opened(h->ledger, source, w->address, h->now);
    if (is_ours && s.phase == SLOT_ESTABLISHING)
        h->opened++;
    else
        ask(h, source, DISCONNECT, w->address); /* too late */
}

static void judge(struct house *h)
{
    enum ledger_finding finding;
    uint16_t source;
    uint64_t address;

    while (ledger_find(h->ledger, h->now, &finding, &source, &address)) {
        const struct firmware_slot *s = held(&h->proxies[source], address);

        assert_int_not_equal(finding, LEDGER_INCONSISTENT);
        if (finding == LEDGER_LOST) {
            assert_null(s);
            ledger_released(h->ledger, source, address, false, h->now);
            h->lost++;
        } else {
            assert_true(address <= DEVICES);
            ask(h, source, DISCONNECT, address);
            h->orphans++;
        }
    }
}

/* What somebody who uses the ledger does about one device at one proxy. */
static void act(struct house *h, uint16_t source, uint64_t address)
{
    usec_t since = h->asked[source][address - 1];
    usec_t calm = h->now - h->seen[source][address - 1];
    struct ledger_slot s;
    bool is_ours = slot_of(h->ledger, source, address, &s) && s.holder == SLOT_OURS;

    if (!is_ours) {
        if (!h->is_closing && (!h->is_patient || calm >= SECONDS(2)) && below(&h->random, 4) == 0)
            (void) ledger_reserve(h->ledger, source, address, h->now);
    } else if (s.phase == SLOT_RESERVED) {
        if (h->is_closing)
            ledger_released(h->ledger, source, address, false, h->now);
        else if (ledger_establish(h->ledger, source, address, h->now))
            ask(h, source, CONNECT, address);
    } else if (s.phase == SLOT_CLOSING) {
        if (h->now - since >= SECONDS(20))
            ledger_released(h->ledger, source, address, true, h->now);
    } else if (h->is_closing || below(&h->random, 16) == 0) {
        ledger_closing(h->ledger, source, address, h->now);
        ask(h, source, DISCONNECT, address);
    }
}

static void look(struct house *h, uint16_t source)
{
    struct ledger_slot s;

    for (size_t i = 0; ledger_get_slot(h->ledger, source, i, &s); i++) {
        if (s.address <= DEVICES)
            h->seen[source][s.address - 1] = h->now;
    }
}

static void pass_time(struct house *h)
{
    h->now += below(&h->random, 200000);
    for (uint16_t s = 0; s < SOURCES; s++) {
        const struct wire *w;

        run_firmware(h, &h->proxies[s]);
        while ((w = pop(h, &h->proxies[s].out))) {
            hear(h, s, w);
            judge(h);
        }
        judge(h);
        look(h, s);
        check_proxy(h->ledger, s, h->now);
    }
}

static struct house *new_house(uint32_t seed, bool tells_list)
{
    struct house *h = calloc(1, sizeof(*h));

    h->ledger = ledger_new();
    h->now = AT(0);
    h->random = seed;
    for (uint16_t s = 0; s < SOURCES; s++) {
        struct firmware *f = &h->proxies[s];

        f->limit = 1 + below(&h->random, LINKS_MAX);
        f->tells_list = tells_list;
        f->frees_first = below(&h->random, 2);
        f->is_deaf = below(&h->random, 2);
        if (below(&h->random, 2)) /* something of its own, for ever */
            f->slots[0] = (struct firmware_slot){.address = 0xF0 + s, .radio = UP};
        ledger_online(h->ledger, s, h->now);
        send_slots(h, f);
    }
    for (int i = 0; i < 20; i++)
        pass_time(h);
    return h;
}

static void live(struct house *h)
{
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < 4; i++)
            act(h, (uint16_t) below(&h->random, SOURCES), 1 + below(&h->random, DEVICES));
        pass_time(h);
    }
}

/* Everything is given up; at last nothing of ours is left in any proxy. */
static void close_house(struct house *h)
{
    h->is_closing = true;
    for (int step = 0; step < 600; step++) {
        for (uint16_t s = 0; s < SOURCES; s++) {
            for (uint64_t d = 1; d <= DEVICES; d++)
                act(h, s, d);
        }
        pass_time(h);
    }
    for (uint16_t s = 0; s < SOURCES; s++) {
        struct ledger_proxy p = proxy_of(h->ledger, s, h->now);

        assert_int_equal(p.ours, 0);
        for (size_t i = 0; i < h->proxies[s].limit && h->proxies[s].tells_list; i++)
            assert_true(h->proxies[s].slots[i].address == 0 ||
                        h->proxies[s].slots[i].address > DEVICES);
        assert_int_equal(p.free, p.told_free);
    }
}

static void free_house(struct house *h)
{
    ledger_free(h->ledger);
    free(h);
}

/* ---- the tests ---- */

static void whatever_happens_the_sums_are_right_and_orphans_are_told_in_time(void **state)
{
    (void) state;
    for (uint32_t seed = 1; seed <= WORLDS; seed++) {
        print_message("world %u\n", seed);
        play_anything(seed);
    }
}

static void C05_no_request_meets_a_proxy_without_a_free_slot(void **state)
{
    unsigned opened = 0;

    (void) state;
    for (uint32_t seed = 1; seed <= WORLDS; seed++) {
        struct house *h = new_house(seed, seed % 2);

        print_message("world %u\n", seed);
        h->is_patient = true;
        for (size_t s = 0; s < SOURCES; s++)
            h->proxies[s].is_deaf = false;
        live(h);
        assert_int_equal(h->refused, 0);
        close_house(h);
        opened += h->opened;
        free_house(h);
    }
    assert_true(opened > WORLDS * 10);
}

static void X06_no_slot_is_left_over_whatever_proxies_say_twice_or_never(void **state)
{
    unsigned orphans = 0, lost = 0;

    (void) state;
    for (uint32_t seed = 1; seed <= WORLDS; seed++) {
        struct house *h = new_house(seed, true);

        print_message("world %u\n", seed);
        for (size_t s = 0; s < SOURCES; s++)
            h->proxies[s].says_twice = true;
        live(h);
        close_house(h);
        orphans += h->orphans;
        lost += h->lost;
        free_house(h);
    }
    assert_true(orphans > WORLDS);
    assert_true(lost > WORLDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(whatever_happens_the_sums_are_right_and_orphans_are_told_in_time),
            cmocka_unit_test(C05_no_request_meets_a_proxy_without_a_free_slot),
            cmocka_unit_test(X06_no_slot_is_left_over_whatever_proxies_say_twice_or_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
