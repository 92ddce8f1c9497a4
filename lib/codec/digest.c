/* codec/digest.c - "sha256:<hex>": parsed by the one grammar, made from bytes, compared. */
#include "codec/digest.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"

#define SHA256_PREFIX "sha256:"
#define SHOWN_BYTES 100                             /* of a stranger's text in a message */

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DECIMAL "0123456789"
#define LOWER_HEX DECIMAL "abcdef"

/* Algorithms whose encoding the specification fixes: its length in lower-case hex digits. */
static const struct algorithm {
    const char *name;
    size_t hex_digits;
} registered[] = {{"sha256", MLR_DIGEST_HEX}, {"sha512", 128}, {"blake3", 64}};

/* alg = [a-z0-9]+([+._-][a-z0-9]+)*, PROTOCOL.md §1: its length at the start of `text`, or 0. */
static size_t algorithm_len(const char *text)
{
    size_t len = 0;

    for (;;) {
        size_t part = strspn(text + len, LOWER DECIMAL);

        if (part == 0)
            return 0;
        len += part;
        if (text[len] == '\0' || strchr("+._-", text[len]) == NULL)
            return len;
        len++;
    }
}

/* enc = [a-zA-Z0-9=_-]+, and for a registered algorithm exactly its hex digits. */
static bool encoding_fits(const char *name, size_t name_len, const char *enc)
{
    size_t len = strlen(enc);

    for (size_t i = 0; i < sizeof registered / sizeof registered[0]; i++)
        if (strlen(registered[i].name) == name_len && memcmp(registered[i].name, name, name_len) == 0)
            return len == registered[i].hex_digits && strspn(enc, LOWER_HEX) == len;
    return len > 0 && strspn(enc, LOWER UPPER DECIMAL "=_-") == len;
}

int mlr_digest_parse(const char *text, mlr_digest *out, mlreg_error **err)
{
    size_t name_len = algorithm_len(text);

    if (name_len == 0 || text[name_len] != ':' || !encoding_fits(text, name_len, text + name_len + 1))
        return mlr_error_set(err, MLREG_EINVAL,
                             "\"%.*s\" is no digest: it must be \"sha256:\" and 64 lower-case hex digits", SHOWN_BYTES,
                             text);
    if (name_len != strlen("sha256") || memcmp(text, SHA256_PREFIX, strlen(SHA256_PREFIX)) != 0)
        return mlr_error_hint(err,
                              mlr_error_set(err, MLREG_ENOTSUP,
                                            "digest algorithm \"%.*s\" is not supported: only sha256 is checked here",
                                            name_len < SHOWN_BYTES ? (int)name_len : SHOWN_BYTES, text),
                              "name the content by its sha256 digest");
    memcpy(out->text, text, sizeof out->text);
    return 0;
}

bool mlr_digest_equal(const mlr_digest *a, const mlr_digest *b)
{
    return strcmp(a->text, b->text) == 0;
}

const char *mlr_digest_hex(const mlr_digest *d)
{
    assert(d->text[0] != '\0');
    return d->text + strlen(SHA256_PREFIX);
}

void mlr_digest_of(const void *data, size_t len, mlr_digest *out)
{
    mlr_sha256 s;

    mlr_sha256_init(&s);
    mlr_sha256_update(&s, data, len);
    mlr_digest_final(&s, out);
}

void mlr_digest_final(mlr_sha256 *s, mlr_digest *out)
{
    uint8_t sum[32];
    char *hex = out->text + strlen(SHA256_PREFIX);

    mlr_sha256_final(s, sum);
    memcpy(out->text, SHA256_PREFIX, strlen(SHA256_PREFIX));
    for (size_t i = 0; i < sizeof sum; i++) {
        hex[2 * i] = LOWER_HEX[sum[i] >> 4];
        hex[2 * i + 1] = LOWER_HEX[sum[i] & 15];
    }
    hex[MLR_DIGEST_HEX] = '\0';
}

int mlr_digest_check(const mlr_digest *got, const mlr_digest *want, const char *name, mlreg_error **err)
{
    int rc;

    if (mlr_digest_equal(got, want))
        return 0;
    rc = mlr_error_set(err, MLREG_EDIGEST, "%s is %s, not %s as named", name, got->text, want->text);
    return mlr_error_subject(err, rc, want->text);
}
