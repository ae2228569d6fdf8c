/* The story: every device stands in a heap by the time of its next advertising event.
 * world_advance() takes the events that are due, moves the device along its path, and asks for each
 * listener that can hear it at all whether it did and how loud. Which listeners those are, and the
 * mean loudness at each, is computed when the device appears or has moved, not for each event.
 *
 * What can fail: nothing but the limits. A device that nobody can hear just advertises in vain. */
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/memory.h"
#include "dice.h"

#define LATE_MAX       USEC_PER_SEC
#define SAME_WALL      0.3 /* metres: two room edges closer than this are one wall */
#define HEARD_SLOPE_DB 1.5 /* of the curve of luck about the sensitivity limit */
#define HEARD_NEVER_DB 8.0 /* below the limit by this: not heard at all */
#define MOVED_ENOUGH   0.1 /* metres after which the loudness is computed anew */

struct listener {
    struct world_place place;
    double duty;
};

struct audible {
    uint32_t listener;
    float mean_dbm;
};

struct device {
    struct world_device_options options; /* payloads and path are our copies */
    struct payload *payloads;
    struct world_place *path;
    struct dice dice;
    usec_t due;
    struct heap_node event; /* in the heap of next events, by due */
    uint64_t events;
    struct world_place place;      /* where it is now */
    struct world_place heard_from; /* where it was when audible was computed */
    usec_t path_started;
    struct audible *audible;
    size_t audible_count;
    struct peripheral peripheral;
};

struct world {
    struct world_radio radio;
    uint64_t seed;
    struct world_room rooms[WORLD_ROOMS_MAX];
    size_t rooms_count;
    struct listener listeners[WORLD_LISTENERS_MAX];
    size_t listeners_count;
    struct device **devices; /* in order of arrival but for removals */
    struct heap events;
    size_t devices_count, devices_capacity;
};

/* ---- space ---- */

static double height_of(const struct world *w, const struct world_place *place)
{
    return (place->floor + 0.4) * w->radio.floor_height;
}

static double distance(const struct world *w, const struct world_place *a,
                       const struct world_place *b)
{
    double x = a->x - b->x, y = a->y - b->y, z = height_of(w, a) - height_of(w, b);
    return sqrt(x * x + y * y + z * z);
}

/* A stretch of the line, as shares of its length, and whether its ends are walls. */
struct stretch {
    double enter, leave;
    bool enters_by_wall, leaves_by_wall;
};

/* Keeps the part of the stretch that lies within [low, high] on one axis; false when none does. */
static bool clip(struct stretch *s, double from, double to, double low, double high, bool is_wall)
{
    double step = to - from;
    if (fabs(step) < 1e-9)
        return from >= low && from <= high;

    double first = ((step > 0 ? low : high) - from) / step;
    double last = ((step > 0 ? high : low) - from) / step;
    if (first > s->enter) {
        s->enter = first;
        s->enters_by_wall = is_wall;
    }
    if (last < s->leave) {
        s->leave = last;
        s->leaves_by_wall = is_wall;
    }
    return s->enter < s->leave - 1e-9;
}

/* Adds where the line passes a wall of the room, as shares of its length. */
static size_t add_crossings(const struct world *w, const struct world_room *room,
                            const struct world_place *a, const struct world_place *b,
                            double *ret_shares)
{
    struct stretch s = {.enter = 0, .leave = 1};
    double ground = room->floor * w->radio.floor_height;
    size_t count = 0;

    if (!clip(&s, a->x, b->x, room->left, room->right, true) ||
        !clip(&s, a->y, b->y, room->bottom, room->top, true) ||
        !clip(&s, height_of(w, a), height_of(w, b), ground, ground + w->radio.floor_height, false))
        return 0;
    if (s.enters_by_wall)
        ret_shares[count++] = s.enter;
    if (s.leaves_by_wall)
        ret_shares[count++] = s.leave;
    return count;
}

