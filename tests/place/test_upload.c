/* tests/place/test_upload.c - uploads that a registry refuses, loses, denies or finishes without saying so. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "place/registry_bed.h"

#define SIZE 300000
#define TAKE_SIZE 1300000       /* enough to be streamed */
#define CHALLENGE "{'header':{'Authorization':null},'status':401,'headers':{'WWW-Authenticate':'Basic realm=`x`'}},"
#define BEGIN \
    "{'method':'POST','path':'" BLOBS "uploads/','status':202," \
    "'headers':{'Location':'" BLOBS "uploads/$COUNT?_state=a+b=='}},"
#define NOT_THERE "{'method':'HEAD','status':404},"
#define IS_THERE "{'method':'HEAD','size':300000},"
#define PUT_PATH BLOBS "uploads/[0-9]+[?]_state=a[+]b==&digest=sha256(:|.3A)[0-9a-f]+"
#define TAKEN "{'method':'PUT','path':'" PUT_PATH "','status':201},"

typedef struct bytes { char *data; mlr_reader *reader; mlr_blob blob; } bytes;

static bytes make_bytes(size_t n)
{
    bytes s = {malloc(n + 1), NULL, {REPO, digest_of_pattern(n), n, NULL}};

    bed_pattern(0, s.data, n);
    assert_int_equal(mlr_reader_from_memory(s.data, n, "the source", &s.reader, NULL), 0);
    return s;
}

static void free_bytes(bytes *s)
{
    mlr_reader_free(s->reader);
    free(s->data);
}

static int write_again(registry_bed *b)
{
    bytes s = make_bytes(SIZE);
    int   rc = mlr_place_blob_write(b->place, &s.blob, s.reader, NULL, &b->err);

    free_bytes(&s);
    return rc;
}

static int write_blob(registry_bed *b, const char *script)
{
    bed_registry(b, "[%s{'path':'/nothing'}]", script);
    return write_again(b);
}

/* How many requests of this method came with all the bytes, and the right ones. */
static size_t n_whole_of(registry_bed *b, const char *method, size_t size)
{
    mlr_digest d = digest_of_pattern(size);
    char      *log = bed_log_text(&b->evil), *rest = log, *line, begin[40], all[40];
    size_t     n = 0;

    snprintf(begin, sizeof begin, "{\"method\": \"%s\"", method);
    snprintf(all, sizeof all, "\"body_bytes\": %zu", size);
    while ((line = strsep(&rest, "\n")) != NULL)
        n += strncmp(line, begin, strlen(begin)) == 0 && strstr(line, mlr_digest_hex(&d)) != NULL &&
             strstr(line, all) != NULL;
    free(log);
    return n;
}

static size_t n_whole(registry_bed *b, const char *method)
{
    return n_whole_of(b, method, SIZE);
}

static size_t n_of(registry_bed *b, const char *method)
{
    char text[40];

    snprintf(text, sizeof text, "{\"method\": \"%s\"", method);
    return bed_log_count(&b->evil, text);
}

/* ---- the plain way ---- */

static void test_upload__is_one_post_and_one_put(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN TAKEN), 0);
    assert_int_equal(n_requests(&b->evil), 2);
    assert_int_equal(n_whole(b, "PUT"), 1);
    assert_int_equal(bed_log_count(&b->evil, "[\"Content-Length\", \"300000\"]"), 1);
    assert_int_equal(bed_log_count(&b->evil, "_state=a+b=="), 1);      /* nobody rebuilt what the registry gave us */
}

static void test_upload__of_nothing_works(void **state)
{
    registry_bed *b = *state;
    bytes         s = make_bytes(0);

    bed_registry(b, "[" BEGIN TAKEN "{'path':'/nothing'}]");
    assert_int_equal(mlr_place_blob_write(b->place, &s.blob, s.reader, NULL, &b->err), 0);
    assert_int_equal(bed_log_count(&b->evil, "[\"Content-Length\", \"0\"]"), 2);
    free_bytes(&s);
}

static void test_upload__asks_first_whether_a_large_blob_is_there(void **state)
{
    registry_bed *b = *state;
    bytes         s = make_bytes(1 << 20);

    bed_registry(b, "[{'method':'HEAD','size':1048576}]");
    assert_int_equal(mlr_place_blob_write(b->place, &s.blob, s.reader, NULL, &b->err), 0);
    assert_int_equal(n_requests(&b->evil), 1);
    free_bytes(&s);
}

