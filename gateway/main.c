/* The composition root: reads options and configuration, builds the rooms, wires them, runs the
 * loop, and takes everything down in reverse.
 *
 * Ready means: all listeners are bound. It is told in this order: ready file, log line, READY=1.
 * SIGTERM and SIGINT stop: the listeners answer what waits and close, proxies get a goodbye, the
 * loop runs empty. A second signal, or STOP_TIMEOUT, ends without goodbyes. A restart is a stop
 * behind which this process begins anew, with the same arguments; a restore that was staged is
 * applied before anything else is read. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "backup/staged.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config_file.h"
#include "config_watch.h"
#include "data_folder.h"
#include "gateway/gateway.h"
#include "http/http.h"
#include "mqtt/mqtt_runner.h"
#include "replay_file.h"
#include "rest/rest.h"
#include "service.h"
#include "store/store.h"
#include "store/token_file.h"
#include "token_command.h"
#include "json/info_json.h"
#include "json/log_json.h"

#define EXIT_CONFIGURATION 1
#define EXIT_START         2
#define STOP_TIMEOUT_MS    4500

struct options {
    const char *config;
    const char *data_dir; /* NULL: the standard one */
    const char *ready_file;
    const char *log_level; /* overrides the configuration */
    bool only_checks;
    const char *replay; /* NULL: none */
    const char *sets[REPLAY_SETS_MAX];
    size_t sets_count;
};

struct program {
    uv_loop_t loop;
    char **arguments; /* of this process, and of the next one in its place */
    struct options options;
    struct config_file file;
    struct config *config; /* until the gateway has it */
    struct gateway *gateway;
    struct rest *rest;
    struct http *http;
    struct mqtt_runner *mqtt;
    struct config_watch *watch;
    struct gateway_subscription *subscription;
    char client_id[32];   /* MQTT's, when the configuration names none */
    uint32_t boot;        /* a number of this run */
    char *without_effect; /* keys that were told last; NULL: none yet */
    uv_signal_t terminate, interrupt, hangup;
    uv_timer_t watchdog, stop_timer;
    uv_async_t log_wake; /* a warning was logged, by whatever thread */
    uint64_t log_seen;   /* sequence of the last line that the faces were told */
    bool is_stopping;
    bool is_restarting;  /* and then this process begins anew */
    unsigned open_faces; /* while stopping */
};

/* ---- options ---- */

static const char usage[] =
        "usage: blefleet --config FILE [--check-config] [--data-dir DIR] [--log-level LEVEL]\n"
        "                [--ready-file FILE]\n"
        "       blefleet --replay FILE [--set scan.KEY=VALUE …]\n"
        "       blefleet token add|list|remove … (blefleet token --help)\n"
        "       blefleet --version\n"
        "\n"
        "A gateway that makes one Bluetooth LE radio of many ESPHome Bluetooth proxies.\n"
        "\n"
        "  --config FILE      the configuration, one JSON file; {} is valid\n"
        "  --check-config     print every fault of the file with its JSON Pointer, and exit\n"
        "  --data-dir DIR     where state is kept; default: $STATE_DIRECTORY, else blefleet.data\n"
        "                     beside the configuration file\n"
        "  --log-level LEVEL  error, warning, info or debug, and for single rooms beside it:\n"
        "                     info,proxy=debug,http=warning; overrides the file\n"
        "  --ready-file FILE  written once all listeners are bound\n"
        "  --replay FILE      what a recording (GET /api/v1/recorder?format=native, or the lines "
        "of\n"
        "                     jsonl) would have been under other settings, as a table\n"
        "  --set KEY=VALUE    such a setting: scan.ownership.margin_db=12; may be repeated\n"
        "  --version          print the version, and exit\n";

