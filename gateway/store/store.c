/* The story. A touch puts the address into the set `touched` of its kind (devices or their GATT
 * databases) and arms the timer. When it fires, the sets become the round: STORE_BATCH addresses at
 * a time are taken from it, what there is to say of them is asked for and copied into the batch,
 * dirty texts and pairs join the first, and a worker writes it. GATT databases come first, so that
 * they and the pairs that were proved with them are in the file together. Back on the loop the next
 * batch follows, until the round is empty; what was touched meanwhile waits for the next time. An
 * address that is still in the round is not touched again: it will be fresh when it is read.
 *
 * Closing: the rest is written in the same way without waiting for the timer, which now limits it;
 * then a worker closes the file (which may be slow, too), then the timer is closed, then we are
 * gone.
 *
 * Accounts wait in a queue and go with the next batch, which begins at once for who adds or removes
 * a token. Beside that a worker looks every STORE_LOOK_MS whether another program has written into
 * the file, and then what tokens there are.
 *
 * Failure modes. A batch cannot be written: nothing of it is in the file, its addresses and the
 * round's return to `touched`, its texts and pairs are dirty again, and the timer waits ever
 * longer. The worker hangs in the disk: touches collect in the set, which has a bound; closing
 * waits for it, since its memory is ours. */
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "address_set.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "batch.h"
#include "ble/address.h"
#include "database.h"
#include "text_table.h"

#define TOUCHED_PER_DEVICE 2 /* those that are here, and as many that went */

enum kind { KIND_DEVICE, KIND_GATT, KINDS };

enum store_state {
    STORE_IDLE,    /* nothing to write, or waiting for the timer */
    STORE_WRITING, /* a worker has the batch and the database */
    STORE_LOOKING, /* a worker looks whether others have changed the file */
    STORE_CLOSING, /* a worker closes the database */
    STORE_CLOSED,  /* the timers are being closed */
};

struct touches {
    struct address_set touched, round;
};

struct store {
    enum store_state state;
    bool is_ending; /* store_close was called */
    bool is_late;   /* and what is not written by now will not be */
    struct database *database;
    size_t devices_max;
    unsigned flush_ms;
    uv_timer_t timer;
    uv_work_t work;
    store_read_device_fn *read_device;
    void *read_user;
    store_read_gatt_fn *read_gatt;
    void *read_gatt_user;
    struct touches touches[KINDS];
    struct text_table texts[BATCH_TABLES];
    struct pair_table *pairs;
    struct account_queue accounts;
    bool is_urgent;      /* the next batch does not wait for the timer */
    int64_t audit_since; /* older rows of the file go */
    bool is_pruning;
    uv_timer_t watch;
    unsigned open_timers;
    struct account_token *seen; /* by the worker that looks; TOKENS_MAX */
    size_t seen_count;
    bool has_seen;      /* set by the worker: tokens were read */
    bool is_seen_stale; /* what it has seen could not be used: to be read again */
    store_tokens_fn *on_tokens;
    void *tokens_user;
    store_written_fn *on_batch;
    void *batch_user;
    struct store_device scratch; /* the device that is being read */
    struct batch batch;
    int batch_result; /* set by the worker */
    uint64_t bytes;
    size_t devices;
    unsigned failures_in_a_row;
    uint64_t writes, failures, dropped;
    char *error;
    char *folder;
    unsigned flush_rounds;        /* until on_flushed is told; 0: nobody waits */
    store_flushed_fn *on_flushed; /* with flush_rounds */
    void *flush_user;
    void (*on_closed)(void *user);
    void *closed_user;
};

/* ---- the batch ---- */

static void batch_add_device(struct store *s, uint64_t address)
{
    s->scratch = (struct store_device){.address = address};
    if (s->read_device && s->read_device(s->read_user, address, &s->scratch))
        batch_put_device(&s->batch, &s->scratch);
    else
        batch_drop_device(&s->batch, address);
}

