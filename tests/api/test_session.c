/* api/test_session.c - opening places, what they can, what a forked child may, and handles that outlive each other. */
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "bed/dir.h"

static int try_open(const char *location, uint32_t flags, mlreg_error **err)
{
    mlreg_session_options o;
    mlreg_session *s = NULL;

    MLREG_INIT(o);
    o.flags = flags;
    int rc = mlreg_session_open(location, &o, &s, err);
    assert_true((s != NULL) == (rc == 0));
    mlreg_session_free(s);
    return rc;
}

/* ---- opening ---- */

static void test_session__a_location_of_no_kind_is_refused(void **state)
{
    (void)state;
    api_rc(try_open("", 0, &err), MLREG_EINVAL);
    api_rc(try_open("ftp://hub.test", 0, &err), MLREG_ENOTSUP);
    api_rc(try_open("s3://bucket", MLREG_OPEN_CREATE, &err), MLREG_ENOTSUP);
}

static void test_session__a_url_must_be_a_host_alone(void **state)
{
    (void)state;
    api_rc(try_open("https://", 0, &err), MLREG_EINVAL);
    api_rc(try_open("https://user:pw@hub.test", 0, &err), MLREG_EINVAL);
}

static void test_session__plain_http_goes_to_loopback_only(void **state)
{
    (void)state;
    api_rc(try_open("http://hub.test", 0, &err), MLREG_EDENIED);
    api_rc(try_open("http://hub.test", MLREG_OPEN_PLAIN_HTTP, &err), 0);
    api_rc(try_open("http://127.0.0.1:1", 0, &err), 0);
    api_rc(try_open("http://localhost:1", 0, &err), 0);
}

static void test_session__what_is_not_there_is_not_found_unless_made(void **state)
{
    char *dir = bed_dir_new(), layout[600];

    (void)state;
    snprintf(layout, sizeof layout, "oci:%s/layout", dir);
    api_rc(try_open(bed_at(dir, "store"), 0, &err), MLREG_ENOTFOUND);
    api_rc(try_open(layout, 0, &err), MLREG_ENOTFOUND);
    api_rc(try_open(bed_at(dir, "store"), MLREG_OPEN_CREATE, &err), 0);
    api_rc(try_open(layout, MLREG_OPEN_CREATE, &err), 0);
    api_rc(try_open(bed_at(dir, "store"), 0, &err), 0);
    api_rc(try_open(layout, 0, &err), 0);
    bed_dir_remove(dir);
}

static void test_session__something_else_there_is_no_store(void **state)
{
    char *dir = bed_dir_new(), layout[600];

    (void)state;
    bed_write(bed_at(dir, "diary.txt"), "dear diary");
    snprintf(layout, sizeof layout, "oci:%s", dir);
    api_rc(try_open(dir, MLREG_OPEN_CREATE, &err), MLREG_EPROTO);
    api_rc(try_open(layout, MLREG_OPEN_CREATE, &err), MLREG_EPROTO);
    bed_assert_file(bed_at(dir, "diary.txt"), "dear diary");
    bed_dir_remove(dir);
}

static void test_session__a_failed_open_says_what_and_where(void **state)
{
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(mlreg_session_open("/nonexistent/store", NULL, &s, &err), MLREG_ENOTFOUND);
    assert_string_equal(mlreg_error_subject(err), "/nonexistent/store");
    assert_non_null(mlreg_error_hint(err));
    mlreg_error_free(err);
}

static void test_session__read_only_refuses_every_writing_verb(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *s = api_open(bed_at(dir, "store"), MLREG_OPEN_CREATE);
    mlreg_builder *b = NULL;

    (void)state;
    mlreg_artifact_free(api_build(s, "a:1", "x"));
    mlreg_session_free(s);
    s = api_open(bed_at(dir, "store"), MLREG_OPEN_READONLY);
    api_rc(mlreg_builder_new(s, MLREG_BUILD_ARTIFACT, NULL, &b, &err), MLREG_EDENIED);
    api_rc(mlreg_copy(s, "a:1", s, "a:2", NULL, NULL, NULL, &err), MLREG_EDENIED);
    api_rc(mlreg_session_delete(s, "a:1", NULL, &err), MLREG_EDENIED);
    api_rc(mlreg_session_gc(s, NULL, NULL, NULL, &err), MLREG_EDENIED);
    assert_null(b);
    mlreg_session_free(s);
    bed_dir_remove(dir);
}

