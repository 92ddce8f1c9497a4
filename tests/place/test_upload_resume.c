/* place/test_upload_resume.c - pushes that were killed: what the next process sends, and what it does when told lies. */
#include "place/registry.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "place/registry_bed.h"

#define SIZE ((size_t)20 << 20)
#define BEGIN \
    "{'method':'POST','path':'" BLOBS "uploads/','status':202," \
    "'headers':{'Location':'" BLOBS "uploads/$COUNT?_state=a+b=='}},"
#define NOT_THERE "{'method':'HEAD','status':404},"
#define STALLS(method) "{'method':'" method "','times':1,'do':'stall'},"
#define HOLDS(last) "{'method':'GET','path':'.*/uploads/1[?]_state=a[+]b==','status':204,'headers':{'Range':'0-" last "'}},"
#define PATCHED "{'method':'PATCH','status':202,'headers':{'Range':'0-20971519'}},"
#define TAKEN "{'method':'PUT','path':'.*digest=.*','status':201},"

/* ---- the push that is killed ---- */

static char *write_file(registry_bed *b)
{
    char *path = bed_path(b->home, "file"), *data = malloc(SIZE);
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    bed_pattern(0, data, SIZE);
    assert_int_equal(fwrite(data, 1, SIZE, f), SIZE);
    assert_int_equal(fclose(f), 0);
    free(data);
    return path;
}

typedef int (*push_fn)(mlr_place *p, mlr_reader *r, mlr_op *op, mlreg_error **err);

static int push_known(mlr_place *p, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    const mlr_blob blob = {REPO, digest_of_pattern(SIZE), SIZE, NULL};

    return mlr_place_blob_write(p, &blob, r, op, err);
}

static int push_unknown(mlr_place *p, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    mlr_digest d, want = digest_of_pattern(SIZE);
    int        rc = mlr_place_blob_take(p, REPO, r, NULL, op, &d, err);

    if (rc == 0)
        assert_string_equal(d.text, want.text);
    return rc;
}

/* In a process of its own, at most `bytes_per_s`. */
static pid_t push_elsewhere(const char *url, const char *path, uint64_t bytes_per_s, push_fn push)
{
    mlreg_session_options o;
    mlr_runtime          *rt = NULL;
    mlr_place            *place = NULL;
    mlr_reader           *r = NULL;
    pid_t                 child = fork();

    if (child != 0)
        return child;
    MLREG_INIT(o);
    o.auth = registry_bed_credentials;
    if (mlr_runtime_new(&(mlr_limits){.bytes_per_s = bytes_per_s}, &rt, NULL) == 0 &&
        mlr_registry_open(url, &o, rt, NULL, &place, NULL) == 0 && mlr_reader_open_file(path, &r, NULL) == 0)
        push(place, r, NULL, NULL);
    _exit(0);
}

static void wait_for(registry_bed *b, const char *text)
{
    for (int i = 0; i < 60000 && bed_log_count(&b->evil, text) == 0; i++)
        usleep(1000);
    assert_true(bed_log_count(&b->evil, text) > 0);
}