static void batch_add_gatt(struct store *s, uint64_t address)
{
    struct store_gatt gatt = {.address = address};

    if (s->read_gatt && s->read_gatt(s->read_gatt_user, address, &gatt))
        batch_put_gatt(&s->batch, &gatt);
    else
        batch_drop_gatt(&s->batch, address);
}

static bool batch_has_room(const struct store *s)
{
    return s->batch.rows_count + s->batch.gatts_count < STORE_BATCH &&
           buffer_size(&s->batch.octets) < STORE_BATCH_OCTETS;
}

static void fill_batch(struct store *s)
{
    const struct text *text;
    struct store_pair pair;
    uint64_t address;

    for (int i = 0; i < BATCH_TABLES; i++) {
        while ((text = text_table_take_dirty(&s->texts[i])))
            batch_put_text(&s->batch, (enum batch_table) i, text->key, text->value);
    }
    while (pair_table_take_dirty(s->pairs, &pair))
        batch_put_pair(&s->batch, &pair);
    account_queue_put_back(&s->batch.accounts, &s->accounts); /* it had none */
    s->batch.audit_since = s->audit_since;
    s->batch.is_pruning = s->is_pruning;
    s->is_pruning = s->is_urgent = false;
    while (batch_has_room(s) && address_set_pop(&s->touches[KIND_GATT].round, &address))
        batch_add_gatt(s, address);
    while (batch_has_room(s) && address_set_pop(&s->touches[KIND_DEVICE].round, &address))
        batch_add_device(s, address);
}

static void touch(struct store *s, enum kind kind, uint64_t address)
{
    struct touches *t = &s->touches[kind];

    if (!address_set_has(&t->round, address) && !address_set_add(&t->touched, address))
        s->dropped++;
}

/* How many are left of the round. */
static size_t round_count(const struct store *s)
{
    return s->touches[KIND_DEVICE].round.count + s->touches[KIND_GATT].round.count;
}

static size_t waiting_count(const struct store *s)
{
    return s->touches[KIND_DEVICE].touched.count + s->touches[KIND_GATT].touched.count +
           round_count(s);
}

static void begin_round(struct store *s)
{
    for (int i = 0; i < KINDS; i++) {
        struct touches *t = &s->touches[i];
        struct address_set empty = t->round;

        t->round = t->touched;
        t->touched = empty;
    }
}

/* What was not written is as if it had been touched just now. */
static void take_batch_back(struct store *s)
{
    uint64_t address;

    for (enum kind kind = 0; kind < KINDS; kind++) {
        while (address_set_pop(&s->touches[kind].round, &address))
            touch(s, kind, address);
    }
    account_queue_put_back(&s->accounts, &s->batch.accounts);
    s->is_pruning = s->is_pruning || s->batch.is_pruning;
    for (size_t i = 0; i < s->batch.rows_count; i++)
        touch(s, KIND_DEVICE, s->batch.rows[i].address);
    for (size_t i = 0; i < s->batch.gatts_count; i++)
        touch(s, KIND_GATT, s->batch.gatts[i].address);
    for (size_t i = 0; i < s->batch.texts_count; i++)
        text_table_mark(&s->texts[s->batch.texts[i].table], s->batch.texts[i].key);
    for (size_t i = 0; i < s->batch.pairs_count; i++)
        pair_table_mark(s->pairs, s->batch.pairs[i].device, s->batch.pairs[i].proxy);
}

static bool has_dirty_texts(const struct store *s)
{
    for (int i = 0; i < BATCH_TABLES; i++) {
        if (text_table_is_dirty(&s->texts[i]))
            return true;
    }
    return false;
}

static bool has_work(const struct store *s)
{
    return waiting_count(s) > 0 || has_dirty_texts(s) || pair_table_is_dirty(s->pairs) ||
           !account_queue_is_empty(&s->accounts) || s->is_pruning;
}

/* ---- how it is doing ---- */

