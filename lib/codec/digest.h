/* codec/digest.h - "sha256:<hex>": the only way from a stranger's text to something that names content. */
#ifndef MLR_CODEC_DIGEST_H
#define MLR_CODEC_DIGEST_H
#include <mlreg.h>
#include <stdbool.h>
#include "codec/sha256.h"

#define MLR_DIGEST_HEX 64
#define MLR_DIGEST_TEXT (7 + MLR_DIGEST_HEX)
typedef struct mlr_digest { char text[MLR_DIGEST_TEXT + 1]; } mlr_digest;   /* "" is none */

/* EINVAL for what is no digest; ENOTSUP, naming the algorithm, for one that the grammar allows and we do not check (sha512). */
int  mlr_digest_parse(const char *text, mlr_digest *out, mlreg_error **err);
bool mlr_digest_equal(const mlr_digest *a, const mlr_digest *b);
const char *mlr_digest_hex(const mlr_digest *d);               /* borrowed: the 64 characters behind "sha256:" */
void mlr_digest_of(const void *data, size_t len, mlr_digest *out);
void mlr_digest_final(mlr_sha256 *s, mlr_digest *out);
/* 0, or EDIGEST "<name> is sha256:…, not sha256:… as named" with the subject `want`. */
int  mlr_digest_check(const mlr_digest *got, const mlr_digest *want, const char *name, mlreg_error **err)
        __attribute__((warn_unused_result));
#endif