static void test_upload__takes_any_word_for_yes(void **state)
{
    assert_int_equal(write_blob(*state,
                                "{'method':'POST','status':200,'headers':{'Location':'/up'}},{'method':'PUT',"
                                "'status':204},"), 0);
}

static void test_upload__needs_to_know_where(void **state)
{
    assert_int_equal(write_blob(*state, "{'method':'POST','status':202},"), MLREG_EPROTO);
}

static void test_upload__refuses_a_location_that_is_none(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, "{'method':'POST','status':202,'headers':{'Location':'file:///etc/passwd?sig=5ec2e7'}},"), MLREG_EPROTO);
    assert_string_equal(b->err->message, "the Location given for an upload is no URL: 'file:///etc/passwd'");
}

static void test_upload__that_may_not_begin_is_not_repeated(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, "{'method':'POST','status':403},"), MLREG_EDENIED);
    assert_int_equal(n_requests(&b->evil), 1);
}

/* ---- other origins ---- */

static void test_upload__to_another_origin_carries_no_credentials(void **state)
{
    registry_bed *b = *state;

    bed_thief(b, "[{'method':'PUT','path':'/there[?]a=b&digest=.*','status':201}]");
    bed_registry(b, "[" CHALLENGE "{'method':'POST','status':202,'headers':{'Location':'%s/there?a=b'}}]",
                 b->thief.url);
    assert_int_equal(write_again(b), 0);
    assert_int_equal(bed_log_count(&b->thief, "\"body_bytes\": 300000"), 1);
    assert_true(bed_log_count(&b->evil, SECRET_SENT) > 0);               /* that the thief saw none, teardown checks */
}

/* ---- refused, lost, or there after all ---- */

static void test_upload__that_failed_at_its_end_may_be_there(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN "{'method':'PUT','status':500}," IS_THERE), 0);
    assert_int_equal(n_of(b, "PUT"), 1);
}

static void test_upload__whose_session_is_gone_may_be_there(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN "{'method':'PUT','status':404}," IS_THERE), 0);
    assert_int_equal(n_of(b, "POST"), 1);
}

static void test_upload__whose_answer_never_came_may_be_there(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN "{'method':'PUT','do':'close'}," IS_THERE), 0);
    assert_int_equal(n_of(b, "POST"), 1);
}

static void test_upload__that_was_lost_begins_a_new_session_at_byte_0(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN NOT_THERE "{'method':'PUT','times':1,'status':404}," TAKEN), 0);
    assert_int_equal(n_of(b, "POST"), 2);
    assert_int_equal(n_whole(b, "PUT"), 2);
}

static void test_upload__cut_off_in_the_middle_begins_a_new_session_at_byte_0(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN NOT_THERE "{'method':'PUT','path':'.*uploads/1.*','do':'reset'}," TAKEN), 0);
    assert_int_equal(n_of(b, "POST"), 2);
    assert_int_equal(bed_log_count(&b->evil, "uploads/2?"), 1);
}

static void test_upload__that_always_fails_ends(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN NOT_THERE "{'method':'PUT','status':500},"), MLREG_ENET);
    assert_int_equal(b->err->http_status, 500);
    assert_int_equal(n_of(b, "PUT"), 3);                                 /* two tries more, as the session says */
}

static void test_upload__that_always_stalls_ends(void **state)
{
    registry_bed *b = *state;

    b->stall_ms = 200;
    assert_int_equal(write_blob(b, BEGIN NOT_THERE "{'method':'PUT','do':'stall_unread'},"), MLREG_ETIMEDOUT);
    assert_int_equal(n_of(b, "POST"), 3);
}

static void test_upload__that_is_too_large_is_not_repeated(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN "{'method':'PUT','status':413},"), MLREG_ELIMIT);
    assert_int_equal(n_of(b, "PUT"), 1);
}

static void test_upload__that_needs_a_new_token_goes_on_in_its_session(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, "{'path':'/token.*','body':'{`token`:`t$COUNT`}'},"
                                   "{'header':{'Authorization':null},'status':401,"
                                   "'headers':{'WWW-Authenticate':'Bearer realm=`$URL/token`'}},"
                                   BEGIN "{'method':'PUT','header':{'Authorization':'Bearer t1'},'status':401,"
                                         "'headers':"
                                   "{'WWW-Authenticate':'Bearer realm=`$URL/token`,error=`invalid_token`'}},"
                                   TAKEN), 0);
    assert_int_equal(bed_log_count(&b->evil, "uploads/2"), 0);
    assert_int_equal(bed_log_count(&b->evil, "Bearer t2"), 1);
}