static unsigned retry_delay(const struct store *s)
{
    unsigned delay = s->flush_ms;

    for (unsigned i = 1; i < s->failures_in_a_row && delay < STORE_RETRY_MAX_MS; i++)
        delay *= 2;
    return delay < STORE_RETRY_MAX_MS ? delay : STORE_RETRY_MAX_MS;
}

static void note_success(struct store *s)
{
    s->writes++;
    if (s->failures_in_a_row > 0)
        log_info("store.recovered", "failed=%u times", s->failures_in_a_row);
    s->failures_in_a_row = 0;
}

static void note_failure(struct store *s, int cause)
{
    const char *sentence = cause == -EBADMSG ? "the file is damaged" : error_sentence(cause);

    s->failures++;
    s->failures_in_a_row++;
    free(s->error);
    s->error = memory_copy_text(sentence);
    if (s->failures_in_a_row == 1)
        log_warning("store.write_failed", "%s (%s), keeping it in memory, retrying", sentence,
                    error_token(cause));
}

/* ---- writing and closing ---- */

static void go_on(struct store *s);

static void write_work(uv_work_t *work)
{
    struct store *s = CONTAINER_OF(work, struct store, work);

    s->batch_result = database_write(s->database, &s->batch, s->devices_max);
}

/* A round is over. True: all that was touched before the flush has been tried. */
static bool ends_flush(struct store *s)
{
    if (s->flush_rounds == 0)
        return false;
    if (s->failures_in_a_row > 0 || !has_work(s))
        s->flush_rounds = 0;
    else
        s->flush_rounds--;
    return s->flush_rounds == 0;
}

static void on_written(uv_work_t *work, int status)
{
    struct store *s = CONTAINER_OF(work, struct store, work);
    int result = s->batch_result;
    bool is_flushed;

    (void) status; /* nobody cancels it */
    s->state = STORE_IDLE;
    s->devices = database_rows(s->database);
    s->bytes = database_bytes(s->database);
    if (s->batch_result < 0) {
        take_batch_back(s);
        s->is_urgent = false;
        note_failure(s, s->batch_result);
    } else {
        note_success(s);
    }
    batch_clear(&s->batch);
    is_flushed = round_count(s) == 0 && ends_flush(s);
    if (s->on_batch)
        s->on_batch(s->batch_user, result);
    if (s->state == STORE_IDLE) /* nobody who was told has begun the next one */
        go_on(s);
    if (is_flushed)
        s->on_flushed(s->flush_user, result);
}

static void close_work(uv_work_t *work)
{
    database_close(CONTAINER_OF(work, struct store, work)->database);
}

static void on_timer_closed(uv_handle_t *timer)
{
    struct store *s = timer->data;
    void (*on_closed)(void *user) = s->on_closed;
    void *user = s->closed_user;

    if (--s->open_timers > 0)
        return;
    account_queue_done(&s->accounts);
    free(s->seen);
    for (int i = 0; i < KINDS; i++) {
        address_set_done(&s->touches[i].touched);
        address_set_done(&s->touches[i].round);
    }
    for (int i = 0; i < BATCH_TABLES; i++)
        text_table_done(&s->texts[i]);
    pair_table_free(s->pairs);
    batch_done(&s->batch);
    free(s->error);
    free(s->folder);
    free(s);
    on_closed(user);
}

static void on_file_closed(uv_work_t *work, int status)
{
    struct store *s = CONTAINER_OF(work, struct store, work);

    (void) status;
    s->state = STORE_CLOSED;
    s->open_timers = 2;
    uv_close((uv_handle_t *) &s->timer, on_timer_closed);
    uv_close((uv_handle_t *) &s->watch, on_timer_closed);
}

static void work_on(struct store *s, enum store_state state, uv_work_cb do_work,
                    uv_after_work_cb on_done)
{
    int rc = uv_queue_work(s->timer.loop, &s->work, do_work, on_done);

    assert(rc == 0); /* it fails without a function alone */
    s->state = state;
}

static void write_next(struct store *s)
{
    if (round_count(s) == 0)
        begin_round(s);
    fill_batch(s);
    work_on(s, STORE_WRITING, write_work, on_written);
}

