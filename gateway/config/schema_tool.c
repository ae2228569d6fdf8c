/* config-schema: prints the JSON Schema of the configuration, as schema/config.schema.json keeps
 * it. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"

int main(void)
{
    char *text = config_schema_text();
    json_t *schema = json_loads(text, /* flags= */ 0, /* error= */ NULL);
    int rc = json_dumpf(schema, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));

    (void) putchar('\n');
    json_decref(schema);
    free(text);
    return rc < 0 || fflush(stdout) != 0;
}
