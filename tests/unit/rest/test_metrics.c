/* The text of GET /metrics, held line by line against the rules of the format 0.0.4. */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_gatts.h"
#include "fake_links.h"
#include "rest/metrics.h"
#include "rest/rest.h"

#define LINES_MAX 512

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    char *text; /* of the last answer */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":["
                            "{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"attic\",\"host\":\"192.0.2.11\"},"
                            "{\"name\":\"cellar\",\"host\":\"192.0.2.12\",\"enabled\":false}]}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    free(f->text);
    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static const char *get(struct fixture *f)
{
    struct rest_request request = {.method = "GET", .target = "/metrics", .role = REST_ROLE_READ};

    assert_int_equal(rest_submit(f->rest, &request), REST_ANSWERED);
    assert_int_equal(request.answer.status, 200);
    assert_string_equal(request.answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    free(f->text);
    f->text = answer_take_body(&request.answer);
    assert_int_equal(strlen(f->text), request.answer.body_size);
    answer_done(&request.answer);
    return f->text;
}

/* ---- the rules of the format ---- */

struct parsed { /* what was read so far */
    char *series[LINES_MAX];
    size_t series_count;
    char *families[LINES_MAX];
    size_t families_count;
    char type[16]; /* of the last family */
};

static void note(char *list[LINES_MAX], size_t *count, const char *text, size_t size)
{
    char *copy = strndup(text, size);

    for (size_t i = 0; i < *count; i++) {
        if (strcmp(list[i], copy) == 0)
            fail_msg("twice: %s", copy);
    }
    assert_true(*count < LINES_MAX);
    list[(*count)++] = copy;
}

static size_t name_size(const char *text)
{
    size_t size = 0;

    if (isdigit((unsigned char) text[0]))
        return 0;
    while (isalnum((unsigned char) text[size]) || text[size] == '_' || text[size] == ':')
        size++;
    return size;
}

/* Behind the closing quote. */
static const char *skip_quoted(const char *at)
{
    assert_int_equal(*at++, '"');
    for (; *at != '"'; at++) {
        assert_true(*at != '\0' && *at != '\n');
        if (*at == '\\') {
            at++;
            assert_true(*at == '\\' || *at == '"' || *at == 'n');
        }
    }
    return at + 1;
}

static const char *skip_labels(const char *at)
{
    if (*at != '{')
        return at;
    do {
        size_t size = name_size(++at);

        assert_true(size > 0 && at[size] == '=');
        at = skip_quoted(at + size + 1);
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

/* "# HELP name text" and, right behind it, "# TYPE name type". The beginning of the next line. */
static const char *read_family(struct parsed *p, const char *at)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    size_t size = name_size(at + 7), found = 0;
    const char *name = at + 7;

    assert_memory_equal(at, "# HELP ", 7);
    assert_true(size > 0 && name[size] == ' ');
    note(p->families, &p->families_count, name, size);
    at = strchr(at, '\n') + 1;
    assert_memory_equal(at, "# TYPE ", 7);
    assert_memory_equal(at + 7, name, size + 1);
    assert_int_equal(sscanf(at + 7 + size, " %15s", p->type), 1);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        found += strcmp(types[i], p->type) == 0;
    assert_int_equal(found, 1);
    return strchr(at, '\n') + 1;
}

static void check_belongs(const struct parsed *p, const char *name, size_t size)
{
    const char *family = p->families[p->families_count - 1];
    size_t family_size = strlen(family);
    bool is_total = size > 6 && memcmp(name + size - 6, "_total", 6) == 0;

    assert_true(size >= family_size && memcmp(name, family, family_size) == 0);
    if (strcmp(p->type, "histogram") != 0) {
        assert_int_equal(size, family_size);
        assert_int_equal(is_total, strcmp(p->type, "counter") == 0);
        return;
    }
    name += family_size;
    size -= family_size;
    assert_true((size == 7 && memcmp(name, "_bucket", 7) == 0) ||
                (size == 4 && memcmp(name, "_sum", 4) == 0) ||
                (size == 6 && memcmp(name, "_count", 6) == 0));
}

/* "name{labels} value", of the family before it. */
static const char *read_sample(struct parsed *p, const char *at)
{
    size_t size = name_size(at);
    const char *end = skip_labels(at + size);
    char *number_end;

    assert_true(size > 9 && memcmp(at, "blefleet_", 9) == 0);
    check_belongs(p, at, size);
    note(p->series, &p->series_count, at, (size_t) (end - at));
    assert_int_equal(*end, ' ');
    (void) strtod(end + 1, &number_end);
    assert_true(number_end > end + 1);
    assert_int_equal(*number_end, '\n');
    return number_end + 1;
}

/* Every line; returns the number of series. */
static size_t check_format(const char *text)
{
    struct parsed p = {0};

    while (*text)
        text = *text == '#' ? read_family(&p, text) : read_sample(&p, text);
    for (size_t i = 0; i < p.series_count; i++)
        free(p.series[i]);
    for (size_t i = 0; i < p.families_count; i++)
        free(p.families[i]);
    return p.series_count;
}

/* The value of a series, which is there. */
static double value_of(const char *text, const char *series)
{
    size_t size = strlen(series);

    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, series, size) == 0 && line[size] == ' ')
            return strtod(line + size + 1, NULL);
    }
    fail_msg("no series %s", series);
    return 0;
}