static void kill_it(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static mlreg_stats push_again(registry_bed *b, mlr_place *place, const char *path, push_fn push, int want)
{
    mlreg_stats stats = {.size = sizeof stats};
    mlreg_op   *remote = NULL;
    mlr_op     *op = NULL;
    mlr_reader *r = NULL;

    assert_int_equal(mlr_reader_open_file(path, &r, NULL), 0);
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_int_equal(push(place, r, op, &b->err), want);
    mlr_op_end(op);
    mlr_remote_stats(remote, &stats);
    mlr_remote_free(remote);
    mlr_reader_free(r);
    return stats;
}

/* A push is killed when the registry has all but its answer; then another goes on with this script. */
static mlreg_stats killed_then(registry_bed *b, const char *method, push_fn push, const char *script)
{
    char       *path, seen[64];
    mlreg_stats stats;
    pid_t       child;

    bed_registry(b, "[" BEGIN NOT_THERE "%s{'path':'/nothing'}]", script);
    path = write_file(b);
    child = push_elsewhere(b->evil.url, path, 0, push);
    snprintf(seen, sizeof seen, "{\"method\": \"%s\"", method);
    wait_for(b, seen);
    kill_it(child);
    stats = push_again(b, b->place, path, push, 0);
    free(path);
    return stats;
}

static size_t n_of(registry_bed *b, const char *method)
{
    char text[40];

    snprintf(text, sizeof text, "{\"method\": \"%s\"", method);
    return bed_log_count(&b->evil, text);
}

static void test_upload_resume__sends_what_is_missing_of_a_known_blob(void **state)
{
    registry_bed *b = *state;
    mlreg_stats   stats = killed_then(b, "PUT", push_known, STALLS("PUT") HOLDS("9999999") PATCHED TAKEN);

    assert_int_equal(n_of(b, "POST"), 1);
    assert_int_equal(bed_log_count(&b->evil, "[\"Content-Range\", \"10000000-20971519\"]"), 1);
    assert_int_equal(bed_log_count(&b->evil, "\"body_bytes\": 10971520"), 1);
    assert_int_equal(stats.bytes_resumed, 10000000);
}

static void test_upload_resume__sends_what_is_missing_of_a_blob_that_was_being_hashed(void **state)
{
    registry_bed *b = *state;
    mlreg_stats   stats = killed_then(b, "PATCH", push_unknown, STALLS("PATCH") HOLDS("9999999") PATCHED TAKEN);

    assert_int_equal(n_of(b, "POST"), 1);
    assert_int_equal(bed_log_count(&b->evil, "\"body_bytes\": 10971520"), 1);
    assert_int_equal(stats.bytes_resumed, 10000000);
}

static void test_upload_resume__only_ends_what_is_there_whole(void **state)
{
    registry_bed *b = *state;

    killed_then(b, "PUT", push_known, STALLS("PUT") HOLDS("20971519") PATCHED TAKEN);
    assert_int_equal(n_of(b, "PATCH"), 0);
    assert_int_equal(n_of(b, "PUT"), 2);
}

static void assert_began_anew(registry_bed *b, mlreg_stats stats)
{
    assert_int_equal(n_of(b, "POST"), 2);
    assert_int_equal(bed_log_count(&b->evil, "\"body_bytes\": 20971520"), 2);
    assert_int_equal(stats.bytes_resumed, 0);
}

static void test_upload_resume__begins_anew_where_the_session_is_gone(void **state)
{
    registry_bed *b = *state;

    assert_began_anew(b, killed_then(b, "PUT", push_known, STALLS("PUT") TAKEN));
}

static void test_upload_resume__begins_anew_where_one_byte_may_mean_none(void **state)
{
    registry_bed *b = *state;

    assert_began_anew(b, killed_then(b, "PUT", push_known, STALLS("PUT") HOLDS("0") TAKEN));
}

static void test_upload_resume__begins_anew_where_more_is_held_than_there_is(void **state)
{
    registry_bed *b = *state;

    assert_began_anew(b, killed_then(b, "PUT", push_known, STALLS("PUT") HOLDS("20971520") TAKEN));
}

static void test_upload_resume__begins_anew_where_the_rest_is_refused(void **state)
{
    registry_bed *b = *state;

    assert_began_anew(b, killed_then(b, "PUT", push_known, STALLS("PUT") HOLDS("9999999") "{'method':'PATCH','status':416}," TAKEN));
}

static void test_upload_resume__begins_anew_where_the_digest_does_not_fit_in_the_end(void **state)
{
    registry_bed *b = *state;

    killed_then(b, "PUT", push_known, STALLS("PUT") HOLDS("9999999") PATCHED
                "{'method':'PUT','path':'.*uploads/1.*','status':400,'body':'{`errors`:[{`code`:`DIGEST_INVALID`}]}'}," TAKEN);
    assert_int_equal(n_of(b, "POST"), 2);
    assert_int_equal(bed_log_count(&b->evil, "\"body_bytes\": 20971520"), 2);
}

static void test_upload_resume__has_nothing_to_go_on_with_once_it_was_done(void **state)
{
    registry_bed *b = *state;
    char         *path;

    bed_registry(b, "[" BEGIN NOT_THERE TAKEN "{'path':'/nothing'}]");
    path = write_file(b);
    push_again(b, b->place, path, push_known, 0);
    push_again(b, b->place, path, push_known, 0);
    assert_int_equal(n_of(b, "GET"), 0);
    assert_int_equal(n_of(b, "POST"), 2);
    free(path);
}

/* What it notes of a registry at another origin would let anyone write there. */
static void test_upload_resume__notes_no_location_at_another_origin(void **state)
{
    registry_bed *b = *state;
    char         *path;
    pid_t         child;

    bed_thief(b, "[{'method':'PUT','times':1,'do':'stall'},{'method':'PUT','status':201}]");
    bed_registry(b, "[" NOT_THERE "{'method':'POST','status':202,'headers':{'Location':'%s/there?a=b'}}]", b->thief.url);
    path = write_file(b);
    child = push_elsewhere(b->evil.url, path, 0, push_known);
    for (int i = 0; i < 60000 && bed_log_count(&b->thief, "PUT") == 0; i++)
        usleep(1000);
    kill_it(child);
    push_again(b, b->place, path, push_known, 0);
    assert_int_equal(bed_log_count(&b->thief, "\"method\": \"GET\""), 0);
    assert_int_equal(n_of(b, "POST"), 2);
    free(path);
}

/* ---- a real one ---- */

static void test_upload_resume__of_a_real_registry_sends_at_most_a_slab_again(void **state)
{
    registry_bed *b = *state;
    const char   *url = getenv("MLREG_TEST_REGISTRY_DISTRIBUTION");
    mlr_place    *place = NULL;
    mlreg_stats   stats;
    char         *path;
    pid_t         child;

    if (url == NULL)
        skip();
    path = write_file(b);
    assert_int_equal(mlr_runtime_new(NULL, &b->rt, NULL), 0);
    child = push_elsewhere(url, path, 10 << 20, push_known);     /* two seconds' worth, less what goes at once */
    usleep(1000000);
    kill_it(child);
    usleep(500000);                      /* the registry notices that nobody is there any more */
    assert_int_equal(mlr_registry_open(url, NULL, b->rt, NULL, &place, NULL), 0);
    stats = push_again(b, place, path, push_known, 0);
    print_message("# %zu of %zu bytes were there after the kill\n", (size_t)stats.bytes_resumed, SIZE);
    assert_true(stats.bytes_resumed == 0 || stats.bytes_network <= SIZE - stats.bytes_resumed + 65536);
    assert_true(stats.bytes_resumed > 0);
    mlr_place_close(place);
    free(path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        registry_test(test_upload_resume__sends_what_is_missing_of_a_known_blob),
        registry_test(test_upload_resume__sends_what_is_missing_of_a_blob_that_was_being_hashed),
        registry_test(test_upload_resume__only_ends_what_is_there_whole),
        registry_test(test_upload_resume__begins_anew_where_the_session_is_gone),
        registry_test(test_upload_resume__begins_anew_where_one_byte_may_mean_none),
        registry_test(test_upload_resume__begins_anew_where_more_is_held_than_there_is),
        registry_test(test_upload_resume__begins_anew_where_the_rest_is_refused),
        registry_test(test_upload_resume__begins_anew_where_the_digest_does_not_fit_in_the_end),
        registry_test(test_upload_resume__has_nothing_to_go_on_with_once_it_was_done),
        registry_test(test_upload_resume__notes_no_location_at_another_origin),
        registry_test(test_upload_resume__of_a_real_registry_sends_at_most_a_slab_again),
    };

    return cmocka_run_group_tests_name("place/upload_resume", tests, NULL, NULL);
}