/* ---- the other way: POST, PATCH, PUT ---- */

#define NO_MONOLITHIC "{'method':'PUT','header':{'Content-Length':'[1-9].*'},'status':405},"
#define PATCHED \
    "{'method':'PATCH','status':202,'headers':{'Location':'" BLOBS "uploads/9?_state=a+b==','Range':'0-299999'}},"

static void test_upload__is_streamed_where_monolithic_ones_are_refused(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN NOT_THERE NO_MONOLITHIC PATCHED TAKEN), 0);
    assert_int_equal(n_whole(b, "PATCH"), 1);
    assert_int_equal(bed_log_count(&b->evil, "ontent-Range"), 0);
    /* the newest Location is the one that counts */
    assert_int_equal(bed_log_count(&b->evil, "uploads/9?_state"), 1);
    assert_int_equal(write_again(b), 0);
    assert_int_equal(n_whole(b, "PUT"), 1);                              /* remembered: not tried again */
    assert_int_equal(n_whole(b, "PATCH"), 2);
}

static void test_upload__is_streamed_after_two_refusals_that_might_mean_anything(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b,
                                BEGIN NOT_THERE "{'method':'PUT','header':{'Content-Length':'[1-9].*'},'status':404},"
                                                PATCHED TAKEN), 0);
    assert_int_equal(n_whole(b, "PUT"), 2);
    assert_int_equal(n_whole(b, "PATCH"), 1);
}

static void test_upload__is_monolithic_again_where_streams_come_to_be_refused(void **state)
{
    registry_bed *b = *state;
    mlr_registry *g;

    bed_registry(b, "[" BEGIN NOT_THERE "{'method':'PATCH','status':405}," TAKEN "{'path':'/nothing'}]");
    g = (mlr_registry *)b->place;
    mlr_hostfacts_learn(&g->facts, MLR_FACT_NO_MONOLITHIC);
    assert_int_equal(write_again(b), 0);
    assert_false(mlr_hostfacts_know(&g->facts, MLR_FACT_NO_MONOLITHIC));
    assert_true(mlr_hostfacts_know(&g->facts, MLR_FACT_NO_STREAMED_PATCH));
}

static void test_upload__of_which_the_registry_holds_another_number_begins_anew(void **state)
{
    registry_bed *b = *state;
    mlr_registry *g;

    bed_registry(b, "[" BEGIN NOT_THERE "{'method':'PATCH','times':1,'status':202,'headers':{'Range':'0-1000'}},"
                 PATCHED TAKEN
                    "{'path':'/nothing'}]");
    g = (mlr_registry *)b->place;
    mlr_hostfacts_learn(&g->facts, MLR_FACT_NO_MONOLITHIC);
    assert_int_equal(write_again(b), 0);
    assert_int_equal(n_of(b, "POST"), 2);
    assert_int_equal(n_whole(b, "PATCH"), 2);
    assert_int_equal(n_of(b, "PUT"), 1);
}

/* ---- sources ---- */

static void test_upload__of_other_bytes_than_named_is_never_finished(void **state)
{
    registry_bed *b = *state;
    bytes         s = make_bytes(SIZE);

    bed_registry(b, "[" BEGIN TAKEN "{'path':'/nothing'}]");
    s.data[SIZE / 2] ^= 1;
    assert_int_equal(mlr_place_blob_write(b->place, &s.blob, s.reader, NULL, &b->err), MLREG_EDIGEST);
    assert_int_equal(bed_log_count(&b->evil, "\"body_bytes\": 300000"), 0);
    assert_int_equal(n_of(b, "POST"), 1);
    free_bytes(&s);
}

static void test_upload__of_a_stored_blob_that_rotted_names_the_culprit(void **state)
{
    registry_bed *b = *state;
    bytes         s = make_bytes(SIZE);

    bed_registry(b, "[" BEGIN NOT_THERE "{'method':'PUT','status':400,'body':'{`errors`:[{`code`:`DIGEST_INVALID`}]}'},"
                    "{'method':'PATCH','status':405},{'path':'/nothing'}]");
    s.data[SIZE / 2] ^= 1;
    s.reader->trusted = true;
    assert_int_equal(mlr_place_blob_write(b->place, &s.blob, s.reader, NULL, &b->err), MLREG_EDIGEST);
    assert_non_null(strstr(b->err->message, "the source"));
    free_bytes(&s);
}