/* Returns -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *ret_options)
{
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"check-config", no_argument, NULL, 'k'},
                                          {"data-dir", required_argument, NULL, 'd'},
                                          {"log-level", required_argument, NULL, 'l'},
                                          {"ready-file", required_argument, NULL, 'r'},
                                          {"replay", required_argument, NULL, 'p'},
                                          {"set", required_argument, NULL, 's'},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct log_levels levels;

    for (int c; (c = getopt_long(argc, argv, "c:h", known, NULL)) != -1;) {
        switch (c) {
        case 'c':
            ret_options->config = optarg;
            break;
        case 'k':
            ret_options->only_checks = true;
            break;
        case 'd':
            ret_options->data_dir = optarg;
            break;
        case 'l':
            ret_options->log_level = optarg;
            break;
        case 'r':
            ret_options->ready_file = optarg;
            break;
        case 'p':
            ret_options->replay = optarg;
            break;
        case 's':
            if (ret_options->sets_count == REPLAY_SETS_MAX) {
                (void) fputs("blefleet: too many --set\n", stderr);
                return EXIT_CONFIGURATION;
            }
            ret_options->sets[ret_options->sets_count++] = optarg;
            break;
        case 'v':
            (void) puts("blefleet " BLEFLEET_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            (void) fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            (void) fputs(usage, stderr);
            return EXIT_CONFIGURATION;
        }
    }
    if (optind == argc && ret_options->replay)
        return replay_file_run(ret_options->replay, ret_options->sets, ret_options->sets_count);
    if (optind < argc || !ret_options->config) {
        (void) fprintf(stderr, "blefleet: %s\n\n%s",
                       optind < argc ? "takes no arguments" : "--config is missing", usage);
        return EXIT_CONFIGURATION;
    }
    if (ret_options->log_level &&
        !log_levels_parse(ret_options->log_level, LOG_LEVEL_INFO, &levels)) {
        (void) fprintf(stderr,
                       "blefleet: --log-level %s: not error, warning, info or debug, nor a list "
                       "like info,proxy=debug\n",
                       ret_options->log_level);
        return EXIT_CONFIGURATION;
    }
    return -1;
}

/* ---- configuration ---- */

/* A key may hold anything; on a terminal it stays one line. */
static void print_pointer(const char *pointer, FILE *out)
{
    for (; *pointer; pointer++)
        (void) fputc((unsigned char) *pointer < 0x20 || *pointer == 0x7f ? '?' : *pointer, out);
}

static void print_faults(const char *path, const struct config_faults *faults, FILE *out)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct config_fault *fault = &faults->items[i];

        (void) fprintf(out, "%s: ", path);
        print_pointer(fault->pointer[0] ? fault->pointer : "(whole file)", out);
        (void) fprintf(out, ": %s\n", fault->detail);
    }
    if (faults->more > 0)
        (void) fprintf(out, "%s: and %zu more\n", path, faults->more);
}

/* Who listens to the world must ask for tokens. False: it is said why not. */
static bool check_listen(const char *path, const struct config *config, FILE *out)
{
    struct config_faults faults = {0};
    bool is_fine;

    config_check_listen(config, &faults);
    is_fine = faults.count == 0;
    print_faults(path, &faults, out);
    config_faults_done(&faults);
    return is_fine;
}

/* What --check-config looks at beside the file: whether there will be tokens. */
static bool check_tokens(const struct options *o, const struct config *config)
{
    const char *environment = getenv("BLEFLEET_TOKEN_FILE");
    char *folder AUTO_FREE = data_folder_find(o->data_dir, o->config);

    return (environment && environment[0]) || token_file_has_any(folder) ||
           check_listen(o->config, config, stdout);
}

static struct config *load_config(const struct options *o, uint32_t run,
                                  struct config_file *ret_file)
{
    struct config_faults faults = {0};
    struct config *config;

    *ret_file = (struct config_file){
            .path = o->config, .parts = info_json_parts, .environment = environ, .run = run};
    config = config_file_load(ret_file, &faults);
    if (!config) {
        print_faults(o->config, &faults, o->only_checks ? stdout : stderr);
        config_file_done(ret_file);
    }
    config_faults_done(&faults);
    return config;
}

