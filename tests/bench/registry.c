/* tests/bench/registry.c - how fast one large blob goes to a registry and comes back: sent, then received and hashed,
 * to nowhere. MLREG_TEST_REGISTRY names the registries: tests/bed/with-registries -- build/tests/bench_registry */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "place/intake.h"
#include "place/place.h"

#define BLOCK ((size_t)1 << 20)

/* A blob that costs nothing to read: one block again and again, each time with its number in front. */
typedef struct endless { mlr_reader reader; char block[BLOCK]; } endless;

static int64_t read_endless(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    endless *e = (endless *)r;
    uint64_t number = offset / BLOCK, at = offset % BLOCK;

    (void)op;
    (void)err;
    if (offset >= r->bytes)
        return 0;
    if (len > BLOCK - at)
        len = BLOCK - at;
    memcpy(e->block, &number, sizeof number);
    memcpy(buf, e->block + at, len);
    return (int64_t)len;
}

static void free_nothing(mlr_reader *r)
{
    (void)r;
}

static const mlr_reader_ops endless_ops = {.read_at = read_endless, .free = free_nothing};
static endless source = {.reader = {.ops = &endless_ops, .fd = -1, .name = "the source"}};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const char *what, double began, double cpu, uint64_t bytes)
{
    double gb = (double)bytes / 1e9;

    printf("  %-24s %6.3f GB/s  %5.2f CPU s per GB\n", what, gb / (now_s() - began), (cpu_s() - cpu) / gb);
}

static int pull(mlr_place *p, const mlr_blob *b, mlreg_error **err)
{
    mlr_reader *r = NULL;
    mlr_digest  got;
    double      began = now_s(), cpu = cpu_s();
    int         rc = mlr_place_blob_open(p, b, NULL, &r, err);

    if (rc == 0 && (rc = mlr_intake(p->rt, r, NULL, NULL, NULL, &got, err)) == 0)
        rc = mlr_digest_check(&got, &b->digest, "what came back", err);
    if (rc == 0)
        report("pulled and hashed", began, cpu, b->bytes);
    mlr_reader_free(r);
    return rc;
}

static int push(mlr_place *p, const mlr_blob *b, bool trusted, mlreg_error **err)
{
    double began = now_s(), cpu = cpu_s();
    int    rc;

    source.reader.trusted = trusted;
    if ((rc = mlr_place_blob_write(p, b, &source.reader, NULL, err)) == 0)
        report(trusted ? "pushed" : "pushed and hashed", began, cpu, b->bytes);
    return rc;
}

static int run(const char *location, mlr_blob *b, mlreg_error **err)
{
    mlreg_session_options o;
    mlr_runtime          *rt = NULL;
    mlr_place            *p = NULL;
    int                   rc;

    printf("%s\n", location);
    MLREG_INIT(o);
    o.ca_file = getenv("MLREG_TEST_CA_FILE");
    if ((rc = mlr_runtime_new(NULL, &rt, err)) == 0 && (rc = mlr_place_open(location, &o, rt, NULL, &p, err)) == 0 &&
        (rc = mlr_intake(rt, &source.reader, NULL, NULL, NULL, &b->digest, err)) == 0 && (rc = push(p, b, false,
                                                                                                    err)) == 0)
        for (int i = 0; i < 3 && rc == 0; i++)
            rc = pull(p, b, err);
    mlr_place_close(p);
    mlr_runtime_unref(rt);
    return rc;
}

int main(int argc, char **argv)
{
    const char  *list = getenv("MLREG_TEST_REGISTRY");
    char        *all = list != NULL ? strdup(list) : NULL, *rest = all, *location;
    mlr_blob     b = {"bench/blob", {""}, (argc > 1 ? strtoull(argv[1], NULL, 10) : 1024) << 20, NULL};
    mlreg_error *err = NULL;
    int          rc = 0;

    if (all == NULL) {
        fprintf(stderr, "usage: MLREG_TEST_REGISTRY='http://127.0.0.1:5000 …' %s [MIB]\n", argv[0]);
        return 2;
    }
    source.reader.bytes = b.bytes;
    for (size_t i = 0; i < BLOCK; i++)
        source.block[i] = (char)(i * 167 + (i >> 8));
    while (rc == 0 && (location = strsep(&rest, " ")) != NULL)
        rc = run(location, &b, &err);
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", err->place != NULL ? err->place : "bench", err->message);
    mlr_error_done(err);
    free(all);
    return rc < 0;
}