static void on_time(uv_timer_t *timer)
{
    struct store *s = timer->data;

    if (s->is_ending) {
        s->is_late = true;
        if (s->state == STORE_WRITING)
            database_interrupt(s->database);
        return;
    }
    if (s->state == STORE_IDLE && has_work(s))
        write_next(s);
}

static void close_file(struct store *s)
{
    size_t left = waiting_count(s);

    if (left > 0)
        log_warning("store.incomplete", "entries=%zu could not be written before the end", left);
    (void) uv_timer_stop(&s->timer);
    (void) uv_timer_stop(&s->watch);
    work_on(s, STORE_CLOSING, close_work, on_file_closed);
}

/* Decides what is next while no worker is busy. */
static void go_on(struct store *s)
{
    if (s->is_ending) {
        if (has_work(s) && !s->is_late && s->failures_in_a_row == 0)
            write_next(s);
        else
            close_file(s);
        return;
    }
    if (round_count(s) > 0 || s->is_urgent || (s->flush_rounds > 0 && has_work(s)))
        write_next(s);
    else if (has_work(s) && !uv_is_active((uv_handle_t *) &s->timer))
        (void) uv_timer_start(&s->timer, on_time, retry_delay(s), 0);
}

/* Something waits to be written. */
static void arm(struct store *s)
{
    if (s->state == STORE_IDLE && !s->is_ending)
        go_on(s);
}

/* ---- looking at the tokens ---- */

static void look_work(uv_work_t *work)
{
    struct store *s = CONTAINER_OF(work, struct store, work);

    s->has_seen = (database_has_news(s->database) || s->is_seen_stale) &&
                  database_load_tokens(s->database, s->seen, &s->seen_count) == 0;
}

/* Tokens that we have changed meanwhile are not in what the worker saw. */
static void on_looked(uv_work_t *work, int status)
{
    struct store *s = CONTAINER_OF(work, struct store, work);

    (void) status;
    s->state = STORE_IDLE;
    s->is_seen_stale = s->has_seen && account_queue_has_tokens(&s->accounts);
    if (s->has_seen && !s->is_seen_stale && !s->is_ending)
        s->on_tokens(s->tokens_user, s->seen, s->seen_count);
    if (s->state == STORE_IDLE && has_work(s) && !s->is_ending &&
        !uv_is_active((uv_handle_t *) &s->timer))
        write_next(s); /* the timer has come and gone meanwhile */
    else if (s->state == STORE_IDLE)
        go_on(s);
}

static void on_watch(uv_timer_t *timer)
{
    struct store *s = timer->data;

    if (s->state == STORE_IDLE && !s->is_ending && !account_queue_has_tokens(&s->accounts))
        work_on(s, STORE_LOOKING, look_work, on_looked);
}

/* ---- the start ---- */

static void init_touches(struct store *s, enum kind kind, size_t rows_max, uint64_t seed)
{
    size_t max = rows_max * TOUCHED_PER_DEVICE;

    address_set_init(&s->touches[kind].touched, max, seed);
    address_set_init(&s->touches[kind].round, max, seed);
}

static void on_text_loaded(void *user, const char *key, const char *value)
{
    text_table_load(user, key, value);
}

static int load_texts(struct store *s)
{
    int rc = 0;

    for (int i = 0; i < BATCH_TABLES && rc == 0; i++)
        rc = database_load_texts(s->database, (enum batch_table) i, on_text_loaded, &s->texts[i]);
    return rc;
}

static void on_pair_loaded(void *user, const struct store_pair *pair)
{
    pair_table_load(user, pair);
}

int store_open(struct uv_loop_s *loop, const struct store_settings *settings,
               struct store **ret_store, char *ret_error, size_t error_size)
{
    struct store *s = xnew(struct store, 1);
    int rc = database_open(settings->folder, &s->database, ret_error, error_size);