static int compare_shares(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

unsigned world_walls_between(const struct world *w, const struct world_place *a,
                             const struct world_place *b)
{
    double shares[2 * WORLD_ROOMS_MAX];
    size_t count = 0;
    double length = distance(w, a, b), last = -INFINITY;
    unsigned walls = 0;

    for (size_t i = 0; i < w->rooms_count; i++)
        count += add_crossings(w, &w->rooms[i], a, b, shares + count);
    qsort(shares, count, sizeof(shares[0]), compare_shares);
    for (size_t i = 0; i < count; i++) {
        if ((shares[i] - last) * length < SAME_WALL)
            continue;
        last = shares[i];
        walls++;
    }
    return walls;
}

double world_mean_rssi(const struct world *w, const struct world_place *from,
                       const struct world_place *to, double tx_power_dbm)
{
    double metres = fmax(distance(w, from, to), 0.1);
    return tx_power_dbm - 10.0 * w->radio.exponent * log10(metres) -
           w->radio.wall_db * world_walls_between(w, from, to) -
           w->radio.floor_db * abs(from->floor - to->floor);
}

const struct world_room *world_find_room(const struct world *w, const char *name)
{
    for (size_t i = 0; i < w->rooms_count; i++)
        if (strcmp(w->rooms[i].name, name) == 0)
            return &w->rooms[i];
    return NULL;
}

struct world_place world_room_centre(const struct world_room *room)
{
    return (struct world_place){
            .x = (room->left + room->right) / 2,
            .y = (room->bottom + room->top) / 2,
            .floor = room->floor,
    };
}

/* ---- devices ---- */

static struct device *find_device(const struct world *w, uint64_t address, size_t *ret_number)
{
    for (size_t i = 0; i < w->devices_count; i++) {
        if (w->devices[i]->options.address != address)
            continue;
        if (ret_number != NULL)
            *ret_number = i;
        return w->devices[i];
    }
    return NULL;
}

static void free_device(struct device *d)
{
    peripheral_done(&d->peripheral);
    free(d->payloads);
    free(d->path);
    free(d->audible);
    free(d);
}

static double lowest_heard(const struct world *w)
{
    return w->radio.sensitivity_dbm - HEARD_NEVER_DB;
}

/* Notes which listeners may hear the device from where it is: those that four deviations of luck
 * could lift above the limit. */
static void compute_audible(struct world *w, struct device *d)
{
    double lowest = lowest_heard(w) - 4.0 * w->radio.noise_db;

    if (d->audible == NULL)
        d->audible = xnew(struct audible, w->listeners_count + 1);
    d->audible_count = 0;
    d->heard_from = d->place;
    for (size_t i = 0; i < w->listeners_count; i++) {
        double mean =
                world_mean_rssi(w, &d->place, &w->listeners[i].place, d->options.tx_power_dbm);
        if (mean >= lowest)
            d->audible[d->audible_count++] =
                    (struct audible){.listener = (uint32_t) i, .mean_dbm = (float) mean};
    }
}

static double leg_length(const struct world *w, const struct device *d, size_t leg)
{
    return distance(w, &d->path[leg], &d->path[(leg + 1) % d->options.path_count]);
}

static usec_t leg_span(const struct world *w, const struct device *d, size_t leg)
{
    double seconds = leg_length(w, d, leg) / d->options.speed;
    return d->options.pause + (usec_t) (seconds * (double) USEC_PER_SEC);
}

/* Where on its path the device is: each leg begins with a rest at its first point. */
static struct world_place place_on_path(const struct world *w, const struct device *d, usec_t now)
{
    usec_t round = 0;
    for (size_t leg = 0; leg < d->options.path_count; leg++)
        round += leg_span(w, d, leg);
    if (round == 0)
        return d->path[0];

    usec_t into = (now - d->path_started) % round;
    size_t leg = 0;
    while (into >= leg_span(w, d, leg))
        into -= leg_span(w, d, leg++);

    const struct world_place *from = &d->path[leg];
    const struct world_place *to = &d->path[(leg + 1) % d->options.path_count];
    if (into <= d->options.pause)
        return *from;
    double walking = (double) (leg_span(w, d, leg) - d->options.pause);
    double share = (double) (into - d->options.pause) / walking;
    return (struct world_place){
            .x = from->x + share * (to->x - from->x),
            .y = from->y + share * (to->y - from->y),
            .floor = share < 0.5 ? from->floor : to->floor,
    };
}

static void walk(struct world *w, struct device *d, usec_t now)
{
    if (d->options.path_count == 0)
        return;
    d->place = place_on_path(w, d, now);
    if (distance(w, &d->place, &d->heard_from) >= MOVED_ENOUGH)
        compute_audible(w, d);
}

static const struct payload *current_payload(const struct device *d)
{
    uint64_t turn = d->events / d->options.payload_events;
    return &d->payloads[turn % d->options.payloads_count];
}

static bool is_heard(const struct world *w, struct device *d, const struct listener *listener,
                     double rssi)
{
    double chance = 1.0 / (1.0 + exp((w->radio.sensitivity_dbm - rssi) / HEARD_SLOPE_DB));
    /* the dice is thrown even when the outcome is certain: what follows must not depend on it */
    return dice_between(&d->dice, 0.0, 1.0) < chance * listener->duty && rssi >= lowest_heard(w);
}

static int8_t rssi_octet(double rssi)
{
    double rounded = fmin(fmax(round(rssi), -127.0), 20.0);
    return rounded == 0.0 ? -1 : (int8_t) rounded;
}

static void play_event(struct world *w, struct device *d, usec_t now, world_heard_fn *on_heard,
                       void *user)
{
    struct world_reception reception = {
            .address = d->options.address,
            .address_type = d->options.address_type,
            .payload = current_payload(d),
    };
    for (size_t i = 0; i < d->audible_count; i++) {
        const struct audible *a = &d->audible[i];
        double rssi = (double) a->mean_dbm + w->radio.noise_db * dice_gauss(&d->dice);
        if (!is_heard(w, d, &w->listeners[a->listener], rssi))
            continue;
        reception.listener = a->listener;
        reception.rssi = rssi_octet(rssi);
        on_heard(user, &reception, now);
    }
    d->events++;
}

static usec_t next_gap(struct device *d)
{
    return d->options.interval + dice_below(&d->dice, d->options.jitter + 1);
}

size_t world_advance(struct world *w, usec_t now, world_heard_fn *on_heard, void *user)
{
    size_t played = 0;
    struct heap_node *first;
    uint64_t due;

    while ((first = heap_first(&w->events, &due)) != NULL && due <= now) {
        struct device *d = CONTAINER_OF(first, struct device, event);
        if (d->due + LATE_MAX >= now) {
            walk(w, d, d->due);
            if (peripheral_advertises(&d->peripheral))
                play_event(w, d, now, on_heard, user);
            played++;
            d->due += next_gap(d);
        } else {
            d->due = now + next_gap(d);
        }
        heap_set(&w->events, &d->event, d->due);
    }
    return played;
}

usec_t world_deadline(const struct world *w)
{
    uint64_t due;
    return heap_first(&w->events, &due) != NULL ? due : USEC_NEVER;
}

/* ---- links ---- */

/* Where the device is was noted at its last event, and it goes on walking while it is linked. */
static double loudness(const struct world *w, const struct device *d, size_t listener)
{
    return world_mean_rssi(w, &d->place, &w->listeners[listener].place, d->options.tx_power_dbm);
}

struct peripheral_attempt world_attempt(struct world *w, size_t listener, uint64_t address,
                                        uint8_t address_type)
{
    assert(listener < w->listeners_count);
    struct device *d = find_device(w, address, NULL);

    if (d == NULL || ((d->options.address_type ^ address_type) & 1) != 0 ||
        !world_reaches(w, listener, address))
        return (struct peripheral_attempt){0};
    return peripheral_attempt(&d->peripheral, loudness(w, d, listener));
}

bool world_open_link(struct world *w, uint64_t address, struct peripheral_link *ret_link)
{
    struct device *d = find_device(w, address, NULL);
    return d != NULL && peripheral_open(&d->peripheral, ret_link);
}

void world_close_link(struct world *w, uint64_t address)
{
    struct device *d = find_device(w, address, NULL);
    if (d != NULL)
        peripheral_close(&d->peripheral);
}

bool world_reaches(const struct world *w, size_t listener, uint64_t address)
{
    assert(listener < w->listeners_count);
    const struct device *d = find_device(w, address, NULL);
    return d != NULL && loudness(w, d, listener) >= lowest_heard(w);
}

struct gatt_server *world_gatt_server(struct world *w, uint64_t address)
{
    struct device *d = find_device(w, address, NULL);
    return d != NULL ? peripheral_server(&d->peripheral) : NULL;
}

int world_fail_next(struct world *w, uint64_t address, unsigned attempts, int32_t error)
{
    struct device *d = find_device(w, address, NULL);
    if (d == NULL)
        return -ENOENT;
    peripheral_fail_next(&d->peripheral, attempts, error);
    return 0;
}

/* ---- life and changes ---- */

static void *copy_array(const void *from, size_t count, size_t size)
{
    if (count == 0)
        return NULL;
    void *copy = memory_zalloc(count, size);
    memcpy(copy, from, count * size);
    return copy;
}

struct world *world_new(const struct world_radio *radio, uint64_t seed)
{
    struct world *w = xnew(struct world, 1);
    w->radio = *radio;
    w->seed = seed;
    return w;
}

void world_free(struct world *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->devices_count; i++)
        free_device(w->devices[i]);
    free(w->devices);
    heap_done(&w->events);
    free(w);
}

