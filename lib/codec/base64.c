/* codec/base64.c - base64 both ways; what it decodes is often a secret, so errors name places and never characters. */
#include "codec/base64.h"

#include <stdint.h>

#include "base/error.h"

/* No object is so large that this overflows. */
static size_t encoded_len(size_t len)
{
    return len / 3 * 4 + (len % 3 > 0 ? 4 : 0);
}

int mlr_base64_encode(const void *data, size_t len, mlr_buf *out, mlreg_error **err)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = data;
    char          *to;
    int            rc = mlr_buf_reserve(out, encoded_len(len), err);

    if (rc < 0)
        return rc;
    to = out->data + out->len;
    for (size_t i = 0; i < len; i += 3) {
        size_t   have = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)in[i] << 16 | (have > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (have > 2 ? in[i + 2] : 0);

        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = have > 1 ? alphabet[bits >> 6 & 63] : '=';
        *to++ = have > 2 ? alphabet[bits & 63] : '=';
    }
    *to = '\0';
    out->len += encoded_len(len);
    return 0;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* How many of the characters carry data: all but up to two '=' that fill the last group of four. */
static int data_len(const char *text, size_t len, size_t *out, mlreg_error **err)
{
    size_t n = len;

    while (n > 0 && len - n < 2 && text[n - 1] == '=')
        n--;
    if (n % 4 == 1 || (n < len && len % 4 != 0))
        return mlr_error_set(err, MLREG_EINVAL, "base64 text of %zu characters, %zu of them padding, cannot be whole",
                             len, len - n);
    *out = n;
    return 0;
}

/* Writes n * 6 / 8 bytes and nothing behind them. */
static int decode(const char *text, size_t n, char *to, mlreg_error **err)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;

    for (size_t i = 0; i < n; i++) {
        int value = value_of(text[i]);

        if (value < 0)
            return mlr_error_set(err, MLREG_EINVAL, "base64 text has a foreign character at offset %zu", i);
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            *to++ = (char)(bits >> n_bits);
            bits &= (1u << n_bits) - 1;
        }
    }
    if (bits != 0)
        return mlr_error_set(err, MLREG_EINVAL, "base64 text ends in bits that belong to no byte");
    return 0;
}

int mlr_base64_decode(const char *text, size_t len, mlr_buf *out, mlreg_error **err)
{
    size_t n = 0, n_bytes;
    int    rc;

    if ((rc = data_len(text, len, &n, err)) < 0)
        return rc;
    n_bytes = n / 4 * 3 + n % 4 * 6 / 8;
    if ((rc = mlr_buf_reserve(out, n_bytes, err)) < 0)
        return rc;
    if ((rc = decode(text, n, out->data + out->len, err)) == 0)
        out->len += n_bytes;
    out->data[out->len] = '\0';
    return rc;
}
