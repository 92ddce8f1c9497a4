/* tests/place/test_registry_blob.c - reading blobs as they arrive: resumed where that is safe, refused where not. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "place/registry_bed.h"

#define SIZE 300000
#define ANY  BLOBS "sha256:[0-9a-f]+"
#define CHALLENGE "{'header':{'Authorization':null},'status':401,'headers':{'WWW-Authenticate':'Basic realm=`x`'}},"

static mlr_blob blob_of(uint64_t bytes)
{
    return (mlr_blob){REPO, digest_of_pattern(bytes), bytes, NULL};
}

static int open_blob(registry_bed *b, mlr_reader **out)
{
    mlr_blob blob = blob_of(SIZE);

    return mlr_place_blob_open(b->place, &blob, NULL, out, &b->err);
}

/* Opens and reads all of it in pieces of `piece` bytes: 0 and they are right, or what it fails with. */
static int read_through(registry_bed *b, size_t piece)
{
    mlr_reader *r = NULL;
    char       *buf = malloc(piece);
    uint64_t    at = 0;
    int64_t     n = open_blob(b, &r);

    while (n == 0 && at < SIZE) {
        if ((n = mlr_reader_read_at(r, at, buf, piece, NULL, &b->err)) <= 0)
            break;
        assert_true(bed_is_pattern(at, buf, (size_t)n));
        at += (uint64_t)n;
        n = 0;
    }
    if (n == 0) {
        assert_int_equal(at, SIZE);
        assert_int_equal(mlr_reader_read_at(r, at, buf, 1, NULL, &b->err), 0);
    }
    mlr_reader_free(r);
    free(buf);
    return (int)n;
}

static void test_registry_blob_has__says_yes_no_and_why_not(void **state)
{
    registry_bed *b = *state;
    mlr_blob      blob = blob_of(SIZE);

    bed_registry(b, "[{'method':'HEAD','times':1,'size':300000},{'method':'HEAD','times':1,'status':404},"
                    "{'method':'HEAD','times':1,'size':299999},{'status':403}]");
    assert_int_equal(mlr_place_blob_has(b->place, &blob, NULL, &b->err), 1);
    assert_int_equal(mlr_place_blob_has(b->place, &blob, NULL, &b->err), 0);
    assert_int_equal(mlr_place_blob_has(b->place, &blob, NULL, &b->err), 0);      /* of another size it is another's */
    assert_int_equal(mlr_place_blob_has(b->place, &blob, NULL, &b->err), MLREG_EDENIED);
}

static void test_registry_blob_open__reads_in_one_request(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'path':'" ANY "','header':{'Range':null},'size':300000}]");
    assert_int_equal(read_through(b, 65536), 0);
    assert_int_equal(n_requests(&b->evil), 1);
}

static void test_registry_blob_open__says_what_is_not_there(void **state)
{
    registry_bed *b = *state;
    mlr_reader   *r = NULL;

    bed_registry(b, "[]");
    assert_int_equal(open_blob(b, &r), MLREG_ENOTFOUND);
    assert_null(r);
}

static void test_registry_blob_open__asks_an_empty_one_for_nothing(void **state)
{
    registry_bed *b = *state;
    mlr_blob      blob = blob_of(0);
    mlr_reader   *r = NULL;
    char          buf[1];

    bed_registry(b, "[{'method':'HEAD'}]");
    assert_int_equal(mlr_place_blob_open(b->place, &blob, NULL, &r, &b->err), 0);
    assert_int_equal(mlr_reader_read_at(r, 0, buf, 1, NULL, &b->err), 0);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"GET\""), 0);
    mlr_reader_free(r);
}

static void test_registry_blob_open__looks_for_an_empty_one(void **state)
{
    registry_bed *b = *state;
    mlr_blob      blob = blob_of(0);
    mlr_reader   *r = NULL;

    bed_registry(b, "[]");
    assert_int_equal(mlr_place_blob_open(b->place, &blob, NULL, &r, &b->err), MLREG_ENOTFOUND);
}

static void test_registry_blob_open__refuses_another_length(void **state)
{
    registry_bed *b = *state;
    mlr_reader   *r = NULL;

    bed_registry(b, "[{'size':300001}]");
    assert_int_equal(open_blob(b, &r), MLREG_EPROTO);
}

static void test_registry_blob_open__refuses_what_was_encoded(void **state)
{
    registry_bed *b = *state;
    mlr_reader   *r = NULL;

    bed_registry(b, "[{'size':300000,'headers':{'Content-Encoding':'gzip'}}]");
    assert_int_equal(open_blob(b, &r), MLREG_EPROTO);
    assert_non_null(b->err->hint);
}