static void configure_log(const struct options *o, const struct config *c)
{
    enum log_level level = LOG_LEVEL_INFO;
    struct log_levels levels;

    (void) log_level_parse(c->log_level, &level); /* one of them: the parser has seen to it */
    levels = (struct log_levels){.level = level};
    if (o->log_level)
        (void) log_levels_parse(o->log_level, level, &levels);
    log_configure_levels(&levels,
                         strcmp(c->log_format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
}

/* "a,b,c"; free() it. */
static char *join(const struct config_texts *texts)
{
    struct buffer joined = {0};

    for (size_t i = 0; i < texts->count; i++)
        buffer_append_format(&joined, "%s%s", i ? "," : "", texts->items[i]);
    return buffer_take_text(&joined);
}

/* When it is news. */
static void tell_what_has_no_effect(struct program *p, const struct config *c)
{
    char *keys = join(&c->without_effect);

    if (c->without_effect.count > 0 && (!p->without_effect || strcmp(keys, p->without_effect) != 0))
        log_warning("config.without_effect",
                    "keys=%s belong to parts that this version does not have, ignoring", keys);
    free(p->without_effect);
    p->without_effect = keys;
}

static void tell_unknown_variables(const struct config *c)
{
    char *variables AUTO_FREE = join(&c->unknown_variables);

    if (c->unknown_variables.count > 0)
        log_warning("config.unknown_variables", "variables=%s name no setting, ignoring",
                    variables);
}

/* ---- the end ---- */

static void close_if_open(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_gateway_closed(void *user)
{
    struct program *p = user;

    log_on_warning(NULL, NULL);
    close_if_open((uv_handle_t *) &p->log_wake);
    close_if_open((uv_handle_t *) &p->terminate);
    close_if_open((uv_handle_t *) &p->interrupt);
    close_if_open((uv_handle_t *) &p->hangup);
    close_if_open((uv_handle_t *) &p->watchdog);
    close_if_open((uv_handle_t *) &p->stop_timer);
}

static void on_face_closed(void *user)
{
    struct program *p = user;

    if (--p->open_faces == 0)
        gateway_close(p->gateway, on_gateway_closed, p);
}

/* This process becomes what it was at its start: its number stays, whoever supervises it notices
 * nothing. Returns only when that is impossible. */
static void begin_anew(const struct program *p)
{
    if (p->options.ready_file)
        (void) unlink(p->options.ready_file); /* it appears when it is true again */
    (void) execv("/proc/self/exe", p->arguments);
    log_error("restart.failed", "%s", strerror(errno));
}

static void on_stop_timeout(uv_timer_t *timer)
{
    const struct program *p = timer->data;

    log_error("stop.timeout", "something did not end in %d ms, leaving it", STOP_TIMEOUT_MS);
    if (p->is_restarting)
        begin_anew(p);
    _exit(p->is_restarting ? EXIT_START : EXIT_SUCCESS);
}

/* After STOPPING=1 the service manager would make sure that the process ends. */
static void notify_stop(const struct program *p)
{
    char text[64];

    if (!p->is_restarting) {
        service_notify("STOPPING=1");
        return;
    }
    (void) snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu",
                    (unsigned long long) (uv_hrtime() / 1000));
    service_notify(text);
}

static void stop(struct program *p)
{
    if (p->is_stopping)
        return;
    p->is_stopping = true;
    notify_stop(p);
    (void) uv_timer_start(&p->stop_timer, on_stop_timeout, STOP_TIMEOUT_MS, 0);
    config_watch_close(TAKE(p->watch));
    gateway_unsubscribe(TAKE(p->subscription));
    rest_stop(p->rest);
    p->open_faces = 1 + (p->mqtt != NULL);
    if (p->mqtt)
        mqtt_runner_close(p->mqtt, on_face_closed, p);
    http_close(p->http, on_face_closed, p);
}

static void on_restart(void *user)
{
    struct program *p = user;

    if (p->is_stopping)
        return;
    log_info("restart", "somebody asked for it");
    p->is_restarting = true;
    stop(p);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;

    if (p->is_restarting) { /* who wants it to end wins */
        p->is_restarting = false;
        log_info("stop", "signal=%s", number == SIGTERM ? "SIGTERM" : "SIGINT");
        notify_stop(p);
        return;
    }
    if (p->is_stopping)
        _exit(EXIT_SUCCESS); /* asked twice: somebody is in a hurry */
    log_info("stop", "signal=%s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    stop(p);
}

/* ---- tokens ---- */

/* Those of the environment; without any there is nothing to read. */
static int read_tokens(struct program *p, char *ret_error, size_t error_size)
{
    const char *path = getenv("BLEFLEET_TOKEN_FILE");

    return path && path[0] ? gateway_read_tokens(p->gateway, path, ret_error, error_size) : 0;
}

/* 0, or E_INVALID_REQUEST: said on stderr, as other faults of the configuration. */
static int check_accounts(struct program *p)
{
    char error[256] = "";

    if (read_tokens(p, error, sizeof error) < 0) {
        (void) fprintf(stderr, "BLEFLEET_TOKEN_FILE: %s\n", error);
        return E_INVALID_REQUEST;
    }
    if (gateway_has_tokens(p->gateway))
        return 0;
    return check_listen(p->options.config, gateway_config(p->gateway), stderr) ? 0
                                                                               : E_INVALID_REQUEST;
}

static void read_tokens_again(struct program *p)
{
    char error[256] = "";

    if (read_tokens(p, error, sizeof error) < 0)
        log_warning("accounts.environment_unread", "%s, keeping the tokens of before", error);
}

/* ---- another configuration ---- */

static void on_hangup(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;

    (void) number;
    if (p->is_stopping || !p->http)
        return;
    read_tokens_again(p); /* first: http.listen may need them */
    if (p->watch)
        config_watch_reload(p->watch);
    http_reload(p->http);
}

/* What no room below heeds. */
static void on_configuration(void *user)
{
    struct program *p = user;

    configure_log(&p->options, gateway_config(p->gateway));
    tell_what_has_no_effect(p, gateway_config(p->gateway));
}

static void watch_configuration(struct program *p)
{
    const struct gateway_subscriber subscriber = {.on_configuration = on_configuration, .user = p};

    p->subscription = gateway_subscribe(p->gateway, &subscriber);
    p->watch = config_watch_new(&p->loop, p->gateway, p->options.config);
}

/* ---- the start ---- */

static void on_watchdog(uv_timer_t *timer)
{
    (void) timer;
    service_notify("WATCHDOG=1");
}

static int tell_ready(struct program *p)
{
    uint64_t interval = service_watchdog_interval_ms();
    char text[512];
    int rc;

    if (p->options.ready_file) {
        (void) snprintf(text, sizeof text, "{\"http\":\"%s\",\"esphome\":[]}\n",
                        http_bound(p->http, 0));
        rc = service_write_ready_file(p->options.ready_file, text);
        if (rc < 0) {
            log_error("start.failed", "ready file %s: %s", p->options.ready_file, strerror(-rc));
            return rc;
        }
    }
    log_info("ready", "http=%s esphome=-", http_bound(p->http, 0));
    service_notify("READY=1");
    if (interval > 0)
        (void) uv_timer_start(&p->watchdog, on_watchdog, interval, interval);
    return 0;
}

/* ---- the log, for those who follow it ---- */

static void wake_for_log(void *user)
{
    (void) uv_async_send(user);
}

static void on_log_wake(uv_async_t *handle)
{
    struct program *p = handle->data;
    struct log_json_view view;
    struct log_line line;

    while (log_ring_next(p->log_seen, &line)) {
        p->log_seen = line.sequence;
        log_json_view(&line, &view);
        rest_log(p->rest, &view.line);
        if (p->mqtt &&
            strcmp(view.module, "mqtt") != 0) /* its own troubles would feed themselves */
            mqtt_runner_log(p->mqtt, &view.line);
    }
}

/* ---- MQTT ---- */

static char *dump_config(void *user)
{
    const struct program *p = user;

    return config_dump(gateway_config(p->gateway), /* with_secrets= */ false);
}

static char *schema_text(void *user)
{
    (void) user;
    return config_schema_text();
}

/* One id per installation: two sessions of one id would throw each other out. */
static void choose_client_id(struct program *p, struct store *store)
{
    const char *kept = store_get_text(store, "mqtt.client_id");
    uint32_t number;

    if (!kept) {
        if (getrandom(&number, sizeof number, 0) != sizeof number)
            number = (uint32_t) clock_wall();
        (void) snprintf(p->client_id, sizeof p->client_id, "blefleet-%08x", number);
        store_put_text(store, "mqtt.client_id", p->client_id);
        return;
    }
    (void) snprintf(p->client_id, sizeof p->client_id, "%s", kept);
}

static int start_mqtt(struct program *p)
{
    static struct mqtt_texts texts = {dump_config, schema_text, NULL};
    int rc;

    texts.user = p;
    rc = mqtt_runner_new(&p->loop, p->gateway, p->rest, p->client_id, &texts, &p->mqtt);
    if (rc < 0)
        log_error("start.failed", "mqtt: %s", error_sentence(rc));
    return rc;
}

static void init_handles(struct program *p)
{
    /* None of these can fail on a fresh loop. */
    (void) uv_signal_init(&p->loop, &p->terminate);
    (void) uv_signal_init(&p->loop, &p->interrupt);
    (void) uv_signal_init(&p->loop, &p->hangup);
    (void) uv_timer_init(&p->loop, &p->watchdog);
    (void) uv_timer_init(&p->loop, &p->stop_timer);
    (void) uv_async_init(&p->loop, &p->log_wake, on_log_wake);
    p->terminate.data = p->interrupt.data = p->hangup.data = p->log_wake.data = p;
    p->stop_timer.data = p;
    (void) uv_signal_start(&p->terminate, on_signal, SIGTERM);
    (void) uv_signal_start(&p->interrupt, on_signal, SIGINT);
    (void) uv_signal_start(&p->hangup, on_hangup, SIGHUP);
}

/* A campus is many sockets: take what the system grants without being asked. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit); /* best effort */
}

/* What was staged comes into place before anything is read. */
static int apply_restore(const struct options *o)
{
    char *folder AUTO_FREE = data_folder_find(o->data_dir, o->config);

    return staged_apply(folder, o->config);
}

static int open_store(struct program *p, struct store **ret_store)
{
    char *folder AUTO_FREE = data_folder_find(p->options.data_dir, p->options.config);
    struct store_settings settings = {.folder = folder,
                                      .devices_max = (size_t) p->config->limits_devices};
    char error[256] = "";
    int rc;

    if (getrandom(&settings.hash_seed, sizeof settings.hash_seed, GRND_NONBLOCK) < 0)
        settings.hash_seed = 0; /* so early at boot it has to do */
    rc = store_open(&p->loop, &settings, ret_store, error, sizeof error);
    if (rc < 0)
        log_error("start.failed", "%s", error);
    return rc;
}

/* The number of this run in the ids of events; without chance the time will do. */
static uint32_t draw_boot(void)
{
    uint32_t boot;

    if (getrandom(&boot, sizeof boot, GRND_NONBLOCK) != sizeof boot)
        boot = (uint32_t) clock_wall();
    return boot;
}

/* Builds everything that can refuse to start. */
static int start(struct program *p)
{
    struct store *store;
    char error[600] = "";
    int rc = open_store(p, &store);

    if (rc < 0)
        return rc;
    p->gateway = gateway_new(&p->loop, TAKE(p->config), &p->file, store);
    gateway_on_restart(p->gateway, on_restart, p);
    rc = check_accounts(p);
    if (rc < 0)
        return rc;
    choose_client_id(p, store);
    p->rest = rest_new(p->gateway);
    rest_set_boot(p->rest, p->boot);
    rc = http_new(&p->loop, p->rest, p->gateway, &p->http, error, sizeof error);
    if (rc < 0) {
        log_error("start.failed", "%s", error);
        return rc;
    }
    rc = start_mqtt(p);
    if (rc < 0)
        return rc;
    watch_configuration(p);
    log_on_warning(wake_for_log, &p->log_wake);
    return tell_ready(p);
}

static int run(struct program *p)
{
    int exit_code = EXIT_SUCCESS, rc;

    log_info("start", "version=%s config=%s proxies=%zu", BLEFLEET_VERSION, p->options.config,
             p->config->proxies_count);
    tell_what_has_no_effect(p, p->config);
    tell_unknown_variables(p->config);
    init_handles(p);
    rc = start(p);
    if (rc < 0) {
        exit_code = rc == E_INVALID_REQUEST ? EXIT_CONFIGURATION : EXIT_START;
        if (p->http)
            stop(p);
        else if (p->gateway)
            gateway_close(p->gateway, on_gateway_closed, p);
        else
            on_gateway_closed(p);
    }
    (void) uv_run(&p->loop, UV_RUN_DEFAULT);
    mqtt_runner_free(p->mqtt);
    http_free(p->http);
    rest_free(p->rest);
    gateway_free(p->gateway);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct program p = {.arguments = argv};
    int exit_code;

    if (argc > 1 && strcmp(argv[1], "token") == 0)
        return token_command_run(argc - 1, argv + 1);
    exit_code = parse_options(argc, argv, &p.options);
    if (exit_code >= 0)
        return exit_code;
    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of that write alone */
    if (!p.options.only_checks && apply_restore(&p.options) < 0)
        return EXIT_START;
    p.boot = draw_boot();
    p.config = load_config(&p.options, p.boot, &p.file);
    if (!p.config)
        return EXIT_CONFIGURATION;
    if (p.options.only_checks) {
        exit_code = check_tokens(&p.options, p.config) ? EXIT_SUCCESS : EXIT_CONFIGURATION;
        config_free(p.config);
        config_file_done(&p.file);
        return exit_code;
    }
    configure_log(&p.options, p.config);
    log_ring_configure((size_t) p.config->log_ring);
    raise_descriptor_limit();
    if (uv_loop_init(&p.loop) < 0) {
        log_error("start.failed", "no event loop");
        return EXIT_START;
    }
    exit_code = run(&p);
    if (uv_loop_close(&p.loop) != 0)
        log_error("stop.leak", "the loop still had handles");
    else
        log_info("stopped", "code=%d", exit_code);
    config_free(p.config);
    config_file_done(&p.file);
    free(p.without_effect);
    if (p.is_restarting && exit_code == EXIT_SUCCESS) {
        begin_anew(&p);
        return EXIT_START;
    }
    return exit_code;
}
