/* The story: options say where the store is; it is opened, also while a gateway has it, and a token
 * is added, listed or removed. The secret of a new one goes to stdout once, alone, so that a script
 * can take it; all else goes to stderr.
 *
 * Failure modes: everything is said on stderr, and nothing is changed. The last admin may be
 * removed here: who can write into the store can make another one. */
#include "token_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "accounts/account.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "data_folder.h"
#include "store/token_file.h"

#define EXIT_ASKED_WRONGLY 1
#define EXIT_STORE         2
#define WORDS_MAX          2 /* add NAME */

static const char usage[] = "usage: blefleet token add NAME --role read|control|admin [--config "
                            "FILE] [--data-dir DIR]\n"
                            "       blefleet token list [--config FILE] [--data-dir DIR]\n"
                            "       blefleet token remove NAME [--config FILE] [--data-dir DIR]\n"
                            "\n"
                            "  add       makes a token and prints its secret, this once\n"
                            "  list      names, roles and times, never secrets\n"
                            "  remove    revokes it; who signed in with it is signed out\n"
                            "\n"
                            "The store is in DIR, else in $STATE_DIRECTORY, else in blefleet.data "
                            "beside FILE. A gateway\n"
                            "that runs sees the change within 5 s.\n";

struct options {
    const char *words[WORDS_MAX]; /* what to do, and with whom; NULL: not said */
    const char *role, *config, *data_dir;
};

static int complain(const char *format, const char *about)
{
    (void) fprintf(stderr, "blefleet: ");
    (void) fprintf(stderr, format, about);
    (void) fprintf(stderr, "\n\n%s", usage);
    return EXIT_ASKED_WRONGLY;
}

/* Returns -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *ret_options)
{
    static const struct option known[] = {{"role", required_argument, NULL, 'r'},
                                          {"config", required_argument, NULL, 'c'},
                                          {"data-dir", required_argument, NULL, 'd'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};

    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        switch (c) {
        case 'r':
            ret_options->role = optarg;
            break;
        case 'c':
            ret_options->config = optarg;
            break;
        case 'd':
            ret_options->data_dir = optarg;
            break;
        case 'h':
            (void) fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            (void) fputs(usage, stderr);
            return EXIT_ASKED_WRONGLY;
        }
    }
    for (int i = 0; optind < argc; i++, optind++) {
        if (i == WORDS_MAX)
            return complain("\"%s\" is too much", argv[optind]);
        ret_options->words[i] = argv[optind];
    }
    return -1;
}

static int fail(const char *what, int cause)
{
    (void) fprintf(stderr, "blefleet: %s: %s\n", what, error_sentence(cause));
    return EXIT_STORE;
}

static int add(struct token_file *f, const struct options *o, const char *folder)
{
    struct account_token token = {.created = clock_wall()};
    uint8_t random[SECRET_RANDOM_SIZE];
    char secret[SECRET_TOKEN_SIZE];
    int rc;

    if (token_file_find(f, o->words[1]))
        return complain("there is a token \"%s\" already", o->words[1]);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return fail("no chance to be had", E_INTERNAL);
    (void) account_role_parse(o->role, &token.role); /* it was looked at */
    (void) snprintf(token.name, sizeof token.name, "%s", o->words[1]);
    secret_make_token(random, secret);
    secret_hash(secret, token.hash);
    rc = token_file_add(f, &token);
    if (rc == 0) {
        (void) puts(secret);
        (void) fprintf(stderr, "token \"%s\" may %s, in %s; its secret is shown this once\n",
                       token.name, o->role, folder);
    }
    secret_wipe(random, sizeof random);
    secret_wipe(secret, sizeof secret);
    return rc < 0 ? fail("the token could not be added", rc) : EXIT_SUCCESS;
}

static void format_moment(int64_t wall, char ret_text[CLOCK_TEXT_SIZE])
{
    (void) snprintf(ret_text, CLOCK_TEXT_SIZE, "-");
    if (wall > 0)
        clock_format(ret_text, wall);
}

static int list(const struct token_file *f)
{
    const struct account_token *token;
    char created[CLOCK_TEXT_SIZE], used[CLOCK_TEXT_SIZE];

    (void) printf("%-24s  %-7s  %-24s  %s\n", "NAME", "ROLE", "CREATED", "LAST USED");
    for (size_t i = 0; (token = token_file_get(f, i)); i++) {
        format_moment(token->created, created);
        format_moment(token->last_used, used);
        (void) printf("%-24s  %-7s  %-24s  %s\n", token->name, account_role_name(token->role),
                      created, used);
    }
    return EXIT_SUCCESS;
}

static size_t count_others(const struct token_file *f, const char *name, enum account_role role)
{
    const struct account_token *token;
    size_t count = 0;

    for (size_t i = 0; (token = token_file_get(f, i)); i++)
        count += strcmp(token->name, name) != 0 && token->role >= role;
    return count;
}

static int remove_token(struct token_file *f, const char *name)
{
    int rc;

    if (!token_file_find(f, name))
        return complain("there is no token \"%s\"", name);
    rc = token_file_remove(f, name);
    if (rc < 0)
        return fail("the token could not be removed", rc);
    if (count_others(f, name, ACCOUNT_READ) == 0)
        (void) fprintf(stderr, "that was the last token: who is on this machine may do everything, "
                               "and http.listen must be loopback\n");
    else if (count_others(f, name, ACCOUNT_ADMIN) == 0)
        (void) fprintf(stderr, "that was the last admin; blefleet token add makes another one\n");
    return EXIT_SUCCESS;
}

/* NULL: what was asked makes sense. */
static const char *find_fault(const struct options *o)
{
    enum account_role role;
    const char *what = o->words[0];
    bool is_add = what && strcmp(what, "add") == 0, is_list = what && strcmp(what, "list") == 0;

    if (!is_add && !is_list && !(what && strcmp(what, "remove") == 0))
        return "token: add, list or remove";
    if (is_list != !o->words[1])
        return is_list ? "list takes no name" : "a name is missing";
    if (is_add && !account_name_is_valid(o->words[1]))
        return "a name is 1 to 64 of A-Z a-z 0-9 _ . -, the first a letter or digit";
    if (is_add != (o->role != NULL))
        return is_add ? "--role is missing" : "--role goes with add";
    if (is_add && !account_role_parse(o->role, &role))
        return "--role is read, control or admin";
    return NULL;
}

static int do_it(struct token_file *f, const struct options *o, const char *folder)
{
    if (strcmp(o->words[0], "add") == 0)
        return add(f, o, folder);
    return strcmp(o->words[0], "list") == 0 ? list(f) : remove_token(f, o->words[1]);
}

int token_command_run(int argc, char **argv)
{
    struct options o = {0};
    int exit_code = parse_options(argc, argv, &o);
    const char *fault = exit_code < 0 ? find_fault(&o) : NULL;
    char *folder AUTO_FREE = data_folder_find(o.data_dir, o.config);
    struct token_file *file = NULL;
    char error[256];

    if (exit_code >= 0)
        return exit_code;
    if (!fault && !folder)
        fault = "--config or --data-dir must say where the store is";
    if (fault)
        return complain("%s", fault);
    if (token_file_open(folder, &file, error, sizeof error) < 0) {
        (void) fprintf(stderr, "blefleet: %s\n", error);
        return EXIT_STORE;
    }
    exit_code = do_it(file, &o, folder);
    token_file_close(file);
    return exit_code;
}