static void assert_value(const struct fixture *f, const char *series, double value)
{
    double is = value_of(f->text, series);

    if (fabs(is - value) > 1e-9)
        fail_msg("%s is %.17g, not %.17g", series, is, value);
}

/* ---- the writer ---- */

static char *written(struct metrics_text *t)
{
    return buffer_take_text(&t->text);
}

static void family_is_help_type_and_samples(void **state)
{
    struct metrics_text t = {0};
    char *text AUTO_FREE = NULL;

    (void) state;
    metrics_text_family(&t, "blefleet_x_total", METRIC_COUNTER, "What it counts.");
    metrics_text_sample(&t, &(struct metric_label){"proxy", "kitchen"}, 1, 7);
    metrics_text_sample(&t, (struct metric_label[]){{"proxy", "attic"}, {"why", "first"}}, 2, 0);
    text = written(&t);
    assert_string_equal(text, "# HELP blefleet_x_total What it counts.\n"
                              "# TYPE blefleet_x_total counter\n"
                              "blefleet_x_total{proxy=\"kitchen\"} 7\n"
                              "blefleet_x_total{proxy=\"attic\",why=\"first\"} 0\n");
}

static void label_of_any_octets_keeps_its_line_whole(void **state)
{
    struct metrics_text t = {0};
    char *text AUTO_FREE = NULL;

    (void) state;
    metrics_text_family(&t, "blefleet_x", METRIC_GAUGE, "X.");
    metrics_text_sample(&t,
                        &(struct metric_label){"proxy", "a\"b\\c\nd\xff"
                                                        "e"},
                        1, 1);
    text = written(&t);
    assert_non_null(strstr(text, "\nblefleet_x{proxy=\"a\\\"b\\\\c\\nd\xef\xbf\xbd"
                                 "e\"} 1\n"));
    (void) check_format(text);
}

static void numbers_are_written_as_prometheus_reads_them(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
            {0, " 0\n"},
            {-3, " -3\n"},
            {0.25, " 0.25\n"},
            {1.5e-7, " 1.5e-07\n"},
            {9007199254740992.0, " 9007199254740992\n"},
            {1e300, " 1e+300\n"},
            {(double) NAN, " NaN\n"},
            {(double) INFINITY, " +Inf\n"},
            {-(double) INFINITY, " -Inf\n"},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct metrics_text t = {0};
        char *text AUTO_FREE = NULL;

        metrics_text_figure(&t, "blefleet_x", METRIC_GAUGE, "X.", cases[i].value);
        text = written(&t);
        assert_non_null(strstr(text, cases[i].text));
    }
}