static void test_upload__of_nothing_under_another_name_is_refused(void **state)
{
    registry_bed *b = *state;
    bytes         s = make_bytes(0);
    mlr_blob      blob = {REPO, {EMPTY_BLOB}, 0, NULL};

    bed_registry(b, "[]");
    assert_int_equal(mlr_place_blob_write(b->place, &blob, s.reader, NULL, &b->err), MLREG_EDIGEST);
    assert_int_equal(n_requests(&b->evil), 0);
    free_bytes(&s);
}

/* ---- a digest that is not known yet ---- */

#define TAKE_PATCHED "{'method':'PATCH','status':202,'headers':{'Location':'" BLOBS "uploads/9?_state=a+b==','Range':'0-1299999'}},"

static int take(registry_bed *b, const char *script)
{
    bytes      s = make_bytes(TAKE_SIZE);
    mlr_digest d = {""};
    int        rc;

    if (script != NULL)
        bed_registry(b, "[%s{'path':'/nothing'}]", script);
    rc = mlr_place_blob_take(b->place, REPO, s.reader, NULL, NULL, &d, &b->err);
    if (rc == 0)
        assert_string_equal(d.text, s.blob.digest.text);
    free_bytes(&s);
    return rc;
}

static void test_upload_take__hashes_while_it_sends(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(take(b, BEGIN TAKE_PATCHED TAKEN), 0);
    assert_int_equal(n_whole_of(b, "PATCH", TAKE_SIZE), 1);
    assert_int_equal(n_requests(&b->evil), 3);
}

static void test_upload_take__hashes_first_where_streams_are_refused(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(take(b, BEGIN NOT_THERE "{'method':'PATCH','status':416}," TAKEN), 0);
    assert_int_equal(n_whole_of(b, "PUT", TAKE_SIZE), 1);
    assert_int_equal(take(b, NULL), 0);
    assert_int_equal(n_of(b, "PATCH"), 1);                               /* remembered: not tried again */
}

static void test_upload_take__survives_a_session_that_breaks(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(take(b, BEGIN NOT_THERE "{'method':'PATCH','times':1,'do':'reset'}," TAKEN), 0);
    assert_int_equal(n_whole_of(b, "PUT", TAKE_SIZE), 1);
}

static void test_upload_take__of_nothing_works(void **state)
{
    registry_bed *b = *state;
    bytes         s = make_bytes(0);
    mlr_digest    d;

    bed_registry(b, "[" BEGIN TAKEN "{'path':'/nothing'}]");
    assert_int_equal(mlr_place_blob_take(b->place, REPO, s.reader, NULL, NULL, &d, &b->err), 0);
    assert_string_equal(d.text, s.blob.digest.text);
    free_bytes(&s);
}

static void test_upload_take__hashes_first_what_is_small(void **state)
{
    registry_bed *b = *state;
    bytes         s = make_bytes(SIZE);
    mlr_digest    d;

    bed_registry(b, "[" BEGIN TAKEN "{'path':'/nothing'}]");
    assert_int_equal(mlr_place_blob_take(b->place, REPO, s.reader, NULL, NULL, &d, &b->err), 0);
    assert_int_equal(n_requests(&b->evil), 2);
    assert_int_equal(n_whole(b, "PUT"), 1);
    free_bytes(&s);
}

static void test_upload_take__that_may_not_begin_fails(void **state)
{
    assert_int_equal(take(*state, "{'method':'POST','status':403},"), MLREG_EDENIED);
}

/* ---- said before the first byte ---- */

static void test_upload__too_large_a_layer_is_refused_at_once_the_next_time(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, BEGIN "{'method':'PUT','status':413},"), MLREG_ELIMIT);
    registry_bed_forget(b);
    assert_int_equal(mlr_place_check_size(b->place, "big.bin", SIZE, &b->err), MLREG_ELIMIT);
    assert_non_null(strstr(b->err->message, "big.bin has 300000 bytes"));
    assert_non_null(b->err->hint);
    registry_bed_forget(b);
    assert_int_equal(mlr_place_check_size(b->place, "small.bin", SIZE - 1, &b->err), 0);
    assert_int_equal(n_requests(&b->evil), 2);
}

