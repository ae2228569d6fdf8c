#include "contract.h"

#include "contract_hash.h"

/* In contract_data.S. */
extern const char contract_plain[], contract_plain_end[];
extern const char contract_gzip[], contract_gzip_end[];

const char *contract_get(bool is_compressed, size_t *ret_size)
{
    const char *start = is_compressed ? contract_gzip : contract_plain;
    const char *end = is_compressed ? contract_gzip_end : contract_plain_end;

    *ret_size = (size_t) (end - start);
    return start;
}

const char *contract_etag(bool is_compressed)
{
    return is_compressed ? "\"" CONTRACT_HASH "-gzip\"" : "\"" CONTRACT_HASH "\"";
}