static void test_session__sessions_share_a_runtime_that_outlives_its_handle(void **state)
{
    mlreg_session_options o;
    mlreg_session *s[2] = { NULL, NULL };
    mlreg_runtime *r = NULL;

    (void)state;
    api_rc(mlreg_runtime_new(NULL, &r, &err), 0);
    MLREG_INIT(o);
    o.runtime = r;
    for (int i = 0; i < 2; i++)
        api_rc(mlreg_session_open("memory:", &o, &s[i], &err), 0);
    mlreg_runtime_free(r);
    mlreg_artifact_free(api_build(s[0], "a:1", "x"));
    api_rc(mlreg_copy(s[0], "a:1", s[1], NULL, NULL, NULL, NULL, &err), 0);
    mlreg_session_free(s[0]);
    mlreg_session_free(s[1]);
}

static void test_session__works_without_any_thread_but_the_callers(void **state)
{
    mlreg_runtime_options limits;
    mlreg_session_options o;
    mlreg_session *s = NULL;

    (void)state;
    MLREG_INIT(limits);
    MLREG_INIT(o);
    limits.max_threads = (uint32_t)MLREG_NONE;
    api_rc(mlreg_runtime_new(&limits, &o.runtime, &err), 0);
    api_rc(mlreg_session_open("memory:", &o, &s, &err), 0);
    mlreg_artifact_free(api_build(s, "a:1", "x"));
    mlreg_runtime_free(o.runtime);
    mlreg_session_free(s);
}

/* ---- what it can ---- */

static void test_session__a_place_of_ours_has_ranges_referrers_and_deletes(void **state)
{
    const uint32_t all = MLREG_CAN_RANGE | MLREG_CAN_REFERRERS | MLREG_CAN_DELETE;
    char *dir = bed_dir_new();
    mlreg_session *memory = api_open("memory:", 0), *store = api_open(bed_at(dir, "store"), MLREG_OPEN_CREATE);

    (void)state;
    assert_int_equal(mlreg_session_capabilities(memory) & all, all);
    assert_int_equal(mlreg_session_capabilities(store) & all, all);
    assert_int_equal(mlreg_session_capabilities(NULL), 0);
    mlreg_session_free(memory);
    mlreg_session_free(store);
    bed_dir_remove(dir);
}

static void test_session__login_is_for_registries(void **state)
{
    mlreg_session *s = api_open("memory:", 0);

    (void)state;
    api_rc(mlreg_session_login(s, "me", "secret", NULL, NULL, &err), MLREG_ENOTSUP);
    api_rc(mlreg_session_logout(s, NULL, NULL, &err), MLREG_ENOTSUP);
    mlreg_session_free(s);
}

static void test_session__deleting_takes_the_tag_or_with_a_digest_all_of_it(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "x"), *found = NULL;
    char by_digest[100];

    (void)state;
    mlreg_artifact_free(api_build(s, "a:2", "x"));
    snprintf(by_digest, sizeof by_digest, "a@%s", api_digest(a));
    api_rc(mlreg_session_delete(s, "a:1", NULL, &err), 0);
    api_rc(mlreg_session_delete(s, "a:1", NULL, &err), MLREG_ENOTFOUND);
    api_rc(mlreg_session_delete(s, by_digest, NULL, &err), 0);
    api_rc(mlreg_session_resolve(s, "a:2", NULL, NULL, &found, &err), MLREG_ENOTFOUND);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

/* ---- NULL ---- */