static void test_registry_blob_open__refuses_a_part_that_nobody_asked_for(void **state)
{
    registry_bed *b = *state;
    mlr_reader   *r = NULL;

    bed_registry(b, "[{'status':206,'size':300000,'headers':{'Content-Range':'bytes 0-299999/300000'}}]");
    assert_int_equal(open_blob(b, &r), MLREG_EPROTO);
}

/* ---- bytes that end early, or never ---- */

static void test_registry_blob__goes_on_where_it_broke_off(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'header':{'Range':null},'times':1,'do':'cut','size':300000,'sent':100000},"
                    "{'header':{'Range':'bytes=[1-9][0-9]*-299999'},'size':300000}]");
    assert_int_equal(read_through(b, 10000), 0);
    assert_int_equal(n_requests(&b->evil), 2);
}

static void test_registry_blob__goes_on_where_a_body_without_length_ended(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'header':{'Range':null},'times':1,'size':100000,'framing':'chunked'},"
                    "{'header':{'Range':'bytes=100000-299999'},'size':300000}]");
    assert_int_equal(read_through(b, 10000), 0);
}

static void test_registry_blob__counts_what_was_not_moved_again(void **state)
{
    registry_bed *b = *state;
    mlreg_op     *remote = NULL;
    mlr_op       *op = NULL;
    mlr_blob      blob = blob_of(SIZE);
    mlr_reader   *r = NULL;
    mlreg_stats   stats;
    char          buf[1000];

    bed_registry(b, "[{'header':{'Range':null},'times':1,'size':100000,'framing':'chunked'},{'size':300000}]");
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_int_equal(mlr_place_blob_open(b->place, &blob, op, &r, &b->err), 0);
    for (uint64_t at = 0; at < SIZE; at += sizeof buf)
        assert_int_equal(mlr_reader_read_at(r, at, buf, sizeof buf, op, &b->err), sizeof buf);
    mlr_reader_free(r);
    mlr_remote_stats(remote, &stats);
    assert_int_equal(stats.bytes_resumed, 100000);
    assert_int_equal(stats.retries, 1);
    mlr_op_end(op);
    mlr_remote_free(remote);
}

static void test_registry_blob__that_always_breaks_off_fails_in_the_end(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'header':{'Range':null},'do':'cut','size':300000,'sent':1000},{'do':'cut','status':206,"
                    "'size':299000,'sent':0,"
                    "'headers':{'Content-Range':'bytes 1000-299999/300000'}}]");
    assert_int_equal(read_through(b, 1000), MLREG_ENET);
    assert_int_equal(n_requests(&b->evil), 3);                       /* two tries more, as the session says */
}

static void test_registry_blob__is_asked_of_the_registry_again_after_a_busy_answer(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'header':{'Range':null},'do':'cut','size':300000,'sent':100000},{'times':1,'status':503},"
                    "{'size':300000}]");
    assert_int_equal(read_through(b, 10000), 0);
    assert_int_equal(n_requests(&b->evil), 3);
}

static void test_registry_blob__without_end_is_refused_at_its_size(void **state)
{
    registry_bed *b = *state;

    mlr_reader   *r = NULL;
    char          buf[10000];
    uint64_t      at = 0;
    int64_t       n = 0;

    bed_registry(b, "[{'do':'endless_body'}]");
    assert_int_equal(open_blob(b, &r), 0);
    for (; at < SIZE && (n = mlr_reader_read_at(r, at, buf, sizeof buf, NULL, &b->err)) > 0; at += (uint64_t)n)
        ;
    assert_int_equal(n, MLREG_EPROTO);
    assert_int_equal(at, SIZE - sizeof buf);
    mlr_reader_free(r);
}

static void test_registry_blob__with_other_bytes_is_told_by_its_digest(void **state)
{
    registry_bed *b = *state;
    mlr_blob      blob = {REPO, {EMPTY_BLOB}, SIZE, NULL};
    mlr_buf       out = MLR_BUF_INIT(SIZE);

    bed_registry(b, "[{'size':300000}]");
    assert_int_equal(mlr_place_blob_bytes(b->place, &blob, SIZE, NULL, &out, &b->err), MLREG_EDIGEST);
    mlr_buf_done(&out);
}

static void test_registry_blob__that_always_stalls_fails_in_the_end(void **state)
{
    registry_bed *b = *state;

    b->stall_ms = 200;
    bed_registry(b, "[{'do':'stall_body','size':300000,'sent':1000}]");
    assert_int_equal(read_through(b, 1000), MLREG_ETIMEDOUT);
    assert_true(n_requests(&b->evil) <= 4);
}

