/* tests/place/test_registry_threads.c - one registry, asked and written to from many threads at once. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/work.h"
#include "place/registry_bed.h"

#define SIZE    50000
#define THREADS 8
#define ROUNDS  3                /* of each kind of work, per thread */

typedef struct work { mlr_place *place; char *bytes; mlr_blob blob; } work;

static int ask(void *arg, mlr_op *op, mlreg_error **err)
{
    const work    *w = arg;
    mlr_ref        r = tagged("v1");
    mlr_descriptor d = {0};
    mlr_list      *tags = NULL;
    int            rc;

    if ((rc = mlr_place_resolve(w->place, &r, op, &d, err)) == 0)
        rc = mlr_place_tags(w->place, REPO, op, &tags, err);
    mlr_descriptor_done(&d);
    mlr_list_free(tags);
    return rc;
}

/* A jump makes the registry show that it has no ranges, which all others learn. */
static int fetch(void *arg, mlr_op *op, mlreg_error **err)
{
    const work *w = arg;
    mlr_reader *r = NULL;
    char        buf[1000];
    int64_t     n = 0;
    int         rc = mlr_place_blob_open(w->place, &w->blob, op, &r, err);

    for (uint64_t at = SIZE; rc == 0 && n >= 0 && at >= sizeof buf; at -= sizeof buf * 10)
        if ((n = mlr_reader_read_at(r, at - sizeof buf, buf, sizeof buf, op, err)) > 0 &&
            !bed_is_pattern(at - sizeof buf, buf, (size_t)n))
            rc = mlr_error_set(err, MLREG_EDIGEST, "wrong bytes at %d", (int)at);
    mlr_reader_free(r);
    return rc < 0 ? rc : n < 0 ? (int)n : 0;
}

static int send(void *arg, mlr_op *op, mlreg_error **err)
{
    const work *w = arg;
    mlr_reader *r = NULL;
    int         rc = mlr_reader_from_memory(w->bytes, SIZE, "the source", &r, err);

    if (rc == 0)
        rc = mlr_place_blob_write(w->place, &w->blob, r, op, err);
    mlr_reader_free(r);
    return rc;
}

static void test_registry__serves_many_threads(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), *coded = base64_of(m);
    work          w = {.bytes = malloc(SIZE), .blob = {REPO, digest_of_pattern(SIZE), SIZE, NULL}};
    mlr_group    *group = NULL;
    mlr_op       *op = NULL;

    bed_pattern(0, w.bytes, SIZE);
    bed_registry(b,
                 "[{'path':'/token.*','body':'{`token`:`t`,`expires_in`:300}'},{'header':{'Authorization':null},'status':401,"
                    "'headers':{'WWW-Authenticate':'Bearer realm=`$URL/token`,service=`s`'}},"
                    "{'path':'" MANIFESTS "v1','body_base64':'%s'},{'path':'/v2/team/x/tags/list.*','body':'{`tags`:[`v1`]}'},"
                    "{'method':'POST','status':202,'headers':{'Location':'/up?a=b'}},"
                    "{'method':'PUT','header':{'Content-Length':'[1-9].*'},'status':405},{'method':'PUT','status':201},"
                    "{'method':'PATCH','status':202},{'method':'HEAD','status':404},{'path':'" BLOBS ".*','size':50000,'ranges':false}]",
                 coded);
    w.place = b->place;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_group_new(b->rt, op, THREADS, &group, NULL), 0);
    for (int i = 0; i < THREADS * ROUNDS; i++) {
        assert_int_equal(mlr_group_add(group, ask, &w, NULL), 0);
        assert_int_equal(mlr_group_add(group, fetch, &w, NULL), 0);
        assert_int_equal(mlr_group_add(group, send, &w, NULL), 0);
    }
    if (mlr_group_wait(group, &b->err) < 0)
        fail_msg("%s", b->err->message);
    assert_false(b->place->can & MLREG_CAN_RANGE);
    mlr_group_free(group);
    mlr_op_end(op);
    free(w.bytes);
    free(m);
    free(coded);
}

/* From a registry to a registry: each holds a connection to read from while it wants one to write to. */
static int copy(void *arg, mlr_op *op, mlreg_error **err)
{
    const work *w = arg;
    mlr_reader *r = NULL;
    int         rc = mlr_place_blob_open(w->place, &w->blob, op, &r, err);

    if (rc == 0)
        rc = mlr_place_blob_write(w->place, &w->blob, r, op, err);
    mlr_reader_free(r);
    return rc;
}

static void test_registry__copies_with_fewer_connections_than_threads(void **state)
{
    registry_bed *b = *state;
    work          w = {.blob = {REPO, digest_of_pattern(SIZE), SIZE, NULL}};
    mlr_group    *group = NULL;

    b->connections = 2;
    bed_registry(b, "[{'method':'GET','size':50000},{'method':'POST','status':202,'headers':{'Location':'/up?a=b'}},"
                    "{'method':'PUT','status':201}]");
    w.place = b->place;
    assert_int_equal(mlr_group_new(b->rt, NULL, THREADS, &group, NULL), 0);
    for (int i = 0; i < THREADS * ROUNDS; i++)
        assert_int_equal(mlr_group_add(group, copy, &w, NULL), 0);
    if (mlr_group_wait(group, &b->err) < 0)
        fail_msg("%s", b->err->message);
    mlr_group_free(group);
}

static void test_registry__copies_over_one_connection_at_a_time(void **state)
{
    registry_bed *b = *state;
    work          w = {.blob = {REPO, digest_of_pattern(SIZE), SIZE, NULL}};

    b->connections = 1;
    bed_registry(b, "[{'method':'GET','size':50000},{'method':'POST','status':202,'headers':{'Location':'/up?a=b'}},"
                    "{'method':'PUT','status':201}]");
    w.place = b->place;
    assert_int_equal(copy(&w, NULL, &b->err), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        registry_test(test_registry__serves_many_threads),
        registry_test(test_registry__copies_with_fewer_connections_than_threads),
        registry_test(test_registry__copies_over_one_connection_at_a_time),
    };

    return cmocka_run_group_tests_name("place/registry_threads", tests, NULL, NULL);
}