static void histogram_counts_up_to_each_bound(void **state)
{
    static const usec_t bounds[] = {10 * USEC_PER_MSEC, 100 * USEC_PER_MSEC};
    struct metrics_text t = {0};
    struct histogram h;
    char *text AUTO_FREE = NULL;

    (void) state;
    histogram_init(&h, bounds, ARRAY_SIZE(bounds));
    histogram_add(&h, 10 * USEC_PER_MSEC);
    histogram_add(&h, 20 * USEC_PER_MSEC);
    histogram_add(&h, 2 * USEC_PER_SEC);
    metrics_text_family(&t, "blefleet_lag_seconds", METRIC_HISTOGRAM, "Lag.");
    metrics_text_histogram(&t, &h);
    text = written(&t);
    assert_string_equal(text, "# HELP blefleet_lag_seconds Lag.\n"
                              "# TYPE blefleet_lag_seconds histogram\n"
                              "blefleet_lag_seconds_bucket{le=\"0.01\"} 1\n"
                              "blefleet_lag_seconds_bucket{le=\"0.1\"} 2\n"
                              "blefleet_lag_seconds_bucket{le=\"+Inf\"} 3\n"
                              "blefleet_lag_seconds_sum 2.03\n"
                              "blefleet_lag_seconds_count 3\n");
}

/* ---- the registry ---- */

static double read_number(void *user)
{
    return *(const double *) user;
}

static void write_pair(void *user, struct metrics_text *text)
{
    metrics_text_figure(text, "blefleet_pair", METRIC_GAUGE, "A pair.", *(const double *) user);
}

static void figures_are_asked_for_in_order_until_their_user_goes(void **state)
{
    struct metrics *m = metrics_new();
    struct metrics_text t = {0};
    double streams = 3, other = 5;
    char *text;

    (void) state;
    metrics_register(m, "blefleet_streams", METRIC_GAUGE, "Streams.", read_number, &streams);
    metrics_register(m, "blefleet_others_total", METRIC_COUNTER, "Others.", read_number, &other);
    metrics_register_collector(m, write_pair, &streams);
    streams = 4;
    metrics_write(m, &t);
    text = written(&t);
    assert_int_equal(check_format(text), 3);
    assert_true(value_of(text, "blefleet_streams") == 4);
    assert_true(strstr(text, "blefleet_streams 4") < strstr(text, "blefleet_others_total 5"));
    free(text);
    metrics_unregister(m, &streams);
    metrics_write(m, &t);
    text = written(&t);
    assert_int_equal(check_format(text), 1);
    assert_true(value_of(text, "blefleet_others_total") == 5);
    free(text);
    metrics_free(m);
}

/* ---- the whole ---- */

static void give_figures(struct fixture *f)
{
    struct gateway_proxy *kitchen = fake_gateway_proxy(f->gateway, 0);

    kitchen->advertisements_total = 1000;
    kitchen->devices = 12;
    kitchen->has_slots = true;
    kitchen->slots_limit = 3;
    kitchen->slots_free = 1;
    kitchen->slots_allocated_count = 2;
    kitchen->round_trip = 4100;
    kitchen->last_advertisement = FAKE_START + USEC_PER_SEC / 4;
    fake_gateway_proxy(f->gateway, 1)->advertisements_total = 500;
    *fake_gateway_proxy_statistics(f->gateway, 0) = (struct gateway_proxy_statistics){
            .advertisements_skipped = 7,
            .reports = 990,
            .reports_refused = 10,
            .reports_parsed = 99,
            .devices_gained = {5, 2},
            .devices_lost = 1,
            .dials = 4,
            .reconnects = 2,
            .retakes = 1,
    };
    fake_gateway_set_failure(f->gateway, 1, "wrong_key", 3);
}

static void text_holds_to_the_format(void **state)
{
    struct fixture *f = *state;
    const char *empty = get(f);

    assert_true(check_format(empty) > 40);
    give_figures(f);
    assert_true(check_format(get(f)) > 60);
}

