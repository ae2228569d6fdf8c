/* blefleet-sim: simulated ESPHome Bluetooth proxies and the devices about them. See --help and
 * tests/fleet/README.md.
 *
 * Reads the scenario, opens every port, then writes the ready file, so that who waits for the file
 * can connect at once. SIGTERM, SIGINT and the control port's "quit" end it: handles are closed,
 * the loop runs out, everything is freed. Exit status: 0 ended on request, 1 could not run, 2 wrong
 * arguments or scenario. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/memory.h"
#include "control.h"
#include "fleet.h"
#include "manifest.h"

enum { EXIT_CANNOT_RUN = 1, EXIT_WRONG_INPUT = 2 };

struct arguments {
    const char *scenario, *ready_file, *control, *gateway_config, *gateway_listen;
    bool has_seed;
    uint64_t seed;
};

struct program {
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct scenario *scenario;
    struct fleet *fleet;     /* until the end begins */
    struct control *control; /* likewise */
    bool is_ending;
};

static void print_help(FILE *out)
{
    (void) fputs("usage: blefleet-sim --scenario FILE [options]\n"
                 "  --scenario FILE        the house, its proxies and devices (JSON)\n"
                 "  --ready-file FILE      written when all ports are open: ports, keys, control\n"
                 "  --control ADDR:PORT    where to take requests (127.0.0.1:0)\n"
                 "  --seed N               instead of the scenario's\n"
                 "  --gateway-config FILE  write a blefleet configuration for this fleet\n"
                 "  --gateway-listen A:P   its http.listen (127.0.0.1:0)\n"
                 "  --verbose              log more\n",
                 out);
}

static bool parse_seed(const char *text, uint64_t *ret_seed)
{
    char *end;
    errno = 0;
    *ret_seed = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

/* 0, or the exit status + 1. */
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
    static const struct option OPTIONS[] = {
            {"scenario", required_argument, NULL, 's'},
            {"ready-file", required_argument, NULL, 'r'},
            {"control", required_argument, NULL, 'c'},
            {"seed", required_argument, NULL, 'n'},
            {"gateway-config", required_argument, NULL, 'g'},
            {"gateway-listen", required_argument, NULL, 'l'},
            {"verbose", no_argument, NULL, 'v'},
            {"help", no_argument, NULL, 'h'},
            {0},
    };
    int option;

    *ret = (struct arguments){.control = "127.0.0.1:0", .gateway_listen = "127.0.0.1:0"};
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 's':
            ret->scenario = optarg;
            break;
        case 'r':
            ret->ready_file = optarg;
            break;
        case 'c':
            ret->control = optarg;
            break;
        case 'n':
            ret->has_seed = parse_seed(optarg, &ret->seed);
            if (ret->has_seed)
                break;
            (void) fprintf(stderr, "--seed: %s is not a number\n", optarg);
            return EXIT_WRONG_INPUT + 1;
        case 'g':
            ret->gateway_config = optarg;
            break;
        case 'l':
            ret->gateway_listen = optarg;
            break;
        case 'v':
            log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
            break;
        case 'h':
            print_help(stdout);
            return EXIT_SUCCESS + 1;
        default:
            return EXIT_WRONG_INPUT + 1;
        }
    }
    if (ret->scenario != NULL && optind == argc)
        return 0;
    print_help(stderr);
    return EXIT_WRONG_INPUT + 1;
}

static struct scenario *load_scenario(const struct arguments *arguments)
{
    struct reader reader = {0};
    struct scenario *scenario = scenario_load(
            arguments->scenario, arguments->has_seed ? &arguments->seed : NULL, &reader);

    if (scenario == NULL) {
        char *faults AUTO_FREE = buffer_take_text(&reader.text);
        (void) fprintf(stderr, "%s: %zu faults\n%s", arguments->scenario, reader.faults, faults);
    }
    reader_done(&reader);
    return scenario;
}

/* Closes all that keeps the loop alive; the second time nothing happens. */
static void begin_end(void *user)
{
    struct program *p = user;

    if (p->is_ending)
        return;
    p->is_ending = true;
    if (p->control != NULL)
        control_close(p->control);
    if (p->fleet != NULL)
        fleet_close(p->fleet);
    for (size_t i = 0; i < ARRAY_SIZE(p->signals); i++)
        uv_close((uv_handle_t *) &p->signals[i], NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void) number;
    begin_end(handle->data);
}

static int start_signals(struct program *p)
{
    static const int NUMBERS[] = {SIGTERM, SIGINT};
    int error = 0;

    for (size_t i = 0; i < ARRAY_SIZE(NUMBERS); i++) {
        (void) uv_signal_init(&p->loop, &p->signals[i]); /* fails with the loop only */
        p->signals[i].data = p;
        if (error == 0)
            error = uv_signal_start(&p->signals[i], on_signal, NUMBERS[i]);
    }
    return error;
}

static int write_files(const struct program *p, const struct arguments *arguments)
{
    int error = 0;

    if (arguments->gateway_config != NULL)
        error = manifest_write_gateway(arguments->gateway_config, p->fleet,
                                       arguments->gateway_listen);
    if (error != 0) {
        log_error("sim.gateway_config", "error=%s", uv_strerror(error));
        return error;
    }
    if (arguments->ready_file != NULL)
        error = manifest_write_ready(arguments->ready_file, p->fleet, control_address(p->control));
    if (error != 0)
        log_error("sim.ready_file", "error=%s", uv_strerror(error));
    return error;
}

static int start(struct program *p, const struct arguments *arguments)
{
    const char *culprit = "-";
    int error = start_signals(p);

    if (error == 0)
        error = fleet_new(&p->loop, p->scenario, &p->fleet, &culprit);
    if (error != 0) {
        log_error("sim.listen", "proxy=%s error=%s", culprit, uv_strerror(error));
        return error;
    }
    error = control_new(&p->loop, p->fleet, arguments->control, begin_end, p, &p->control);
    if (error != 0) {
        log_error("sim.control", "address=%s error=%s", arguments->control, uv_strerror(error));
        return error;
    }
    log_info("sim.ready", "proxies=%zu devices=%zu control=%s", p->scenario->proxies_count,
             p->scenario->devices_count, control_address(p->control));
    return write_files(p, arguments);
}

/* A proxy takes two descriptors, and one more for each client. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit); /* fewer will do for fewer proxies */
}

static int run(struct program *p, const struct arguments *arguments)
{
    int error = uv_loop_init(&p->loop);
    if (error != 0) {
        log_error("sim.loop", "error=%s", uv_strerror(error));
        return EXIT_CANNOT_RUN;
    }
    error = start(p, arguments);
    if (error != 0)
        begin_end(p);
    (void) uv_run(&p->loop, UV_RUN_DEFAULT); /* until no handle is left */
    int closed = uv_loop_close(&p->loop);
    if (closed != 0)
        log_error("sim.end", "error=%s", uv_strerror(closed));
    return error == 0 && closed == 0 ? EXIT_SUCCESS : EXIT_CANNOT_RUN;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct program program = {0};
    int ended = parse_arguments(argc, argv, &arguments);

    if (ended != 0)
        return ended - 1;
    program.scenario = load_scenario(&arguments);
    if (program.scenario == NULL)
        return EXIT_WRONG_INPUT;
    (void) signal(SIGPIPE, SIG_IGN); /* a client that is gone is an error of write */
    raise_descriptor_limit();
    int status = run(&program, &arguments);
    scenario_free(program.scenario);
    return status;
}
