/* codec/base64.h - base64 as RFC 4648 has it: standard and URL alphabets, strict about everything else. */
#ifndef MLR_CODEC_BASE64_H
#define MLR_CODEC_BASE64_H
#include "base/buf.h"
int mlr_base64_encode(const void *data, size_t len, mlr_buf *out, mlreg_error **err);    /* appended, with padding */
/* Appended. EINVAL for foreign characters, wrong padding, nonzero trailing bits; missing padding is accepted. Both alphabets are read. */
int mlr_base64_decode(const char *text, size_t len, mlr_buf *out, mlreg_error **err);
#endif
