/* fuzz/fuzz.h - what strangers write, and the readers of it: each target takes any bytes, and may only refuse them. */
#ifndef FUZZ_H
#define FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct fuzz_target { const char *name; void (*run)(const uint8_t *data, size_t len); } fuzz_target;
const fuzz_target *fuzz_find(const char *name);        /* NULL: there is none */
extern const fuzz_target fuzz_texts[], fuzz_files[], fuzz_trees[];        /* each ends with a name of NULL */

/* For what must hold whatever the bytes are. */
#define FUZZ_HOLDS(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)
#endif