static void test_session__null_is_refused_by_every_call(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = NULL;
    mlreg_list *l = NULL;

    (void)state;
    api_rc(mlreg_session_open(NULL, NULL, &s, &err), MLREG_EINVAL);
    api_rc(mlreg_session_open("memory:", NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_resolve(NULL, "a:1", NULL, NULL, &a, &err), MLREG_EINVAL);
    api_rc(mlreg_session_resolve(s, NULL, NULL, NULL, &a, &err), MLREG_EINVAL);
    api_rc(mlreg_session_resolve(s, "a:1", NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_tags(NULL, "a", NULL, &l, &err), MLREG_EINVAL);
    api_rc(mlreg_session_tags(s, NULL, NULL, &l, &err), MLREG_EINVAL);
    api_rc(mlreg_session_tags(s, "a", NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_repositories(NULL, NULL, &l, &err), MLREG_EINVAL);
    api_rc(mlreg_session_repositories(s, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_referrers(NULL, "a:1", NULL, NULL, &l, &err), MLREG_EINVAL);
    api_rc(mlreg_session_referrers(s, NULL, NULL, NULL, &l, &err), MLREG_EINVAL);
    api_rc(mlreg_session_referrers(s, "a:1", NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_delete(NULL, "a:1", NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_delete(s, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_login(NULL, "n", "s", NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_login(s, NULL, "s", NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_login(s, "n", NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_logout(NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_runtime_new(NULL, NULL, &err), MLREG_EINVAL);
    assert_int_equal(mlreg_auth_set_basic(NULL, "n", "s"), MLREG_EINVAL);
    assert_int_equal(mlreg_auth_set_token(NULL, "t"), MLREG_EINVAL);
    mlreg_session_free(s);
}

static void test_session__nobody_needs_to_ask_for_the_error(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = NULL;

    (void)state;
    assert_int_equal(mlreg_session_resolve(s, "a:1", NULL, NULL, &a, NULL), MLREG_ENOTFOUND);
    assert_int_equal(mlreg_session_resolve(s, "A B", NULL, NULL, &a, NULL), MLREG_EINVAL);
    assert_null(a);
    mlreg_session_free(s);
}

static void test_session__freeing_nothing_is_fine(void **state)
{
    (void)state;
    mlreg_session_free(NULL);
    mlreg_runtime_free(NULL);
    mlreg_artifact_free(NULL);
    mlreg_stream_free(NULL);
    mlreg_builder_free(NULL);
}

static void test_artifact__null_has_no_parts(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "x");
    const char *bytes = NULL;

    (void)state;
    assert_int_equal(mlreg_artifact_count(NULL, MLREG_PART_LAYER), 0);
    assert_null(mlreg_artifact_at(NULL, MLREG_PART_SELF, 0));
    assert_null(mlreg_artifact_json(NULL, NULL));
    assert_null(mlreg_artifact_repository(NULL));
    api_rc(mlreg_artifact_config(NULL, NULL, &bytes, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_artifact_config(a, NULL, NULL, NULL, &err), MLREG_EINVAL);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_artifact__unknown_parts_and_indexes_past_the_end_are_nothing(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "x");

    (void)state;
    assert_int_equal(mlreg_artifact_count(a, 5), 0);
    assert_int_equal(mlreg_artifact_count(a, -1), 0);
    assert_null(mlreg_artifact_at(a, MLREG_PART_LAYER, 1));
    assert_null(mlreg_artifact_at(a, MLREG_PART_SUBJECT, 0));
    assert_null(mlreg_artifact_at(a, MLREG_PART_CHILD, 0));
    assert_int_equal(mlreg_artifact_count(a, MLREG_PART_LAYER), 1);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_artifact__its_json_is_what_its_digest_is_of(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "team/a:1", "x");
    size_t len = 0;
    const char *json = mlreg_artifact_json(a, &len);

    (void)state;
    assert_int_equal(strlen(json), len);
    assert_int_equal(len, mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_SELF, 0)));
    assert_string_equal(mlreg_artifact_repository(a), "team/a");
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_artifact__its_config_is_fetched_once_and_stays(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    mlreg_artifact *a = NULL;
    const char *one = NULL, *two = NULL;
    size_t len = 0;

    (void)state;
    api_rc(mlreg_builder_set_config(b, "application/json", "{\"a\":1}", 7, &err), 0);
    api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, &a, &err), 0);
    api_rc(mlreg_artifact_config(a, NULL, &one, &len, &err), 0);
    api_rc(mlreg_artifact_config(a, NULL, &two, NULL, &err), 0);
    assert_int_equal(len, 7);
    assert_memory_equal(one, "{\"a\":1}", 7);
    assert_ptr_equal(one, two);
    mlreg_builder_free(b);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

/* ---- who outlives whom ---- */

typedef struct family { mlreg_session *s; mlreg_artifact *a; mlreg_stream *stream; mlreg_builder *b; } family;

static void free_member(family *f, int which)
{
    char c = 0;

    if (which == 0) {
        mlreg_session_free(f->s);
        f->s = NULL;
    } else if (which == 1) {
        assert_int_equal(mlreg_artifact_count(f->a, MLREG_PART_LAYER), 1);
        mlreg_artifact_free(f->a);
    } else if (which == 2) {
        api_rc(mlreg_stream_read_at(f->stream, 1, &c, 1, &err), 1);
        assert_int_equal(c, 'y');
        mlreg_stream_free(f->stream);
    } else {
        api_rc(mlreg_builder_commit(f->b, "b:1", NULL, NULL, NULL, &err), 0);
        mlreg_builder_free(f->b);
    }
}

static void in_order(const char *location, const int order[4])
{
    family f = { .s = api_open(location, MLREG_OPEN_CREATE) };

    f.a = api_build(f.s, "a:1", "xyz");
    api_rc(mlreg_stream_open(f.a, 0, NULL, NULL, &f.stream, &err), 0);
    f.b = api_builder(f.s);
    api_rc(mlreg_builder_set_config(f.b, "application/json", "{}", 2, &err), 0);
    for (int i = 0; i < 4; i++)
        free_member(&f, order[i]);
}

static void in_every_order(const char *location)
{
    for (int code = 0; code < 256; code++) {
        const int order[4] = { code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 };

        if ((1 << order[0] | 1 << order[1] | 1 << order[2] | 1 << order[3]) == 15)
            in_order(location, order);
    }
}

static void test_session__is_kept_alive_by_its_children_in_memory(void **state)
{
    (void)state;
    in_every_order("memory:");
}

static void test_session__is_kept_alive_by_its_children_in_a_store(void **state)
{
    char *dir = bed_dir_new();

    (void)state;
    in_every_order(bed_at(dir, "store"));
    bed_dir_remove(dir);
}

/* ---- fork ---- */

/* How many of the calls in a forked child did not answer ESTATE; then it frees all. */
static int in_child(family *f, mlreg_op *op)
{
    mlreg_artifact *a = NULL;
    mlreg_builder *b = NULL;
    mlreg_stream *stream = NULL;
    mlreg_list *l = NULL;
    mlreg_stats stats;
    char c;
    int fd = -1, wrong = 0;

    MLREG_INIT(stats);
    wrong += mlreg_session_resolve(f->s, "a:1", NULL, NULL, &a, NULL) != MLREG_ESTATE;
    wrong += mlreg_session_tags(f->s, "a", NULL, &l, NULL) != MLREG_ESTATE;
    wrong += mlreg_session_delete(f->s, "a:1", NULL, NULL) != MLREG_ESTATE;
    wrong += mlreg_session_gc(f->s, NULL, NULL, NULL, NULL) != MLREG_ESTATE;
    wrong += mlreg_session_fsck(f->s, 0, NULL, &l, NULL) != MLREG_ESTATE;
    wrong += mlreg_copy(f->s, "a:1", f->s, "a:2", NULL, NULL, NULL, NULL) != MLREG_ESTATE;
    wrong += mlreg_checkout(f->a, "/nonexistent/x", NULL, NULL, NULL) != MLREG_ESTATE;
    wrong += mlreg_stream_open(f->a, 0, NULL, NULL, &stream, NULL) != MLREG_ESTATE;
    wrong += mlreg_stream_read(f->stream, &c, 1, NULL) != MLREG_ESTATE;
    wrong += mlreg_stream_read_at(f->stream, 0, &c, 1, NULL) != MLREG_ESTATE;
    wrong += mlreg_stream_seek(f->stream, 0, NULL) != MLREG_ESTATE;
    wrong += mlreg_artifact_open_fd(f->a, 0, &fd, NULL) != MLREG_ESTATE;
    wrong += mlreg_builder_new(f->s, MLREG_BUILD_ARTIFACT, NULL, &b, NULL) != MLREG_ESTATE;
    wrong += mlreg_builder_set_annotation(f->b, "k", "v", NULL) != MLREG_ESTATE;
    wrong += mlreg_builder_commit(f->b, "b:1", NULL, NULL, NULL, NULL) != MLREG_ESTATE;
    wrong += mlreg_op_stats(op, &stats, NULL) != MLREG_ESTATE;
    mlreg_op_free(op);
    mlreg_session_free(f->s);
    mlreg_artifact_free(f->a);
    mlreg_stream_free(f->stream);
    mlreg_builder_free(f->b);
    return wrong;
}

static void test_session__a_forked_child_may_only_free(void **state)
{
    char *dir = bed_dir_new();
    family f = { .s = api_open(bed_at(dir, "store"), MLREG_OPEN_CREATE) };
    mlreg_op *op = NULL;
    int status = 0;

    (void)state;
    f.a = api_build(f.s, "a:1", "xyz");
    f.b = api_builder(f.s);
    api_rc(mlreg_op_new(&op, &err), 0);
    api_rc(mlreg_stream_open(f.a, 0, NULL, NULL, &f.stream, &err), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(in_child(&f, op));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    api_rc(mlreg_copy(f.s, "a:1", f.s, "a:2", NULL, NULL, NULL, &err), 0); /* the parent's is as good as before */
    mlreg_op_free(op);
    mlreg_stream_free(f.stream);
    mlreg_artifact_free(f.a);
    mlreg_builder_free(f.b);
    mlreg_session_free(f.s);
    bed_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session__a_location_of_no_kind_is_refused),
        cmocka_unit_test(test_session__a_url_must_be_a_host_alone),
        cmocka_unit_test(test_session__plain_http_goes_to_loopback_only),
        cmocka_unit_test(test_session__what_is_not_there_is_not_found_unless_made),
        cmocka_unit_test(test_session__something_else_there_is_no_store),
        cmocka_unit_test(test_session__a_failed_open_says_what_and_where),
        cmocka_unit_test(test_session__read_only_refuses_every_writing_verb),
        cmocka_unit_test(test_session__sessions_share_a_runtime_that_outlives_its_handle),
        cmocka_unit_test(test_session__works_without_any_thread_but_the_callers),
        cmocka_unit_test(test_session__a_place_of_ours_has_ranges_referrers_and_deletes),
        cmocka_unit_test(test_session__login_is_for_registries),
        cmocka_unit_test(test_session__deleting_takes_the_tag_or_with_a_digest_all_of_it),
        cmocka_unit_test(test_session__null_is_refused_by_every_call),
        cmocka_unit_test(test_session__nobody_needs_to_ask_for_the_error),
        cmocka_unit_test(test_session__freeing_nothing_is_fine),
        cmocka_unit_test(test_artifact__null_has_no_parts),
        cmocka_unit_test(test_artifact__unknown_parts_and_indexes_past_the_end_are_nothing),
        cmocka_unit_test(test_artifact__its_json_is_what_its_digest_is_of),
        cmocka_unit_test(test_artifact__its_config_is_fetched_once_and_stays),
        cmocka_unit_test(test_session__is_kept_alive_by_its_children_in_memory),
        cmocka_unit_test(test_session__is_kept_alive_by_its_children_in_a_store),
        cmocka_unit_test(test_session__a_forked_child_may_only_free),
    };
    return cmocka_run_group_tests_name("api/session", tests, NULL, NULL);
}