/* Some registries read all of a blob before they answer, as go-containerregistry's. */
static void test_registry_blob__that_is_large_may_be_read_before_the_answer(void **state)
{
    registry_bed *b = *state;
    mlr_blob      blob = {REPO, {EMPTY_BLOB}, 4000000000, NULL};
    mlr_reader   *r = NULL;
    char          buf[100];

    b->stall_ms = 200;
    bed_registry(b, "[{'method':'HEAD','delay_ms':500,'headers':[['Content-Length','4000000000']],'framing':'none'},"
                    "{'delay_ms':500,'size':4000000000}]");
    assert_int_equal(mlr_place_blob_has(b->place, &blob, NULL, &b->err), 1);
    assert_int_equal(mlr_place_blob_open(b->place, &blob, NULL, &r, &b->err), 0);
    assert_int_equal(mlr_reader_read_at(r, blob.bytes - 100, buf, sizeof buf, NULL, &b->err), sizeof buf);
    mlr_reader_free(r);
    assert_int_equal(n_requests(&b->evil), 3);
}

static void test_registry_blob__stops_when_it_is_cancelled(void **state)
{
    registry_bed *b = *state;
    mlr_op       *op = NULL;
    mlr_blob      blob = blob_of(SIZE);
    mlr_reader   *r = NULL;
    char          buf[100];

    bed_registry(b, "[{'do':'stall_body','size':300000,'sent':100}]");
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_place_blob_open(b->place, &blob, op, &r, &b->err), 0);
    assert_int_equal(mlr_reader_read_at(r, 0, buf, sizeof buf, op, &b->err), sizeof buf);
    mlr_op_cancel(op);
    assert_int_equal(mlr_reader_read_at(r, 100, buf, sizeof buf, op, &b->err), MLREG_ECANCELLED);
    mlr_reader_free(r);
    mlr_op_end(op);
}

/* ---- ranges ---- */

/* After a break at 100,000 the rule `again` answers. */
static int read_on(registry_bed *b, const char *again)
{
    bed_registry(b, "[{'header':{'Range':null},'times':1,'size':100000,'framing':'chunked'},%s]", again);
    return read_through(b, 10000);
}

static void test_registry_blob__refuses_a_part_from_another_offset(void **state)
{
    assert_int_equal(read_on(*state,
                             "{'status':206,'size':200001,"
                             "'headers':{'Content-Range':'bytes 99999-299999/300000'}}"), MLREG_EPROTO);
}

static void test_registry_blob__refuses_a_part_of_something_larger(void **state)
{
    assert_int_equal(read_on(*state,
                             "{'status':206,'size':200000,"
                             "'headers':{'Content-Range':'bytes 100000-299999/400000'}}"), MLREG_EPROTO);
}

static void test_registry_blob__refuses_a_part_that_does_not_say_what_it_is(void **state)
{
    assert_int_equal(read_on(*state, "{'status':206,'size':200000}"), MLREG_EPROTO);
}

static void test_registry_blob__refuses_a_part_whose_length_contradicts_its_range(void **state)
{
    assert_int_equal(read_on(*state,
                             "{'status':206,'size':5,"
                             "'headers':{'Content-Range':'bytes 100000-299999/300000'}}"), MLREG_EPROTO);
}

static void test_registry_blob__takes_a_part_that_is_smaller_than_asked(void **state)
{
    registry_bed *b = *state;
    mlr_buf       part = MLR_BUF_INIT(4096);
    char          bytes[1000], rule[2048];

    bed_pattern(100000, bytes, sizeof bytes);
    assert_int_equal(mlr_base64_encode(bytes, sizeof bytes, &part, NULL), 0);
    snprintf(rule, sizeof rule, "{'header':{'Range':'bytes=100000-299999'},'status':206,'body_base64':'%s',"
                                "'headers':{'Content-Range':'bytes 100000-100999/300000'}},"
                                "{'header':{'Range':'bytes=101000-299999'},'size':300000}", part.data);
    assert_int_equal(read_on(b, rule), 0);
    assert_int_equal(n_requests(&b->evil), 3);
    mlr_buf_done(&part);
}

static void test_registry_blob__skips_what_it_has_where_ranges_are_ignored(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(read_on(b, "{'size':300000,'ranges':false}"), 0);
    assert_int_equal(n_requests(&b->evil), 2);
    assert_false(b->place->can & MLREG_CAN_RANGE);
}