static void D03_each_proxy_tells_its_figures(void **state)
{
    struct fixture *f = *state;

    give_figures(f);
    (void) get(f);
    assert_value(f, "blefleet_proxy_up{proxy=\"kitchen\"}", 1);
    assert_value(f, "blefleet_proxy_up{proxy=\"cellar\"}", 0);
    assert_value(f, "blefleet_proxy_state{proxy=\"cellar\",state=\"disabled\"}", 1);
    assert_value(f, "blefleet_proxy_state{proxy=\"cellar\",state=\"online\"}", 0);
    assert_value(f, "blefleet_proxy_advertisements_total{proxy=\"kitchen\"}", 1000);
    assert_value(f, "blefleet_proxy_advertisements_skipped_total{proxy=\"kitchen\"}", 7);
    assert_value(f, "blefleet_proxy_reports_total{proxy=\"kitchen\"}", 990);
    assert_value(f, "blefleet_proxy_reports_refused_total{proxy=\"kitchen\"}", 10);
    assert_value(f, "blefleet_proxy_reports_parsed_total{proxy=\"kitchen\"}", 99);
    assert_value(f, "blefleet_proxy_owner_changes_total{proxy=\"kitchen\",why=\"first\"}", 5);
    assert_value(f, "blefleet_proxy_owner_changes_total{proxy=\"kitchen\",why=\"stronger\"}", 2);
    assert_value(f, "blefleet_proxy_devices_lost_total{proxy=\"kitchen\"}", 1);
    assert_value(f, "blefleet_proxy_devices{proxy=\"kitchen\"}", 12);
    assert_value(f, "blefleet_proxy_slots{proxy=\"kitchen\"}", 3);
    assert_value(f, "blefleet_proxy_slots_free{proxy=\"kitchen\"}", 1);
    assert_value(f, "blefleet_proxy_slots_allocated{proxy=\"kitchen\"}", 2);
    assert_value(f, "blefleet_proxy_round_trip_seconds{proxy=\"kitchen\"}", 0.0041);
    assert_value(f, "blefleet_proxy_last_advertisement_timestamp_seconds{proxy=\"kitchen\"}",
                 1795255200.25);
    assert_value(f, "blefleet_proxy_dials_total{proxy=\"kitchen\"}", 4);
    assert_value(f, "blefleet_proxy_reconnects_total{proxy=\"kitchen\"}", 2);
    assert_value(f, "blefleet_proxy_retakes_total{proxy=\"kitchen\"}", 1);
    assert_value(f, "blefleet_proxy_quiet{proxy=\"kitchen\"}", 0);
    fake_gateway_proxy(f->gateway, 0)->quiet_since = 1;
    (void) get(f);
    assert_value(f, "blefleet_proxy_quiet{proxy=\"kitchen\"}", 1);
    assert_value(f, "blefleet_proxy_failures_total{proxy=\"attic\",cause=\"wrong_key\"}", 3);
}

static void D03_active_scanning_tells_its_figures(void **state)
{
    struct fixture *f = *state;

    *fake_gateway_scan_statistics(f->gateway) = (struct gateway_scan_statistics){
            .opened = {7, 2},
            .refused = 3,
            .failed = 1,
            .active = 95 * USEC_PER_SEC / 2,
            .answered = 5,
            .missed = 4,
            .restarts = 6,
    };
    (void) fake_gateway_need(f->gateway, 1);
    (void) get(f);
    assert_value(f, "blefleet_scan_needs", 1);
    assert_value(f, "blefleet_scan_windows_total{cause=\"need\"}", 7);
    assert_value(f, "blefleet_scan_windows_total{cause=\"request\"}", 2);
    assert_value(f, "blefleet_scan_windows_refused_total", 3);
    assert_value(f, "blefleet_scan_windows_failed_total", 1);
    assert_value(f, "blefleet_scan_active_seconds_total", 47.5);
    assert_value(f, "blefleet_scan_needs_answered_total", 5);
    assert_value(f, "blefleet_scan_needs_missed_total", 4);
    assert_value(f, "blefleet_scan_restarts_total", 6);
}

