/* The table of all routes of the contract, and how a request finds its row. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rest/query.h"
#include "rest/rest.h"
#include "json/body.h"

#define ROUTES_PARAMETERS_MAX 2
#define ROUTES_ALLOW_SIZE     64 /* all methods, with commas */

struct call; /* handlers.h */

enum route_body {
    ROUTE_BODY_NONE,  /* a body is not looked at */
    ROUTE_BODY_JSON,  /* an object with the fields of the row; nothing is an empty one */
    ROUTE_BODY_VALUE, /* the same, or octets, which are not looked at */
    ROUTE_BODY_WHOLE, /* JSON, that the handler judges: struct call has no body */
    ROUTE_BODY_FILE,  /* octets in a file, too long for memory; for admins alone */
};

struct route {
    const char *method;
    const char *path; /* with {parameters} */
    enum rest_role role;
    const char *part;                 /* that brings it */
    int (*handle)(struct call *call); /* NULL: the part is not there; see handlers.h */
    const struct query_rule *query;   /* NULL: no parameters */
    enum route_body body;
    const struct body_rule *fields; /* of a body; NULL: none */
};

/* All rows. */
const struct route *routes_table(size_t *ret_count);

struct route_match {
    const struct route *route;
    char *parameters[ROUTES_PARAMETERS_MAX]; /* decoded, in order of the template; ours */
    char allow[ROUTES_ALLOW_SIZE];           /* with E_METHOD_NOT_ALLOWED */
};

/* Finds the row of a method (HEAD is GET) and a path (path_size octets, percent-encoded, without
 * the query). 0: found and there; E_NOT_FOUND: no such path, or its part is not there; or
 * E_METHOD_NOT_ALLOWED. A literal segment comes before a parameter. Release with route_match_done()
 * in any case. */
int routes_find(const char *method, const char *path, size_t path_size,
                struct route_match *ret_match);
void route_match_done(struct route_match *match);