static void test_registry_blob__begins_anew_where_ranges_are_refused(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(read_on(b, "{'header':{'Range':'.*'},'status':416},{'header':{'Range':null},'size':300000}"), 0);
    assert_int_equal(n_requests(&b->evil), 3);
}

static void test_registry_blob__begins_anew_only_once(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(read_on(b, "{'status':416}"), MLREG_EPROTO);
    assert_int_equal(n_requests(&b->evil), 3);
}

static void test_registry_blob__of_which_single_ranges_are_read_moves_only_those(void **state)
{
    registry_bed *b = *state;
    mlr_reader   *r = NULL;
    char          buf[5000];

    bed_registry(b, "[{'size':300000}]");
    assert_int_equal(open_blob(b, &r), 0);
    for (uint64_t at = 290000; at > 250000; at -= 10000) {
        assert_int_equal(mlr_reader_read_at(r, at, buf, sizeof buf, NULL, &b->err), sizeof buf);
        assert_true(bed_is_pattern(at, buf, sizeof buf));
    }
    assert_int_equal(bed_log_count(&b->evil, "bytes=290000-294999"), 1);
    assert_int_equal(bed_log_count(&b->evil, "bytes=260000-264999"), 1);
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 3"), 0);   /* at most the first was given up, with its answer */
    mlr_reader_free(r);
}

static void test_registry_blob__read_on_after_a_jump_is_asked_for_to_its_end(void **state)
{
    registry_bed *b = *state;
    mlr_reader   *r = NULL;
    char          buf[1000];

    bed_registry(b, "[{'size':300000}]");
    assert_int_equal(open_blob(b, &r), 0);
    for (uint64_t at = 290000; at < SIZE; at += sizeof buf) {
        assert_int_equal(mlr_reader_read_at(r, at, buf, sizeof buf, NULL, &b->err), sizeof buf);
        assert_true(bed_is_pattern(at, buf, sizeof buf));
    }
    assert_int_equal(n_requests(&b->evil), 3);
    assert_int_equal(bed_log_count(&b->evil, "bytes=291000-299999"), 1);
    mlr_reader_free(r);
}

static void test_registry_blob__skips_a_small_gap(void **state)
{
    registry_bed *b = *state;
    mlr_reader   *r = NULL;
    char          buf[1000];

    bed_registry(b, "[{'size':300000}]");
    assert_int_equal(open_blob(b, &r), 0);
    assert_int_equal(mlr_reader_read_at(r, 70000, buf, sizeof buf, NULL, &b->err), sizeof buf);
    assert_true(bed_is_pattern(70000, buf, sizeof buf));
    assert_int_equal(n_requests(&b->evil), 1);
    mlr_reader_free(r);
}

static void test_registry_blob__is_never_asked_for_at_its_end(void **state)
{
    registry_bed *b = *state;
    mlr_reader   *r = NULL;
    char          buf[1000];

    bed_registry(b, "[{'size':300000}]");
    assert_int_equal(open_blob(b, &r), 0);
    assert_int_equal(mlr_reader_read_at(r, SIZE, buf, sizeof buf, NULL, &b->err), 0);
    assert_int_equal(mlr_reader_read_at(r, SIZE + 5, buf, sizeof buf, NULL, &b->err), 0);
    assert_int_equal(n_requests(&b->evil), 1);
    mlr_reader_free(r);
}

/* ---- other origins ---- */

static void test_registry_blob__is_fetched_from_where_the_registry_sends_us_without_credentials(void **state)
{
    registry_bed *b = *state;

    bed_thief(b, "[{'path':'/store.*','size':300000}]");
    bed_registry(b, "[" CHALLENGE "{'path':'" ANY "','status':307,'headers':{'Location':'%s/store?signature=abc'}}]",
                 b->thief.url);
    assert_int_equal(read_through(b, 10000), 0);
    assert_int_equal(n_requests(&b->thief), 1);
    assert_true(bed_log_count(&b->evil, SECRET_SENT) > 0);
}

static void test_registry_blob__that_breaks_off_elsewhere_is_asked_of_the_registry_again(void **state)
{
    registry_bed *b = *state;

    bed_thief(b,
              "[{'path':'/1','size':100000,'framing':'chunked'},{'path':'/2','header':{'Range':'bytes=100000-299999'},"
              "'size':300000}]");
    bed_registry(b, "[" CHALLENGE "{'path':'" ANY "','status':307,'headers':{'Location':'%s/$COUNT'}}]", b->thief.url);
    assert_int_equal(read_through(b, 10000), 0);
    assert_request(&b->thief, 0, "GET", "/1");
    assert_request(&b->thief, 1, "GET", "/2");
}