static void D03_links_tell_requests_and_how_long_they_take(void **state)
{
    struct fixture *f = *state;
    struct fake_link *link = fake_links_add(f->gateway, 0xA4C13812AB56, "kitchen");
    const struct gateway_link_change failed = {.action = "failed", .code = E_NO_FREE_SLOT};

    *fake_links_statistics(f->gateway) = (struct gateway_links_statistics){
            .links = 5,
            .connected = 3,
            .waiting = 2,
            .requests = 20,
            .answered = 17,
            .succeeded = 13,
            .orphans_freed = 6,
            .lost = 1,
            .inconsistent = 7,
    };
    link->attempts[0] =
            fake_links_attempt(f->gateway, "kitchen", E_CONNECT_FAILED, 62, "fail_establish");
    link->attempts[1] = fake_links_attempt(f->gateway, "kitchen", 0, 0, NULL);
    link->attempts[1].duration = 1500 * USEC_PER_MSEC;
    fake_links_change(f->gateway, "queued", 0xA4C13812AB56, NULL);
    fake_links_change(f->gateway, NULL, 0xA4C13812AB56, "kitchen");
    fake_links_change(f->gateway, "opened", 0xA4C13812AB56, "kitchen");
    fake_links_tell(f->gateway, &failed);
    (void) get(f);
    assert_value(f, "blefleet_links", 5);
    assert_value(f, "blefleet_links_connected", 3);
    assert_value(f, "blefleet_link_requests_waiting", 2);
    assert_value(f, "blefleet_link_requests_open", 3);
    assert_value(f, "blefleet_link_requests_total{result=\"opened\"}", 13);
    assert_value(f, "blefleet_link_requests_total{result=\"failed\"}", 4);
    assert_value(f, "blefleet_slots_orphans_freed_total", 6);
    assert_value(f, "blefleet_links_lost_total", 1);
    assert_value(f, "blefleet_slots_inconsistent_total", 7);
    assert_value(f, "blefleet_links_failed_total{code=\"no_free_slot\"}", 1);
    assert_value(f, "blefleet_links_failed_total{code=\"connect_failed\"}", 0);
    assert_value(f, "blefleet_link_opening_seconds_bucket{le=\"1\"}", 0);
    assert_value(f, "blefleet_link_opening_seconds_bucket{le=\"2\"}", 1);
    assert_value(f, "blefleet_link_opening_seconds_count", 1);
    assert_value(f, "blefleet_link_opening_seconds_sum", 1.5);
}

static void gatt_tells_requests_values_and_what_is_known(void **state)
{
    struct fixture *f = *state;

    *fake_gatts_statistics(f->gateway) = (struct gateway_gatt_statistics){
            .requests = 20,
            .answered = 11,
            .failed = 4,
            .operations = 31,
            .shared_reads = 2,
            .discoveries = 3,
            .values = 900,
            .values_lost = 7,
            .subscriptions = 6,
            .readers = 5,
            .waiting = 8,
            .entries = 40,
            .trees = 9,
            .cache_bytes = 12345,
            .hits = 50,
            .misses = 13,
            .evicted = 1,
            .forgotten = {2, 14},
    };
    (void) get(f);
    assert_value(f, "blefleet_gatt_requests_total{result=\"answered\"}", 11);
    assert_value(f, "blefleet_gatt_requests_total{result=\"failed\"}", 4);
    assert_value(f, "blefleet_gatt_requests_open", 5);
    assert_value(f, "blefleet_gatt_operations_total", 31);
    assert_value(f, "blefleet_gatt_operations_waiting", 8);
    assert_value(f, "blefleet_gatt_shared_reads_total", 2);
    assert_value(f, "blefleet_gatt_discoveries_total", 3);
    assert_value(f, "blefleet_gatt_subscriptions", 6);
    assert_value(f, "blefleet_gatt_readers", 5);
    assert_value(f, "blefleet_gatt_notifications_total", 900);
    assert_value(f, "blefleet_gatt_notifications_lost_total", 7);
    assert_value(f, "blefleet_gatt_cache_devices", 40);
    assert_value(f, "blefleet_gatt_cache_trees", 9);
    assert_value(f, "blefleet_gatt_cache_bytes", 12345);
    assert_value(f, "blefleet_gatt_cache_hits_total", 50);
    assert_value(f, "blefleet_gatt_cache_misses_total", 13);
    assert_value(f, "blefleet_gatt_cache_evicted_total", 1);
    assert_value(f, "blefleet_gatt_cache_forgotten_total{cause=\"hash\"}", 2);
    assert_value(f, "blefleet_gatt_cache_forgotten_total{cause=\"service_changed\"}", 14);
}

