#include <ctype.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rest/contract.h"
#include "rest/rest.h"
#include "rest/routes.h"

#define PATH_SIZE 256

static int find(const char *method, const char *path, struct route_match *ret_match)
{
    return routes_find(method, path, strlen(path), ret_match);
}

static void assert_found(const char *method, const char *path, const char *template)
{
    struct route_match match;

    assert_int_equal(find(method, path, &match), 0);
    assert_string_equal(match.route->path, template);
    route_match_done(&match);
}

static void assert_cause(const char *method, const char *path, int cause, const char *allow)
{
    struct route_match match;
    int result = find(method, path, &match);

    if (result != cause)
        fail_msg("%s %s: %s, not %s", method, path, error_token(result), error_token(cause));
    assert_string_equal(match.allow, allow);
    route_match_done(&match);
}

static json_t *load_contract(void)
{
    size_t size;
    const char *text = contract_get(/* is_compressed= */ false, &size);
    json_t *contract = json_loadb(text, size, 0, NULL);

    assert_non_null(contract);
    return contract;
}

static const struct route *find_row(const char *method, const char *path)
{
    size_t count;
    const struct route *table = routes_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(table[i].method, method) == 0 && strcmp(table[i].path, path) == 0)
            return &table[i];
    }
    return NULL;
}

static bool is_here(const struct route *row)
{
    static const char *const parts[] = {"core", "voices", "ears", "recorder", "links", "gatt"};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(row->part, parts[i]) == 0)
            return true;
    }
    return false;
}

static void assert_row(const char *path, const char *method, const json_t *operation)
{
    const struct route *row = find_row(method, path);

    if (!row)
        fail_msg("%s %s is in the contract only", method, path);
    assert_string_equal(rest_role_name(row->role),
                        json_string_value(json_object_get(operation, "x-role")));
    assert_string_equal(row->part, json_string_value(json_object_get(operation, "x-part")));
    if (strcmp(row->part, "config") != 0) /* comes route by route */
        assert_int_equal(row->handle != NULL, is_here(row));
}

static json_t *resolve(json_t *contract, json_t *value)
{
    const char *reference = json_string_value(json_object_get(value, "$ref"));
    char path[PATH_SIZE];

    if (!reference)
        return value;
    snprintf(path, sizeof path, "%s", reference);
    value = contract;
    strtok(path, "/");
    for (char *part; (part = strtok(NULL, "/"));)
        value = json_object_get(value, part);
    assert_non_null(value);
    return value;
}

/* The parameters of the query, of a route that is there, are those of the contract. */
static void assert_query(json_t *contract, const struct route *row, json_t *operation)
{
    const struct query_rule *rule = row->query;
    size_t index, in_contract = 0, in_table = 0;
    json_t *parameter;

    for (; rule && rule->name; rule++)
        in_table++;
    json_array_foreach(json_object_get(operation, "parameters"), index, parameter)
    {
        json_t *resolved = resolve(contract, parameter);
        const char *name = json_string_value(json_object_get(resolved, "name"));

        if (strcmp(json_string_value(json_object_get(resolved, "in")), "query") != 0)
            continue;
        in_contract++;
        for (rule = row->query; rule && rule->name && strcmp(rule->name, name) != 0; rule++)
            ;
        if (!rule || !rule->name)
            fail_msg("%s: parameter %s is in the contract only", row->path, name);
    }
    assert_int_equal(in_table, in_contract);
}

/* Its own schema, or that of one of its alternatives, which are null besides. */
static json_t *typed(json_t *contract, json_t *schema)
{
    json_t *any = json_object_get(schema, "anyOf");

    return resolve(contract, any ? json_array_get(any, 0) : schema);
}

static void assert_bound(const char *name, const json_t *schema, const char *bound, double ours)
{
    const json_t *value = json_object_get(schema, bound);

    if (value && json_number_value(value) != ours)
        fail_msg("%s of %s is %g in the contract and %g here", bound, name,
                 json_number_value(value), ours);
}

static json_t *properties_of(json_t *contract, json_t *operation)
{
    json_t *body = json_object_get(operation, "requestBody");

    body = json_object_get(json_object_get(body, "content"), "application/json");
    return json_object_get(resolve(contract, json_object_get(body, "schema")), "properties");
}

static bool is_limit(const struct body_rule *rule)
{
    return rule->type == BODY_INTEGER || rule->type == BODY_NUMBER || rule->type == BODY_TEXT;
}

/* The fields of the body are those of the contract, with the same bounds. */
static void assert_body(json_t *contract, const struct route *row, json_t *operation)
{
    const json_t *fields = properties_of(contract, operation);
    size_t count = 0;

    if (row->body == ROUTE_BODY_WHOLE)
        return; /* the handler knows the fields */
    for (const struct body_rule *rule = row->fields; rule && rule->name; rule++, count++) {
        json_t *field = json_object_get(fields, rule->name);

        if (!field)
            fail_msg("%s: field %s is not in the contract", row->path, rule->name);
        if (!is_limit(rule))
            continue;
        assert_bound(rule->name, typed(contract, field), "minimum", rule->low);
        assert_bound(rule->name, typed(contract, field), "maximum", rule->high);
        assert_bound(rule->name, typed(contract, field), "maxLength", rule->high);
    }
    assert_int_equal(count, json_object_size(fields));
}