static void test_upload__to_a_repository_that_must_exist_first_says_so(void **state)
{
    registry_bed *b = *state;

    assert_int_equal(write_blob(b, "{'method':'POST','status':404,'body':'{`errors`:[{`code`:`NAME_UNKNOWN`}]}'},"), MLREG_ENOTFOUND);
    assert_non_null(strstr(b->err->hint, "make team/x there first"));
    assert_int_equal(n_requests(&b->evil), 1);
}

/* ---- a digest that somebody else finds out meanwhile ---- */

#define AHEAD_SIZE ((size_t)9 << 20)
#define AHEAD_PATCHED "{'method':'PATCH','status':202,'headers':{'Location':'" BLOBS "uploads/9?_state=a+b==','Range':'0-9437183'}},"

/* A file whose hashing stands still until its sending has begun, and whose sending then waits for the digest: nothing is left to chance. */
typedef struct halting {
    mlr_reader      reader;
    mlr_reader     *file;
    char           *path;
    mlr_ahead      *ahead;
    mlr_ahead_file  ticket;
    bool            never;               /* the digest is not waited for */
} halting;
static atomic_bool may_hash;

static int halt_hashing(mlr_fs_call call, const char *name, void *user)
{
    while (call == MLR_FS_READ && strcmp(name, user) == 0 && !atomic_load(&may_hash))
        usleep(1000);
    return 0;
}

static int64_t read_halting(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    halting   *h = (halting *)r;
    mlr_digest d;

    atomic_store(&may_hash, true);
    if (offset >= 2 << 20 && !h->never)
        assert_int_equal(mlr_ahead_digest(&h->ticket, h->file, true, NULL, &d, NULL), 1);
    return mlr_reader_read_at(h->file, offset, buf, len, op, err);
}

static void free_nothing(mlr_reader *r)
{
    (void)r;
}

static const mlr_reader_ops halting_ops = {.read_at = read_halting, .free = free_nothing};

static int take_ahead(registry_bed *b, halting *h, mlr_op *op, mlr_digest *d)
{
    const char *path;
    char       *data = malloc(AHEAD_SIZE);
    FILE       *f;
    int         rc;

    h->path = bed_path(b->home, "file");
    bed_pattern(0, data, AHEAD_SIZE);
    assert_non_null(f = fopen(h->path, "we"));
    assert_int_equal(fwrite(data, 1, AHEAD_SIZE, f), AHEAD_SIZE);
    assert_int_equal(fclose(f), 0);
    free(data);
    path = h->path;
    atomic_store(&may_hash, false);
    mlr_fs_use(halt_hashing, h->path);
    assert_int_equal(mlr_reader_open_file(path, &h->file, NULL), 0);
    assert_int_equal(mlr_ahead_new(b->rt, NULL, &path, 1, 0, NULL, &h->ahead, NULL), 0);
    h->ticket = (mlr_ahead_file){h->ahead, 0};
    h->reader = (mlr_reader){&halting_ops, AHEAD_SIZE, h->file->fd, false, h->path};
    rc = mlr_place_blob_take(b->place, REPO, &h->reader, &h->ticket, op, d, &b->err);
    atomic_store(&may_hash, true);
    mlr_ahead_free(h->ahead);
    mlr_fs_use(NULL, NULL);
    mlr_reader_free(h->file);
    free(h->path);
    return rc;
}

static void test_upload_ahead__sends_while_somebody_else_hashes(void **state)
{
    registry_bed *b = *state;
    halting       h = {0};
    mlr_digest    d, want = digest_of_pattern(AHEAD_SIZE);

    bed_registry(b, "[" BEGIN NOT_THERE AHEAD_PATCHED TAKEN "{'path':'/nothing'}]");
    assert_int_equal(take_ahead(b, &h, NULL, &d), 0);
    assert_string_equal(d.text, want.text);
    assert_int_equal(n_whole_of(b, "PATCH", AHEAD_SIZE), 1);
    assert_int_equal(n_of(b, "HEAD"), 1);                               /* asked once, in the midst of it */
    assert_int_equal(n_requests(&b->evil), 4);
}