static void C14_each_proxy_tells_its_attempts_and_slots(void **state)
{
    struct fixture *f = *state;

    *fake_links_proxy(f->gateway, 0) = (struct gateway_proxy_links){
            .ours = 2, .foreign = 1, .orphans = 3, .in_progress = 1, .completed = 41, .failed = 7};
    fake_links_proxy(f->gateway, 1)->completed = 1;
    (void) get(f);
    assert_value(f, "blefleet_proxy_slots_ours{proxy=\"kitchen\"}", 2);
    assert_value(f, "blefleet_proxy_slots_foreign{proxy=\"kitchen\"}", 1);
    assert_value(f, "blefleet_proxy_slots_orphans{proxy=\"kitchen\"}", 3);
    assert_value(f, "blefleet_proxy_connects_in_progress{proxy=\"kitchen\"}", 1);
    assert_value(f, "blefleet_proxy_connects_total{proxy=\"kitchen\"}", 41);
    assert_value(f, "blefleet_proxy_connects_failed_total{proxy=\"kitchen\"}", 7);
    assert_value(f, "blefleet_slots_orphans", 3);
    assert_value(f, "blefleet_connects_total", 42);
}

static void D03_what_a_proxy_does_not_tell_is_left_out(void **state)
{
    struct fixture *f = *state;

    give_figures(f);
    (void) get(f);
    assert_null(strstr(f->text, "blefleet_proxy_slots{proxy=\"attic\"}"));
    assert_null(strstr(f->text, "blefleet_proxy_round_trip_seconds{proxy=\"attic\"}"));
    assert_null(strstr(f->text,
                       "blefleet_proxy_last_advertisement_timestamp_seconds{proxy=\"attic\"}"));
    assert_null(strstr(f->text, "blefleet_proxy_failures_total{proxy=\"kitchen\""));
}

static void D03_the_fleet_tells_its_totals(void **state)
{
    struct fixture *f = *state;
    struct gateway_statistics *s = fake_gateway_statistics(f->gateway);

    give_figures(f);
    s->reports = 1490;
    s->reports_parsed = 149;
    s->reports_refused = 10;
    s->owner_changes[1] = 8;
    s->devices = 40;
    s->devices_available = 30;
    s->devices_evicted = 2;
    s->devices_forgotten = 3;
    s->elements_dropped = 4;
    s->look_ups = 6;
    s->look_ups_failed = 1;
    (void) get(f);
    assert_value(f, "blefleet_proxies", 3);
    assert_value(f, "blefleet_proxies_up", 2);
    assert_value(f, "blefleet_advertisements_total", 1500);
    assert_value(f, "blefleet_advertisements_skipped_total", 7);
    assert_value(f, "blefleet_reports_total", 1490);
    assert_value(f, "blefleet_reports_parsed_total", 149);
    assert_value(f, "blefleet_reports_refused_total", 10);
    assert_value(f, "blefleet_owner_changes_total{why=\"stronger\"}", 8);
    assert_value(f, "blefleet_devices", 40);
    assert_value(f, "blefleet_devices_available", 30);
    assert_value(f, "blefleet_devices_evicted_total", 2);
    assert_value(f, "blefleet_devices_forgotten_total", 3);
    assert_value(f, "blefleet_elements_dropped_total", 4);
    assert_value(f, "blefleet_slots", 3);
    assert_value(f, "blefleet_slots_free", 1);
    assert_value(f, "blefleet_slots_allocated", 2);
    assert_value(f, "blefleet_dials_total", 4);
    assert_value(f, "blefleet_reconnects_total", 2);
    assert_value(f, "blefleet_name_lookups_total", 6);
    assert_value(f, "blefleet_name_lookups_failed_total", 1);
}