    if (rc < 0) {
        free(s);
        return rc;
    }
    s->folder = memory_copy_text(settings->folder);
    s->devices_max = settings->devices_max;
    s->flush_ms = settings->flush_ms ? settings->flush_ms : STORE_FLUSH_MS;
    s->devices = database_rows(s->database);
    s->bytes = database_bytes(s->database);
    init_touches(s, KIND_DEVICE, settings->devices_max, settings->hash_seed);
    init_touches(s, KIND_GATT, STORE_GATT_MAX, settings->hash_seed);
    rc = load_texts(s);
    if (rc < 0)
        log_warning("store.texts_unread", "%s, going on without", error_sentence(rc));
    s->pairs = pair_table_new(settings->hash_seed);
    rc = database_load_pairs(s->database, on_pair_loaded, s->pairs);
    if (rc < 0)
        log_warning("store.pairs_unread", "%s, going on without", error_sentence(rc));
    (void) uv_timer_init(loop, &s->timer);
    (void) uv_timer_init(loop, &s->watch);
    s->timer.data = s->watch.data = s;
    *ret_store = s;
    return 0;
}

void store_close(struct store *store, void (*on_closed)(void *user), void *user)
{
    assert(!store->is_ending);
    store->is_ending = true;
    store->on_closed = on_closed;
    store->closed_user = user;
    store->failures_in_a_row = 0; /* the last chance is taken, whatever happened before */
    (void) uv_timer_start(&store->timer, on_time, STORE_CLOSE_MS, 0);
    if (store->state == STORE_IDLE)
        go_on(store);
}

bool store_flush(struct store *store, store_flushed_fn *on_flushed, void *user)
{
    assert(!store->is_ending && store->flush_rounds == 0);
    if (store->state != STORE_WRITING && !has_work(store))
        return false;
    store->on_flushed = on_flushed;
    store->flush_user = user;
    store->flush_rounds =
            store->state == STORE_WRITING ? 2 : 1; /* the one under way, and the next */
    if (store->state == STORE_IDLE) {
        (void) uv_timer_stop(&store->timer);
        write_next(store);
    }
    return true;
}

const char *store_folder(const struct store *store)
{
    return store->folder;
}

int store_load_devices(struct store *store, store_device_fn *on_device, void *user)
{
    size_t skipped;
    int rc;

    assert(store->state == STORE_IDLE && !has_work(store));
    rc = database_load_devices(store->database, on_device, user, &skipped);
    if (skipped > 0)
        log_warning("store.rows_skipped", "devices=%zu make no sense, ignoring", skipped);
    return rc;
}

void store_read_devices_from(struct store *store, store_read_device_fn *read_device, void *user)
{
    store->read_device = read_device;
    store->read_user = user;
}

void store_touch_device(struct store *store, uint64_t address)
{
    touch(store, KIND_DEVICE, address);
    arm(store);
}

struct gatt_loading {
    struct store *store;
    store_gatt_fn *on_gatt;
    void *user;
    size_t skipped;
};

static void on_gatt_loaded(void *user, const struct store_gatt *gatt)
{
    struct gatt_loading *l = user;

    if (!gatt->tree) {
        l->skipped++;
        touch(l->store, KIND_GATT, gatt->address); /* nobody knows it, so that it goes */
    }
    l->on_gatt(l->user, gatt);
}

int store_load_gatt(struct store *store, store_gatt_fn *on_gatt, void *user)
{
    struct gatt_loading l = {store, on_gatt, user, 0};
    int rc;

    assert(store->state == STORE_IDLE);
    rc = database_load_gatt(store->database, on_gatt_loaded, &l);
    if (l.skipped > 0) {
        log_warning("store.gatt_skipped",
                    "devices=%zu have damaged GATT databases, forgetting them", l.skipped);
        arm(store);
    }
    return rc;
}

void store_read_gatt_from(struct store *store, store_read_gatt_fn *read_gatt, void *user)
{
    store->read_gatt = read_gatt;
    store->read_gatt_user = user;
}

