/* place/registry_range.c - a part of a blob, held against what was asked for. */
#include "place/registry_range.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* "bytes 5-9/10"; a size of '*' is none: UINT64_MAX. */
static bool read_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *size)
{
    int used = 0;

    if (text == NULL || sscanf(text, "bytes %" SCNu64 "-%" SCNu64 "/%n", first, last, &used) != 2 || used == 0)
        return false;
    if (strcmp(text + used, "*") == 0) {
        *size = UINT64_MAX;
        return true;
    }
    return sscanf(text + used, "%" SCNu64, size) == 1;
}

int mlr_range_check(const mlr_exchange *x, const char *name, uint64_t bytes, uint64_t offset, uint64_t *end,
                    mlreg_error **err)
{
    const char *text = mlr_exchange_header(x, "Content-Range", 0);
    uint64_t    first, last, size, length;

    if (!read_content_range(text, &first, &last, &size) || first != offset || last < first || last >= *end ||
        (size != bytes && size != UINT64_MAX))
        return mlr_error_set(err, MLREG_EPROTO,
                             "%s was asked for from byte %" PRIu64 " of %" PRIu64 " on and came as '%.80s'", name,
                             offset, bytes, text != NULL ? text : "no range");
    if (mlr_exchange_length(x, &length) && length != last - first + 1)
        return mlr_error_set(err, MLREG_EPROTO, "%s: %" PRIu64 " bytes are said to follow and to be '%.80s'", name,
                             length, text);
    *end = last + 1;
    return 0;
}
