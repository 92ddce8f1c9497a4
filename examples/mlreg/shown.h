/* shown.h - how the program and its server show what they have, what strangers wrote, and what went wrong. */
#ifndef SHOWN_H
#define SHOWN_H
#include <mlreg.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

const char *human(uint64_t bytes, char out[32]);           /* "90.9 MB" */
const char *digest_of(const mlreg_artifact *a);
uint64_t artifact_bytes(const mlreg_artifact *a);          /* config and layers */
/* The length of the UTF-8 sequence at `s`, which ends in a zero byte; 0 if it is none. */
size_t utf8_length(const char *s);
/* The same, and 0 also for the control characters, of both ranges, that a terminal obeys. */
size_t shown_length(const char *s);
void write_text(FILE *to, const char *text);               /* '?' for what has no such length */

/* ---- complain.c ---- */
#define COMPLAINT_BYTES 4096   /* a longer sentence is cut */
bool plain_terminal(void);                                 /* stderr takes neither colours nor a changing line */
/* To stderr; what is written may hold anything, for strangers and the command line have a part in it. */
void complain_first(const char *text);                     /* "mlreg: error: …" */
void complain_line(const char *what, const char *text);    /* "  what: …"; nothing if there is no text */
void complain(const char *hint, const char *format, ...) __attribute__((format(printf, 2, 3)));   /* both; hint NULL: the text says it */
void complain_args(const char *hint, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
#endif
