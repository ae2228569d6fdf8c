/* A TXT record: an octet of length, then the string, and so on. What is kept of it must be UTF-8
 * with nothing but zeros behind it. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "fuzz_target.h"
#include "mdns/announcement.h"

static void check(const char *text, size_t room)
{
    char repaired[UTF8_REPAIRED_SIZE(ANNOUNCEMENT_HOST_SIZE)];
    size_t size = strnlen(text, room);

    if (size == room || utf8_repair(repaired, (const uint8_t *) text, size) != size ||
        memcmp(repaired, text, size) != 0)
        abort();
    for (size_t i = 0; i < room; i++) {
        if ((i >= size) != (text[i] == '\0') || text[i] == '\n')
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes record = {data, size}, string;
    struct announcement_facts facts;
    uint8_t length;

    if (!announcement_read(&facts, "kitchen", "kitchen.local", 6053))
        abort();
    while (bytes_pull_u8(&record, &length) && bytes_pull(&record, length, &string))
        announcement_read_txt(&facts, string.data, string.size);
    check(facts.name, sizeof facts.name);
    check(facts.host, sizeof facts.host);
    check(facts.friendly_name, sizeof facts.friendly_name);
    check(facts.version, sizeof facts.version);
    check(facts.platform, sizeof facts.platform);
    check(facts.board, sizeof facts.board);
    check(facts.network, sizeof facts.network);
    if (facts.mac >> 48 != 0 || !announcement_encryption_name(facts.encryption))
        abort();
    return 0;
}