/* ---- mounting ---- */

static int mount(registry_bed *b, const char *script)
{
    mlr_blob blob = blob_of(SIZE);

    bed_registry(b, "[%s]", script);
    return mlr_place_mount(b->place, &blob, "team/base", NULL, &b->err);
}

static void test_registry_mount__names_both_repositories(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(mount(b,
                           "{'method':'POST','path':'"
                           BLOBS "uploads/[?]mount=sha256(:|.3A)[0-9a-f]+&from=team(/|.2F)base','status':201}"), 1);
}

static void test_registry_mount__needs_a_token_for_both(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(mount(b, "{'path':'/token.*','body':'{`token`:`t`}'},"
                              "{'header':{'Authorization':null},'status':401,'headers':{'WWW-Authenticate':"
                              "'Bearer realm=`$URL/token`,service=`s`,scope=`repository:team/x:pull,push`'}},"
                              "{'status':201}"), 1);
    assert_int_equal(bed_log_count(&b->evil, "team%2Fx") + bed_log_count(&b->evil, "team/x:"), 1);
    assert_true(bed_log_count(&b->evil, "team%2Fbase%3Apull") + bed_log_count(&b->evil, "team/base:pull") > 0);
}

static void test_registry_mount__may_be_answered_by_an_upload(void **state)
{
    assert_int_equal(mount(*state, "{'status':202,'headers':{'Location':'/up'}}"), 0);
}

static void test_registry_mount__may_be_refused(void **state)
{
    assert_int_equal(mount(*state, "{'status':401,'headers':{'WWW-Authenticate':'Basic realm=`x`'}}"), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        registry_test(test_registry_blob_has__says_yes_no_and_why_not),
        registry_test(test_registry_blob_open__reads_in_one_request),
        registry_test(test_registry_blob_open__says_what_is_not_there),
        registry_test(test_registry_blob_open__asks_an_empty_one_for_nothing),
        registry_test(test_registry_blob_open__looks_for_an_empty_one),
        registry_test(test_registry_blob_open__refuses_another_length),
        registry_test(test_registry_blob_open__refuses_what_was_encoded),
        registry_test(test_registry_blob_open__refuses_a_part_that_nobody_asked_for),
        registry_test(test_registry_blob__goes_on_where_it_broke_off),
        registry_test(test_registry_blob__goes_on_where_a_body_without_length_ended),
        registry_test(test_registry_blob__counts_what_was_not_moved_again),
        registry_test(test_registry_blob__that_always_breaks_off_fails_in_the_end),
        registry_test(test_registry_blob__is_asked_of_the_registry_again_after_a_busy_answer),
        registry_test(test_registry_blob__without_end_is_refused_at_its_size),
        registry_test(test_registry_blob__with_other_bytes_is_told_by_its_digest),
        registry_test(test_registry_blob__that_always_stalls_fails_in_the_end),
        registry_test(test_registry_blob__that_is_large_may_be_read_before_the_answer),
        registry_test(test_registry_blob__stops_when_it_is_cancelled),
        registry_test(test_registry_blob__refuses_a_part_from_another_offset),
        registry_test(test_registry_blob__refuses_a_part_of_something_larger),
        registry_test(test_registry_blob__refuses_a_part_that_does_not_say_what_it_is),
        registry_test(test_registry_blob__refuses_a_part_whose_length_contradicts_its_range),
        registry_test(test_registry_blob__takes_a_part_that_is_smaller_than_asked),
        registry_test(test_registry_blob__skips_what_it_has_where_ranges_are_ignored),
        registry_test(test_registry_blob__begins_anew_where_ranges_are_refused),
        registry_test(test_registry_blob__begins_anew_only_once),
        registry_test(test_registry_blob__of_which_single_ranges_are_read_moves_only_those),
        registry_test(test_registry_blob__read_on_after_a_jump_is_asked_for_to_its_end),
        registry_test(test_registry_blob__skips_a_small_gap),
        registry_test(test_registry_blob__is_never_asked_for_at_its_end),
        registry_test(test_registry_blob__is_fetched_from_where_the_registry_sends_us_without_credentials),
        registry_test(test_registry_blob__that_breaks_off_elsewhere_is_asked_of_the_registry_again),
        registry_test(test_registry_mount__names_both_repositories),
        registry_test(test_registry_mount__needs_a_token_for_both),
        registry_test(test_registry_mount__may_be_answered_by_an_upload),
        registry_test(test_registry_mount__may_be_refused),
    };

    return cmocka_run_group_tests_name("place/registry_blob", tests, NULL, NULL);
}
