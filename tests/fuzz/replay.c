/* fuzz/replay.c - a target with the given files, then with what chance makes of them: the same each time, with any compiler.
 *
 * Usage: fuzz_replay TARGET RUNS FILE…, or: fuzz_replay --list */
#include <string.h>

#include "fuzz.h"

#define INPUT_MAX 65536

typedef struct input { uint8_t *data; size_t len; } input;

static uint64_t state = 88172645463325252u;

static uint64_t chance(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return below > 0 ? state % below : 0;
}

static input read_file(const char *path)
{
    input in = { malloc(INPUT_MAX), 0 };
    FILE *f = fopen(path, "rb");

    if (f == NULL || in.data == NULL) {
        perror(path);
        exit(2);
    }
    in.len = fread(in.data, 1, INPUT_MAX, f);
    fclose(f);
    return in;
}

/* Puts `len` bytes into `to` at `where`, as far as there is room. */
static void insert(input *to, size_t where, const uint8_t *from, size_t len)
{
    if (len > INPUT_MAX - to->len)
        len = INPUT_MAX - to->len;
    memmove(to->data + where + len, to->data + where, to->len - where);
    memcpy(to->data + where, from, len);
    to->len += len;
}

static void cut(input *to, size_t where, size_t len)
{
    memmove(to->data + where, to->data + where + len, to->len - where - len);
    to->len -= len;
}

static void spoil(input *to, const input *other)
{
    static const uint8_t odd[] = "\0\xff\x7f\x80\"\\{}[]:,/.-@+=%\n\r '#*?0e";
    uint8_t              piece[256];
    size_t               where = chance(to->len + 1), len, from;

    switch (chance(7)) {
    case 0:
        if (where < to->len)
            to->data[where] ^= (uint8_t)(1u << chance(8));
        break;
    case 1:
        if (where < to->len)
            to->data[where] = odd[chance(sizeof odd)];
        break;
    case 2:
        insert(to, where, &odd[chance(sizeof odd)], 1);
        break;
    case 3:
        cut(to, where, chance(to->len - where + 1) % 64);
        break;
    case 4:                                   /* again what stands there */
        len = chance(to->len - where + 1) % sizeof piece;
        memcpy(piece, to->data + where, len);
        insert(to, where, piece, len);
        break;
    case 5:                                   /* a piece of another */
        from = chance(other->len + 1);
        insert(to, where, other->data + from, chance(other->len - from + 1) % 512);
        break;
    default:
        for (len = 0; len < 8 && where + len < to->len; len++)
            to->data[where + len] = (uint8_t)chance(2) * 0xff;
    }
}

int main(int argc, char **argv)
{
    const fuzz_target *const all[] = { fuzz_texts, fuzz_files, fuzz_trees }, *target;
    input                    seeds[64], now = { NULL, 0 };
    size_t                   n = 0;
    long                     runs;

    for (size_t i = 0; argc == 2 && strcmp(argv[1], "--list") == 0 && i < sizeof all / sizeof *all; i++)
        for (const fuzz_target *t = all[i]; t->name != NULL; t++)
            puts(t->name);
    if (argc == 2)
        return 0;
    if (argc < 4 || (target = fuzz_find(argv[1])) == NULL || (now.data = malloc(INPUT_MAX)) == NULL)
        return fprintf(stderr, "usage: fuzz_replay TARGET RUNS FILE...\n"), 2;
    runs = strtol(argv[2], NULL, 10);
    for (int i = 3; i < argc && n < sizeof seeds / sizeof *seeds; i++, n++) {
        seeds[n] = read_file(argv[i]);
        target->run(seeds[n].data, seeds[n].len);
    }
    for (long i = 0; i < runs; i++) {
        const input *seed = &seeds[chance(n)];

        memcpy(now.data, seed->data, now.len = seed->len);
        for (uint64_t k = 1 + chance(6); k > 0; k--)
            spoil(&now, &seeds[chance(n)]);
        target->run(now.data, now.len);
    }
    for (size_t i = 0; i < n; i++)
        free(seeds[i].data);
    free(now.data);
    return 0;
}