void world_add_room(struct world *w, const struct world_room *room)
{
    assert(w->rooms_count < WORLD_ROOMS_MAX);
    w->rooms[w->rooms_count++] = *room;
}

size_t world_add_listener(struct world *w, const struct world_place *place, double duty)
{
    assert(w->listeners_count < WORLD_LISTENERS_MAX);
    assert(w->devices_count == 0);
    w->listeners[w->listeners_count] = (struct listener){.place = *place, .duty = duty};
    return w->listeners_count++;
}

static void make_room_for_device(struct world *w)
{
    if (w->devices_count < w->devices_capacity)
        return;
    w->devices_capacity = w->devices_capacity == 0 ? 64 : 2 * w->devices_capacity;
    w->devices = memory_resize(w->devices, w->devices_capacity, sizeof(struct device *));
}

static struct device *new_device(uint64_t seed, const struct world_device_options *options,
                                 usec_t now)
{
    struct device *d = xnew(struct device, 1);

    d->options = *options;
    d->payloads = copy_array(options->payloads, options->payloads_count, sizeof(struct payload));
    d->path = copy_array(options->path, options->path_count, sizeof(struct world_place));
    d->options.payloads = d->payloads;
    d->options.path = d->path;
    d->place = options->path_count > 0 ? d->path[0] : options->place;
    d->path_started = now;
    dice_seed(&d->dice, dice_mix(seed, options->address));
    peripheral_init(&d->peripheral, &options->peripheral, dice_mix(~seed, options->address));
    d->due = now + dice_below(&d->dice, options->interval); /* not all at once */
    return d;
}

