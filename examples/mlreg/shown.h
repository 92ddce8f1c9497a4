/* shown.h - how the program and its server show what they have: digests, sizes, and characters that strangers wrote. */
#ifndef SHOWN_H
#define SHOWN_H
#include <mlreg.h>
#include <stddef.h>
#include <stdint.h>

const char *human(uint64_t bytes, char out[32]);           /* "90.9 MB" */
const char *digest_of(const mlreg_artifact *a);
uint64_t artifact_bytes(const mlreg_artifact *a);          /* config and layers */
/* The length of the UTF-8 sequence at `s`, which ends in a zero byte; 0 if it is none. */
size_t utf8_length(const char *s);
#endif