static void test_upload_ahead__drops_what_turns_out_to_be_there(void **state)
{
    registry_bed *b = *state;
    halting       h = {0};
    mlr_digest    d, want = digest_of_pattern(AHEAD_SIZE);
    mlreg_op     *remote = NULL;
    mlr_op       *op = NULL;
    mlreg_stats   stats = {.size = sizeof stats};

    bed_registry(b, "[" BEGIN "{'method':'HEAD','size':9437184}," AHEAD_PATCHED "{'method':'DELETE','path':'.*uploads/1.*','status':204},"
                    "{'path':'/nothing'}]");
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_int_equal(take_ahead(b, &h, op, &d), 0);
    mlr_op_end(op);
    mlr_remote_stats(remote, &stats);
    mlr_remote_free(remote);
    assert_string_equal(d.text, want.text);
    assert_int_equal(n_whole_of(b, "PATCH", AHEAD_SIZE), 0);
    assert_int_equal(n_of(b, "PUT"), 0);
    assert_int_equal(n_of(b, "DELETE"), 1);
    assert_true(stats.bytes_reused >= AHEAD_SIZE / 2 && stats.bytes_reused <= AHEAD_SIZE);
}

static void test_upload_ahead__waits_for_the_digest_where_streams_are_refused(void **state)
{
    registry_bed *b = *state;
    halting       h = {.never = true};
    mlr_digest    d, want = digest_of_pattern(AHEAD_SIZE);

    bed_registry(b, "[" BEGIN NOT_THERE "{'method':'PATCH','status':416}," TAKEN "{'path':'/nothing'}]");
    assert_int_equal(take_ahead(b, &h, NULL, &d), 0);
    assert_string_equal(d.text, want.text);
    assert_int_equal(n_whole_of(b, "PUT", AHEAD_SIZE), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        registry_test(test_upload__is_one_post_and_one_put),
        registry_test(test_upload__of_nothing_works),
        registry_test(test_upload__asks_first_whether_a_large_blob_is_there),
        registry_test(test_upload__takes_any_word_for_yes),
        registry_test(test_upload__needs_to_know_where),
        registry_test(test_upload__refuses_a_location_that_is_none),
        registry_test(test_upload__that_may_not_begin_is_not_repeated),
        registry_test(test_upload__to_another_origin_carries_no_credentials),
        registry_test(test_upload__that_failed_at_its_end_may_be_there),
        registry_test(test_upload__whose_session_is_gone_may_be_there),
        registry_test(test_upload__whose_answer_never_came_may_be_there),
        registry_test(test_upload__that_was_lost_begins_a_new_session_at_byte_0),
        registry_test(test_upload__cut_off_in_the_middle_begins_a_new_session_at_byte_0),
        registry_test(test_upload__that_always_fails_ends),
        registry_test(test_upload__that_always_stalls_ends),
        registry_test(test_upload__that_is_too_large_is_not_repeated),
        registry_test(test_upload__that_needs_a_new_token_goes_on_in_its_session),
        registry_test(test_upload__is_streamed_where_monolithic_ones_are_refused),
        registry_test(test_upload__is_streamed_after_two_refusals_that_might_mean_anything),
        registry_test(test_upload__is_monolithic_again_where_streams_come_to_be_refused),
        registry_test(test_upload__of_which_the_registry_holds_another_number_begins_anew),
        registry_test(test_upload__of_other_bytes_than_named_is_never_finished),
        registry_test(test_upload__of_a_stored_blob_that_rotted_names_the_culprit),
        registry_test(test_upload__of_nothing_under_another_name_is_refused),
        registry_test(test_upload_take__hashes_while_it_sends),
        registry_test(test_upload_take__hashes_first_where_streams_are_refused),
        registry_test(test_upload_take__survives_a_session_that_breaks),
        registry_test(test_upload_take__of_nothing_works),
        registry_test(test_upload_take__hashes_first_what_is_small),
        registry_test(test_upload_take__that_may_not_begin_fails),
        registry_test(test_upload__too_large_a_layer_is_refused_at_once_the_next_time),
        registry_test(test_upload__to_a_repository_that_must_exist_first_says_so),
        registry_test(test_upload_ahead__sends_while_somebody_else_hashes),
        registry_test(test_upload_ahead__drops_what_turns_out_to_be_there),
        registry_test(test_upload_ahead__waits_for_the_digest_where_streams_are_refused),
    };

    return cmocka_run_group_tests_name("place/upload", tests, NULL, NULL);
}