int world_add_device(struct world *w, const struct world_device_options *options, usec_t now)
{
    assert(options->payloads_count > 0 && options->payload_events > 0 && options->interval > 0);
    assert(options->path_count == 0 || options->speed > 0);

    if (w->devices_count >= WORLD_DEVICES_MAX)
        return -ENOSPC;
    if (find_device(w, options->address, NULL) != NULL)
        return -EEXIST;
    make_room_for_device(w);
    struct device *d = new_device(w->seed, options, now);
    compute_audible(w, d);
    w->devices[w->devices_count++] = d;
    heap_set(&w->events, &d->event, d->due);
    return 0;
}

int world_remove_device(struct world *w, uint64_t address)
{
    size_t number;
    struct device *d = find_device(w, address, &number);
    if (d == NULL)
        return -ENOENT;

    heap_remove(&w->events, &d->event);
    w->devices_count--;
    memmove(w->devices + number, w->devices + number + 1,
            (w->devices_count - number) * sizeof(struct device *));
    free_device(d);
    return 0;
}

int world_move_device(struct world *w, uint64_t address, const struct world_place *place)
{
    struct device *d = find_device(w, address, NULL);
    if (d == NULL)
        return -ENOENT;
    d->options.path_count = 0;
    d->place = *place;
    compute_audible(w, d);
    return 0;
}

int world_set_payloads(struct world *w, uint64_t address, const struct payload *payloads,
                       size_t count)
{
    assert(count > 0);
    struct device *d = find_device(w, address, NULL);
    if (d == NULL)
        return -ENOENT;
    free(d->payloads);
    d->payloads = copy_array(payloads, count, sizeof(struct payload));
    d->options.payloads = d->payloads;
    d->options.payloads_count = count;
    return 0;
}

int world_set_interval(struct world *w, uint64_t address, usec_t interval, usec_t now)
{
    assert(interval > 0);
    struct device *d = find_device(w, address, NULL);
    if (d == NULL)
        return -ENOENT;
    d->options.interval = interval;
    d->due = now + dice_below(&d->dice, interval);
    heap_set(&w->events, &d->event, d->due);
    return 0;
}

size_t world_device_count(const struct world *w)
{
    return w->devices_count;
}

struct world_device_view world_device(const struct world *w, size_t number)
{
    assert(number < w->devices_count);
    const struct device *d = w->devices[number];
    return (struct world_device_view){
            .address = d->options.address,
            .address_type = d->options.address_type,
            .label = d->options.label,
            .place = d->place,
            .interval = d->options.interval,
            .events = d->events,
            .is_connectable = d->options.peripheral.is_connectable,
            .links = d->peripheral.links,
    };
}

double world_device_mean_rssi(const struct world *w, size_t number, size_t listener)
{
    assert(number < w->devices_count && listener < w->listeners_count);
    const struct device *d = w->devices[number];
    return world_mean_rssi(w, &d->place, &w->listeners[listener].place, d->options.tx_power_dbm);
}