void store_touch_gatt(struct store *store, uint64_t address)
{
    touch(store, KIND_GATT, address);
    arm(store);
}

bool store_get_proxy(const struct store *store, const char *name, uint64_t *ret_mac)
{
    const char *mac = text_table_get(&store->texts[BATCH_PROXIES], name);

    return mac && ble_address_parse(mac, ret_mac);
}

void store_put_proxy(struct store *store, const char *name, uint64_t mac)
{
    char text[BLE_ADDRESS_TEXT_SIZE];

    ble_address_format(text, mac);
    if (text_table_put(&store->texts[BATCH_PROXIES], name, mac ? text : NULL))
        arm(store);
}

const char *store_get_text(const struct store *store, const char *key)
{
    return text_table_get(&store->texts[BATCH_TEXTS], key);
}

void store_put_text(struct store *store, const char *key, const char *value)
{
    if (text_table_put(&store->texts[BATCH_TEXTS], key, value))
        arm(store);
}

bool store_get_pair(const struct store *store, uint64_t device, uint64_t proxy,
                    struct store_pair *ret_pair)
{
    const struct store_pair *known = pair_table_get(store->pairs, device, proxy);

    *ret_pair = known ? *known : (struct store_pair){.device = device, .proxy = proxy};
    return known != NULL;
}

void store_put_pair(struct store *store, const struct store_pair *pair, bool is_kept)
{
    if (pair_table_put(store->pairs, pair, is_kept))
        arm(store);
}

void store_drop_pairs(struct store *store, uint64_t device)
{
    if (pair_table_drop_device(store->pairs, device))
        arm(store);
}

/* ---- accounts ---- */

int store_load_accounts(struct store *store, const struct store_accounts *to)
{
    struct account_token *tokens AUTO_FREE = xnew(struct account_token, TOKENS_MAX);
    size_t count = 0;
    int rc;

    assert(store->state == STORE_IDLE);
    (void) database_has_news(store->database); /* from now on it tells what we have not seen */
    rc = database_load_tokens(store->database, tokens, &count);
    to->on_tokens(to->user, tokens, count);
    if (rc == 0)
        rc = database_load_sessions(store->database, to->on_session, to->user);
    if (rc == 0)
        rc = database_load_audit(store->database, to->on_audit, to->user);
    return rc;
}

void store_watch_tokens(struct store *store, store_tokens_fn *on_tokens, void *user)
{
    store->on_tokens = on_tokens;
    store->tokens_user = user;
    store->seen = xnew(struct account_token, TOKENS_MAX);
    (void) uv_timer_start(&store->watch, on_watch, STORE_LOOK_MS, STORE_LOOK_MS);
}

void store_put_account(struct store *store, const struct account_op *op)
{
    account_queue_push(&store->accounts, op);
    if (op->kind != ACCOUNT_USE_TOKEN && op->kind != ACCOUNT_PUT_SESSION)
        store->is_urgent = true;
    arm(store);
}

bool store_is_behind_with_tokens(const struct store *store)
{
    return account_queue_has_tokens(&store->accounts) ||
           account_queue_has_tokens(&store->batch.accounts);
}

void store_on_written(struct store *store, store_written_fn *on_batch, void *user)
{
    store->on_batch = on_batch;
    store->batch_user = user;
}

void store_put_audit(struct store *store, const struct audit_entry *entry)
{
    account_queue_push_audit(&store->accounts, entry);
    arm(store);
}

void store_prune_audit(struct store *store, int64_t since)
{
    store->audit_since = since;
    store->is_pruning = true;
    arm(store);
}

void store_get_status(const struct store *store, struct store_status *ret_status)
{
    *ret_status = (struct store_status){
            .is_failing = store->failures_in_a_row > 0,
            .error = store->error,
            .devices = store->devices,
            .bytes = store->bytes,
            .waiting = waiting_count(store) + store->batch.rows_count + store->batch.gatts_count,
            .writes = store->writes,
            .failures = store->failures,
            .dropped = store->dropped,
    };
}