static void routes_are_those_of_the_contract(void **state)
{
    json_t *contract = load_contract(), *item, *operation;
    const char *path, *method;
    size_t count, operations = 0;

    (void) state;
    (void) routes_table(&count);
    json_object_foreach(json_object_get(contract, "paths"), path, item)
    {
        char full[PATH_SIZE];
        bool is_outside = json_object_get(item, "servers") != NULL;

        snprintf(full, sizeof full, "%s%s", is_outside ? "" : "/api/v1", path);
        json_object_foreach(item, method, operation)
        {
            if (!json_object_get(operation, "x-role"))
                continue;
            assert_row(full, method, operation);
            if (find_row(method, full)->handle) {
                assert_query(contract, find_row(method, full), operation);
                assert_body(contract, find_row(method, full), operation);
            }
            operations++;
        }
    }
    assert_int_equal(operations, count);
    json_decref(contract);
}

static void route_is_found_by_method_and_path(void **state)
{
    (void) state;
    assert_found("GET", "/api/v1/info", "/api/v1/info");
    assert_found("HEAD", "/api/v1/info", "/api/v1/info");
    assert_found("GET", "/healthz", "/healthz");
    assert_found("POST", "/api/v1/proxies/kitchen/reconnect", "/api/v1/proxies/{name}/reconnect");
    assert_found("GET", "/api/v1/%69nfo", "/api/v1/info");
}

static void route_gives_its_parameters_decoded(void **state)
{
    struct route_match match;

    (void) state;
    assert_int_equal(find("GET", "/api/v1/devices/A4%3AC1%3A38%3A12%3AAB%3A56", &match), 0);
    assert_string_equal(match.parameters[0], "A4:C1:38:12:AB:56");
    assert_null(match.parameters[1]);
    route_match_done(&match);
}

static void path_that_is_not_there_is_not_found(void **state)
{
    (void) state;
    assert_cause("GET", "/", E_NOT_FOUND, "");
    assert_cause("GET", "", E_NOT_FOUND, "");
    assert_cause("OPTIONS", "*", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v1", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v2/info", E_NOT_FOUND, "");
    assert_cause("GET", "/info", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v1/healthz", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v1/info/", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v1//info", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v1/proxies/", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v1/proxies/a/b", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v1/proxies/%zz", E_NOT_FOUND, "");
    assert_cause("GET", "/api/v1%2finfo", E_NOT_FOUND, "");
}

static void route_of_a_part_that_is_not_there_is_not_found(void **state)
{
    (void) state;
    assert_cause("GET", "/api/v1/areas", E_NOT_FOUND, "");
    assert_cause("PATCH", "/api/v1/identities/mine", E_NOT_FOUND, "");
    assert_cause("POST", "/api/v1/areas", E_NOT_FOUND, "");
}

static void literal_segment_comes_before_a_parameter(void **state)
{
    (void) state;
    assert_found("GET", "/api/v1/proxies/discovered", "/api/v1/proxies/discovered");
    assert_cause("GET", "/api/v1/proxies/import", E_METHOD_NOT_ALLOWED, "POST");
    assert_found("GET", "/api/v1/proxies/important", "/api/v1/proxies/{name}");
}

static void wrong_method_is_told_which_are_right(void **state)
{
    (void) state;
    assert_cause("DELETE", "/api/v1/info", E_METHOD_NOT_ALLOWED, "GET, HEAD");
    assert_cause("POST", "/api/v1/proxies/kitchen", E_METHOD_NOT_ALLOWED,
                 "GET, HEAD, PATCH, DELETE");
    assert_cause("GET", "/api/v1/proxies/kitchen/reconnect", E_METHOD_NOT_ALLOWED, "POST");
    assert_cause("HEAD", "/api/v1/proxies/kitchen/reconnect", E_METHOD_NOT_ALLOWED, "POST");
    assert_cause("get", "/api/v1/info", E_METHOD_NOT_ALLOWED, "GET, HEAD");
    assert_cause("POST", "/api/v1/devices/a/characteristics/b", E_METHOD_NOT_ALLOWED,
                 "GET, HEAD, PUT");
    assert_cause("GET", "/api/v1/devices/a/bond", E_METHOD_NOT_ALLOWED, "POST, DELETE");
    assert_cause("BREW", "/readyz", E_METHOD_NOT_ALLOWED, "GET, HEAD");
}

static void path_of_any_octets_does_no_harm(void **state)
{
    static const char alphabet[] = "/%{}adeinprsv1:?\x80\xff";

    (void) state;
    srand(20261121);
    for (int round = 0; round < 20000; round++) {
        char path[40] = "/api/v1/";
        size_t size = 8 + (size_t) rand() % 30;
        struct route_match match;

        for (size_t i = 8; i < size; i++)
            path[i] = alphabet[(size_t) rand() % (sizeof alphabet - 1)];
        path[size] = '\0';
        (void) find("GET", path, &match);
        route_match_done(&match);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(routes_are_those_of_the_contract),
            cmocka_unit_test(route_is_found_by_method_and_path),
            cmocka_unit_test(route_gives_its_parameters_decoded),
            cmocka_unit_test(path_that_is_not_there_is_not_found),
            cmocka_unit_test(route_of_a_part_that_is_not_there_is_not_found),
            cmocka_unit_test(literal_segment_comes_before_a_parameter),
            cmocka_unit_test(wrong_method_is_told_which_are_right),
            cmocka_unit_test(path_of_any_octets_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