static void D03_the_program_tells_what_it_takes(void **state)
{
    struct fixture *f = *state;
    struct gateway_statistics *s = fake_gateway_statistics(f->gateway);

    s->memory_bytes = 12345678;
    s->history_bytes = 7654321;
    s->history_devices = 21;
    s->history_dropped = 3;
    s->cpu = 1500 * USEC_PER_MSEC;
    s->descriptors = 20;
    s->descriptors_max = 1024;
    histogram_add(fake_gateway_loop_lag(f->gateway), 2 * USEC_PER_MSEC);
    fake_gateway_advance(f->gateway, 60 * USEC_PER_SEC);
    (void) get(f);
    assert_value(f, "blefleet_build_info{version=\"" BLEFLEET_VERSION "\"}", 1);
    assert_value(f, "blefleet_start_time_seconds", 1795255200);
    assert_value(f, "blefleet_process_resident_memory_bytes", 12345678);
    assert_value(f, "blefleet_history_bytes", 7654321);
    assert_value(f, "blefleet_history_devices", 21);
    assert_value(f, "blefleet_history_blocks_dropped_total", 3);
    assert_value(f, "blefleet_process_cpu_seconds_total", 1.5);
    assert_value(f, "blefleet_process_open_fds", 20);
    assert_value(f, "blefleet_process_max_fds", 1024);
    assert_value(f, "blefleet_loop_lag_seconds_bucket{le=\"0.001\"}", 0);
    assert_value(f, "blefleet_loop_lag_seconds_bucket{le=\"0.05\"}", 1);
    assert_value(f, "blefleet_loop_lag_max_seconds", 0.002);
}

static void D03_devices_add_no_series(void **state)
{
    struct fixture *f = *state;
    size_t before = check_format(get(f));

    for (uint64_t i = 0; i < 100; i++)
        fake_gateway_add(f->gateway, 0xa4c138000000 + i);
    assert_int_equal(check_format(get(f)), before);
}

static void metrics_want_the_role_read(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = {.method = "GET", .target = "/metrics"};

    assert_int_equal(rest_submit(f->rest, &request), REST_ANSWERED);
    assert_int_equal(request.answer.status, 401);
    answer_done(&request.answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(family_is_help_type_and_samples),
            cmocka_unit_test(label_of_any_octets_keeps_its_line_whole),
            cmocka_unit_test(numbers_are_written_as_prometheus_reads_them),
            cmocka_unit_test(histogram_counts_up_to_each_bound),
            cmocka_unit_test(figures_are_asked_for_in_order_until_their_user_goes),
            cmocka_unit_test_setup_teardown(text_holds_to_the_format, setup, teardown),
            cmocka_unit_test_setup_teardown(D03_each_proxy_tells_its_figures, setup, teardown),
            cmocka_unit_test_setup_teardown(D03_active_scanning_tells_its_figures, setup, teardown),
            cmocka_unit_test_setup_teardown(D03_links_tell_requests_and_how_long_they_take, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(gatt_tells_requests_values_and_what_is_known, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(C14_each_proxy_tells_its_attempts_and_slots, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(D03_what_a_proxy_does_not_tell_is_left_out, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(D03_the_fleet_tells_its_totals, setup, teardown),
            cmocka_unit_test_setup_teardown(D03_the_program_tells_what_it_takes, setup, teardown),
            cmocka_unit_test_setup_teardown(D03_devices_add_no_series, setup, teardown),
            cmocka_unit_test_setup_teardown(metrics_want_the_role_read, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
